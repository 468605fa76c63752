//! Many small requests while reports run and polls are exported. No acknowledged change is lost or missing from a
//! report, no client sees a lock, and the log stays small.

use std::collections::HashSet;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use crate::harness::{Client, Home, Server, eventually};

const CLIENTS: usize = 8;

/// What the write-ahead log must stay under.
const LOG_BYTES_MAX: u64 = 256 << 20;

/// What the test's threads count together.
#[derive(Default)]
struct Counts {
    acknowledged: AtomicU64,
    turned_away: AtomicU64,
    log_bytes: AtomicU64,
    clients_done: AtomicBool,
}

impl Counts {
    fn look_at_log(&self, home: &Home) {
        let length = fs::metadata(home.path("store-monitor.db-wal")).map_or(0, |log| log.len());
        self.log_bytes.fetch_max(length, Ordering::SeqCst);
    }
}

/// The polls of one small request: one to three, of which no other request has any.
fn rows(client: usize, request: usize) -> Vec<String> {
    let row = |row: usize| {
        let minute = request / 60;
        let (hour, minute, second) = (minute / 60, minute % 60, request % 60);
        let status = if (client + request + row).is_multiple_of(3) {
            "inactive"
        } else {
            "active"
        };
        // As an export writes them.
        format!("c{client}-{row},{status},2026-11-07 {hour:02}:{minute:02}:{second:02} UTC")
    };
    (0..1 + request % 3).map(row).collect()
}

/// Sends requests, each until it is acknowledged; a 503 that says when to come again is the only other
/// answer. Returns the rows that were acknowledged.
fn send(
    home: &Home,
    address: &str,
    client: usize,
    requests: usize,
    counts: &Counts,
) -> Vec<String> {
    let http = Client::new(address);
    let mut acknowledged = Vec::new();
    for request in 0..requests {
        let rows = rows(client, request);
        let body = format!("store_id,status,timestamp_utc\n{}\n", rows.join("\n"));
        let answer = eventually("a request is taken", || {
            let answer = http.post("/api/polls", "text/csv", &[], body.as_bytes());
            counts.look_at_log(home);
            if answer.status != 503 {
                return Some(answer);
            }
            assert!(!answer.header("Retry-After").is_empty());
            assert!(!answer.text().contains("locked"), "{}", answer.text());
            counts.turned_away.fetch_add(1, Ordering::SeqCst);
            None
        });
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["accepted"], rows.len(), "{}", answer.text());
        counts
            .acknowledged
            .fetch_add(rows.len() as u64, Ordering::SeqCst);
        acknowledged.extend(rows);
    }
    acknowledged
}

/// Exports polls again and again until the clients are done; each export has what was acknowledged
/// before it began. Returns how many there were.
fn export(home: &Home, polls_before: u64, counts: &Counts) -> u64 {
    let mut exports = 0;
    loop {
        let is_last = counts.clients_done.load(Ordering::SeqCst);
        let at_least = polls_before + counts.acknowledged.load(Ordering::SeqCst);
        let outcome = home.run(&["export", "polls"]).exits(0);
        assert_eq!(outcome.stderr, "");
        let polls = outcome.text().lines().count() as u64 - 1;
        assert!(polls >= at_least, "{polls} of {at_least}");
        exports += 1;
        if is_last {
            return exports;
        }
    }
}

/// The whole of it, with so many requests of each client and so many reports.
fn stress(requests: usize, reports: usize) {
    let home = Home::new();
    home.print(&[
        "generate", "--stores", "300", "--days", "8", "--seed", "5", "data",
    ]);
    let names = ["timezones", "menu_hours", "store_status"];
    home.import(&names.map(|name| format!("data/{name}.csv")));
    let polls_before = home.print(&["export", "polls"]);
    let polls_before = polls_before.iter().filter(|&&byte| byte == b'\n').count() as u64 - 1;
    let server = Server::start(&home);
    let (counts, address) = (Counts::default(), server.client.address.as_str());
    let (acknowledged, exports) = thread::scope(|scope| {
        let (home, counts) = (&home, &counts);
        let exports = scope.spawn(move || export(home, polls_before, counts));
        let client = |client| scope.spawn(move || send(home, address, client, requests, counts));
        let clients: Vec<_> = (0..CLIENTS).map(client).collect();
        let report = move || {
            let http = Client::new(address);
            for _ in 0..reports / 2 {
                assert!(http.report("").starts_with(b"store_id,"));
            }
        };
        let reports = [scope.spawn(report), scope.spawn(report)];
        let clients = clients
            .into_iter()
            .flat_map(|client| client.join().expect("a client"));
        let acknowledged: Vec<_> = clients.collect();
        counts.clients_done.store(true, Ordering::SeqCst);
        for report in reports {
            report.join().expect("reports");
        }
        (acknowledged, exports.join().expect("exports"))
    });
    let last = String::from_utf8(home.print(&["export", "polls"])).expect("text");
    let last: HashSet<_> = last.lines().collect();
    let lost = acknowledged
        .iter()
        .filter(|row| !last.contains(row.as_str()));
    assert_eq!(lost.count(), 0);
    assert_eq!(
        last.len() as u64,
        1 + polls_before + acknowledged.len() as u64
    );
    let log_bytes = counts.log_bytes.load(Ordering::SeqCst);
    assert!(log_bytes > 0 && log_bytes < LOG_BYTES_MAX, "{log_bytes}");
    assert!(server.terminate().success());
    let said = home.text("server.log").to_lowercase();
    for word in ["locked", "busy", "error", "panic"] {
        assert!(!said.contains(word), "{said}");
    }
    assert_eq!(home.print(&["check"]), b"ok\n");
    eprintln!(
        "{} requests of {CLIENTS} clients with {} polls, {} turned away with 503; {reports} reports; {exports} exports of {} polls at last; log at most {} KiB",
        CLIENTS * requests,
        acknowledged.len(),
        counts.turned_away.load(Ordering::SeqCst),
        last.len() - 1,
        log_bytes >> 10,
    );
}

#[test]
fn small_requests_reports_and_exports_get_along() {
    stress(200, 20);
}

#[test]
#[ignore = "half a minute: 10,000 requests"]
fn ten_thousand_small_requests_reports_and_exports_get_along() {
    stress(10_000 / CLIENTS, 50);
}

/// How many polls each store sends, one a request, and how far they are apart.
const STEPS: usize = 300;
const STEP_S: usize = 9;

/// The poll of so many steps into the hour after the generated week: up by odd ones, down by even ones.
fn step_row(client: usize, step: usize) -> String {
    let (minute, second) = (step * STEP_S / 60, step * STEP_S % 60);
    let status = if step.is_multiple_of(2) {
        "inactive"
    } else {
        "active"
    };
    format!("s{client},{status},2026-11-08 00:{minute:02}:{second:02} UTC\n")
}

/// The hour's uptime after so many steps, as a report prints it: with a poll more or fewer, whichever it
/// is, it is another.
fn uptime_after(steps: usize) -> String {
    let down_again = steps / 2 * STEP_S;
    let still_up = steps % 2 * (3600 - steps * STEP_S);
    let hundredths = (down_again + still_up) * 100 / 60;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[test]
fn a_report_has_every_poll_that_was_acknowledged_before_its_trigger_and_nothing_is_read_twice_for_it()
 {
    let home = Home::new();
    home.print(&[
        "generate", "--stores", "300", "--days", "8", "--seed", "5", "data",
    ]);
    let mut first = "store_id,status,timestamp_utc\n".to_owned();
    for client in 0..CLIENTS {
        first += &step_row(client, 0);
    }
    home.write("first.csv", first);
    let names = [
        "data/timezones",
        "data/menu_hours",
        "data/store_status",
        "first",
    ];
    home.import(&names.map(|name| format!("{name}.csv")));
    let server = Server::start_with(&home, &["serve", "--log", "debug"]);
    let address = server.client.address.as_str();
    let acknowledged: [AtomicU64; CLIENTS] = Default::default();
    let steps =
        |client: usize| usize::try_from(acknowledged[client].load(Ordering::SeqCst)).expect("few");
    let send = |client: usize| {
        let http = Client::new(address);
        for step in 1..=STEPS {
            let body = format!("store_id,status,timestamp_utc\n{}", step_row(client, step));
            let answer = http.post("/api/polls", "text/csv", &[], body.as_bytes());
            assert_eq!(answer.status, 200, "{}", answer.text());
            acknowledged[client].fetch_add(1, Ordering::SeqCst);
        }
    };
    let mut reports = 0;
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let send = &send;
            scope.spawn(move || send(client));
        }
        loop {
            let before: [usize; CLIENTS] = std::array::from_fn(steps);
            let query = "?interpolation=previous&as_of=2026-11-08T01:00:00Z";
            let csv = String::from_utf8(server.client.report(query)).expect("text");
            reports += 1;
            for (client, before) in before.into_iter().enumerate() {
                let row = csv
                    .lines()
                    .find_map(|row| row.strip_prefix(&format!("s{client},")));
                let uptime = row.and_then(|row| row.split(',').next()).expect("a row");
                // Of one more nobody may have heard yet.
                let most = (steps(client) + 1).min(STEPS);
                let is_one = (before..=most).any(|steps| uptime_after(steps) == uptime);
                assert!(is_one, "s{client}, {before} to {most} polls: {uptime} min");
            }
            if before == [STEPS; CLIENTS] {
                break;
            }
        }
    });
    assert!(server.terminate().success());
    // A server hears of its own changes, however soon after them a report looks.
    let said = home.text("server.log");
    assert!(said.contains("a report is done"), "{said}");
    assert_eq!(said.matches("polls are read again").count(), 0);
    eprintln!("{reports} reports while {} polls came in", CLIENTS * STEPS);
}
