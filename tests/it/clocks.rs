//! Wrong clocks: a machine's clock may jump to any time, and nothing that was accepted is lost or refused for it.

use std::collections::{BTreeMap, VecDeque};

use store_monitor::civil::{format_day, format_rfc3339, format_utc, parse_instant};
use store_monitor::clock::{BUILT_US, machine_us};
use store_monitor::uptime::interval::{DAY, HOUR, MINUTE, Micros, SECOND};

use crate::harness::{Answer, Home, Server};
use crate::wrong_clock::WrongClock;

const POLLS: &str = "store_id,timestamp_utc,status\n";
const CSV: &str = "text/csv";
const TEN_MINUTES: Micros = 10 * MINUTE;

/// How many reports the servers keep.
const KEEP_REPORTS: usize = 4;

/// The stores that are polled.
const STORES: [&str; 3] = ["airport", "harbor", "museum"];

/// Hourly polls of ten days, of which the newest is some minutes old.
fn ten_days(home: &Home) {
    let (mut csv, newest) = (POLLS.to_owned(), machine_us() - 3 * MINUTE);
    for hour in 0..240 {
        for store in STORES {
            csv += &format!("{store},{},active\n", format_utc(newest - hour * HOUR));
        }
    }
    home.write("polls.csv", csv);
    home.import(&["polls.csv"]);
}

fn row(store: &str, at: Micros) -> String {
    format!("{store},{},inactive\n", format_utc(at))
}

fn post(server: &Server, row: &str, key: Option<&str>) -> Answer {
    let fields: Vec<_> = key
        .map(|key| ("Idempotency-Key", key))
        .into_iter()
        .collect();
    server.post(
        "/api/polls",
        CSV,
        &fields,
        format!("{POLLS}{row}").as_bytes(),
    )
}

fn conditions(server: &Server) -> Vec<String> {
    let health = server.get("/health");
    assert_eq!(health.status, 200, "{}", health.text());
    let health = health.json();
    let conditions = health["conditions"].as_array().expect("conditions").iter();
    conditions
        .map(|one| one["condition"].as_str().expect("a name").to_owned())
        .collect()
}

fn exported(home: &Home) -> Vec<String> {
    let csv = String::from_utf8(home.print(&["export", "polls"])).expect("text");
    let mut rows: Vec<_> = csv.lines().skip(1).map(str::to_owned).collect();
    rows.sort();
    rows
}

/// What a session did so far, and what must hold of it.
struct Session<'a> {
    home: &'a Home,
    clock: &'a WrongClock,
    server: Option<Server>,
    /// Every poll that was accepted, as it is exported.
    polls: Vec<String>,
    /// The answers by key, and the rows that they are of.
    kept: BTreeMap<String, (String, Vec<u8>)>,
    /// Rows to be sent again, since they were answered 503.
    owed: Vec<String>,
    /// The reports that must be there, the oldest first.
    reports: VecDeque<String>,
    sent: i64,
}

impl<'a> Session<'a> {
    /// The steps of a session.
    const STEPS: [fn(&mut Self); 8] = [
        Self::post_with_a_key,
        Self::report,
        Self::send_again,
        Self::post_without_a_key,
        Self::take_back,
        Self::restart,
        Self::report,
        Self::send_again,
    ];

    fn new(home: &'a Home, clock: &'a WrongClock) -> Self {
        let mut this = Self {
            home,
            clock,
            server: None,
            polls: exported(home),
            kept: BTreeMap::new(),
            owed: Vec::new(),
            reports: VecDeque::new(),
            sent: 0,
        };
        this.restart();
        this
    }

    fn server(&self) -> &Server {
        self.server.as_ref().expect("it runs")
    }

    /// Retention runs at the start.
    fn restart(&mut self) {
        if let Some(server) = self.server.take() {
            assert_eq!(server.terminate().code(), Some(0));
        }
        let keep = KEEP_REPORTS.to_string();
        let line = ["serve", "--keep-days", "30", "--keep-reports", &keep];
        self.server = Some(Server::start_as(
            self.home,
            self.clock.command(self.home, &line),
        ));
        self.look();
    }

    /// A row of a minute ago, as a poller with the right time sends it.
    fn next_row(&mut self) -> String {
        self.sent += 1;
        let store = STORES[usize::try_from(self.sent).unwrap() % STORES.len()];
        row(store, machine_us() - MINUTE + self.sent)
    }

    /// It is accepted, or answered 503 if the clock is far behind: then it is owed.
    fn accept(&mut self, row: String, key: Option<&str>) {
        let is_ahead = self.clock.now_us() + TEN_MINUTES < machine_us() - MINUTE;
        let answer = post(self.server(), &row, key);
        if is_ahead {
            let detail = answer.problem(503);
            assert!(detail.contains("this machine's clock says"), "{detail}");
            assert_eq!(answer.header("Retry-After"), "60");
            self.owed.push(row);
            return;
        }
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["accepted"], 1, "{}", answer.text());
        if let Some(key) = key {
            self.kept.insert(key.to_owned(), (row.clone(), answer.body));
        }
        let fields: Vec<_> = row.trim_end().split(',').collect();
        self.polls.push([fields[0], fields[2], fields[1]].join(","));
    }

    fn post_with_a_key(&mut self) {
        let (row, key) = (self.next_row(), format!("key {}", self.sent));
        self.accept(row, Some(&key));
    }

    fn post_without_a_key(&mut self) {
        let row = self.next_row();
        self.accept(row, None);
    }

    /// Whatever the clock says, a keyed request gets its answer again, and no accepted row is refused.
    fn send_again(&mut self) {
        for (key, (row, body)) in self.kept.iter().rev().take(3) {
            let again = post(self.server(), row, Some(key));
            assert_eq!((again.status, &again.body), (200, body), "{}", again.text());
            assert_eq!(again.header("Idempotent-Replayed"), "true");
            let unkeyed = post(self.server(), row, None);
            match unkeyed.status {
                200 => assert_eq!(unkeyed.json()["unchanged"], 1, "{}", unkeyed.text()),
                _ => drop(unkeyed.problem(503)),
            }
        }
    }

    fn report(&mut self) {
        let id = self.server().trigger("");
        let made = self.server().wait_for_report(&id);
        assert_eq!(made.header("Report-Status"), "Complete");
        assert_eq!(made.text().lines().count(), 1 + STORES.len());
        self.reports.push_back(id);
        while self.reports.len() > KEEP_REPORTS {
            self.reports.pop_front();
        }
        self.look();
    }

    /// The last reports are there, in their order, and their times make sense.
    fn look(&self) {
        let listed = self.server().get("/api/reports").json();
        let listed = listed["reports"].as_array().expect("reports");
        let wanted = self.reports.iter().rev();
        for (report, id) in listed.iter().zip(wanted) {
            assert_eq!(&report["report_id"], id.as_str());
            assert!(report["took_us"].as_i64().expect("a time") >= 0, "{report}");
        }
        for id in &self.reports {
            let report = self.server().get(&format!("/get_report/{id}"));
            assert_eq!(
                report.header("Report-Status"),
                "Complete",
                "{}",
                report.text()
            );
        }
        let reports: Vec<_> = self.reports.iter().collect();
        if let [.., earlier, before, _] = reports[..] {
            let page = self
                .server()
                .get(&format!("/api/reports?before={before}"))
                .json();
            assert_eq!(page["reports"][0]["report_id"], earlier.as_str(), "{page}");
        }
    }

    fn take_back(&mut self) {
        let Some(place) = self.polls.iter().position(|row| row.contains(",inactive,")) else {
            return;
        };
        let row = self.polls.remove(place);
        let mut fields = row.split(',');
        let (store, at) = (
            fields.next().expect("a store"),
            fields.next_back().expect("an instant"),
        );
        let at = parse_instant(at).expect("an instant");
        let [from, to] = [at, at + 1].map(format_rfc3339);
        let answer = self.server().request(
            "DELETE",
            &format!("/api/stores/{store}/polls?from={from}&to={to}"),
        );
        assert_eq!(answer.json()["removed"], 1, "{row}: {}", answer.text());
        // Its answer stays kept, but the row would be new.
        self.kept
            .retain(|_, (kept, _)| !kept.contains(&format_utc(at)));
    }

    /// With the right time, what is owed is taken, and everything is there.
    fn settle(&mut self) {
        self.clock.set(0);
        for row in std::mem::take(&mut self.owed) {
            self.accept(row, None);
        }
        self.send_again();
        assert!(self.owed.is_empty());
        assert_eq!(conditions(self.server()), [""; 0]);
        self.polls.sort();
        assert_eq!(exported(self.home), self.polls);
    }
}

#[test]
fn a_clock_that_jumps_at_any_point_of_a_session_costs_nothing_that_was_accepted() {
    let home = Home::new();
    let Some(clock) = WrongClock::new(&home, "clocks that jump") else {
        return;
    };
    ten_days(&home);
    let to_1970 = -(machine_us() / SECOND * SECOND);
    let mut session = Session::new(&home, &clock);
    for jump in [HOUR, -HOUR, DAY, -DAY, 400 * DAY, -400 * DAY, to_1970] {
        for place in 0..Session::STEPS.len() {
            for (number, step) in Session::STEPS.iter().enumerate() {
                if number == place {
                    clock.set(jump);
                    let is_behind = jump < 0;
                    assert_eq!(
                        conditions(session.server()).contains(&"clock_suspect".to_owned()),
                        is_behind
                    );
                    let page = session.server().get("/");
                    assert_eq!(page.status, 200);
                    assert_eq!(page.text().contains("So newer checks must wait"), is_behind);
                }
                step(&mut session);
            }
            session.settle();
        }
    }
    drop(session);
    assert_eq!(home.print(&["check"]), b"ok\n");
    let log = home.text("server.log");
    assert!(
        log.contains("this machine's clock says 1970-01-01"),
        "{log}"
    );
}

#[test]
fn one_poll_of_a_clock_400_days_ahead_makes_retention_forget_nothing() {
    let home = Home::new();
    let Some(clock) = WrongClock::new(&home, "polls of a wrong clock") else {
        return;
    };
    ten_days(&home);
    let before = exported(&home);
    clock.set(400 * DAY);
    let wrong = clock.now_us() - MINUTE;
    {
        let server = Server::start_as(&home, clock.command(&home, &["serve"]));
        assert_eq!(post(&server, &row("harbor", wrong), None).status, 200);
    }
    for wrong_by in [400 * DAY, 0] {
        clock.set(wrong_by);
        let refused = clock.run(&home, &["import", "--keep-days", "30"]);
        refused.exits(1).says(&[
            "720 of 721 polls are older than",
            "--prune-before",
            "store-monitor.db",
        ]);
        let server = Server::start_as(&home, clock.command(&home, &["serve", "--keep-days", "30"]));
        crate::harness::eventually("retention says that it waits", || {
            conditions(&server)
                .contains(&"retention_held".to_owned())
                .then_some(())
        });
        assert_eq!(exported(&home).len(), before.len() + 1);
    }
    // The right time: the clock is now before the newest poll, and polls of now are taken all the same.
    let server = Server::start_as(&home, clock.command(&home, &["serve"]));
    assert!(conditions(&server).contains(&"clock_suspect".to_owned()));
    let now = row("harbor", machine_us() - SECOND);
    assert_eq!(post(&server, &now, None).status, 200);
    assert!(
        post(&server, &row("harbor", machine_us() + HOUR), None)
            .problem(503)
            .contains("newest poll")
    );
    // The notice leads to the store of the wrong poll.
    let page = server.get("/").text().to_owned();
    let (_, list) = page.split_once("has a wrong date").expect("a notice");
    let (_, list) = list.split_once("href=\"").expect("a link");
    let (list, _) = list.split_once('"').expect("its end");
    let list = server.get(&list.replace("&amp;", "&")).text().to_owned();
    let (_, first) = list.split_once("<tbody>").expect("a list");
    assert!(first.find("harbor").expect("harbor") < first.find("airport").expect("airport"));
    // The wrong poll is taken back, and all is as if it had never come.
    let [from, to] = [wrong - DAY, wrong + DAY].map(format_rfc3339);
    let removed = server.request(
        "DELETE",
        &format!("/api/stores/harbor/polls?from={from}&to={to}"),
    );
    assert_eq!(removed.json()["removed"], 1, "{}", removed.text());
    assert_eq!(conditions(&server), [""; 0]);
    let newest = server.get("/health").json()["newest_poll"].clone();
    assert!(
        now.contains(&newest.as_str().expect("an instant")[11..19]),
        "{newest}"
    );
    assert_eq!(server.report(""), home.print(&["report"]));
    drop(server);
    assert_eq!(home.print(&["check"]), b"ok\n");
    // A person's word is always followed.
    let cut = format_utc(machine_us() - HOUR);
    home.run(&["import", "--keep-days", "1", "--prune-before", &cut])
        .exits(0)
        .says(&["polls forgotten"]);
    assert!(exported(&home).len() < 10);
}

#[test]
fn a_new_report_is_there_whatever_the_clock_says_when_the_history_is_full() {
    let home = Home::new();
    let Some(clock) = WrongClock::new(&home, "reports of a clock that is set back") else {
        return;
    };
    ten_days(&home);
    let server = Server::start_as(
        &home,
        clock.command(&home, &["serve", "--keep-reports", "3"]),
    );
    // None has been fetched, so ten times as many stay.
    let full: Vec<String> = (0..30).map(|_| server.trigger("")).collect();
    clock.set(-HOUR);
    let mut last = full;
    for _ in 0..5 {
        let id = server.trigger("");
        last.push(id.clone());
        assert_eq!(
            server.wait_for_report(&id).header("Report-Status"),
            "Complete"
        );
        crate::harness::eventually("the oldest report goes", || {
            let listed = server.get("/api/reports").json();
            let ids = listed["reports"].as_array().expect("reports").iter();
            let ids: Vec<String> = ids
                .map(|one| one["report_id"].as_str().unwrap().to_owned())
                .collect();
            let newest: Vec<String> = last.iter().rev().take(30).cloned().collect();
            (ids == newest).then_some(())
        });
        assert_eq!(server.get(&format!("/get_report/{id}")).status, 200);
    }
}

#[test]
fn an_import_by_a_clock_that_cannot_be_right_writes_nothing_and_names_both_times() {
    let home = Home::new();
    let Some(clock) = WrongClock::new(&home, "imports by a wrong clock") else {
        return;
    };
    let at = machine_us() - MINUTE;
    home.write("new.csv", format!("{POLLS}{}", row("harbor", at)));
    clock.set(-(machine_us() / SECOND * SECOND));
    let empty = clock.run(&home, &["import", "new.csv"]).exits(1);
    empty.says(&[
        "clock says 1970-01-01",
        "this program was made on 2026-",
        "set the machine's clock",
    ]);
    assert!(!home.database().exists());
    ten_days(&home);
    clock.set(-DAY);
    for line in [
        &["import", "new.csv"][..],
        &["import", "new.csv", "--rejects", "bad.csv"],
    ] {
        let refused = clock.run(&home, line).exits(1);
        refused.says(&["clock says", "the newest poll is of", "nothing was written"]);
        assert!(!home.path("bad.csv").exists());
    }
    let checked = clock.run(&home, &["check"]).exits(0);
    checked.says(&["warning: this machine's clock says"]);
    // Rows that are not ahead of it are taken, and so are those of a machine whose clock was set.
    home.write("old.csv", format!("{POLLS}{}", row("harbor", at - 2 * DAY)));
    clock.run(&home, &["import", "old.csv"]).exits(0);
    clock.set(0);
    clock.run(&home, &["import", "new.csv"]).exits(0);
    assert_eq!(exported(&home).len(), 722);
}

#[test]
fn reports_by_the_systems_clock_go_on_by_the_datas_while_it_is_in_doubt() {
    let home = Home::new();
    let Some(clock) = WrongClock::new(&home, "reports by a wrong clock") else {
        return;
    };
    ten_days(&home);
    clock.set(-DAY);
    let server = Server::start_as(&home, clock.command(&home, &["serve", "--clock", "system"]));
    let answer = server.request("POST", "/trigger_report");
    let told = answer.json();
    assert!(
        told["note"]
            .as_str()
            .expect("a note")
            .contains("as of the newest poll"),
        "{told}"
    );
    let id = told["report_id"].as_str().expect("an id");
    assert_eq!(server.wait_for_report(id).body, home.print(&["report"]));
    let fleet = server.get("/api/fleet").json();
    assert_eq!(fleet["as_of"], server.get("/health").json()["newest_poll"]);
    assert_eq!(fleet["freshness"]["is_live"], false);
    for page in ["/", "/load"] {
        assert!(
            server
                .get(page)
                .text()
                .contains("So newer checks must wait"),
            "{page}"
        );
    }
    clock.set(0);
    let answer = server.request("POST", "/trigger_report").json();
    assert!(answer.get("note").is_none(), "{answer}");
    assert_eq!(
        server.get("/api/fleet").json()["freshness"]["is_live"],
        true
    );
    // The log says it once a change.
    let log = home.text("server.log");
    let doubts = log
        .lines()
        .filter(|line| line.contains("this machine's clock says"));
    assert_eq!(doubts.count(), 1, "{log}");
}

#[test]
fn a_poll_in_the_future_is_refused_with_the_machines_time_unless_it_may_be_ahead() {
    let home = Home::new();
    ten_days(&home);
    let ahead = row("harbor", machine_us() + 23 * HOUR);
    home.write("ahead.csv", format!("{POLLS}{ahead}"));
    let said = [
        "is in the future",
        "this machine's clock says 20",
        "is it right?",
        "--ahead MINUTES",
    ];
    home.run(&["import", "ahead.csv"]).exits(2).says(&said);
    let server = Server::start(&home);
    let refused = post(&server, &ahead, None);
    refused.problem(422);
    let error = refused.json()["errors"][0].clone();
    assert_eq!(error["code"], "range");
    for word in said {
        assert!(
            error["reason"].as_str().expect("a reason").contains(word),
            "{error}"
        );
    }
    assert_eq!(
        post(&server, &row("harbor", machine_us() + 9 * MINUTE), None).status,
        200
    );
    drop(server);
    home.run(&["import", "ahead.csv", "--ahead", "1440"])
        .exits(0);
    let server = Server::start_with(&home, &["serve", "--ahead", "1440"]);
    let later = row("harbor", machine_us() + 22 * HOUR);
    let taken = post(&server, &later, Some("a key"));
    assert_eq!(taken.status, 200, "{}", taken.text());
    assert_eq!(
        post(&server, &row("harbor", machine_us() + 23 * HOUR), None).status,
        200
    );
    assert_eq!(conditions(&server), [""; 0]);
    drop(server);
    // By stricter settings the row is refused, and its answer is kept all the same. Nothing is skipped for a doubt.
    let server = Server::start(&home);
    assert_eq!(post(&server, &later, Some("a key")).body, taken.body);
    post(&server, &later, None).problem(503);
    let body = format!("{POLLS}{later}{}", row("harbor", machine_us() - HOUR));
    server
        .post("/api/polls?on_bad_row=skip", CSV, &[], body.as_bytes())
        .problem(503);
}

#[test]
fn the_demo_runs_on_a_machine_that_booted_in_1970() {
    let home = Home::new();
    let Some(clock) = WrongClock::new(&home, "a demo by a wrong clock") else {
        return;
    };
    clock.set(-(machine_us() / SECOND * SECOND));
    for line in [&["demo"][..], &["demo", "--as-recorded"]] {
        let server = Server::start_as(&home, clock.command(&home, line));
        assert_eq!(server.get("/").status, 200);
        assert_eq!(
            server
                .report("")
                .iter()
                .filter(|&&byte| byte == b'\n')
                .count(),
            64
        );
    }
    let server = Server::start_as(&home, clock.command(&home, &["serve"]));
    let refused = server.post("/made-up", "application/x-www-form-urlencoded", &[], b"");
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(
        refused.text().contains("set the machine's clock"),
        "{}",
        refused.text()
    );
}

#[test]
fn polls_that_are_taken_back_leave_no_trace() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let (report, page) = (
        server.report(""),
        server.get("/api/stores/nyc-times-square").json(),
    );
    let outages = server.get("/api/incidents").json();
    for row in [
        "nyc-times-square,2026-11-07 20:30:00 UTC,inactive\n",
        "nyc-times-square,2026-11-07 23:59:59.999999 UTC,inactive\n",
        "new,2026-11-07 22:00:00 UTC,inactive\n",
    ] {
        assert_eq!(post(&server, row, None).status, 200);
    }
    assert_ne!(server.report(""), report);
    let delete = |store: &str, query: &str| {
        server.request("DELETE", &format!("/api/stores/{store}/polls{query}"))
    };
    for query in [
        "",
        "?from=2026-11-07",
        "?to=2026-11-07",
        "?from=2026-11-08&to=2026-11-08",
        "?from=2026-11-08&to=2026-11-07",
        "?from=yesterday&to=2026-11-07",
    ] {
        delete("new", query).problem(400);
    }
    delete("nobody", "?from=2026-11-07&to=2026-11-08").problem(404);
    // The first instant goes, the last one stays.
    let span = "?from=2026-11-07T20:30:00Z&to=2026-11-07T23:59:59.999999Z";
    assert_eq!(delete("nyc-times-square", span).json()["removed"], 1);
    assert_eq!(delete("nyc-times-square", span).json()["removed"], 0);
    let rest = "?from=2026-11-07T23:59:59.999999Z&to=2026-11-08";
    assert_eq!(delete("nyc-times-square", rest).json()["removed"], 1);
    // The last poll of a store: it stays, as one that was never polled.
    assert_eq!(
        delete("new", "?from=2000-01-01&to=2100-01-01").json()["removed"],
        1
    );
    let polled = "SELECT polled FROM store WHERE store_id = 'new'";
    let polled: i64 = home
        .sqlite()
        .query_row(polled, [], |row| row.get(0))
        .expect("a store");
    assert_eq!(polled, 0);
    server.request("DELETE", "/api/stores/new");
    assert_eq!(server.report(""), report);
    assert_eq!(server.report(""), home.print(&["report"]));
    assert_eq!(server.get("/api/stores/nyc-times-square").json(), page);
    assert_eq!(server.get("/api/incidents").json(), outages);
    assert_eq!(home.print(&["check"]), b"ok\n");
}

#[test]
fn the_day_of_the_build_is_in_the_changelog_and_not_in_the_future() {
    assert!(BUILT_US <= machine_us());
    let day = format_day(BUILT_US.div_euclid(DAY));
    let changelog =
        std::fs::read_to_string(crate::harness::project().join("src/docs/changelog.md"));
    assert!(
        changelog
            .expect("a changelog")
            .contains(&format!("before {day}")),
        "{day}"
    );
}
