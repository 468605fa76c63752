//! HTTP: the answers that callers get, to the header; and the failures that the worker pool survives.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use crossbeam_channel::{bounded, unbounded};
use store_monitor::civil::parse_instant;
use store_monitor::clock::machine_us;
use store_monitor::db::connection::{open_reader, open_writer};
use store_monitor::db::reports::{self, Report, ReportState, Triggered};
use store_monitor::db::writer::Writer;
use store_monitor::error::{Error, ErrorKind};
use store_monitor::http::gate::Gate;
use store_monitor::http::{Capacity, Data, Server as HttpServer, Site, bind};
use store_monitor::jobs::{JobRequest, Jobs, Limits, Recipe, Requester};
use store_monitor::product::report::FleetReport;
use store_monitor::render::csv::report_header;
use store_monitor::uptime::interval::{DAY, MINUTE};
use store_monitor::uptime::report::Question;
use store_monitor::uptime::timeline::Interpolation;
use uuid::Uuid;

use crate::harness::{Client, Home, Server, eventually};

/// An id that no report has.
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

#[test]
fn a_report_is_triggered_polled_for_and_fetched() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let triggered = server.request("POST", "/trigger_report");
    assert_eq!(triggered.status, 202);
    assert_eq!(triggered.header("Content-Type"), "application/json");
    // A small one may be complete before its trigger is answered.
    assert!(["Running", "Complete"].contains(&triggered.header("Report-Status")));
    let body = triggered.json();
    assert_eq!(body.as_object().expect("an object").len(), 1, "{body}");
    let id = body["report_id"].as_str().expect("an id");
    Uuid::try_parse(id).expect("a UUID");
    assert_eq!(triggered.header("Location"), format!("/get_report/{id}"));

    let complete = server.wait_for_report(id);
    assert_eq!(complete.status, 200);
    assert_eq!(complete.header("Content-Type"), "text/csv; charset=utf-8");
    assert_eq!(complete.header("Report-Status"), "Complete");
    assert_eq!(
        complete.header("Content-Disposition"),
        format!("attachment; filename=\"report-{id}.csv\"")
    );
    assert_eq!(
        complete.header("Content-Length"),
        complete.body.len().to_string()
    );
    assert_eq!(complete.body, home.print(&["report"]));
    // Both forms, and the history's, are the same bytes.
    for target in [
        format!("/get_report/{id}"),
        format!("/api/reports/{id}.csv"),
    ] {
        let same = server.get(&target);
        assert_eq!(same.body, complete.body, "{target}");
        assert_eq!(same.header("Report-Status"), "Complete", "{target}");
        let disposition = same.header("Content-Disposition");
        assert_eq!(
            disposition,
            complete.header("Content-Disposition"),
            "{target}"
        );
    }
    let upper = server.get(&format!("/get_report?report_id={}", id.to_uppercase()));
    assert_eq!(upper.body, complete.body);
}

#[test]
fn a_report_may_be_of_any_instant_by_either_rule() {
    let home = Home::seeded();
    let server = Server::start(&home);
    for (instant, query) in [
        ("2026-11-05 12:00:00 UTC", "2026-11-05T12:00:00Z"),
        ("2026-11-05 12:00:00 UTC", "2026-11-05+12%3A00%3A00+UTC"),
        ("2026-11-01 08:30:00.5 UTC", "2026-11-01T08:30:00.5Z"),
        ("2020-01-01 00:00:00 UTC", "2020-01-01T00:00:00Z"),
    ] {
        for rule in ["nearest", "previous"] {
            let line = ["report", "--as-of", instant, "--interpolation", rule];
            let csv = server.report(&format!("?as_of={query}&interpolation={rule}"));
            assert_eq!(csv, home.print(&line), "{query} {rule}");
        }
    }
}

#[test]
fn what_cannot_be_asked_is_a_problem_that_says_what_to_do() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let problem = |method: &str, target: &str, status: u16| {
        let answer = server.request(method, target);
        answer.problem(status)
    };
    assert!(problem("GET", "/get_report", 400).contains("report_id"));
    assert!(problem("GET", "/get_report?report_id=", 400).contains("report_id"));
    assert!(problem("GET", "/get_report?report_id=7", 400).contains("`7`"));
    assert!(problem("GET", "/get_report/7", 400).contains("UUID"));
    let twice = format!("/get_report?report_id={NOBODY}&report_id={NOBODY}");
    assert!(problem("GET", &twice, 400).contains("twice"));
    for target in [
        format!("/get_report?report_id={NOBODY}"),
        format!("/get_report/{NOBODY}"),
        format!("/api/reports/{NOBODY}"),
        format!("/api/reports/{NOBODY}.csv"),
    ] {
        assert!(problem("GET", &target, 404).contains(NOBODY), "{target}");
    }
    assert!(problem("POST", "/trigger_report?as_of=yesterday", 400).contains("`yesterday`"));
    assert!(
        problem("POST", "/trigger_report?as_of=2026-02-30T00:00:00Z", 400).contains("2026-02-30")
    );
    let rule = problem("POST", "/trigger_report?interpolation=linear", 400);
    assert!(
        rule.contains("`linear`") && rule.contains("`nearest` or `previous`"),
        "{rule}"
    );
    for limit in ["0", "101", "-1", "many"] {
        let detail = problem("GET", &format!("/api/reports?limit={limit}"), 400);
        assert!(detail.contains(limit), "{detail}");
    }
    assert!(problem("GET", "/api/reports?before=7", 400).contains("`7`"));
    problem("GET", "/nowhere", 404);
    problem("POST", "/get_report/a/b", 404);
    // Nothing was made of any of these.
    assert_eq!(
        server.get("/api/reports").json()["reports"],
        serde_json::json!([])
    );
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    let home = Home::seeded();
    let server = Server::start(&home);
    for (method, target, allowed) in [
        ("GET", "/trigger_report", "POST"),
        ("DELETE", "/trigger_report", "POST"),
        ("POST", "/get_report", "GET, HEAD"),
        ("DELETE", &format!("/get_report/{NOBODY}"), "GET, HEAD"),
        ("POST", "/health", "GET, HEAD"),
        ("PUT", "/api/reports", "GET, HEAD"),
    ] {
        let answer = server.request(method, target);
        let detail = answer.problem(405);
        assert_eq!(answer.header("Allow"), allowed, "{method} {target}");
        assert!(
            detail.contains(method) && detail.contains(allowed),
            "{detail}"
        );
    }
}

#[test]
fn head_is_get_without_the_body() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let id = server.trigger("");
    server.wait_for_report(&id);
    for target in [format!("/get_report/{id}"), format!("/api/reports/{id}")] {
        let (get, head) = (server.get(&target), server.request("HEAD", &target));
        assert_eq!(head.status, 200, "{target}");
        assert!(head.body.is_empty() && !get.body.is_empty(), "{target}");
        for header in [
            "Content-Type",
            "Content-Length",
            "Content-Disposition",
            "Report-Status",
        ] {
            assert_eq!(head.header(header), get.header(header), "{target} {header}");
        }
    }
    assert_eq!(server.request("HEAD", "/nowhere").status, 404);
}

#[test]
fn health_says_what_is_served() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let health = server.get("/health");
    assert_eq!(health.status, 200);
    let health = health.json();
    assert_eq!(health["status"], "ok");
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(health["newest_poll"], "2026-11-07T20:05:12.481903Z");
}

#[test]
fn health_is_503_when_the_database_cannot_be_read() {
    let home = Home::seeded();
    let server = Server::start(&home);
    // No handler has opened its connection yet: whoever answers finds a file that is no database.
    let database = home.database();
    std::fs::rename(&database, home.path("away.db")).expect("moved");
    home.write("store-monitor.db", "not a database. ".repeat(1000));
    let answer = server.get("/health");
    answer.problem(503);
    assert_ne!(answer.header("Retry-After"), "");
}

#[test]
fn the_history_is_told_newest_first_page_by_page() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let mut ids = Vec::new();
    for day in 1..=5 {
        let id = server.trigger(&format!("?as_of=2026-11-0{day}T00:00:00Z"));
        server.wait_for_report(&id);
        ids.insert(0, id);
    }
    let page = |target: &str| {
        let page = server.get(target).json();
        let reports = page["reports"].as_array().expect("reports").iter();
        let ids = reports.map(|report| report["report_id"].as_str().unwrap().to_owned());
        let next = page["next"].as_str().map(str::to_owned);
        (ids.collect::<Vec<_>>(), next)
    };
    assert_eq!(page("/api/reports"), (ids.clone(), None));
    let (mut seen, mut next) = (Vec::new(), Some("/api/reports?limit=2".to_owned()));
    let mut pages = 0;
    while let Some(target) = next {
        let (mut found, after) = page(&target);
        assert!(found.len() <= 2);
        seen.append(&mut found);
        next = after;
        pages += 1;
    }
    assert_eq!((seen, pages), (ids.clone(), 3));

    let answer = server.get(&format!("/api/reports/{}", ids[0]));
    assert_eq!(answer.header("Report-Status"), "Complete");
    let facts = answer.json();
    assert_eq!(facts["report_id"], ids[0].as_str());
    assert_eq!(facts["status"], "Complete");
    assert_eq!(facts["as_of"], "2026-11-05T00:00:00Z");
    assert_eq!(facts["interpolation"], "nearest");
    assert_eq!(facts["error"], serde_json::Value::Null);
    let csv = server.get(facts["csv"].as_str().expect("a path"));
    assert_eq!(facts["csv_bytes"], csv.body.len());
    let instant = |name: &str| parse_instant(facts[name].as_str().unwrap()).expect(name);
    let took = instant("finished_at") - instant("triggered_at");
    assert_eq!(facts["took_us"], took);
    assert!((machine_us() - instant("triggered_at")).abs() < 10 * MINUTE);
}

#[test]
fn the_oldest_reports_are_forgotten() {
    let home = Home::seeded();
    let server = Server::start_with(&home, &["serve", "--keep-reports", "2"]);
    // All were asked for within the hour, so ten times as many stay.
    let ids: Vec<_> = (0..22)
        .map(|_| {
            let id = server.trigger("");
            server.wait_for_report(&id);
            id
        })
        .collect();
    // The last of them goes shortly after the report that made it one too many is complete.
    for id in &ids[..2] {
        let answer = eventually("the report is forgotten", || {
            let answer = server.get(&format!("/get_report/{id}"));
            (answer.status != 200).then_some(answer)
        });
        answer.problem(404);
    }
    for id in &ids[2..] {
        assert_eq!(server.get(&format!("/get_report/{id}")).status, 200);
    }
}

#[test]
fn the_stores_of_reports_are_kept_once_and_go_with_the_last_of_them() {
    let home = Home::seeded();
    let start = || Server::start_with(&home, &["serve", "--keep-reports", "2"]);
    let fleets = || -> i64 {
        let db = open_reader(&home.database()).expect("a database");
        db.query_row("SELECT count(*) FROM store_list", [], |row| row.get(0))
            .expect("a count")
    };
    let server = start();
    server.report("");
    server.report("");
    assert_eq!(fleets(), 1);
    let body =
        "store_id,timestamp_utc,status\n\"a, \"\"new\"\" one\",2024-10-14 00:00:00 UTC,active\n";
    server.post("/api/polls", "text/csv", &[], body.as_bytes());
    let id = server.trigger("");
    let csv = server.wait_for_report(&id).body;
    assert_eq!(fleets(), 2);
    for _ in 0..19 {
        server.report("");
    }
    eventually("the other stores are forgotten", || {
        (fleets() == 1).then_some(())
    });
    server.terminate();
    // From the database it is what it was from memory.
    assert_eq!(start().get(&format!("/get_report/{id}")).body, csv);
    assert!(String::from_utf8_lossy(&csv).contains("\"a, \"\"new\"\" one\","));
}

#[test]
fn a_server_without_data_reports_nobody() {
    let home = Home::new();
    let server = Server::start(&home);
    let csv = String::from_utf8(server.report("")).unwrap();
    assert_eq!(csv.lines().count(), 1, "{csv}");
    assert_eq!(
        server.get("/health").json()["newest_poll"],
        serde_json::Value::Null
    );
}

#[test]
fn by_the_system_clock_a_report_is_as_of_its_trigger() {
    let home = Home::seeded();
    let server = Server::start_with(&home, &["serve", "--clock", "system"]);
    let before = machine_us();
    let id = server.trigger("");
    let after = machine_us();
    server.wait_for_report(&id);
    let facts = server.get(&format!("/api/reports/{id}")).json();
    let as_of = parse_instant(facts["as_of"].as_str().unwrap()).expect("an instant");
    assert!((before..=after).contains(&as_of), "{facts}");
    // An instant that the caller names still wins.
    let csv = server.report("?as_of=2026-11-07T20:00:00Z");
    assert_eq!(
        csv,
        home.print(&["report", "--as-of", "2026-11-07T20:00:00Z"])
    );
}

#[test]
fn the_demo_serves_the_seed_data_and_forgets_it() {
    let (home, seeded) = (Home::new(), Home::seeded());
    let temporary = home.path("tmp");
    std::fs::create_dir(&temporary).expect("a folder");
    let demo = Server::start_with(&home, &["demo", "--as-recorded"]);
    assert_eq!(demo.report(""), seeded.print(&["report"]));
    assert!(demo.terminate().success());
    assert_eq!(home.names(), ["server.log", "tmp"]);
    let log = home.text("server.log");
    assert!(log.contains("/trigger_report"), "{log}");
}

#[test]
fn what_is_imported_beside_a_server_is_in_its_next_report() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let first = server.trigger("");
    let before = server.wait_for_report(&first).body;
    assert_eq!(before, home.print(&["report"]));
    home.write(
        "polls.csv",
        "store_id,status,timestamp_utc\nnew,active,2026-11-07 20:30:00 UTC\n",
    );
    home.import(&["polls.csv"]);
    let after = server.report("");
    assert_ne!(after, before);
    assert_eq!(after, home.print(&["report"]));
    home.write(
        "zones.csv",
        "store_id,timezone_str\nnyc-lower-east-side,Asia/Tokyo\n",
    );
    home.import(&["zones.csv"]);
    let moved = server.report("");
    assert_ne!(moved, after);
    assert_eq!(moved, home.print(&["report"]));
    // An old report stays what it was.
    assert_eq!(server.get(&format!("/get_report/{first}")).body, before);
}

#[test]
fn many_clients_at_once_each_get_their_own_report() {
    let home = Home::seeded();
    let server = Server::start_with(&home, &["serve", "--workers", "4"]);
    let expected = home.print(&["report"]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let client = Client::new(server.client.address.clone());
                for _ in 0..5 {
                    assert!(client.report("") == expected);
                }
            });
        }
    });
    assert_eq!(
        server.get("/api/reports").json()["reports"]
            .as_array()
            .unwrap()
            .len(),
        40
    );
}

#[test]
fn nonsense_on_a_connection_harms_nobody_else() {
    let home = Home::seeded();
    let server = Server::start(&home);
    for nonsense in [
        &b"\0\0\0\0\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET /%ff%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /health HTTP/9.9\r\n\r\n",
        b"POST /trigger_report HTTP/1.1\r\nHost: x\r\nContent-Length: nine\r\nConnection: close\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(&server.client.address).expect("a connection");
        stream.write_all(nonsense).expect("sent");
        stream.shutdown(std::net::Shutdown::Write).expect("half closed");
        let mut answer = Vec::new();
        // It may be answered or hung up on.
        let _ = stream.read_to_end(&mut answer);
        assert_eq!(server.get("/health").status, 200, "{}", nonsense.escape_ascii());
    }
}

// The pool, by a recipe that does as it is told.

/// Starts jobs on a new database.
fn jobs(file: &Path, limits: Limits, recipe: Recipe) -> (Jobs, Writer) {
    let (writer, _) = Writer::start(open_writer(file).expect("a database"), ()).expect("a writer");
    let (jobs, _) = Jobs::start(file.to_owned(), writer.clone(), limits, recipe).expect("a pool");
    (jobs, writer)
}

/// A server in this process whose reports are made by `recipe`, with few handlers.
fn served(home: &Home, limits: Limits, recipe: Recipe) -> (HttpServer, Client, Jobs) {
    let (jobs, writer) = jobs(&home.database(), limits, recipe);
    let site = Site::new(
        home.database(),
        Data::new(Arc::default(), Arc::default(), jobs.clone()),
        writer,
    );
    let address = "127.0.0.1:0".parse().expect("an address");
    let gate = Gate::new(&address, &site).expect("a gate");
    let listener = bind(&address).expect("a port");
    let capacity = Capacity {
        handlers: 2,
        connections_max: 64,
        connections_each_max: None,
    };
    let http = HttpServer::start(listener, capacity, gate, site).expect("a server");
    let client = Client::new(http.address().tcp().expect("a port").to_string());
    (http, client, jobs)
}

/// Looks at a report until it no longer runs.
fn finished(file: &Path, id: Uuid) -> Report {
    let db = open_reader(file).expect("a database");
    eventually("a report is made", || {
        let report = reports::find(&db, id).expect("a report");
        (report.state != ReportState::Running).then_some(report)
    })
}

#[test]
fn a_server_is_ready_once_the_polls_are_in_memory() {
    let home = Home::seeded();
    let recipe: Recipe = Arc::new(|_, _| Ok(Arc::new(FleetReport::default())));
    let (http, client, _) = served(&home, Limits::default(), recipe);
    assert_eq!(client.get("/health").status, 200);
    let starting = client.get("/health?ready=1");
    assert!(starting.problem(503).contains("starting"));
    assert_eq!(starting.header("Retry-After"), "1");
    let reason = &starting.json()["reasons"][0];
    assert_eq!(reason["reason"], "starting");
    assert!(reason["detail"].as_str().unwrap().contains("memory"));
    assert_eq!(client.get("/api/stores").status, 200);
    let ready = client.get("/health?ready=1");
    assert_eq!((ready.status, &ready.json()["status"]), (200, &"ok".into()));
    client.get("/health?ready=maybe").problem(400);
    http.stop();
}

#[test]
fn a_full_queue_answers_503_and_when_to_come_again() {
    let home = Home::new();
    let (started, starts) = unbounded();
    let (release, released) = bounded::<()>(0);
    let limits = Limits {
        workers: 1,
        queue_reports_max: 2,
        ..Limits::default()
    };
    let recipe: Recipe = Arc::new(move |_, _| {
        let _ = started.send(());
        let _ = released.recv();
        Ok(Arc::new(FleetReport::default()))
    });
    let (http, client, _) = served(&home, limits, recipe);

    let in_hand = client.trigger("");
    starts.recv().expect("a worker has begun");
    let waiting = [client.trigger(""), client.trigger("")];
    for _ in 0..3 {
        let refused = client.request("POST", "/trigger_report");
        assert!(refused.problem(503).contains("2 reports are waiting"));
        assert_eq!(refused.header("Retry-After"), "1");
    }
    // Those who were turned away left no row behind.
    let history = client.get("/api/reports").json();
    assert_eq!(history["reports"].as_array().unwrap().len(), 3);
    for id in [&in_hand, &waiting[0], &waiting[1]] {
        let running = client.get(&format!("/get_report/{id}"));
        assert_eq!(running.json(), serde_json::json!({"status": "Running"}));
        assert_eq!(running.header("Content-Type"), "application/json");
        assert_eq!(running.header("Report-Status"), "Running");
        client.get(&format!("/api/reports/{id}.csv")).problem(404);
    }
    drop(release);
    for id in [&in_hand, &waiting[0], &waiting[1]] {
        assert_eq!(client.wait_for_report(id).text(), report_header());
    }
    // There is room again.
    assert_eq!(client.report(""), report_header().as_bytes());
    http.stop();
}

#[test]
fn a_report_that_fails_or_panics_says_why_and_costs_no_thread() {
    let home = Home::new();
    let limits = Limits {
        workers: 1,
        ..Limits::default()
    };
    let recipe: Recipe = Arc::new(|_, order| match order.question.as_of {
        1 => Err(Error::failed("the disk is on fire").because("smoke")),
        2 => panic!("a bug of kind {}", order.question.as_of),
        3 => panic!("a plain bug"),
        _ => Ok(Arc::new(FleetReport::default())),
    });
    let (http, client, jobs) = served(&home, limits, recipe);
    let db = open_reader(&home.database()).expect("a database");
    for _ in 0..3 {
        for (as_of, why) in [
            (1, "the disk is on fire"),
            (2, "a bug of kind 2"),
            (3, "a plain bug"),
        ] {
            let (id, _) = jobs
                .trigger(
                    &db,
                    JobRequest::report(Requester::anyone(), Some(as_of), Interpolation::Nearest),
                )
                .expect("an id");
            let failed = finished(&home.database(), id);
            assert_eq!(failed.state, ReportState::Failed);
            assert!(failed.finished_at.is_some());
            let answer = client.get(&format!("/get_report/{id}"));
            assert_eq!(
                (answer.status, answer.header("Report-Status")),
                (200, "Failed")
            );
            let body = answer.json();
            assert_eq!(body["status"], "Failed");
            assert!(body["error"].as_str().unwrap().contains(why), "{body}");
            client.get(&format!("/api/reports/{id}.csv")).problem(404);
        }
        // The pool of one still works.
        let (id, _) = jobs
            .trigger(
                &db,
                JobRequest::report(Requester::anyone(), Some(DAY), Interpolation::Previous),
            )
            .expect("an id");
        assert_eq!(finished(&home.database(), id).state, ReportState::Complete);
    }
    http.stop();
    assert_eq!(home.print(&["check"]), b"ok\n");
}

#[test]
fn reports_that_a_stop_left_are_made_by_the_next_start_even_more_than_the_queue_takes() {
    let home = Home::new();
    let mut db = open_writer(&home.database()).expect("a database");
    let ids: Vec<Uuid> = (0..5).map(|_| Uuid::new_v4()).collect();
    store_monitor::db::write(&mut db, |db| {
        for &id in &ids {
            let question = Question {
                as_of: DAY,
                rule: Interpolation::Nearest,
            };
            let triggered = Triggered {
                id,
                question,
                kind: "report".to_owned(),
                parameters: "{}".to_owned(),
                by: Requester::anyone(),
                triggered_at: 7,
            };
            reports::add(db, &triggered, false)?;
        }
        Ok(())
    })
    .expect("rows");
    let limits = Limits {
        workers: 1,
        queue_reports_max: 2,
        ..Limits::default()
    };
    let (release, released) = bounded::<()>(0);
    let recipe: Recipe = Arc::new(move |_, _| {
        let _ = released.recv();
        Ok(Arc::new(FleetReport::default()))
    });
    let (jobs, _writer) = jobs(&home.database(), limits, recipe);
    let full = jobs.trigger(
        &db,
        JobRequest::report(Requester::anyone(), None, Interpolation::Nearest),
    );
    assert_eq!(
        full.expect_err("a full queue").kind(),
        ErrorKind::Unavailable
    );
    drop(release);
    for id in ids {
        assert_eq!(finished(&home.database(), id).state, ReportState::Complete);
    }
}

#[test]
fn every_route_answers_a_plain_request_as_the_api_document_says() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let report = server.trigger("");
    server.wait_for_report(&report);
    let page = server.get("/reports").text().to_owned();
    let (_, asset) = page.split_once("/assets/style").expect("a style sheet");
    let (asset, _) = asset.split_once('"').expect("an end");
    let stores = server.get("/api/stores?limit=2").json();
    let [shown, deleted] = [0, 1].map(|at| {
        stores["stores"][at]["store_id"]
            .as_str()
            .unwrap()
            .to_owned()
    });
    let document = server.get("/openapi.json").json();
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let id = match path.split('/').nth(1).expect("a first segment") {
                "assets" => format!("style{asset}"),
                "samples" => "polls.csv".to_owned(),
                "docs" => "import".to_owned(),
                "api" if path == "/api/stores/{id}" && method == "delete" => deleted.clone(),
                "api" if path.starts_with("/api/stores") => shown.clone(),
                "stores" => shown.clone(),
                _ => report.clone(),
            };
            let mut target = path.replace("{id}", &id).replace("{date}", "2026-12-25");
            let fields = operation["parameters"].as_array().into_iter().flatten();
            if fields.clone().any(|field| field["name"] == "report_id") {
                target += &format!("?report_id={report}");
            }
            if fields.clone().any(|field| field["name"] == "to") {
                target += "?from=2026-11-01&to=2026-11-02";
            }
            let answer = server.request(&method.to_uppercase(), &target);
            let place = format!("{method} {target}: {}", answer.status);
            let responses = &operation["responses"];
            // The client has followed it to a page.
            let status = if responses["303"].is_object() {
                303
            } else {
                answer.status
            };
            let said = &responses[status.to_string()];
            assert!(said.is_object(), "{place} is not described");
            // Bodies are left out, so routes that take one may refuse; all others succeed.
            let takes_body = operation["requestBody"].is_object();
            // Made-up data are for a database without stores.
            // No token, link or alert has this name.
            let is_unknown = ["/api/tokens/", "/api/links/", "/api/alerts/", "/ack/"]
                .iter()
                .any(|named| path.starts_with(named));
            let is_refused_here = takes_body || path == "/made-up" || is_unknown;
            assert!(answer.status < 400 || is_refused_here, "{place}");
            if let Some(types) = said["content"].as_object() {
                let media_type = answer
                    .header("Content-Type")
                    .split(';')
                    .next()
                    .expect("one");
                let fits = types.contains_key(media_type) || types.contains_key("*/*");
                assert!(fits, "{place} is {media_type}");
            }
            if answer.status == 200 && method == "get" {
                let is_tagged = answer.headers.contains_key("ETag");
                assert_eq!(is_tagged, responses["304"].is_object(), "{place}: ETag");
            }
            asked += 1;
        }
    }
    assert!(asked > 25, "{asked} routes");
}
