//! Who may use which route, as one table; and a search of what one owner is told for traces of another.

use std::fmt::Write as _;

use serde_json::Value;
use store_monitor::access::secret::{Kind as SecretKind, Secret};
use store_monitor::access::{Audience, Scope};
use store_monitor::db::connection::open_writer;
use store_monitor::db::credentials::{self, Kind, NewCredential};

use crate::harness::{Answer, Client, Home, Server};

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// Names of the other owner's data, none of which may be in an answer for the first.
const OTHERS: [&str; 5] = [
    "zz-hidden",
    "Hidden Kitchen",
    "Other Owner",
    "zz%2Dhidden",
    "Other%20Owner",
];

/// The visitors, in the order of the table's columns.
const VISITORS: [&str; 12] = [
    "none",
    "wrong",
    "expired",
    "revoked",
    "ingest",
    "ours",
    "ours, report",
    "theirs",
    "report",
    "admin",
    "link",
    "session",
];

/// The status of a plain request for our store, our owner or nothing at all, by visitor.
#[rustfmt::skip]
const TABLE: &[(&str, [u16; 12])] = &[
    ("GET /", [401, 401, 401, 401, 403, 200, 200, 200, 200, 200, 200, 200]),
    ("GET /access", [401, 401, 401, 401, 403, 403, 403, 403, 403, 200, 404, 403]),
    ("GET /ack/{id}", [404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404]),
    ("GET /alerts", [401, 401, 401, 401, 403, 403, 403, 403, 403, 200, 404, 403]),
    ("GET /alerts/replay", [401, 401, 401, 401, 403, 403, 403, 403, 403, 200, 404, 403]),
    ("GET /api/alerts", [401, 401, 401, 401, 403, 403, 403, 403, 403, 200, 404, 403]),
    ("GET /api/audit", [401, 401, 401, 401, 403, 403, 403, 403, 403, 200, 404, 403]),
    ("GET /api/backup", [401, 401, 401, 401, 403, 403, 403, 403, 403, 200, 404, 403]),
    ("GET /api/digest", [401, 401, 401, 401, 403, 200, 200, 200, 200, 200, 200, 200]),
    ("GET /api/fleet", [401, 401, 401, 401, 403, 200, 200, 200, 200, 200, 200, 200]),
    ("GET /api/incidents", [401, 401, 401, 401, 403, 200, 200, 200, 200, 200, 200, 200]),
    ("GET /api/incidents.csv", [401, 401, 401, 401, 403, 200, 200, 200, 200, 200, 200, 200]),
    ("GET /api/links", [401, 401, 401, 401, 403, 403, 403, 403, 403, 200, 404, 403]),
    ("GET /api/messages", [401, 401, 401, 401, 403, 403, 403, 403, 403, 200, 404, 403]),
    ("GET /api/poller-outages", [401, 401, 401, 401, 403, 200, 200, 200, 200, 200, 200, 200]),
    ("GET /api/reports", [401, 401, 401, 401, 403, 200, 200, 200, 200, 200, 200, 200]),
    ("GET /api/reports/{id}", [401, 401, 401, 401, 403, 404, 404, 404, 404, 404, 404, 404]),
    ("GET /api/reports/{id}.csv", [401, 401, 401, 401, 403, 404, 404, 404, 404, 404, 404, 404]),
    ("GET /api/reports/{id}.xlsx", [401, 401, 401, 401, 403, 404, 404, 404, 404, 404, 404, 404]),
    ("GET /api/statements.csv", [401, 401, 401, 401, 403, 200, 200, 200, 200, 200, 200, 200]),
    ("GET /api/statements.xlsx", [401, 401, 401, 401, 403, 200, 200, 200, 200, 200, 200, 200]),
    ("GET /api/stores", [401, 401, 401, 401, 403, 200, 200, 200, 200, 200, 200, 200]),
    ("GET /api/stores.csv", [401, 401, 401, 401, 403, 200, 200, 200, 200, 200, 200, 200]),
    ("GET /api/stores/{id}", [401, 401, 401, 401, 403, 200, 200, 404, 200, 200, 200, 200]),
    ("GET /api/stores/{id}/badge.svg", [401, 401, 401, 401, 403, 200, 200, 404, 200, 200, 200, 200]),
    ("GET /api/stores/{id}/inputs", [401, 401, 401, 401, 403, 200, 200, 404, 200, 200, 200, 200]),
    ("GET /api/stores/{id}/timeline", [401, 401, 401, 401, 403, 200, 200, 404, 200, 200, 200, 200]),
    ("GET /api/tokens", [401, 401, 401, 401, 403, 403, 403, 403, 403, 200, 404, 403]),
    ("GET /assets/{id}", [404, 401, 401, 401, 404, 404, 404, 404, 404, 404, 404, 404]),
    ("GET /audit", [401, 401, 401, 401, 403, 403, 403, 403, 403, 200, 404, 403]),
    ("GET /docs", [200, 401, 401, 401, 200, 200, 200, 200, 200, 200, 200, 200]),
    ("GET /docs/{id}", [200, 401, 401, 401, 200, 200, 200, 200, 200, 200, 200, 200]),
    ("GET /get_report", [401, 401, 401, 401, 403, 404, 404, 404, 404, 404, 404, 404]),
    ("GET /get_report/{id}", [401, 401, 401, 401, 403, 404, 404, 404, 404, 404, 404, 404]),
    ("GET /health", [200, 401, 401, 401, 200, 200, 200, 200, 200, 200, 200, 200]),
    ("GET /incidents", [401, 401, 401, 401, 403, 200, 200, 200, 200, 200, 200, 200]),
    ("GET /load", [401, 401, 401, 401, 403, 403, 403, 403, 403, 200, 404, 403]),
    ("GET /login", [200, 401, 401, 401, 200, 200, 200, 200, 200, 200, 200, 200]),
    ("GET /messages", [401, 401, 401, 401, 403, 403, 403, 403, 403, 200, 404, 403]),
    ("GET /metrics", [401, 401, 401, 401, 403, 403, 403, 403, 200, 200, 404, 403]),
    ("GET /openapi.json", [200, 401, 401, 401, 200, 200, 200, 200, 200, 200, 200, 200]),
    ("GET /reports", [401, 401, 401, 401, 403, 200, 200, 200, 200, 200, 200, 200]),
    ("GET /samples/{id}", [200, 401, 401, 401, 200, 200, 200, 200, 200, 200, 200, 200]),
    ("GET /digest", [401, 401, 401, 401, 403, 200, 200, 200, 200, 200, 200, 200]),
    ("GET /statements", [401, 401, 401, 401, 403, 200, 200, 200, 200, 200, 200, 200]),
    ("GET /stores", [401, 401, 401, 401, 403, 200, 200, 200, 200, 200, 200, 200]),
    ("GET /stores/{id}", [401, 401, 401, 401, 403, 200, 200, 404, 200, 200, 200, 200]),
    ("POST /access/links", [401, 401, 401, 401, 403, 403, 403, 403, 403, 400, 404, 403]),
    ("POST /access/links/revocation", [401, 401, 401, 401, 403, 403, 403, 403, 403, 404, 404, 403]),
    ("POST /access/tokens", [401, 401, 401, 401, 403, 403, 403, 403, 403, 400, 404, 403]),
    ("POST /access/tokens/revocation", [401, 401, 401, 401, 403, 403, 403, 403, 403, 404, 404, 403]),
    ("POST /ack/{id}", [404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404]),
    ("POST /alerts", [401, 401, 401, 401, 403, 403, 403, 403, 403, 400, 404, 403]),
    ("POST /alerts/removal", [401, 401, 401, 401, 403, 403, 403, 403, 403, 404, 404, 403]),
    ("POST /api/alerts", [401, 401, 401, 401, 403, 403, 403, 403, 403, 400, 404, 403]),
    ("POST /api/business-hours", [401, 401, 401, 401, 403, 403, 403, 403, 403, 415, 404, 403]),
    ("POST /api/links", [401, 401, 401, 401, 403, 403, 403, 403, 403, 400, 404, 403]),
    ("POST /api/polls", [401, 401, 401, 401, 415, 403, 403, 403, 403, 415, 404, 403]),
    ("POST /api/special-hours", [401, 401, 401, 401, 403, 403, 403, 403, 403, 415, 404, 403]),
    ("POST /api/statements", [401, 401, 401, 401, 403, 403, 400, 403, 400, 400, 404, 400]),
    ("POST /api/stores", [401, 401, 401, 401, 403, 403, 403, 403, 403, 415, 404, 403]),
    ("POST /api/timezones", [401, 401, 401, 401, 403, 403, 403, 403, 403, 415, 404, 403]),
    ("POST /api/tokens", [401, 401, 401, 401, 403, 403, 403, 403, 403, 400, 404, 403]),
    ("POST /load", [401, 401, 401, 401, 403, 403, 403, 403, 403, 415, 404, 403]),
    ("POST /load/mend", [401, 401, 401, 401, 403, 403, 403, 403, 403, 400, 404, 403]),
    ("POST /login", [401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 404, 403]),
    ("POST /logout", [303, 401, 401, 401, 303, 303, 303, 303, 303, 303, 404, 403]),
    ("POST /made-up", [401, 401, 401, 401, 403, 403, 403, 403, 403, 400, 404, 403]),
    ("POST /made-up/removal", [401, 401, 401, 401, 403, 403, 403, 403, 403, 303, 404, 403]),
    ("POST /reports", [401, 401, 401, 401, 403, 403, 303, 403, 303, 303, 404, 403]),
    ("POST /statements", [401, 401, 401, 401, 403, 403, 303, 403, 303, 303, 404, 403]),
    ("POST /stores/{id}/polls-removal", [401, 401, 401, 401, 403, 403, 403, 403, 403, 400, 404, 403]),
    ("POST /stores/{id}/reason", [401, 401, 401, 401, 403, 403, 403, 403, 403, 400, 404, 403]),
    ("POST /stores/{id}/removal", [401, 401, 401, 401, 403, 403, 403, 403, 403, 400, 404, 403]),
    ("POST /trigger_report", [401, 401, 401, 401, 403, 403, 202, 403, 202, 202, 404, 202]),
    ("DELETE /api/alerts/{id}", [401, 401, 401, 401, 403, 403, 403, 403, 403, 404, 404, 403]),
    ("DELETE /api/links/{id}", [401, 401, 401, 401, 403, 403, 403, 403, 403, 404, 404, 403]),
    ("DELETE /api/stores/{id}", [401, 401, 401, 401, 403, 403, 403, 403, 403, 200, 404, 403]),
    ("DELETE /api/stores/{id}/business-hours", [401, 401, 401, 401, 403, 403, 403, 403, 403, 404, 404, 403]),
    ("DELETE /api/stores/{id}/polls", [401, 401, 401, 401, 403, 403, 403, 403, 403, 404, 404, 403]),
    ("DELETE /api/stores/{id}/special-hours/{date}", [401, 401, 401, 401, 403, 403, 403, 403, 403, 404, 404, 403]),
    ("DELETE /api/tokens/{id}", [401, 401, 401, 401, 403, 403, 403, 403, 403, 404, 404, 403]),
];

struct Site {
    _home: Home,
    server: Server,
    client: Client,
    secrets: Vec<Secret>,
}

fn secrets() -> Vec<Secret> {
    let kind = |visitor: &&str| match *visitor {
        "link" => SecretKind::Link,
        "session" => SecretKind::Session,
        _ => SecretKind::Token,
    };
    let all = VISITORS.iter().map(|visitor| Secret::new(kind(visitor)));
    all.collect::<Result<_, _>>().expect("random numbers")
}

/// A server with our stores, and with those of another owner if `with_others`.
fn serve(secrets: Vec<Secret>, with_others: bool) -> Site {
    let home = Home::new();
    let mut polls = "store_id,timestamp_utc,status\n".to_owned();
    let mut stores = "store_id,name,group,sales_per_hour,target\n\
         a1,First,Our Owner,50.00,99\na2,Second,Our Owner,,\n"
        .to_owned();
    let mut hours =
        "store_id,day,start_time_local,end_time_local\na1,0,09:00:00,17:00:00\n".to_owned();
    let mut zones = "store_id,timezone_str\na1,America/New_York\n".to_owned();
    let mut special =
        "store_id,date,start_time_local,end_time_local,reason\na1,2026-11-03,,,Holiday\n"
            .to_owned();
    for day in 1..=8 {
        for hour in 0..24 {
            let status = if hour % 7 == 3 { "inactive" } else { "active" };
            for store in ["a1", "a2"] {
                writeln!(
                    polls,
                    "{store},2026-11-{day:02} {hour:02}:10:00 UTC,{status}"
                )
                .expect("a line");
            }
            if with_others {
                writeln!(
                    polls,
                    "zz-hidden,2026-11-{day:02} {hour:02}:59:00 UTC,inactive"
                )
                .expect("a line");
            }
        }
    }
    if with_others {
        polls += "zz-hidden,2026-11-09 05:00:00 UTC,active\n";
        stores += "zz-hidden,Hidden Kitchen,Other Owner,10.00,95\n";
        hours += "zz-hidden,1,10:00:00,12:00:00\n";
        zones += "zz-hidden,Asia/Tokyo\n";
        special += "zz-hidden,2026-11-04,,,Other Owner\n";
    }
    for (name, text) in [
        ("polls.csv", &polls),
        ("stores.csv", &stores),
        ("hours.csv", &hours),
        ("zones.csv", &zones),
        ("special.csv", &special),
    ] {
        home.write(name, text);
    }
    home.import(&[
        "stores.csv",
        "zones.csv",
        "hours.csv",
        "special.csv",
        "polls.csv",
    ]);
    let mut db = open_writer(&home.database()).expect("a database");
    let groups = |name: &str| Audience::of_groups([name.to_owned()]);
    store_monitor::db::write(&mut db, |db| {
        for (visitor, secret) in VISITORS.iter().zip(&secrets) {
            let (scope, audience) = match *visitor {
                "none" | "wrong" | "session" => continue,
                "ingest" => (Scope::Ingest, Audience::All),
                "report" => (Scope::Report, Audience::All),
                "admin" => (Scope::Admin, Audience::All),
                "theirs" => (Scope::Read, groups("Other Owner")),
                "ours, report" => (Scope::Report, groups("Our Owner")),
                _ => (Scope::Read, groups("Our Owner")),
            };
            let is_link = *visitor == "link";
            let added = credentials::add(
                db,
                &NewCredential {
                    kind: if is_link { Kind::Link } else { Kind::Token },
                    name: Some(visitor.replace(',', "")),
                    scope,
                    audience,
                    known_stores_only: false,
                    hash: secret.hash(),
                    created_at: 1,
                    expires_at: (*visitor == "expired").then_some(2),
                },
            )?;
            if *visitor == "revoked" {
                credentials::revoke(db, Kind::Token, "revoked")?;
            }
            if *visitor == "ours, report" {
                let session = secrets.last().expect("a session");
                let columns = (session.hash().bytes().to_vec(), added.key);
                db.execute(
                    "INSERT INTO session (hash, credential, created_at, last_used_at)
                     VALUES (?1, ?2, 1, 9000000000000000)",
                    columns,
                )
                .expect("a session");
            }
        }
        Ok(())
    })
    .expect("credentials");
    drop(db);
    let server = Server::start_with(&home, &["serve", "--trust-proxy", "127.0.0.1"]);
    let client = Client::that_stays(server.address.clone());
    Site {
        _home: home,
        server,
        client,
        secrets,
    }
}

impl Site {
    /// The answer to a visitor; each request comes from another address, so that no wrong token is slowed.
    fn ask(&self, visitor: usize, method: &str, target: &str, turn: usize) -> Answer {
        let from = format!("10.{}.{}.{visitor}", turn / 250, turn % 250);
        let secret = self.secrets[visitor].text();
        let (bearer, cookie) = (
            format!("Bearer {secret}"),
            format!("store-monitor={secret}"),
        );
        // Pages print the host that they were asked at.
        let mut fields = vec![("X-Forwarded-For", from.as_str()), ("Host", "localhost")];
        match VISITORS[visitor] {
            "none" => {}
            "link" => {
                return self
                    .client
                    .send(method, &format!("/share/{secret}{target}"), &fields);
            }
            "session" => fields.push(("Cookie", &cookie)),
            _ => fields.push(("Authorization", &bearer)),
        }
        self.client.send(method, target, &fields)
    }

    /// Every route of the document, with a target for our data.
    fn routes(&self) -> Vec<(String, String, Value)> {
        let document = self.server.get("/openapi.json").json();
        let mut routes = Vec::new();
        for (path, methods) in document["paths"].as_object().expect("paths") {
            for (method, operation) in methods.as_object().expect("methods") {
                let id = match path.split('/').nth(1) {
                    Some("get_report") => NOBODY,
                    Some("api") if path.starts_with("/api/reports") => NOBODY,
                    Some("api") if !path.starts_with("/api/stores") => "nobody",
                    Some("docs") => "import",
                    Some("samples") => "polls.csv",
                    _ => "a1",
                };
                let mut target = path.replace("{id}", id).replace("{date}", "2026-12-25");
                let required = |name: &str| {
                    let all = operation["parameters"].as_array().into_iter().flatten();
                    all.into_iter().any(|field| {
                        field["name"] == name && field["required"] == true && field["in"] == "query"
                    })
                };
                if required("report_id") {
                    target += &format!("?report_id={NOBODY}");
                }
                if required("from") {
                    target += "?from=2026-11-20&to=2026-11-21";
                }
                routes.push((
                    format!("{} {path}", method.to_uppercase()),
                    target,
                    operation.clone(),
                ));
            }
        }
        // What deletes our store comes last, and so does what makes something.
        routes.sort_by_key(|(route, ..)| (route.starts_with("DELETE"), route.clone()));
        routes
    }
}

#[test]
fn every_route_answers_every_visitor_as_the_table_says() {
    let site = serve(secrets(), true);
    let mut told = String::new();
    let mut wrong = Vec::new();
    let routes = site.routes();
    for (listed, _) in TABLE {
        if !routes.iter().any(|(route, ..)| route == listed) {
            wrong.push(format!("{listed} is no route"));
        }
    }
    for (turn, (route, target, _)) in routes.into_iter().enumerate() {
        let method = route.split(' ').next().expect("a method").to_owned();
        let mut statuses: [u16; 12] = [0; 12];
        // An admin may delete what the others are asked for, so an admin comes last.
        for visitor in [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 9] {
            statuses[visitor] = site.ask(visitor, &method, &target, turn).status;
        }
        writeln!(told, "    (\"{route}\", {statuses:?}),").expect("a line");
        match TABLE.iter().find(|(listed, _)| *listed == route) {
            None => wrong.push(format!("{route} has no row")),
            Some((_, expected)) if *expected != statuses => {
                wrong.push(format!(
                    "{route}: {expected:?} in the table, {statuses:?} in truth"
                ));
            }
            Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}\n{told}", wrong.join("\n"));
}

/// An answer without what differs between two servers that are the same: the machine's time, the proof in forms
/// that comes of the server's own secret, and the tag of a page with such a form.
fn comparable(answer: &Answer) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let (mut body, mut proofs) = (answer.body.clone(), 0);
    let mark = b"name=\"form\" value=\"";
    let mut place = 0;
    while let Some(found) = body[place..]
        .windows(mark.len())
        .position(|part| part == mark)
    {
        place += found + mark.len();
        let end = body[place..]
            .iter()
            .position(|byte| *byte == b'"')
            .expect("an end");
        body[place..place + end].fill(b'x');
        proofs += 1;
    }
    let left_out =
        |name: &str| matches!(name, "date" | "x-request-id") || (name == "etag" && proofs > 0);
    let headers = answer
        .headers
        .iter()
        .filter(|(name, _)| !left_out(name.as_str()));
    let headers = headers.map(|(name, value)| (name.to_string(), format!("{value:?}")));
    (answer.status, headers.collect(), body)
}

/// Queries that name us, the others, nobody and nonsense.
fn queries(operation: &Value) -> Vec<String> {
    let mut queries = vec![String::new()];
    for field in operation["parameters"].as_array().into_iter().flatten() {
        if field["in"] != "query" {
            continue;
        }
        let name = field["name"].as_str().expect("a name");
        for value in [
            "",
            "a1",
            "zz-hidden",
            "Our+Owner",
            "Other+Owner",
            "hidden",
            "nobody",
            "2026-11-09T05:00:00Z",
            "2026-11-05T00:00:00Z",
            "2026-11",
            "2026-W45",
            "name",
            "online",
            "offline",
            "previous",
            "downtime",
            "store",
            "group",
            "day",
            "1",
            NOBODY,
        ] {
            queries.push(format!("{name}={value}"));
        }
    }
    queries
}

#[test]
fn an_owner_finds_no_trace_of_another_in_any_answer() {
    let secrets = secrets();
    let (both, alone) = (serve(secrets.clone(), true), serve(secrets, false));
    let mut asked = 0;
    for (route, target, operation) in both.routes() {
        let Some(path) = route.strip_prefix("GET ") else {
            continue;
        };
        let mut targets = vec![target.clone()];
        if path.contains("{id}") {
            targets.push(path.replace("{id}", "zz-hidden"));
        }
        for (target, query) in targets.iter().flat_map(|target| {
            queries(&operation)
                .into_iter()
                .map(move |query| (target.clone(), query))
        }) {
            let between = if target.contains('?') { '&' } else { '?' };
            let target = match query.as_str() {
                "" => target,
                query => format!("{target}{between}{query}"),
            };
            for name in ["ours", "ours, report", "link", "session"] {
                let visitor = VISITORS
                    .iter()
                    .position(|known| *known == name)
                    .expect("a visitor");
                let [with, without] =
                    [&both, &alone].map(|site| comparable(&site.ask(visitor, "GET", &target, 1)));
                let text = String::from_utf8_lossy(&with.2).into_owned();
                let at = with
                    .2
                    .iter()
                    .zip(&without.2)
                    .position(|(one, other)| one != other);
                let near = |body: &[u8]| {
                    let at = at.unwrap_or(body.len());
                    String::from_utf8_lossy(&body[at.saturating_sub(90)..body.len().min(at + 90)])
                        .into_owned()
                };
                assert!(
                    with == without,
                    "{name} {target}: {:?}\n{:?}\n{}\n---\n{}",
                    (with.0, &with.1),
                    (without.0, &without.1),
                    near(&with.2),
                    near(&without.2)
                );
                for trace in OTHERS {
                    // What was asked for is told again.
                    assert!(
                        !text.contains(trace)
                            || target.contains("idden")
                            || target.contains("Other"),
                        "{name} {target}: {trace}"
                    );
                }
                asked += 1;
            }
        }
    }
    assert!(asked > 1000, "{asked}");
}

#[test]
fn a_poll_of_another_owner_changes_no_byte_for_an_owner() {
    let site = serve(secrets(), true);
    let routes: Vec<String> = site
        .routes()
        .into_iter()
        .filter(|(route, ..)| route.starts_with("GET "))
        .map(|(_, target, _)| target)
        .collect();
    let look = || -> Vec<_> {
        let all = routes.iter().flat_map(|target| {
            [5, 6, 10, 11].map(|visitor| comparable(&site.ask(visitor, "GET", target, 1)))
        });
        all.collect()
    };
    let before = look();
    let token = format!("Bearer {}", site.secrets[9].text());
    let csv = "store_id,timestamp_utc,status\nzz-hidden,2026-11-10 07:00:00 UTC,inactive\n\
               zz-new,2026-11-10 08:00:00 UTC,active\n";
    let sent = site.server.post(
        "/api/polls",
        "text/csv",
        &[("Authorization", &token)],
        csv.as_bytes(),
    );
    assert_eq!(sent.status, 200, "{}", sent.text());
    let after = look();
    for (place, (before, after)) in before.iter().zip(&after).enumerate() {
        assert!(before == after, "{}", routes[place / 4]);
    }
}
