//! `GET /metrics`: the server's numbers as Prometheus text.

use std::fmt::Write;

use super::app::App;
use super::query;
use super::request::Request;
use super::response::Response;
use crate::clock::machine_us;
use crate::error::Result;
use crate::jobs::ReportState;
use crate::uptime::interval::SECOND;

/// The numbers, read now.
pub fn get(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let backups = app.site.backups.clone();
    let freshness = query::freshness(app, request)?;
    let newest = app.newest_poll()?;
    let (reports, waiting) = app.report_counts()?;
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, values: &[(&str, i64)]| {
        let _ = writeln!(
            text,
            "# HELP store_monitor_{name} {help}\n# TYPE store_monitor_{name} gauge"
        );
        for (labels, value) in values {
            let _ = writeln!(text, "store_monitor_{name}{labels} {value}");
        }
    };
    let version = concat!("{version=\"", env!("CARGO_PKG_VERSION"), "\"}");
    gauge("build_info", "The program's version.", &[(version, 1)]);
    if let Some(newest) = newest {
        let inputs = app.inputs(newest)?;
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        gauge(
            "newest_poll_timestamp_seconds",
            "The instant of the newest poll.",
            &[("", newest / SECOND)],
        );
        gauge(
            "usual_gap_seconds",
            "The usual gap between the polls of a store.",
            &[("", freshness.usual_gap / SECOND)],
        );
        gauge(
            "polls_are_live",
            "1 while the newest poll is within two usual gaps of the machine's clock, else 0.",
            &[("", freshness.is_live().into())],
        );
        gauge(
            "stores",
            "Stores that any source names.",
            &[("", count(inputs.fleet.stores().len()))],
        );
        gauge(
            "polls_in_memory",
            "Polls of the last eight days held in memory.",
            &[("", count(inputs.history.len()))],
        );
    }
    if let Some(backups) = backups {
        gauge(
            "backups",
            "Backups in the folder.",
            &[("", i64::try_from(backups.count()).unwrap_or(i64::MAX))],
        );
        if let Some(newest) = backups.newest() {
            let age = (machine_us() - newest).max(0) / SECOND;
            gauge("backup_age_seconds", "The age of the newest backup.", &[("", age)]);
        }
    }
    let labels = [
        (ReportState::Running, "{state=\"running\"}"),
        (ReportState::Complete, "{state=\"complete\"}"),
        (ReportState::Failed, "{state=\"failed\"}"),
    ];
    let kept = labels.map(|(state, label)| {
        let found = reports.iter().find(|(known, _)| *known == state);
        (label, found.map_or(0, |&(_, count)| count))
    });
    gauge("reports", "Reports that the database keeps.", &kept);
    let waiting = i64::try_from(waiting).unwrap_or(i64::MAX);
    gauge("reports_waiting", "Reports that wait for a thread.", &[("", waiting)]);
    let media_type = "text/plain; version=0.0.4; charset=utf-8";
    Ok(Response::new(200, media_type, text.into_bytes()))
}
