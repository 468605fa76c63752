//! Sessions: what people do with the program, recorded.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::process::Command;
use std::thread;

use crate::disk::{Files, files_of};
use crate::fleet;
use crate::harness::{Home, Outcome, Raw, Server, eventually, run};
use crate::promise::{Change, Promises};
use crate::trace::{self, Deed, Event};

/// What the names of a database's files have in common.
pub(crate) const PREFIX: &str = "store-monitor.db";

/// A recorded session.
pub(crate) struct Session {
    pub(crate) name: &'static str,
    /// The files before it.
    pub(crate) before: Files,
    pub(crate) events: Vec<Event>,
    /// What was promised about files, the database first.
    pub(crate) promises: Vec<(String, Promises)>,
}

/// The place of an answer in a record: the client's port, and how many answers it had before.
pub(crate) type Place = (u16, usize);

/// A client on one connection, which remembers the places of its answers.
pub(crate) struct Poller {
    raw: Raw,
    port: u16,
    answers: usize,
}

impl Poller {
    pub(crate) fn new(address: &str) -> Self {
        Self::of(Raw::connect(address))
    }

    /// The same; none where the server is gone.
    pub(crate) fn try_new(address: &str) -> Option<Self> {
        TcpStream::connect(address)
            .ok()
            .map(|stream| Self::of(Raw(stream)))
    }

    fn of(raw: Raw) -> Self {
        let port = raw.0.local_addr().expect("an address").port();
        Self {
            raw,
            port,
            answers: 0,
        }
    }

    /// The answer to a request, with its place.
    pub(crate) fn ask(
        &mut self,
        method: &str,
        target: &str,
        key: &str,
        body: &str,
    ) -> (u16, String, Place) {
        let place = (self.port, self.answers);
        let (status, answer) = self.try_ask(method, target, key, body).expect("an answer");
        self.answers += 1;
        (status, answer, place)
    }

    /// The answer to a request; none where the server ended before it was whole.
    pub(crate) fn try_ask(
        &mut self,
        method: &str,
        target: &str,
        key: &str,
        body: &str,
    ) -> Option<(u16, String)> {
        let key = match key {
            "" => String::new(),
            key => format!("Idempotency-Key: {key}\r\n"),
        };
        let length = body.len();
        self.raw.send(format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n\
             {key}Content-Length: {length}\r\n\r\n{body}"
        ));
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.raw.0.read_exact(&mut byte).ok()?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).ok()?;
        let status = head.strip_prefix("HTTP/1.1 ")?[..3].parse().ok()?;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "))?;
        let mut body = vec![0; length.parse().ok()?];
        self.raw.0.read_exact(&mut body).ok()?;
        Some((status, String::from_utf8(body).ok()?))
    }

    /// Posts a batch, which must be taken.
    fn batch(&mut self, number: usize, polls: usize, key: &str) -> (Change, Place) {
        let lines = fleet::batch(number, polls);
        let (status, answer, place) = self.ask("POST", "/api/polls", key, &fleet::csv(&lines));
        assert_eq!(status, 200, "{answer}");
        let change = Change {
            what: format!("batch {number}"),
            adds: fleet::rows(&lines),
            ..Change::default()
        };
        (change, place)
    }

    /// Triggers a report and returns its id, with the place.
    fn report(&mut self) -> (String, Place) {
        let (status, answer, place) = self.ask("POST", "/trigger_report", "", "");
        assert_eq!(status, 202, "{answer}");
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
        (
            answer["report_id"].as_str().expect("an id").to_owned(),
            place,
        )
    }
}

/// What was asked for, with the places of the answers.
#[derive(Default)]
struct Asked {
    changes: Vec<(Change, Place)>,
    reports: Vec<(String, Place)>,
    keys: Vec<(String, Place)>,
}

/// A server with a database of before, or a new one: polls one by one and in groups, reports, hours, a store that
/// goes, `batches` in all, and a stop.
pub(crate) fn serve(is_new: bool, batches: usize) -> Session {
    let home = if is_new { Home::new() } else { fleet::home(9) };
    let base = (!is_new).then(|| fleet::rows_of_home(&home));
    let (before, record) = (files_of(&home.path(""), PREFIX), home.path("record"));
    let server = Server::start_as(&home, trace::recorded(&home.command(&["serve"]), &record));
    let address = server.client.address.clone();
    let mut asked = Asked::default();
    let mut poller = Poller::new(&address);

    // One by one.
    for number in 0..batches / 4 {
        let key = if number % 3 == 0 {
            format!("key-{number}")
        } else {
            String::new()
        };
        let (change, place) = poller.batch(number, 1 + number % 30, &key);
        if !key.is_empty() {
            asked.keys.push((key, place));
        }
        asked.changes.push((change, place));
        if number % 10 == 5 {
            asked.reports.push(poller.report());
        }
    }
    if let Some(base) = &base {
        let (change, place) = new_hours(&mut poller, base);
        asked.changes.push((change, place));
        let (change, place) = removal(&mut poller, base, "s19");
        asked.changes.push((change, place));
    }
    // Four at once, so that commits carry several.
    thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|client| {
                let address = &address;
                scope.spawn(move || {
                    let mut poller = Poller::new(address);
                    let numbers = (batches / 4..batches).filter(|number| number % 4 == client);
                    numbers
                        .map(|number| poller.batch(number, 20, ""))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        for client in clients {
            asked.changes.extend(client.join().expect("a client"));
        }
    });
    if let Some(base) = &base {
        let (change, place) = removal(&mut poller, base, "s18");
        asked.changes.push((change, place));
    }
    for _ in 0..3 {
        let (id, place) = poller.report();
        server.client.wait_for_report(&id);
        asked.reports.push((id, place));
    }
    let process = server.id();
    assert!(server.terminate().success(), "{}", home.text("server.log"));
    let events = read(&home, process);
    let promises = vec![(PREFIX.to_owned(), resolve(base, asked, &events))];
    let name = if is_new {
        "serve, a new database"
    } else {
        "serve"
    };
    Session {
        name,
        before,
        events,
        promises,
    }
}

/// Posts other hours of a store.
fn new_hours(poller: &mut Poller, base: &[String]) -> (Change, Place) {
    let lines: Vec<String> = (0..5)
        .map(|day| format!("s03,{day},10:30:00,20:30:00"))
        .collect();
    let csv = format!(
        "store_id,day,start_time_local,end_time_local\n{}\n",
        lines.join("\n")
    );
    let (status, answer, place) = poller.ask("POST", "/api/business-hours", "", &csv);
    assert_eq!(status, 200, "{answer}");
    let change = Change {
        what: "other hours".to_owned(),
        adds: lines
            .iter()
            .map(|line| format!("business-hours|{line}"))
            .collect(),
        removes: of_store(base, "business-hours|s03,"),
        ..Change::default()
    };
    (change, place)
}

/// Removes a store with all its rows.
fn removal(poller: &mut Poller, base: &[String], store: &str) -> (Change, Place) {
    let (status, answer, place) = poller.ask("DELETE", &format!("/api/stores/{store}"), "", "");
    assert_eq!(status, 200, "{answer}");
    let change = Change {
        what: format!("the removal of {store}"),
        removes: of_store(base, &format!("|{store},")),
        ..Change::default()
    };
    (change, place)
}

fn of_store(base: &[String], part: &str) -> Vec<String> {
    let rows = base.iter().filter(|row| row.contains(part));
    rows.cloned().collect()
}

/// Reads the record of a process, once the recorder has finished it.
fn read(home: &Home, process: u32) -> Vec<Event> {
    let record = eventually("the record is finished", || {
        let record = fs::read(home.path("record")).ok()?;
        let tail =
            String::from_utf8_lossy(&record[record.len().saturating_sub(400)..]).into_owned();
        let end = |line: &str| line.starts_with(&process.to_string()) && line.contains("+++");
        (record.ends_with(b"\n") && tail.lines().any(end)).then_some(record)
    });
    trace::read(&record, &home.path(""), PREFIX)
}

/// Finds the answers in a record.
fn resolve(base: Option<Vec<String>>, asked: Asked, events: &[Event]) -> Promises {
    let mut seen: HashMap<u16, usize> = HashMap::new();
    let mut lines: HashMap<Place, usize> = HashMap::new();
    for event in events {
        if let Deed::Reply { port, head } = &event.deed {
            let nth = seen.entry(*port).or_default();
            assert!(
                head.starts_with(b"HTTP/1.1 2"),
                "{}",
                String::from_utf8_lossy(head)
            );
            lines.insert((*port, *nth), event.begun);
            *nth += 1;
        }
    }
    let line = |place: &Place| lines[place];
    let known = |(what, place): (String, Place)| (what, line(&place));
    let acknowledged = |(change, place): (Change, Place)| Change {
        acknowledged: Some(line(&place)),
        ..change
    };
    Promises {
        base,
        changes: asked.changes.into_iter().map(acknowledged).collect(),
        reports: asked.reports.into_iter().map(known).collect(),
        keys: asked.keys.into_iter().map(known).collect(),
        may_poison: false,
    }
}

/// Runs a command under the recorder; it must succeed, and then `change` is acknowledged.
fn command(
    name: &'static str,
    home: &Home,
    arguments: &[&str],
    base: Option<Vec<String>>,
    change: Change,
) -> Session {
    let before = files_of(&home.path(""), PREFIX);
    let (outcome, process) = spawn(trace::recorded(
        &home.command(arguments),
        &home.path("record"),
    ));
    outcome.exits(0);
    let events = read(home, process);
    let is_end = |event: &&Event| matches!(event.deed, Deed::Exit { code: 0 });
    let end = events.iter().find(is_end).expect("an end");
    let change = Change {
        acknowledged: Some(end.begun),
        ..change
    };
    let promises = Promises {
        base,
        changes: vec![change],
        ..Promises::default()
    };
    let promises = vec![(PREFIX.to_owned(), promises)];
    Session {
        name,
        before,
        events,
        promises,
    }
}

/// Runs a command to its end; also its process's number, which is that of the program.
fn spawn(mut command: Command) -> (Outcome, u32) {
    // The shell writes its number and becomes the program.
    let mut shell = Command::new("sh");
    shell.args(["-c", "echo $$ >&2; exec \"$0\" \"$@\""]);
    shell.arg(command.get_program()).args(command.get_args());
    shell.current_dir(command.get_current_dir().expect("a home"));
    for (name, value) in command.get_envs() {
        if value.is_none() {
            shell.env_remove(name);
        }
    }
    command = shell;
    let outcome = run(&mut command, b"");
    let first = outcome.stderr.lines().next().expect("a number");
    let process = first.parse().expect("a number");
    (outcome, process)
}

/// An import of 3,000 polls into a database of before.
pub(crate) fn import() -> Session {
    let home = fleet::home(9);
    let base = fleet::rows_of_home(&home);
    let lines = fleet::batch(0, 3000);
    home.write("more.csv", fleet::csv(&lines));
    let change = Change {
        what: "the import".to_owned(),
        adds: fleet::rows(&lines),
        ..Change::default()
    };
    command("import", &home, &["import", "more.csv"], Some(base), change)
}

/// The first import, which makes the database.
pub(crate) fn first_import() -> Session {
    let home = Home::new();
    fleet::files(&home, 9);
    let names = ["stores.csv", "timezones.csv", "hours.csv", "polls.csv"];
    let mut arguments = vec!["import"];
    arguments.extend(names);
    // What it adds is known once it is there.
    let twin = fleet::home(9);
    let change = Change {
        what: "the first import".to_owned(),
        adds: fleet::rows_of_home(&twin),
        ..Change::default()
    };
    command("first import", &home, &arguments, None, change)
}

/// Whether a row is a poll before an instant.
pub(crate) fn is_before(row: &str, instant: &str) -> bool {
    let at = row.rsplit(',').next().unwrap_or_default();
    row.starts_with("polls|") && at < instant
}

/// Forgetting most of the polls, after which the file is written again.
pub(crate) fn prune() -> Session {
    let home = fleet::home(9);
    let base = fleet::rows_of_home(&home);
    let before = "2023-01-23";
    let change = Change {
        what: "forgetting".to_owned(),
        removes: base
            .iter()
            .filter(|row| is_before(row, before))
            .cloned()
            .collect(),
        ..Change::default()
    };
    assert!(change.removes.len() > 1000);
    let instant = format!("{before} 00:00:00 UTC");
    let arguments = ["import", "--prune-before", &instant];
    command("prune", &home, &arguments, Some(base), change)
}

/// Opening a database of an earlier schema, which brings it up to date.
pub(crate) fn migration(schema: u32) -> Session {
    let home = Home::new();
    let dump = format!("tests/data/schemas/{schema}.sql");
    let dump = fs::read_to_string(crate::harness::project().join(dump)).expect("a dump");
    let db = home.sqlite();
    db.execute_batch(&format!("BEGIN; {dump} COMMIT; PRAGMA journal_mode = WAL;"))
        .expect("a dump");
    drop(db);
    let twin = Home::new();
    fs::copy(home.database(), twin.database()).expect("a copy");
    let base = fleet::rows_of_home(&twin);
    let none = Change {
        what: "the migration".to_owned(),
        ..Change::default()
    };
    let mut session = command("migration", &home, &["report"], Some(base), none);
    let ids = (1..=3).map(|number| format!("00000000-0000-4000-8000-00000000000{number}"));
    session.promises[0].1.reports = ids.map(|id| (id, 0)).collect();
    session
}

/// The name of a backup.
pub(crate) const COPY: &str = "copy-of-store-monitor.db";

/// A change from rows to others.
pub(crate) fn exchange(what: &str, old: &[String], new: &[String]) -> Change {
    let (before, after): (HashSet<_>, HashSet<_>) = (old.iter().collect(), new.iter().collect());
    let only = |rows: &[String], others: &HashSet<&String>| -> Vec<String> {
        let rows = rows.iter().filter(|row| !others.contains(row));
        rows.cloned().collect()
    };
    Change {
        what: what.to_owned(),
        adds: only(new, &before),
        removes: only(old, &after),
        ..Change::default()
    }
}

/// A home with a database of nine days and a backup of three, and the rows of both.
pub(crate) fn home_with_backup() -> (Home, Vec<String>, Vec<String>) {
    let (home, twin) = (fleet::home(9), fleet::home(3));
    let copy = twin.path("copy").display().to_string();
    twin.run(&["backup", &copy]).exits(0);
    fs::copy(copy, home.path(COPY)).expect("a copy");
    let (rows, copied) = (fleet::rows_of_home(&home), fleet::rows_of_home(&twin));
    (home, rows, copied)
}

/// A backup in the place of an earlier one.
pub(crate) fn backup() -> Session {
    let (home, rows, copied) = home_with_backup();
    let change = exchange("the backup", &copied, &rows);
    let mut session = command("backup", &home, &["backup", COPY], Some(copied), change);
    session.promises[0].0 = COPY.to_owned();
    let untouched = Promises {
        base: Some(rows),
        ..Promises::default()
    };
    session.promises.push((PREFIX.to_owned(), untouched));
    session
}

/// A backup in the place of the database.
pub(crate) fn restore() -> Session {
    let (home, rows, copied) = home_with_backup();
    let change = exchange("the restore", &rows, &copied);
    let mut session = command("restore", &home, &["restore", COPY], Some(rows), change);
    let untouched = Promises {
        base: Some(copied),
        ..Promises::default()
    };
    session.promises.push((COPY.to_owned(), untouched));
    session
}
