//! The harness: a temporary home for each test, the binary run in it, a server with a client.
//!
//! Every wait is for a condition, with a deadline.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use store_monitor::export;
use store_monitor::ingest::kind::Kind;
use tempfile::TempDir;
use ureq::http::{HeaderMap, Request};

/// How long anything may take before the test gives up: far longer than a busy machine needs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// How long a condition is left alone between two looks at it.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks until `condition` gives something; panics, naming `what`, at the deadline.
pub(crate) fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "waited in vain: {what}");
        thread::sleep(PAUSE);
    }
}

/// The project's own folder.
pub(crate) fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// One of the demo's input files.
pub(crate) fn seed(file: &str) -> String {
    project().join("seed").join(file).display().to_string()
}

/// The demo's input files.
pub(crate) fn seeds() -> [String; 5] {
    [
        "stores.csv",
        "timezones.csv",
        "menu_hours.csv",
        "special_hours.csv",
        "store_status.csv",
    ]
    .map(seed)
}

/// What a run of the binary left behind.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The exit code; none where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Outcome {
    /// The same, having exited with this code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// The same, having said each of these on stderr.
    #[track_caller]
    pub(crate) fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` is missing in {self}");
        }
        self
    }

    /// The same, having printed nothing and one line of complaint with these words in it.
    #[track_caller]
    pub(crate) fn refuses(self, words: &[&str]) -> Self {
        assert!(self.stdout.is_empty(), "{self}");
        assert_eq!(self.stderr.lines().count(), 1, "{self}");
        assert!(self.stderr.starts_with("store-monitor: "), "{self}");
        self.says(words)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("UTF-8 on stdout")
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stdout = String::from_utf8_lossy(&self.stdout);
        let head: String = stdout.chars().take(2000).collect();
        write!(
            f,
            "exit {:?}\nstdout: {head}\nstderr: {}",
            self.code, self.stderr
        )
    }
}

/// A temporary folder in which the binary runs, so that its database is `store-monitor.db` in it.
pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    /// A home whose database holds the demo's data.
    pub(crate) fn seeded() -> Self {
        let home = Self::new();
        home.import(&seeds());
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path("store-monitor.db")
    }

    /// The database through SQLite itself.
    pub(crate) fn sqlite(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.database()).expect("the database")
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).expect(name);
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).expect(name)
    }

    /// Every name in the home, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).expect("the home");
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries
            .map(|entry| name(entry).to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// The binary, not yet started, deaf to the settings of whoever runs the tests.
    pub(crate) fn command<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_store-monitor"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("STORE_MONITOR_") {
                command.env_remove(name);
            }
        }
        command.args(arguments).current_dir(self.folder.path());
        command
    }

    /// Runs the binary to its end.
    pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Outcome {
        run(&mut self.command(arguments), b"")
    }

    /// Runs the binary, which must succeed, and returns what it printed.
    #[track_caller]
    pub(crate) fn print<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Vec<u8> {
        self.run(arguments).exits(0).stdout
    }

    /// Imports files, which must succeed.
    #[track_caller]
    pub(crate) fn import<S: AsRef<str>>(&self, files: &[S]) -> Outcome {
        let mut arguments = vec!["import"];
        arguments.extend(files.iter().map(AsRef::as_ref));
        self.run(&arguments).exits(0)
    }

    /// Everything that can be exported, by kind.
    #[track_caller]
    pub(crate) fn exports(&self) -> [Vec<u8>; 5] {
        Kind::ALL.map(|kind| self.print(&["export", kind.description().slug]))
    }
}

/// Everything that can be exported of an open database, by kind.
pub(crate) fn exports_of(db: &rusqlite::Connection) -> [Vec<u8>; 5] {
    Kind::ALL.map(|kind| {
        let mut out = Vec::new();
        export::rows(kind, db, &mut out).expect("an export");
        out
    })
}

/// Runs a command to its end, with these bytes on its stdin.
pub(crate) fn run(command: &mut Command, stdin: &[u8]) -> Outcome {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    let mut input = child.stdin.take().expect("a pipe");
    let stdin = stdin.to_vec();
    // Whoever refuses its input closes the pipe early.
    thread::spawn(move || input.write_all(&stdin));
    let (stdout, stderr) = (drain(child.stdout.take()), drain(child.stderr.take()));
    let status = ends(&mut child);
    let stderr = stderr.join().expect("stderr is read");
    Outcome {
        code: status.code(),
        stdout: stdout.join().expect("stdout is read"),
        stderr: String::from_utf8(stderr).expect("UTF-8 on stderr"),
    }
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    let mut pipe = pipe.expect("a pipe");
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("a pipe is read");
        bytes
    })
}

/// Waits for a process to end; one that does not is killed, and the test fails.
pub(crate) fn ends(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return status;
        }
        if start.elapsed() > DEADLINE {
            let _ = child.kill();
            panic!("a process did not end");
        }
        thread::sleep(PAUSE);
    }
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header's value; empty where it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("text in a header"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8 in a body")
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// Checks that this is a problem with this status, and returns what it says to do.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("Content-Type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert!(!problem["title"].as_str().expect("a title").is_empty());
        let detail = problem["detail"].as_str().expect("a detail");
        assert!(!detail.is_empty());
        detail.to_owned()
    }
}

/// A client of whatever listens at an address.
pub(crate) struct Client {
    agent: ureq::Agent,
    pub(crate) address: String,
}

impl Client {
    pub(crate) fn new(address: impl Into<String>) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(DEADLINE))
            .proxy(None);
        Self {
            agent: config.build().into(),
            address: address.into(),
        }
    }

    /// The same, which shows a redirect and does not follow it.
    pub(crate) fn that_stays(address: impl Into<String>) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(DEADLINE))
            .proxy(None);
        Self {
            agent: config.build().into(),
            address: address.into(),
        }
    }

    /// Sends a request without a body; `target` is a path with an optional query.
    #[track_caller]
    pub(crate) fn request(&self, method: &str, target: &str) -> Answer {
        self.send(method, target, &[])
    }

    /// Asks for something with more header fields.
    #[track_caller]
    pub(crate) fn get_with(&self, target: &str, more: &[(&str, &str)]) -> Answer {
        self.send("GET", target, more)
    }

    /// Sends a request without a body, with more header fields.
    #[track_caller]
    pub(crate) fn send(&self, method: &str, target: &str, more: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{target}", self.address));
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        let answer = self.agent.run(request.body(()).expect("a request"));
        let (head, mut body) = answer
            .unwrap_or_else(|error| panic!("{method} {target}: {error}"))
            .into_parts();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.read_to_vec().expect("a body"),
        }
    }

    /// Sends a body of this media type, with more header fields if there are any.
    #[track_caller]
    /// The token that each form of an open server carries; empty where pages are read-only.
    pub(crate) fn csrf(&self) -> String {
        let page = self.get("/access");
        let value = page.text().split("name=\"csrf\" value=\"").nth(1);
        let value = value.and_then(|rest| rest.split('"').next());
        value.unwrap_or_default().to_owned()
    }

    /// Sends a form as a browser does that shows a page of this open server.
    pub(crate) fn submit(&self, target: &str, fields: &str) -> Answer {
        self.post(
            target,
            "application/x-www-form-urlencoded",
            &[("Sec-Fetch-Site", "same-origin")],
            format!("csrf={}&{fields}", self.csrf()).as_bytes(),
        )
    }

    pub(crate) fn post(
        &self,
        target: &str,
        media_type: &str,
        more: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut request = Request::builder()
            .method("POST")
            .uri(format!("http://{}{target}", self.address))
            .header("Content-Type", media_type);
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        let answer = self.agent.run(request.body(body).expect("a request"));
        let answer = answer.unwrap_or_else(|error| panic!("POST {target}: {error}"));
        let (head, mut body) = answer.into_parts();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.read_to_vec().expect("a body"),
        }
    }

    #[track_caller]
    pub(crate) fn get(&self, target: &str) -> Answer {
        self.request("GET", target)
    }

    /// Triggers a report, `query` being empty or beginning with `?`, and returns its id.
    #[track_caller]
    pub(crate) fn trigger(&self, query: &str) -> String {
        let answer = self.request("POST", &format!("/trigger_report{query}"));
        assert_eq!(answer.status, 202, "{}", answer.text());
        answer.json()["report_id"].as_str().expect("an id").into()
    }

    /// Asks for a report until it no longer runs.
    #[track_caller]
    pub(crate) fn wait_for_report(&self, id: &str) -> Answer {
        eventually(&format!("report {id} is made"), || {
            let answer = self.get(&format!("/get_report?report_id={id}"));
            assert_eq!(answer.status, 200, "{}", answer.text());
            (answer.header("Report-Status") != "Running").then_some(answer)
        })
    }

    /// The CSV of a report that is triggered for it.
    #[track_caller]
    pub(crate) fn report(&self, query: &str) -> Vec<u8> {
        let answer = self.wait_for_report(&self.trigger(query));
        assert_eq!(
            answer.header("Report-Status"),
            "Complete",
            "{}",
            answer.text()
        );
        answer.body
    }
}

/// A server of the binary's own, killed when it is dropped; its log is `server.log` in its home.
pub(crate) struct Server {
    child: Child,
    pub(crate) client: Client,
}

impl Server {
    /// Serves the home's database on a free port.
    pub(crate) fn start(home: &Home) -> Self {
        Self::start_with(home, &["serve"])
    }

    /// Starts `serve` or `demo` with these arguments on a free port.
    pub(crate) fn start_with(home: &Home, arguments: &[&str]) -> Self {
        Self::start_as(home, home.command(arguments))
    }

    /// Starts whatever this command comes to, on a free port.
    pub(crate) fn start_as(home: &Home, command: Command) -> Self {
        let started = Self::try_start_as(home, command);
        started.unwrap_or_else(|| panic!("the server did not start: {}", home.text("server.log")))
    }

    /// The same; none where it ends instead.
    pub(crate) fn try_start_as(home: &Home, mut command: Command) -> Option<Self> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(home.path("server.log"));
        if command.get_args().all(|argument| argument != "--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.expect("a log"));
        let mut child = command.spawn().expect("the server starts");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (lines, line) = mpsc::channel();
        thread::spawn(move || {
            // The pipe stays open, and what follows is read, for as long as the server writes.
            for line in stdout.lines().map_while(Result::ok) {
                let _ = lines.send(line);
            }
        });
        let mut server = Self {
            child,
            client: Client::new(""),
        };
        let first = line.recv_timeout(DEADLINE).ok()?;
        let address = first.strip_prefix("listening on http://");
        server.client.address = address.unwrap_or_else(|| panic!("{first}")).to_owned();
        Some(server)
    }

    /// A line of what Linux tells about the process, such as `VmRSS` or `Threads`; none elsewhere.
    pub(crate) fn status(&self, line: &str) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let value = status.lines().find_map(|text| text.strip_prefix(line))?;
        let number = value.trim_start_matches([':', ' ', '\t']);
        number.split_whitespace().next()?.parse().ok()
    }

    /// How many descriptors the process has open; none where nobody tells.
    pub(crate) fn descriptors(&self) -> Option<usize> {
        let folder = fs::read_dir(format!("/proc/{}/fd", self.child.id())).ok()?;
        Some(folder.count())
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop and returns how it ended.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(sent.expect("a kill command").success());
        ends(&mut self.child)
    }

    /// Takes it down with no chance to tidy up.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("a running server");
        ends(&mut self.child);
    }
}

impl std::ops::Deref for Server {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended cannot be killed, and need not be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection that sends what no client library would.
pub(crate) struct Raw(pub(crate) TcpStream);

impl Raw {
    pub(crate) fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("an option");
        stream.set_read_timeout(Some(DEADLINE)).expect("an option");
        stream.set_write_timeout(Some(DEADLINE)).expect("an option");
        Self(stream)
    }

    /// Sends bytes; a server that hangs up meanwhile has said why.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let _ = self.0.write_all(bytes.as_ref());
        self
    }

    /// Sends no more.
    pub(crate) fn half_close(&mut self) -> &mut Self {
        let _ = self.0.shutdown(Shutdown::Write);
        self
    }

    /// The next reply: its status, its head and its body. None where the connection was closed.
    pub(crate) fn reply(&mut self) -> Option<(u16, String, Vec<u8>)> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            match self.0.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                Ok(_) if head.is_empty() => return None,
                other => panic!("{other:?} within {}", String::from_utf8_lossy(&head)),
            }
        }
        let head = String::from_utf8(head).expect("ASCII");
        let status = head.strip_prefix("HTTP/1.1 ").expect("a status line")[..3].parse();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "));
        let length = length.map_or(0, |length| length.parse().expect("a length"));
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).expect("a whole body");
        Some((status.expect("a number"), head, body))
    }

    /// The statuses of all replies, until the connection is closed.
    pub(crate) fn statuses(&mut self) -> Vec<u16> {
        std::iter::from_fn(|| self.reply())
            .map(|(status, ..)| status)
            .collect()
    }
}
