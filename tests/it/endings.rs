//! Endings of reports: a disk that refuses one, and reports that were running when the process ended.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use rusqlite::Connection;
use store_monitor::db::connection::{open_reader, open_writer};
use store_monitor::db::reports::{self, ReportState, Triggered};
use store_monitor::db::writer::Writer;
use store_monitor::http::gate::Gate;
use store_monitor::http::{Capacity, Data, Server as HttpServer, Site, bind};
use store_monitor::jobs::{JobRequest, Jobs, Limits, Recipe, Requester};
use store_monitor::product::report::FleetReport;
use store_monitor::uptime::report::Question;
use store_monitor::uptime::timeline::Interpolation;
use uuid::Uuid;

use crate::harness::{Client, Home, Server, eventually};

/// Makes the database refuse what the trigger's words say, as a full disk does.
fn refuse(home: &Home, what: &str) {
    let sql = format!(
        "CREATE TRIGGER refusal BEFORE {what} ON report BEGIN SELECT RAISE(ABORT, 'no room'); END"
    );
    home.sqlite().execute_batch(&sql).expect("a trigger");
}

fn take_again(home: &Home) {
    home.sqlite()
        .execute_batch("DROP TRIGGER refusal")
        .expect("no trigger");
}

const ONE_WORKER: fn() -> Limits = || Limits {
    workers: 1,
    ..Limits::default()
};

/// Jobs on the home's database. Each report waits for the sender to be used or dropped.
struct Made {
    jobs: Jobs,
    writer: Writer,
    threads: Vec<JoinHandle<()>>,
    begins: Receiver<Question>,
    release: Sender<()>,
}

fn jobs(file: &Path, limits: Limits) -> Made {
    let (begun, begins) = unbounded();
    let (release, released) = bounded::<()>(0);
    let recipe: Recipe = Arc::new(move |_, order| {
        let _ = begun.send(order.question);
        let _ = released.recv();
        Ok(Arc::new(FleetReport::default()))
    });
    let (writer, _) = Writer::start(open_writer(file).expect("a database"), ()).expect("a writer");
    let (jobs, threads) =
        Jobs::start(file.to_owned(), writer.clone(), limits, recipe).expect("a pool");
    Made {
        jobs,
        writer,
        threads,
        begins,
        release,
    }
}

fn served(home: &Home, made: &Made) -> (HttpServer, Client) {
    let site = Site::new(
        home.database(),
        Data::new(Arc::default(), Arc::default(), made.jobs.clone()),
        made.writer.clone(),
    );
    let address = "127.0.0.1:0".parse().expect("an address");
    let gate = Gate::new(&address, &site).expect("a gate");
    let listener = bind(&address).expect("a port");
    let capacity = Capacity {
        handlers: 2,
        connections_max: 16,
        connections_each_max: None,
    };
    let http = HttpServer::start(listener, capacity, gate, site).expect("a server");
    let client = Client::new(http.address().tcp().expect("a port").to_string());
    (http, client)
}

fn is_unstored(client: &Client) -> bool {
    client.get("/health").text().contains("reports_unstored")
}

fn state(client: &Client, id: &str) -> String {
    let report = client.get(&format!("/get_report/{id}"));
    assert_eq!(report.status, 200, "{}", report.text());
    report.header("Report-Status").to_owned()
}

#[test]
fn a_report_that_cannot_be_stored_runs_until_it_is_and_holds_no_other_up() {
    let home = Home::new();
    let made = jobs(&home.database(), ONE_WORKER());
    let (http, client) = served(&home, &made);
    let id = client.trigger("");
    made.begins.recv().expect("it begins");
    refuse(&home, "UPDATE OF state");
    made.release.send(()).expect("released");
    eventually("the disk refuses the report", || {
        is_unstored(&client).then_some(())
    });
    assert_eq!(state(&client, &id), "Running");
    // The only worker goes on, and a report that needs no change of its row is stored.
    drop(made.release);
    assert!(!client.report("").is_empty());
    assert_eq!(state(&client, &id), "Running");
    take_again(&home);
    let stored = client.wait_for_report(&id);
    assert_eq!(stored.header("Report-Status"), "Complete");
    eventually("the health has recovered", || {
        (!is_unstored(&client)).then_some(())
    });
    http.stop();
    assert_eq!(home.print(&["check"]), b"ok\n");
}

#[test]
fn a_report_that_cannot_be_stored_for_long_is_failed_even_if_the_disk_refuses_that() {
    let home = Home::new();
    let limits = Limits {
        outcome_patience: Duration::from_millis(300),
        ..ONE_WORKER()
    };
    let made = jobs(&home.database(), limits);
    let (http, client) = served(&home, &made);
    let id = client.trigger("");
    made.begins.recv().expect("it begins");
    refuse(&home, "UPDATE OF state");
    drop(made.release);
    let failed = client.wait_for_report(&id);
    assert_eq!(failed.header("Report-Status"), "Failed");
    let reason = failed.json()["error"]
        .as_str()
        .expect("a reason")
        .to_owned();
    assert!(
        reason.contains("could not be stored") && reason.contains("no room"),
        "{reason}"
    );
    // The row still says otherwise, and everything that clients see agrees.
    let row = |column: &str| -> Option<String> {
        let sql = format!("SELECT {column} FROM report");
        home.sqlite()
            .query_row(&sql, [], |row| row.get(0))
            .expect("a row")
    };
    assert_eq!(row("state").as_deref(), Some("Running"));
    assert_eq!(
        client.get(&format!("/api/reports/{id}")).json()["error"],
        reason
    );
    assert_eq!(
        client.get("/api/reports").json()["reports"][0]["status"],
        "Failed"
    );
    client.get(&format!("/api/reports/{id}.csv")).problem(404);
    let metrics = client.get("/metrics");
    assert!(
        metrics.text().contains("reports{state=\"failed\"} 1\n"),
        "{}",
        metrics.text()
    );
    assert!(metrics.text().contains("reports{state=\"running\"} 0\n"));
    take_again(&home);
    eventually("the failure is stored", || {
        (row("state").as_deref() == Some("Failed")).then_some(())
    });
    assert_eq!(row("error"), Some(reason));
    assert_eq!(state(&client, &id), "Failed");
    http.stop();
    assert_eq!(home.print(&["check"]), b"ok\n");
}

#[test]
fn a_report_whose_first_row_is_refused_gets_no_id_and_never_appears() {
    let home = Home::new();
    let made = jobs(&home.database(), ONE_WORKER());
    let (http, client) = served(&home, &made);
    refuse(&home, "INSERT");
    let refused = client.request("POST", "/trigger_report");
    assert!(refused.problem(503).contains("no report is made"));
    assert!(!refused.header("Retry-After").is_empty());
    drop(made.release);
    take_again(&home);
    eventually("nothing waits any more", || {
        (!is_unstored(&client)).then_some(())
    });
    assert!(!client.report("").is_empty());
    assert_eq!(
        client.get("/api/reports").json()["reports"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    http.stop();
}

/// The reports in the order of arrival: the instant, the state, and the ends that count against each.
fn rows(db: &Connection) -> Vec<(i64, String, u32)> {
    let mut select = db
        .prepare("SELECT as_of, state, attempts FROM report ORDER BY number")
        .expect("rows");
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    rows.expect("rows").map(Result::unwrap).collect()
}

#[test]
fn a_report_that_was_running_at_three_unclean_ends_is_failed_and_one_that_waited_is_made() {
    let home = Home::new();
    drop(open_writer(&home.database()).expect("a database"));
    let db = open_reader(&home.database()).expect("a database");
    let (poison, innocent) = (1, 2);
    // An end that nobody prepares for: the threads of this pool never go on.
    let mut gone = Vec::new();
    for end in 1..=3 {
        let made = jobs(&home.database(), ONE_WORKER());
        if end == 1 {
            for as_of in [poison, innocent] {
                let request =
                    JobRequest::report(Requester::anyone(), Some(as_of), Interpolation::Nearest);
                made.jobs.trigger(&db, request).expect("an id");
            }
        }
        assert_eq!(made.begins.recv().expect("it begins").as_of, poison);
        // What counts is durable before the report is made again.
        let counted = [
            (poison, "Running".to_owned(), end),
            (innocent, "Running".to_owned(), 0),
        ];
        if end == 1 {
            eventually("the start is noted", || {
                (rows(&db) == counted).then_some(())
            });
        }
        assert_eq!(rows(&db), counted);
        gone.push(made);
    }
    let made = jobs(&home.database(), ONE_WORKER());
    assert_eq!(made.begins.recv().expect("it begins").as_of, innocent);
    drop(made.release);
    eventually("both have ended", || {
        let ended = rows(&db);
        let states: Vec<_> = ended
            .iter()
            .map(|(as_of, state, _)| (*as_of, state.as_str()))
            .collect();
        (states == [(poison, "Failed"), (innocent, "Complete")]).then_some(())
    });
    let error: String = db
        .query_row("SELECT error FROM report WHERE as_of = 1", [], |row| {
            row.get(0)
        })
        .expect("a reason");
    assert!(
        error.starts_with("it was running when the server ended 3 times"),
        "{error}"
    );
    // The pools that are gone must not go on in this process.
    std::mem::forget(gone);
}

#[test]
fn a_clean_stop_forgives_what_was_counted() {
    let home = Home::new();
    let mut db = open_writer(&home.database()).expect("a database");
    let ids = [Uuid::new_v4(), Uuid::new_v4()];
    store_monitor::db::write(&mut db, |db| {
        for (as_of, id) in (1..).zip(ids) {
            let rule = Interpolation::Nearest;
            let triggered = Triggered {
                id,
                question: Question { as_of, rule },
                kind: "report".to_owned(),
                parameters: "{}".to_owned(),
                by: Requester::anyone(),
                triggered_at: 7,
            };
            reports::add(db, &triggered, true)?;
            reports::begin(db, id)?;
        }
        Ok(())
    })
    .expect("rows");
    let made = jobs(&home.database(), ONE_WORKER());
    assert_eq!(made.begins.recv().expect("it begins").as_of, 1);
    assert_eq!(
        rows(&db).iter().map(|row| row.2).collect::<Vec<_>>(),
        [3, 2]
    );
    made.jobs.stop();
    drop(made.release);
    for thread in made.threads {
        thread.join().expect("it ends");
    }
    let left = rows(&db);
    assert_eq!(left[0].1, ReportState::Complete.as_str());
    assert_eq!(left[1], (2, "Running".to_owned(), 0));
}

#[test]
fn a_server_that_was_killed_three_times_fails_the_report_that_it_was_making() {
    let home = Home::seeded();
    let [poison, other] = [Uuid::new_v4(), Uuid::new_v4()];
    let insert = "INSERT INTO report (id, state, as_of, interpolation, triggered_at, attempts)
                  VALUES (?1, 'Running', 1793966400000000, 'nearest', 7, ?2)";
    for (id, attempts) in [(poison, 3), (other, 2)] {
        let id = id.to_string();
        home.sqlite()
            .execute(insert, (id, attempts))
            .expect("a row");
    }
    let server = Server::start(&home);
    let failed = server.wait_for_report(&poison.to_string());
    assert_eq!(failed.header("Report-Status"), "Failed");
    assert!(
        failed.text().contains("ended 3 times in a row"),
        "{}",
        failed.text()
    );
    assert_eq!(
        server
            .wait_for_report(&other.to_string())
            .header("Report-Status"),
        "Complete"
    );
    assert!(server.terminate().success());
    assert_eq!(home.print(&["check"]), b"ok\n");
}
