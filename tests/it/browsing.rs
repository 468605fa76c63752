//! The pages in a real browser: what an owner does there, and failures that an owner must never see.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use store_monitor::generate;

use crate::harness::{Home, Server, eventually, project, seeds};
use crate::webdriver::{Browser, say_skipped};

/// A name that would be a script if anybody forgot to escape it.
const HOSTILE: &str = "<img src=x onerror=alert(1)>";
const HOSTILE_ID: &str = "\"><script>alert(2)</script>";

/// A home with the demo's data, and stores with names that mean harm.
fn seeded() -> Home {
    let home = Home::seeded();
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let polls = (0..24).map(|hour| {
        let status = if hour % 5 == 0 { "inactive" } else { "active" };
        format!(
            "{},2026-11-06 {hour:02}:10:00 UTC,{status}\n",
            quoted(HOSTILE_ID)
        )
    });
    let polls: String = polls.collect();
    home.write(
        "polls.csv",
        format!("store_id,timestamp_utc,status\n{polls}"),
    );
    let name = quoted(HOSTILE);
    let group = quoted("'; alert(3); //\"><svg onload=alert(4)>");
    let stores = format!(
        "store_id,name,group\n{},{name},{group}\n",
        quoted(HOSTILE_ID)
    );
    home.write("stores.csv", stores);
    home.import(&["polls.csv", "stores.csv"]);
    home
}

fn hostile_path() -> String {
    let id: String = form_urlencoded(HOSTILE_ID);
    format!("/stores/{id}")
}

fn form_urlencoded(text: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'a'..=b'z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encoded).collect()
}

/// Every page there is.
fn pages() -> [(&'static str, String); 20] {
    [
        ("fleet", "/".to_owned()),
        ("owner", "/?group=Rivera+Hospitality".to_owned()),
        ("stores", "/stores".to_owned()),
        ("store", "/stores/seattle-pike-place".to_owned()),
        (
            "store-previous",
            "/stores/newark-penn-station?interpolation=previous".to_owned(),
        ),
        ("hostile", hostile_path()),
        ("incidents", "/incidents".to_owned()),
        ("reports", "/reports".to_owned()),
        ("statements", "/statements".to_owned()),
        ("digest", "/digest".to_owned()),
        (
            "statement",
            "/statements?period=2026-11&store=seattle-pike-place".to_owned(),
        ),
        ("load", "/load".to_owned()),
        (
            "owners-statement",
            "/statements?period=2026-11&per=group&by=week".to_owned(),
        ),
        ("alerts", "/alerts".to_owned()),
        (
            "replay",
            "/alerts/replay?from=2026-11-01&to=2026-11-07".to_owned(),
        ),
        ("guide", "/docs/operate".to_owned()),
        ("access", "/access".to_owned()),
        ("audit", "/audit".to_owned()),
        ("messages", "/messages".to_owned()),
        ("log-in", "/login".to_owned()),
    ]
}

#[track_caller]
fn is_quiet(browser: &Browser, server: &Server) {
    assert!(!browser.has_dialog(), "a dialog at {}", browser.url());
    assert_eq!(browser.complaints(), [""; 0], "at {}", browser.url());
    let own = format!("http://{}/", server.address);
    for url in browser.requested() {
        // A new window shows Chromium's own first page.
        let nobodys = url.starts_with("data:") || url.starts_with("chrome://");
        assert!(url.starts_with(&own) || nobodys, "{url}");
    }
}

#[test]
fn an_owner_loads_files_makes_a_report_and_takes_it_home() {
    let Some(browser) = Browser::start("the first visit in a browser") else {
        return;
    };
    let home = Home::new();
    let server = Server::start(&home);
    let at = |path: &str| format!("http://{}{path}", server.address);

    browser.open(&at("/"));
    browser.reads("h1", "No data yet");
    assert!(
        browser
            .text(".files")
            .contains("store_id,timestamp_utc,status")
    );

    home.write(
        "bad.csv",
        "store_id,timestamp_utc,status\na,2026-11-06 17:00:00 UTC,huh\n",
    );
    browser.type_into("#files", &home.path("bad.csv").display().to_string());
    browser.click("form.upload button");
    browser.reads(".outcome", "Nothing was loaded");
    let table = browser.text(".outcome");
    for word in ["bad.csv", "status", "expected `active` or `inactive`"] {
        assert!(table.contains(word), "{table}");
    }
    assert_eq!(server.get("/api/stores").json()["total"], 0);
    // The only answer that the console may mention is the one that was asked for.
    let complaints = browser.complaints();
    assert!(
        complaints.iter().all(|line| line.contains("422")),
        "{complaints:?}"
    );

    browser.type_into("#files", &seeds().join("\n"));
    browser.click("form.upload button");
    browser.reads(".outcome", "new rows");
    browser.click(".outcome a.primary");
    browser.reads("h1", "Fleet");
    browser.reads("#attention", "Needs attention");

    browser.click("main form[action='/reports'] button");
    browser.reads("h1", "Reports");
    browser.reads("#reports tbody", "complete");
    let link =
        browser.run("return document.querySelector('#reports a[download]').getAttribute('href')");
    let csv = server.get(link.as_str().expect("a link"));
    assert_eq!((csv.status, csv.body), (200, home.print(&["report"])));
    is_quiet(&browser, &server);
}

/// Corrects two bad rows of an upload: with a script or without, at this width, by keyboard.
fn mends(with_script: bool, width: u32) {
    let Some(browser) = Browser::start("corrections of an upload") else {
        return;
    };
    let home = Home::new();
    let server = Server::start(&home);
    home.write(
        "bad.csv",
        "store_id,timestamp_utc,status\na,2026-11-06 17:00:00 UTC,active\nb,2026-11-06 17:00:00 UTC,huh\nc,1/24/2023 9:08,inactive\n",
    );
    browser.resize(width, 844);
    if !with_script {
        browser.forbid_scripts();
    }
    browser.open(&format!("http://{}/load", server.address));
    browser.type_into("#files", &home.path("bad.csv").display().to_string());
    browser.click("form.upload button");
    browser.reads(".outcome", "2 rows are bad, 1 is good");
    // The fault is beside its field, and fits the screen.
    browser.reads("#row-0-2 + .fault", "unknown status `huh`");
    browser.reads("#row-1-1 + .fault", "no instant `1/24/2023 9:08`");
    if with_script {
        let wide = browser.run("return document.documentElement.scrollWidth > innerWidth");
        assert_eq!(wide, false, "{width}");
        accessible(&browser, "the corrections");
    }
    // Control and A select the old text; Enter sends the form.
    let over = |text: &str| format!("\u{e009}a\u{e000}{text}");
    browser.type_into("#row-0-2", &over("active"));
    browser.type_into("#row-1-1", &over("soon\u{e007}"));
    browser.reads(".outcome", "1 row is bad, 2 are good");
    assert_eq!(server.get("/api/stores").json()["total"], 0);
    browser.type_into("#row-0-1", &over("2026-11-06 17:00:00 UTC\u{e007}"));
    browser.reads(".outcome", "new rows");
    assert_eq!(server.get("/api/stores").json()["total"], 3);
}

#[test]
fn bad_rows_are_corrected_by_keyboard_on_a_phone() {
    mends(true, 390);
}

#[test]
fn bad_rows_are_corrected_without_a_script() {
    mends(false, 1280);
}

/// Loads a generated file of polls with a script, watching the progress bar, and without one.
fn uploads(stores: u32, bytes_min: u64) {
    let Some(browser) = Browser::start("an upload with a progress bar") else {
        return;
    };
    let files = Home::new();
    let options = generate::Options::new(stores, 9, 7);
    generate::write(&options, &files.path("data"), &mut |_| {}).expect("files");
    let file = files.path("data/store_status.csv");
    files.import(&[file.display().to_string()]);
    let expected = files.print(&["export", "polls"]);
    assert!(fs::metadata(&file).expect("a file").len() >= bytes_min);
    for script in [true, false] {
        let home = Home::new();
        let server = Server::start(&home);
        browser.open(&format!("http://{}/load", server.address));
        if script {
            browser.run(
                "window.told = new Set();
                const line = document.querySelector('.progress span');
                new MutationObserver(() => told.add(line.textContent)).observe(line, {childList: true});",
            );
        } else {
            browser.forbid_scripts();
            browser.open(&format!("http://{}/load", server.address));
        }
        browser.type_into("#files", &file.display().to_string());
        browser.click("form.upload button");
        browser.reads(".outcome", "new rows");
        if script {
            let told = browser.run("return [...told].join()");
            let told = told.as_str().expect("a text");
            assert!(
                told.contains("% sent") && told.contains("All sent"),
                "{told}"
            );
        }
        assert!(
            home.print(&["export", "polls"]) == expected,
            "other polls than imported"
        );
    }
}

#[test]
fn a_file_above_a_mebibyte_is_uploaded_with_a_progress_bar_and_without_a_script() {
    uploads(1000, 8 << 20);
}

#[test]
#[ignore = "140 MB"]
fn an_upload_of_140_mb_shows_its_progress() {
    uploads(14_000, 130 << 20);
}

#[test]
fn stores_are_sorted_filtered_and_looked_at() {
    let Some(browser) = Browser::start("the list and the page of a store in a browser") else {
        return;
    };
    let home = seeded();
    let server = Server::start(&home);
    let at = |path: &str| format!("http://{}{path}", server.address);
    let first = "tbody tr:first-child th a";

    browser.open(&at("/stores"));
    browser.reads("[aria-sort=descending]", "Offline");
    assert_eq!(browser.text(first), HOSTILE);
    browser.click("th:nth-child(4) a");
    browser.reads("[aria-sort=ascending]", "Offline");
    browser.click("th:nth-child(4) a");
    browser.reads("[aria-sort=descending]", "Offline");
    browser.open(&at("/stores"));
    browser.type_into("#q", "pike");
    browser.type_into("#group", "Bright Fork Partners");
    browser.click(".filters button");
    browser.reads(".lead", "1 of 64 stores");
    browser.click(first);
    browser.reads("h1", "Bright Fork Pike Place");
    browser.reads(".state-now", "offline since");

    browser.hover("a.piece[data-state=offline]");
    browser.reads(".told", "offline, ");
    browser.run("document.querySelector('a.piece[data-state=online]').focus()");
    browser.reads(".told", "online, ");
    browser.click("a.piece[data-state=closed]");
    browser.reads(".told", "outside business hours");
    assert!(!browser.url().contains('#'), "the page jumped");
    is_quiet(&browser, &server);

    browser.open(&at("/stores?state=online&sort=downtime"));
    browser.open(&at(&hostile_path()));
    assert_eq!(browser.text("h1"), HOSTILE);
    is_quiet(&browser, &server);
    for (_, page) in pages() {
        browser.open(&at(&page));
        is_quiet(&browser, &server);
    }
}

#[test]
fn every_page_is_whole_without_a_script() {
    let Some(browser) = Browser::start("pages without a script") else {
        return;
    };
    let home = seeded();
    let server = Server::start(&home);
    let at = |path: &str| format!("http://{}{path}", server.address);
    browser.forbid_scripts();
    for (_, page) in pages() {
        browser.open(&at(&page));
        assert!(!browser.text("h1").is_empty(), "{page}");
    }
    browser.open(&at("/reports"));
    browser.click("form button.primary");
    // It is made within a moment, and a plain look again shows it.
    eventually("the report is complete", || {
        browser.open(&at("/reports"));
        browser.text("#reports").contains("complete").then_some(())
    });
    browser.open(&at("/load"));
    browser.type_into("#files", &seeds()[0]);
    browser.click("form.upload button");
    browser.reads(".outcome", "duplicates");
    browser.open(&at("/stores/seattle-pike-place"));
    browser.click("a.piece[data-state=offline]");
    eventually("a piece leads to its words", || {
        browser.url().contains("#piece-").then_some(())
    });
    is_quiet(&browser, &server);
}

#[test]
fn a_store_prints_to_one_page_of_a4_or_letter() {
    let Some(browser) = Browser::start("printing") else {
        return;
    };
    let home = seeded();
    // With all that a page can say of a store.
    let own = ["seattle-pike-place", "newark-penn-station", "chicago-ohare"];
    let (mut stores, mut days) = (
        "store_id,name,group,sales_per_hour,target\n".to_owned(),
        "store_id,date,start_time_local,end_time_local,reason\n".to_owned(),
    );
    for id in own {
        stores += &format!("{id},{id},Somebody,120.50,99.5\n");
        days += &format!("{id},2026-11-04,,,Staff day\n{id},2026-11-26,,,Thanksgiving\n");
    }
    home.write("stores.csv", stores);
    home.write("special.csv", days);
    home.import(&["stores.csv", "special.csv"]);
    let server = Server::start_with(&home, &["serve", "--currency", "$"]);
    for store in own {
        browser.open(&format!("http://{}/stores/{store}", server.address));
        for (width, height) in [(21.0, 29.7), (21.59, 27.94)] {
            let sheets = sheets(&browser, width, height);
            assert_eq!(sheets, 1, "{store} on {width} × {height} cm");
        }
    }
}

#[test]
fn a_statement_prints_to_one_page_a_store() {
    let Some(browser) = Browser::start("the print of a statement") else {
        return;
    };
    let home = Home::seeded();
    let server = Server::start(&home);
    let owner = server.get("/api/stores?group=Rivera+Hospitality").json();
    let stores = owner["total"].as_u64().expect("a number");
    let dates = "from=2026-10-08&to=2026-11-07&by=day";
    for (query, expected) in [
        (format!("{dates}&store=seattle-pike-place"), 1),
        (format!("{dates}&group=Rivera+Hospitality"), stores.min(5)),
    ] {
        browser.open(&format!("http://{}/statements?{query}", server.address));
        for (width, height) in [(21.0, 29.7), (21.59, 27.94)] {
            let sheets = sheets(&browser, width, height);
            assert_eq!(
                u64::try_from(sheets),
                Ok(expected),
                "{query} on {width} × {height} cm"
            );
        }
    }
}

#[test]
fn a_list_begins_on_the_first_sheet() {
    let Some(browser) = Browser::start("the print of lists") else {
        return;
    };
    let home = seeded();
    let server = Server::start(&home);
    for (page, expected) in [("/incidents", 2), ("/stores", 1), ("/statements", 3)] {
        browser.open(&format!("http://{}{page}", server.address));
        assert_eq!(sheets(&browser, 21.0, 29.7), expected, "{page}");
    }
}

/// How many sheets of paper of this size, in centimetres, the page takes.
fn sheets(browser: &Browser, width: f64, height: f64) -> usize {
    let pdf = browser.print(width, height);
    let count = |needle: &[u8]| {
        pdf.windows(needle.len())
            .filter(|part| *part == needle)
            .count()
    };
    count(b"/Type /Page\n") + count(b"/Type /Page ")
}

#[test]
fn pages_fit_every_width_and_follow_the_systems_colours() {
    let Some(browser) = Browser::start("widths and dark colours") else {
        return;
    };
    let home = seeded();
    let server = Server::start(&home);
    let ground = || browser.run("return getComputedStyle(document.body).backgroundColor");
    for width in [360_u32, 660, 768, 900, 1024, 1280, 1920] {
        browser.resize(width, 800);
        for (name, page) in pages() {
            browser.open(&format!("http://{}{page}", server.address));
            let beyond = browser.run("return document.documentElement.scrollWidth");
            let row = browser.run("return Math.max(0, ...[...document.querySelectorAll('tr')].map(row => row.offsetHeight))");
            let covered = browser.run("const bars = [...document.querySelectorAll('.bucket svg')];
                return bars.some(bar => bar.getBoundingClientRect().right > bar.closest('th').getBoundingClientRect().right)");
            assert_eq!(covered, false, "{name} has a bar over numbers at {width}");
            // Cells of a guide's tables are prose.
            assert!(
                name == "guide" || row.as_i64() < Some(200),
                "{name} has a row of {row} px at {width}"
            );
            assert!(
                beyond.as_i64() <= Some(width.into()),
                "{name} is {beyond} px wide on {width}"
            );
        }
    }
    browser.prefer("light");
    assert_eq!(ground(), "rgb(247, 247, 245)");
    browser.prefer("dark");
    assert_eq!(ground(), "rgb(18, 21, 26)");
}

#[test]
fn a_finger_can_hit_whatever_a_page_offers() {
    let Some(browser) = Browser::start("the size of what a finger hits") else {
        return;
    };
    let home = seeded();
    let server = Server::start(&home);
    server.report("");
    browser.resize(390, 844);
    for (name, page) in pages() {
        browser.open(&format!("http://{}{page}", server.address));
        assert_eq!(small_targets(&browser), json!([]), "{name}");
    }
}

/// What a page offers that a finger hardly hits. A link within a sentence is as high as its line; the pieces of a chart
/// have a test of their own.
pub(crate) fn small_targets(browser: &Browser) -> Value {
    browser.run(
            "const all = document.querySelectorAll('a, button, input, select, textarea, summary');
             const inSentence = one => one.matches('a') && one.parentElement.matches('p, li, span')
                 && one.parentElement.textContent.trim().length > one.textContent.trim().length + 3;
             const target = one => one.matches('[type=checkbox]') ? one.labels[0] : one;
             return [...all].filter(one => one.checkVisibility() && !one.closest('.aside, .skip, .timelines, .heat, .guide'))
                 .filter(one => one.type !== 'hidden' && !inSentence(one)).map(target)
                 .filter(one => one.getBoundingClientRect().height < 43.5 && one.getBoundingClientRect().height > 0)
                 .map(one => one.outerHTML.slice(0, 90))",
    )
}

/// axe-core, where `.ci/run` puts it.
fn axe() -> Option<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| project().join("target"));
    let file = target.join("axe/node_modules/axe-core/axe.min.js");
    file.is_file().then_some(file)
}

/// Checks that axe-core, if it is there, finds nothing on the page as it stands.
#[track_caller]
pub(crate) fn accessible(browser: &Browser, place: &str) {
    let Some(axe) = axe() else {
        return;
    };
    browser.inject(&axe);
    let found = browser.run_async(
        "const done = arguments[arguments.length - 1]; axe.run().then(found => done(found.violations
            .map(one => [one.id, one.nodes.slice(0, 3).map(node => [node.target, node.failureSummary])])))",
    );
    assert_eq!(found, json!([]), "{place}");
}

#[test]
fn no_page_has_a_fault_for_those_who_see_or_reach_less() {
    if axe().is_none() {
        say_skipped(
            "accessibility",
            "axe-core (npm install --prefix target/axe axe-core)",
        );
        return;
    }
    let Some(browser) = Browser::start("accessibility") else {
        return;
    };
    let home = seeded();
    let server = Server::start(&home);
    let empty = Home::new();
    let first = Server::start(&empty);
    let mut all: Vec<String> = pages()
        .map(|(_, page)| format!("http://{}{page}", server.address))
        .into();
    all.push(format!("http://{}/", first.address));
    all.push(format!("http://{}/stores/nowhere", server.address));
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        for width in [360, 1160] {
            browser.resize(width, 900);
            for page in &all {
                browser.open(page);
                accessible(&browser, &format!("{page}, {scheme}, {width} px"));
            }
        }
    }
}

/// Writes a picture of every page at three widths, light and dark, to `screenshots/`:
/// `cargo test --test it screenshots -- --ignored`.
#[test]
#[ignore = "writes pictures to look at"]
fn screenshots_of_every_page() {
    let Some(browser) = Browser::start("screenshots") else {
        return;
    };
    let home = seeded();
    let server = Server::start(&home);
    server.report("");
    server.report("?interpolation=previous");
    let empty = Home::new();
    let first = Server::start(&empty);
    let folder = project().join("screenshots");
    fs::create_dir_all(&folder).expect("a folder");
    let mut all: Vec<(String, String)> = pages()
        .map(|(name, page)| (name.to_owned(), format!("http://{}{page}", server.address)))
        .into();
    all.push((
        "first-visit".to_owned(),
        format!("http://{}/", first.address),
    ));
    all.push((
        "missing".to_owned(),
        format!("http://{}/stores/nowhere", server.address),
    ));
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        for width in [360, 1160, 1920] {
            browser.resize(width, 900);
            for (name, page) in &all {
                browser.open(page);
                let height: Value = browser.run("return document.documentElement.scrollHeight");
                let height = u32::try_from(height.as_u64().unwrap_or(900)).expect("a height");
                browser.resize(width, height.max(900));
                let file = folder.join(format!("{name}-{width}-{scheme}.png"));
                fs::write(file, browser.screenshot()).expect("a picture");
                browser.resize(width, 900);
            }
        }
    }
}

/// Closes a server by its first token, shares a store, logs out and in, and is revoked: with a script or without.
fn logs_in(with_script: bool) {
    let Some(browser) = Browser::start("logging in and out") else {
        return;
    };
    let home = Home::seeded();
    let server = Server::start(&home);
    let at = |path: &str| format!("http://{}{path}", server.address);
    let field = || {
        let value = browser.run("return document.querySelector('#once').value");
        value.as_str().expect("a text").to_owned()
    };
    browser.resize(390, 844);
    if !with_script {
        browser.forbid_scripts();
    }
    browser.open(&at("/access"));
    browser.type_into("#name", "boss");
    browser.click(".new-token button");
    browser.reads("h1", "The token boss");
    let token = with_script.then(field);
    browser.open(&at("/stores/boston-fenway"));
    browser.click(".share summary");
    browser.click(".share button");
    browser.reads("h1", "Your link");
    let link = with_script.then(field);
    browser.click(".session button");
    browser.reads("h1", "Log in");
    let (Some(token), Some(link)) = (token, link) else {
        return;
    };
    accessible(&browser, "the log-in");
    browser.open(&link);
    browser.reads("h1", "Fenway");
    accessible(&browser, "a shared page");
    let wide = browser.run("return document.documentElement.scrollWidth > innerWidth");
    assert_eq!(wide, false);
    browser.open(&at("/audit"));
    browser.type_into("#token", &token);
    browser.click(".log-in button");
    browser.reads("h1", "Who did what");
    accessible(&browser, "the audit");
    // With no token at all the server would be open again.
    home.run(&["token", "add", "other", "--scope", "admin"])
        .exits(0);
    home.run(&["token", "revoke", "boss"]).exits(0);
    let other = eventually("the revocation is seen", || {
        browser.open(&at("/stores"));
        let title = browser.run("return document.querySelector('h1').textContent");
        (title != "Stores").then_some(title)
    });
    assert_eq!(other, "Log in");
}

#[test]
fn a_maker_of_the_first_token_shares_logs_out_and_in_and_is_revoked() {
    logs_in(true);
}

#[test]
fn the_same_is_done_without_a_script() {
    logs_in(false);
}
