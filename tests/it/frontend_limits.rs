//! The frontend's limits: on time, on connections, on memory, on the system's resources.
//!
//! Tests that need minutes or a quiet machine are ignored; `cargo test frontend -- --ignored` runs them.

use std::io::{ErrorKind, Write};
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Client, Home, Raw, Server, eventually};

const GET: &str = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
const SLOW_HEAD: &str = "GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
const SLOW_BODY: &str =
    "POST /api/polls HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nslow";

fn connections(server: &Server, count: usize) -> Vec<Raw> {
    let connect = |_| Raw::connect(&server.client.address);
    (0..count).map(connect).collect()
}

#[test]
fn one_connection_too_many_is_told_so_and_let_in_when_there_is_room() {
    let home = Home::seeded();
    let server = Server::start_with(&home, &["serve", "--max-connections", "4"]);
    // Each waits in the middle of a request, so none can give its place.
    let (begin, end) = GET.split_at(20);
    let mut kept = connections(&server, 4);
    for raw in &mut kept {
        assert_eq!(raw.send(GET).reply().expect("a reply").0, 200);
        raw.send(begin);
    }
    eventually("all have begun", || {
        (Raw::connect(&server.client.address).reply()?.0 == 503).then_some(())
    });
    for _ in 0..20 {
        let mut raw = Raw::connect(&server.client.address);
        let (status, head, _) = raw.reply().expect("a reply");
        assert_eq!(status, 503);
        assert!(head.contains("\r\nRetry-After: 1\r\n"), "{head}");
        assert!(raw.reply().is_none(), "it is closed");
    }
    for raw in &mut kept {
        assert_eq!(raw.send(end).reply().expect("a reply").0, 200);
    }
    drop(kept);
    eventually("there is room", || {
        (server.get("/health").status == 200).then_some(())
    });
}

#[test]
fn the_longest_idle_connection_gives_its_place_to_a_newcomer() {
    let home = Home::seeded();
    let server = Server::start_with(&home, &["serve", "--max-connections", "8"]);
    let mut idle = connections(&server, 8);
    for raw in &mut idle {
        assert_eq!(raw.send(GET).reply().expect("a reply").0, 200);
    }
    // Used again, the first is no longer the longest idle one.
    assert_eq!(idle[0].send(GET).reply().expect("a reply").0, 200);
    for _ in 0..3 {
        assert_eq!(server.get("/health").status, 200);
    }
    assert!(idle[1].reply().is_none(), "it gave its place");
    assert_eq!(idle[0].send(GET).reply().expect("a reply").0, 200);
    // As many newcomers as anybody likes.
    let newcomers = (0..50).map(|_| {
        let mut raw = Raw::connect(&server.client.address);
        assert_eq!(raw.send(GET).reply().expect("a reply").0, 200);
        raw
    });
    assert_eq!(newcomers.collect::<Vec<_>>().len(), 50);
}

#[test]
fn one_address_has_a_quarter_of_the_connections() {
    let home = Home::seeded();
    let line = "serve --max-connections 16 --insecure-no-auth --listen 0.0.0.0:0 --host";
    // An address of this machine that is not its loopback's.
    let probe = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    });
    let Some(ip) = probe
        .ok()
        .map(|address| address.ip())
        .filter(|ip| !ip.is_loopback())
    else {
        eprintln!("skipped: this machine has no address but its loopback's");
        return;
    };
    let own = ip.to_string();
    let mut line: Vec<&str> = line.split(' ').collect();
    line.push(&own);
    let command = home.command(&line);
    let server = Server::start_as(&home, command);
    let port = server.client.address.rsplit_once(':').expect("a port").1;
    let (outside, inside) = (format!("{own}:{port}"), format!("127.0.0.1:{port}"));
    let (begin, end) = GET.split_at(20);
    let mut held: Vec<Raw> = (0..4).map(|_| Raw::connect(&outside)).collect();
    for raw in &mut held {
        assert_eq!(raw.send(GET).reply().expect("a reply").0, 200);
        raw.send(begin);
    }
    eventually("its share is spent", || {
        (Raw::connect(&outside).reply()?.0 == 503).then_some(())
    });
    // Others are not concerned.
    let mut others: Vec<Raw> = (0..10).map(|_| Raw::connect(&inside)).collect();
    for raw in &mut others {
        assert_eq!(raw.send(GET).reply().expect("a reply").0, 200);
    }
    assert_eq!(held[0].send(end).reply().expect("a reply").0, 200);
    // An idle one of its own gives its place.
    let mut newcomer = Raw::connect(&outside);
    assert_eq!(newcomer.send(GET).reply().expect("a reply").0, 200);
    assert!(held[0].reply().is_none());
    for raw in &mut others {
        assert_eq!(raw.send(GET).reply().expect("a reply").0, 200);
    }
}

#[test]
fn slow_clients_are_refused_and_hold_up_nobody() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let (mut heads, mut bodies) = (connections(&server, 40), connections(&server, 20));
    let mut silent = connections(&server, 5);
    for raw in &mut heads {
        raw.send(SLOW_HEAD);
    }
    for raw in &mut bodies {
        raw.send(SLOW_BODY);
    }
    for _ in 0..50 {
        assert_eq!(server.get("/health").status, 200);
    }
    for raw in heads.iter_mut().chain(&mut bodies) {
        assert_eq!(raw.statuses(), [408]);
    }
    for raw in &mut silent {
        assert_eq!(raw.statuses(), [0; 0], "nothing was asked, nothing is said");
    }
}

#[test]
fn requests_in_versions_to_come_cost_no_thread_and_no_descriptor() {
    let home = Home::seeded();
    let server = Server::start(&home);
    assert_eq!(server.get("/health").status, 200);
    // The last threads of the start may begin only now. Were any request to cost one, it would be 300.
    let few = 30;
    let held = || {
        [
            server.status("Threads"),
            server.descriptors().map(|held| held as u64),
        ]
    };
    let before = held();
    for _ in 0..300 {
        let mut raw = Raw::connect(&server.client.address);
        assert_eq!(raw.send("GET / HTTP/2.0\r\n\r\n").statuses(), [505]);
    }
    eventually("all descriptors and threads were given back", || {
        let pairs = held().into_iter().zip(before);
        let is_near =
            |(after, before): (Option<u64>, Option<u64>)| after < before.map(|before| before + few);
        pairs
            .into_iter()
            .all(|pair| pair.0.is_none() || is_near(pair))
            .then_some(())
    });
}

/// Sends requests and reads no reply, until the server takes no more or as many were sent.
fn pipeline(raw: &mut Raw, requests: usize) -> usize {
    let pause = Some(Duration::from_millis(500));
    raw.0.set_write_timeout(pause).expect("an option");
    let bytes = GET.repeat(100);
    for sent in 0..requests / 100 {
        match raw.0.write_all(bytes.as_bytes()) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return sent * 100,
            Err(error) => panic!("{error}"),
        }
    }
    requests
}

#[test]
fn replies_that_nobody_reads_stop_the_reading_of_requests() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let before = server.status("VmRSS");
    let mut raw = Raw::connect(&server.client.address);
    let sent = pipeline(&mut raw, 1_000_000);
    assert!(sent < 1_000_000, "all were taken");
    assert_eq!(server.get("/health").status, 200);
    if let (Some(before), Some(after)) = (before, server.status("VmRSS")) {
        assert!(after < before + 50 * 1024, "{before} kB became {after} kB");
    }
}

#[test]
fn with_few_descriptors_it_serves_few_and_goes_on_when_they_leave() {
    let home = Home::seeded();
    let program = home.command(&["serve"]);
    let mut command = Command::new("sh");
    command.arg("-c").arg("ulimit -n 64; exec \"$0\" \"$@\"");
    command.arg(program.get_program()).args(program.get_args());
    command.current_dir(home.path("."));
    let server = Server::start_as(&home, command);
    for _ in 0..3 {
        let mut many = connections(&server, 100);
        for raw in &mut many {
            raw.send(GET);
        }
        drop(many);
        eventually("it answers again", || health(&server.client));
    }
}

/// Who runs a server that threads may be refused to: root is never refused any.
const SOMEBODY: [&str; 4] = [
    "setpriv",
    "--reuid=64873",
    "--regid=64873",
    "--clear-groups",
];

/// Starts a server as somebody without privileges, and under `limit`; none where the machine cannot.
fn as_somebody(home: &Home, limit: &[&str]) -> Option<Server> {
    let copy = home.path("program");
    let program = home.command(&["serve"]);
    std::fs::copy(program.get_program(), &copy).expect("a copy");
    std::fs::set_permissions(home.path("."), std::fs::Permissions::from_mode(0o777)).unwrap();
    let mode = std::fs::Permissions::from_mode(0o666);
    std::fs::set_permissions(home.database(), mode).expect("a mode");
    let able = Command::new(SOMEBODY[0])
        .args(&SOMEBODY[1..])
        .args(["prlimit", "--version"])
        .stdout(Stdio::null())
        .status();
    if !able.is_ok_and(|status| status.success()) {
        eprintln!(
            "skipped: setpriv or prlimit, or root for them, is missing, so nobody ran with few threads"
        );
        return None;
    }
    let mut command = Command::new(SOMEBODY[0]);
    command.args(&SOMEBODY[1..]).args(limit).arg(&copy);
    command.args(program.get_args()).current_dir(home.path("."));
    Some(Server::start_as(home, command))
}

#[test]
fn with_few_threads_it_has_few_handlers_and_serves_as_many_connections() {
    let home = Home::seeded();
    let Some(server) = as_somebody(&home, &["prlimit", "--nproc=40:40"]) else {
        return;
    };
    let mut many = connections(&server, 200);
    for raw in &mut many {
        assert_eq!(raw.send(GET).reply().expect("a reply").0, 200);
    }
    assert!(server.status("Threads").is_none_or(|threads| threads < 40));
    assert!(server.report("").len() > 100, "reports have their threads");
}

/// More polls than one thread reads and sorts.
fn many_polls() -> Vec<u8> {
    let mut csv = b"store_id,timestamp_utc,status\n".to_vec();
    for row in 0..100_000 {
        let (day, hour, minute) = (1 + row % 9, row / 9 % 24, row / 216 % 60);
        writeln!(
            csv,
            "many-{},2026-11-0{day} {hour:02}:{minute:02}:00 UTC,active",
            row % 700
        )
        .expect("a line");
    }
    csv
}

#[test]
fn without_a_further_thread_it_does_all_of_its_work_on_those_it_has() {
    let home = Home::seeded();
    let Some(server) = as_somebody(&home, &[]) else {
        return;
    };
    assert_eq!(server.get("/health").status, 200);
    refuse_threads(&server);
    let as_of = "as_of=2026-11-05T12:00:00Z";
    for target in [
        "/",
        "/incidents",
        "/api/stores.csv",
        &format!("/api/stores.csv?{as_of}"),
    ] {
        assert_eq!(server.get(target).status, 200, "{target}");
    }
    let posted = server.post("/api/polls", "text/csv", &[], &many_polls());
    assert_eq!(posted.status, 200, "{}", posted.text());
    assert!(server.report(&format!("?{as_of}")).len() > 100);
    let statement = server.post(
        "/api/statements?from=2026-11-01&to=2026-11-05",
        "application/json",
        &[],
        b"",
    );
    let id = statement.json()["report_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    server.wait_for_report(&id);
    let sheet = server.get(&format!("/api/reports/{id}.xlsx"));
    assert_eq!(sheet.status, 200, "{}", sheet.text());

    if let Err(error) = cut_backend(&server) {
        eprintln!("skipped: the connections behind the frontend cannot be cut here: {error}");
        return;
    }
    let lines = || {
        let log = home.text("server.log");
        log.lines()
            .filter(|line| !line.contains(" request "))
            .count()
    };
    let before = lines();
    let began = Instant::now();
    for _ in 0..50 {
        assert_eq!(server.get("/health").status, 200);
        assert_eq!(server.get("/").status, 200);
    }
    let lines = lines() - before;
    let seconds = usize::try_from(began.elapsed().as_secs()).expect("few");
    assert!(lines <= seconds + 2, "{}", home.text("server.log"));
    let began = Instant::now();
    assert!(server.terminate().success());
    assert!(began.elapsed() < Duration::from_secs(5));
}

/// Has every further thread of the server refused.
fn refuse_threads(server: &Server) {
    let limited = Command::new(SOMEBODY[0])
        .args(&SOMEBODY[1..])
        .args(["prlimit", "--nproc=1:1", "--pid", &server.id().to_string()])
        .status();
    assert!(limited.expect("prlimit").success());
}

/// Cuts all connections between frontend and backend, and the socket on which others could be made.
#[cfg(target_os = "linux")]
fn cut_backend(server: &Server) -> std::io::Result<()> {
    use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

    let pid = i32::try_from(server.id()).expect("a number");
    let process = pidfd_open(Pid::from_raw(pid).expect("a number"), PidfdFlags::empty())?;
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd"))? {
        let entry = entry?;
        let target = std::fs::read_link(entry.path())?;
        if !target.to_string_lossy().starts_with("socket:") {
            continue;
        }
        let number = entry.file_name().to_string_lossy().parse();
        let number = number.expect("a number");
        let socket = pidfd_getfd(&process, number, PidfdGetfdFlags::empty())?;
        let socket = socket2::Socket::from(socket);
        let ends = [socket.local_addr(), socket.peer_addr()];
        let is_backend = |end: &std::io::Result<socket2::SockAddr>| {
            let path = end.as_ref().ok().and_then(|end| end.as_pathname());
            path.is_some_and(|path| path.ends_with("backend"))
        };
        if ends.iter().any(is_backend) {
            socket.shutdown(std::net::Shutdown::Both)?;
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn cut_backend(_: &Server) -> std::io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

fn health(client: &Client) -> Option<()> {
    let mut raw = Raw::connect(&client.address);
    let (status, ..) = raw.send(GET).reply()?;
    (status == 200).then_some(())
}

#[test]
#[ignore = "takes a minute: as many slow clients as the promise names; prints how long others waited"]
fn hundreds_of_slow_clients_delay_nobody_and_are_gone_within_a_minute() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let client = &server.client;
    // The longest reply there is: a page of the history with a hundred reports.
    let reports: Vec<_> = (0..100).map(|_| server.trigger("")).collect();
    server.wait_for_report(&reports[99]);
    let page = "GET /api/reports HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1000);
    let before = server.status("VmRSS").expect("Linux");
    // The handlers of ten pages each keep a reader, which has three descriptors.
    let few = server.descriptors().expect("Linux") + 10 * 3;
    let start = Instant::now();
    let mut slow = connections(&server, 200);
    for raw in &mut slow {
        raw.send(SLOW_HEAD);
    }
    slow.extend(connections(&server, 50));
    for raw in &mut slow[200..] {
        raw.send(SLOW_BODY);
    }
    slow.extend(connections(&server, 10));
    for raw in &mut slow[250..] {
        raw.send(&page);
    }
    let mut raw = Raw::connect(&client.address);
    let mut times: Vec<_> = (0..300)
        .map(|_| {
            let start = Instant::now();
            assert_eq!(raw.send(GET).reply().expect("a reply").0, 200);
            start.elapsed()
        })
        .collect();
    times.sort();
    let after = server.status("VmRSS").expect("Linux");
    eprintln!("p99 {:?}, {before} kB became {after} kB", times[296]);
    assert!(after < before + 50 * 1024);
    drop(raw);
    eventually("the slow ones are gone", || {
        (server.descriptors().expect("Linux") <= few).then_some(())
    });
    eprintln!("all were gone after {:?}", start.elapsed());
}
