//! The cost of the frontend: requests a second with it, with tiny_http alone on the same routes, with axum serving the
//! same bytes, and with a token.
//!
//! `cargo bench --bench frontend` runs it, with wrk as the client. Nothing is asserted; parts that the machine lacks
//! are reported and skipped.

#![expect(clippy::print_stdout, reason = "the table is what the bench is for")]

mod axum;

use std::error::Error;
use std::fs;
use std::io::Cursor;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::Axum;
use chrono_tz::Tz;
use store_monitor::access::secret::{Kind as SecretKind, Secret};
use store_monitor::access::{Audience, Scope};
use store_monitor::db::connection::{open_reader, open_writer};
use store_monitor::db::credentials::{self, Kind, NewCredential};
use store_monitor::db::writer::Writer;
use store_monitor::hot_window::Inputs;
use store_monitor::http::frontend::socket::{Address, Peer};
use store_monitor::http::gate::Gate;
use store_monitor::http::keyring::Keyring;
use store_monitor::http::request::Request;
use store_monitor::http::visitor::Visitor;
use store_monitor::http::{App, Capacity, Data, Readers, Server, Site, bind, routes};
use store_monitor::jobs::{JobRequest, Jobs, Limits, Order, Requester};
use store_monitor::product::Product;
use store_monitor::product::report::FleetReport;
use store_monitor::uptime::business_hours::Pattern;
use store_monitor::uptime::fleet::{BusinessTime, Fleet};
use store_monitor::uptime::timeline::Interpolation;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const HANDLERS: usize = 64;
const CONNECTIONS: &str = "48";
/// How long each is loaded at a time, and how often, in turns.
const SECONDS: &str = "3";
const TURNS: usize = 5;
/// A report of 14,000 stores.
const CSV_BYTES: usize = 700_000;
/// What the frontend may cost beside tiny_http alone.
const TARGET: f64 = 0.5;
/// What a download may cost beside axum.
const AXUM_TARGET: f64 = 0.7;
/// What a token may cost beside an open server.
const TOKEN_TARGET: f64 = 0.9;

fn main() -> Result<()> {
    if !std::env::args().any(|argument| argument == "--bench") {
        eprintln!("nothing is measured here: `cargo bench` does that");
        return Ok(());
    }
    if Command::new("wrk").arg("-v").output().is_err() {
        eprintln!("SKIPPED: what the frontend costs: wrk is missing (apt-get install wrk)");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("store-monitor.db");
    let mut db = open_writer(&file)?;
    let token = Secret::new(SecretKind::Token)?;
    let keyring = keyring(&mut db, &token)?;
    let token = token.text();
    let (writer, _) = Writer::start(db, ())?;
    let recipe = Arc::new(|_: &mut _, order: &Order| {
        // The id of its one store is that long.
        let pattern = Pattern::weekly(Tz::UTC, Vec::new());
        let fleet = Arc::new(Fleet::new([(1, "x".repeat(CSV_BYTES).into(), pattern)]));
        let business = Arc::new(BusinessTime::new(&fleet, BusinessTime::span_for(0)));
        let inputs = Inputs::new(fleet, business, Arc::default());
        Ok(Arc::new(FleetReport::new(&inputs, order.question, 1)) as Arc<dyn Product>)
    });
    let (jobs, _) = Jobs::start(file.clone(), writer.clone(), Limits::default(), recipe)?;
    let site = Site::new(
        file,
        Data::new(Arc::default(), Arc::default(), jobs.clone()),
        writer,
    );
    let (id, _) = jobs.trigger(
        &open_reader(&site.file)?,
        JobRequest::report(Requester::anyone(), None, Interpolation::Nearest),
    )?;
    let bare = bare(&site)?;
    let capacity = Capacity {
        handlers: HANDLERS,
        connections_max: 512,
        connections_each_max: None,
    };
    let address: Address = "127.0.0.1:0".parse()?;
    let open = Gate::new(&address, &site)?;
    let closed = Gate {
        keyring,
        ..open.clone()
    };
    let open = Server::start(bind(&address)?, capacity, open, site.clone())?;
    let closed = Server::start(bind(&address)?, capacity, closed, site)?;
    let served = open.address().tcp().ok_or("no port")?;
    let closed = closed.address().tcp().ok_or("no port")?;
    // The report is made while the first are warmed up.
    thread::sleep(Duration::from_secs(1));

    let csv = format!("/get_report/{id}");
    let bytes = ureq::get(format!("http://{served}{csv}")).call()?;
    let copy = folder.path().join("report.csv");
    fs::write(&copy, bytes.into_body().read_to_vec()?)?;
    // Both stay as they are while the other is loaded: who is not asked takes no time.
    let axum = Axum::start(&copy);

    println!("{CONNECTIONS} connections of wrk; medians of {TURNS} turns of {SECONDS} s\n");
    print_line(
        ["what", "measured", "compared to", "measured", "ratio"],
        "target",
        "met",
    );
    let rule = "-".repeat(15);
    print_line(
        [&rule, &rule[..9], &rule, &rule[..9], "-----"],
        "------",
        "---",
    );
    let health = compare((served, "/health"), (bare, "/health"), None)?;
    print_rates("/health", "tiny_http alone", TARGET, health);
    let alone = compare((served, &csv), (bare, &csv), None)?;
    print_rates("a CSV of 700 kB", "tiny_http alone", TARGET, alone);
    match axum {
        Ok(axum) => {
            let beside = compare((served, &csv), (axum.address, axum::TARGET), None)?;
            print_rates("a CSV of 700 kB", "axum", AXUM_TARGET, beside);
        }
        Err(missing) => eprintln!("SKIPPED: a CSV of 700 kB beside axum: {missing}"),
    }
    for (what, target) in [("/health", "/health"), ("a CSV of 700 kB", &csv)] {
        let beside = compare((closed, target), (served, target), Some(&token))?;
        print_rates(what, "without a token", TOKEN_TARGET, beside);
    }
    Ok(())
}

/// A keyring with one token, an admin's.
fn keyring(db: &mut rusqlite::Connection, token: &Secret) -> Result<Arc<Keyring>> {
    let new = NewCredential {
        kind: Kind::Token,
        name: Some("bench".to_owned()),
        scope: Scope::Admin,
        audience: Audience::All,
        known_stores_only: false,
        hash: token.hash(),
        created_at: 1,
        expires_at: None,
    };
    store_monitor::db::write(db, |db| credentials::add(db, &new))?;
    Ok(Arc::new(Keyring::open(db)?))
}

/// The rates of the frontend, asked with a token if there is one, and of what it is compared to.
fn compare(
    ours: (SocketAddr, &str),
    other: (SocketAddr, &str),
    token: Option<&str>,
) -> Result<(f64, f64)> {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    // Turn by turn, so that a slow minute of the machine is slow for both.
    for _ in 0..TURNS {
        a.push(load(ours, token)?);
        b.push(load(other, None)?);
    }
    Ok((median(a), median(b)))
}

fn print_rates(what: &str, name: &str, goal: f64, (frontend, other): (f64, f64)) {
    let (ratio, rate) = (frontend / other, |rate: f64| format!("{rate:.0}/s"));
    let met = if ratio >= goal { "yes" } else { "no" };
    let (target, ratio) = (format!("≥ {goal:.2}"), format!("{ratio:.3}"));
    print_line(
        [what, &rate(frontend), name, &rate(other), &ratio],
        &target,
        met,
    );
}

fn print_line([what, frontend, name, other, ratio]: [&str; 5], target: &str, met: &str) {
    println!(
        "| {what:<15} | {frontend:<9} | {name:<15} | {other:<9} | {ratio:<5} | {target:<6} | {met:<3} |"
    );
}

/// tiny_http with the same routes and as many handlers, facing its clients itself.
fn bare(site: &Site) -> Result<SocketAddr> {
    let server = tiny_http::Server::http("127.0.0.1:0").map_err(|error| error.to_string())?;
    let server = Arc::new(server);
    let gate = Gate::new(&"127.0.0.1:0".parse()?, site)?;
    let visitor = Arc::new(Visitor {
        scope: Scope::Admin,
        ..gate.stranger(Peer::Unix)
    });
    for _ in 0..HANDLERS {
        let (server, mut app) = (
            Arc::clone(&server),
            App::new(site.clone(), Readers::default(), Arc::clone(&visitor)),
        );
        thread::spawn(move || {
            while let Ok(request) = server.recv() {
                handle(&mut app, request);
            }
        });
    }
    Ok(server.server_addr().to_ip().ok_or("no address")?)
}

fn handle(app: &mut App, incoming: tiny_http::Request) {
    let (method, target) = (incoming.method().to_string(), incoming.url().to_owned());
    let mut body = std::io::empty();
    let mut request = Request::new(&method, &target, &mut body);
    let field = |header: &tiny_http::Header| (header.field.to_string(), header.value.to_string());
    request.headers = incoming.headers().iter().map(field).collect();
    let answer = routes::answer(app, &mut request, None);
    let header = |(name, value): &(&str, String)| {
        tiny_http::Header::from_bytes(name.as_bytes(), value.as_bytes()).ok()
    };
    let outgoing = tiny_http::Response::new(
        tiny_http::StatusCode(answer.status),
        answer.headers.iter().filter_map(header).collect(),
        Cursor::new(answer.body.as_slice()),
        Some(answer.body.len()),
        None,
    );
    // A client that left is no matter here.
    let _ = incoming.respond(outgoing.with_chunked_threshold(usize::MAX));
}

/// Requests a second, by wrk.
fn load((address, target): (SocketAddr, &str), token: Option<&str>) -> Result<f64> {
    let mut wrk = Command::new("wrk");
    wrk.args(["-t", "1", "-c", CONNECTIONS, "-d", SECONDS]);
    if let Some(token) = token {
        wrk.args(["-H", &format!("Authorization: Bearer {token}")]);
    }
    let output = wrk.arg(format!("http://{address}{target}")).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    if said.contains("Non-2xx") || said.contains("Socket errors") {
        return Err(format!("not every request of {target} was answered well: {said}").into());
    }
    let rate = said
        .lines()
        .find_map(|line| line.strip_prefix("Requests/sec:"));
    Ok(rate.ok_or("wrk told no rate")?.trim().parse()?)
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
