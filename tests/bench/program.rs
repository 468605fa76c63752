//! The program as a process: its commands, their time and their memory.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Result;

/// The program that was built with this bench.
pub(crate) const PATH: &str = env!("CARGO_BIN_EXE_store-monitor");

/// A report that a process made.
pub(crate) struct Report {
    pub(crate) took: Duration,
    pub(crate) csv: Vec<u8>,
}

pub(crate) fn report(database: &Path) -> Result<Report> {
    let (csv, took) = timed_stdout(report_command(database))?;
    Ok(Report { took, csv })
}

pub(crate) fn statement_command(database: &Path, options: &[&str]) -> Command {
    let mut command = program("statement");
    command.args(options).arg("--database").arg(database);
    command
}

pub(crate) fn report_command(database: &Path) -> Command {
    let mut command = program("report");
    command.arg("--database").arg(database);
    command
}

pub(crate) fn import(file: &Path, database: &Path) -> Result<Duration> {
    Ok(timed(import_command(&[file], database))?.1)
}

pub(crate) fn import_command(files: &[&Path], database: &Path) -> Command {
    let mut command = program("import");
    command.args(files).arg("--database").arg(database);
    command
}

pub(crate) fn generate(folder: &Path, stores: u32, days: u32, order: &str) -> Result<()> {
    let mut command = program("generate");
    command.args([
        "--stores",
        &stores.to_string(),
        "--days",
        &days.to_string(),
        "--seed",
        "1",
        "--order",
        order,
    ]);
    command.arg(folder);
    finish(command)
}

/// The program, quiet.
pub(crate) fn program(command: &str) -> Command {
    let mut program = Command::new(PATH);
    program.args([command, "--log", "error"]);
    program.stdin(Stdio::null()).stdout(Stdio::null());
    program
}

/// Runs a command, which must do well.
pub(crate) fn finish(command: Command) -> Result<()> {
    timed(command).map(drop)
}

/// What a command prints, and how long it takes.
pub(crate) fn timed_stdout(mut command: Command) -> Result<(Vec<u8>, Duration)> {
    command.stdout(Stdio::piped());
    timed(command)
}

/// What a command printed on a stdout that is a pipe, and how long it took.
pub(crate) fn timed(mut command: Command) -> Result<(Vec<u8>, Duration)> {
    let start = Instant::now();
    let child = command.stderr(Stdio::piped()).spawn()?;
    let output = child.wait_with_output()?;
    let took = start.elapsed();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{command:?} failed: {said}").into());
    }
    Ok((output.stdout, took))
}

/// The most memory a command had resident, asked of the system every millisecond.
pub(crate) fn peak_bytes(mut command: Command) -> Result<u64> {
    let mut child = command.stderr(Stdio::null()).spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak = None;
    let ended = loop {
        // It only grows; once the process has ended the line is gone.
        let text = fs::read_to_string(&status).unwrap_or_default();
        peak = status_bytes(&text, "VmHWM:").or(peak);
        match child.try_wait()? {
            Some(ended) => break ended,
            None => thread::sleep(Duration::from_millis(1)),
        }
    };
    if !ended.success() {
        return Err(format!("{command:?} failed").into());
    }
    peak.ok_or_else(|| "this system has no /proc".into())
}

/// A size that the system tells of a process, in bytes.
pub(crate) fn status_bytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}
