//! The program as a server on a copy of a database, killed and deleted when dropped.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::Agent;

use super::{Result, data, program};

/// How long a report may take before the bench gives up.
const DEADLINE: Duration = Duration::from_secs(60);
/// How often a client asks: seldom enough to leave the cores to the report.
const PAUSE: Duration = Duration::from_micros(200);

/// The longest report that a client takes, in bytes.
const CSV_BYTES_MAX: u64 = 1 << 32;

/// A server that answers.
pub(crate) struct Server {
    child: Child,
    /// When its process was started.
    pub(crate) started: Instant,
    database: PathBuf,
    address: String,
    agent: Agent,
}

/// A report as its client had it.
pub(crate) struct Report {
    /// When the client was told that it is complete.
    pub(crate) told: Instant,
    /// From before the trigger until the client was told that it is complete, and so durable.
    pub(crate) complete: Duration,
    /// From before the trigger until the client had all of the CSV.
    pub(crate) received: Duration,
    pub(crate) csv: Vec<u8>,
}

impl Server {
    pub(crate) fn start(database: &Path) -> Result<Self> {
        let copy = database.with_extension("served.db");
        data::remove_database(&copy)?;
        fs::copy(database, &copy)?;
        Self::start_new(&copy)
    }

    /// Serves a database file, which is made if there is none, and removed in the end.
    pub(crate) fn start_new(database: &Path) -> Result<Self> {
        let mut command = program::program("serve");
        command.arg("--database").arg(database);
        command.args(["--listen", "127.0.0.1:0"]);
        let started = Instant::now();
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let mut server = Self {
            child,
            started,
            database: database.to_owned(),
            address: String::new(),
            agent: Agent::new_with_defaults(),
        };
        let address = line.trim_end().strip_prefix("listening on ");
        address
            .ok_or_else(|| format!("`serve` began with `{line}`"))?
            .clone_into(&mut server.address);
        Ok(server)
    }

    /// Triggers a report and asks for it until it is there.
    pub(crate) fn report(&self) -> Result<Report> {
        self.job("/trigger_report")
    }

    /// Orders what a job makes, by `POST`, and asks for it until it is there.
    pub(crate) fn job(&self, order: &str) -> Result<Report> {
        let start = Instant::now();
        let trigger = format!("{}{order}", self.address);
        let mut answer = self.agent.post(trigger).send_empty()?;
        let id = json(&answer.body_mut().read_to_vec()?)?["report_id"].clone();
        let id = id.as_str().ok_or("the trigger gave no report_id")?;
        let (told, csv) = loop {
            let mut answer = self.get(&format!("/get_report?report_id={id}"))?;
            let told = Instant::now();
            // A report of more than 200,000 stores is longer than the client takes unasked.
            let body = answer.body_mut().with_config().limit(CSV_BYTES_MAX);
            let body = body.read_to_vec()?;
            let state = answer.headers().get("Report-Status");
            match state.map(|state| state.as_bytes()) {
                Some(b"Complete") => break (told, body),
                Some(b"Running") if start.elapsed() < DEADLINE => thread::sleep(PAUSE),
                _ => return Err(format!("no report: {}", String::from_utf8_lossy(&body)).into()),
            }
        };
        Ok(Report {
            told,
            complete: told - start,
            received: start.elapsed(),
            csv,
        })
    }

    /// The database that it serves.
    pub(crate) fn database(&self) -> &Path {
        &self.database
    }

    /// Where it listens.
    pub(crate) fn host(&self) -> &str {
        self.address.trim_start_matches("http://")
    }

    /// Posts CSV, which must be taken.
    pub(crate) fn post(&self, target: &str, body: impl ureq::AsSendBody) -> Result<()> {
        let request = self.agent.post(format!("{}{target}", self.address));
        request.header("Content-Type", "text/csv").send(body)?;
        Ok(())
    }

    /// How much memory the server has resident.
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        program::status_bytes(&status, "VmRSS:").ok_or_else(|| "there is no VmRSS".into())
    }

    fn get(&self, target: &str) -> Result<ureq::http::Response<ureq::Body>> {
        Ok(self.agent.get(format!("{}{target}", self.address)).call()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Best effort: the copy is of no use, and the next start removes it first.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = data::remove_database(&self.database);
    }
}

fn json(bytes: &[u8]) -> Result<Value> {
    Ok(serde_json::from_slice(bytes)?)
}
