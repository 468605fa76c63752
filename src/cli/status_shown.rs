//! The status as text and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use super::status_facts::{
    Backups, Lasts, Polls, Status, Stored, instant, list, plural_of, runs_for, text as string, told_age,
};
use crate::civil::format_rfc3339;
use crate::db::outbox::Count;
use crate::db::reports::ReportState;
use crate::phrases::{length, plural};
use crate::uptime::interval::{MINUTE, SECOND};
use crate::uptime::store_state::StoreState;

/// The width of the column of names.
const NAME_CHARS: usize = 10;

/// A longer time says nothing to people.
const DAYS_TOLD: u64 = 3650;

/// The status for people.
pub(super) fn text(status: &Status) -> String {
    let mut lines = String::new();
    let mut line = |name: &str, told: String| {
        // Writing to memory cannot fail.
        let _ = writeln!(lines, "{name:NAME_CHARS$} {told}");
    };
    line("server", server(status));
    match &status.stored {
        None => line("database", "cannot be read".to_owned()),
        Some(stored) => {
            match &stored.polls {
                None => line("polls", "none".to_owned()),
                Some(newest) => {
                    line("polls", polls(status, newest));
                    line("stores", stores(newest));
                }
            }
            line("reports", reports(status, stored));
            line("messages", messages(status, stored));
        }
    }
    if let Some(queues) = queues(status) {
        line("queues", queues);
    }
    line(
        "backups",
        status
            .backups
            .as_ref()
            .map_or_else(|| "no folder is known".to_owned(), |known| backups(status, known)),
    );
    line("disk", disk(status));
    for problem in &status.problems {
        line("attention", problem.clone());
    }
    if status.problems.is_empty() {
        line("attention", "nothing".to_owned());
    }
    lines
}

fn server(status: &Status) -> String {
    let Some(pid) = status.running.pid else {
        return "does not run".to_owned();
    };
    let facts = &status.running.facts;
    let Some((since, length)) = runs_for(status) else {
        return format!("runs as process {pid}; more is not known");
    };
    let state = match (status.running.answers, list(&facts["not_ready"])) {
        (Some(false), _) => "does not answer",
        (None, _) => "not asked",
        (Some(true), []) => "ready",
        (Some(true), _) => "not ready",
    };
    let (version, address) = (string(&facts["version"]), string(&facts["address"]));
    format!("{version} at {address}, {state}; up since {since} ({length}), process {pid}")
}

fn polls(status: &Status, polls: &Polls) -> String {
    format!(
        "newest {} ({}); usually one every {}",
        format_rfc3339(polls.newest / SECOND * SECOND),
        told_age(status.at - polls.newest),
        length(polls.usual_gap)
    )
}

fn stores(polls: &Polls) -> String {
    let all: usize = polls.states.iter().sum();
    let each = StoreState::ALL.into_iter().zip(polls.states);
    let each: Vec<String> = each
        .map(|(state, count)| format!("{count} {}", state.as_str()))
        .collect();
    format!("{all}: {} (at the newest poll)", each.join(", "))
}

fn count_of(stored: &Stored, state: ReportState) -> i64 {
    let found = stored.reports.iter().find(|(known, _)| *known == state);
    found.map_or(0, |(_, count)| *count)
}

fn reports(status: &Status, stored: &Stored) -> String {
    let count = |state| count_of(stored, state);
    let waiting = status.running.facts["queues"]["reports"]["waiting"].as_u64();
    let waiting = waiting.map_or_else(String::new, |waiting| format!(", {waiting} of them wait"));
    format!(
        "{} complete, {} running{waiting}, {} failed",
        count(ReportState::Complete),
        count(ReportState::Running),
        count(ReportState::Failed)
    )
}

fn messages(status: &Status, stored: &Stored) -> String {
    let of = |count: &Count| {
        let failing = if count.is_failing(status.at) { ", failing" } else { "" };
        let (receiver, waiting, sent) = (&count.receiver, count.waiting, count.sent);
        match count.given_up {
            0 => format!("{receiver}: {sent} sent, {waiting} waiting{failing}"),
            given_up => format!("{receiver}: {sent} sent, {waiting} waiting, {given_up} given up{failing}"),
        }
    };
    match stored.messages.as_slice() {
        [] => "none".to_owned(),
        messages => messages.iter().map(of).collect::<Vec<_>>().join("; "),
    }
}

fn queues(status: &Status) -> Option<String> {
    let facts = &status.running.facts;
    let (changes, requests) = (&facts["queues"]["changes"], &facts["queues"]["requests"]);
    Some(format!(
        "{} of {} changes wait; {} requests wait, {} are answered; {} of {} connections",
        changes["waiting"].as_u64()?,
        changes["limit"].as_u64()?,
        requests["waiting"].as_u64()?,
        requests["in_hand"].as_u64()?,
        facts["connections"]["open"].as_u64()?,
        facts["connections"]["limit"].as_u64()?,
    ))
}

fn backups(status: &Status, backups: &Backups) -> String {
    let mut told = format!(
        "{} backup{} in {}",
        backups.count,
        plural(backups.count),
        backups.folder.display()
    );
    let instant = |at| format_rfc3339(at / SECOND * SECOND);
    if let Some(newest) = backups.newest {
        let _ = write!(told, "; newest {} ({})", instant(newest), told_age(status.at - newest));
    }
    match (backups.next, backups.missed_since) {
        (_, Some(since)) => {
            let _ = write!(told, "; missed since {}", instant(since));
        }
        (Some(next), None) => {
            let _ = write!(told, "; next {}", instant(next));
        }
        (None, None) => told.push_str("; none is planned while no server runs"),
    }
    told
}

fn disk(status: &Status) -> String {
    let size = |bytes: Option<u64>| bytes.map_or_else(|| "an unknown size".to_owned(), told_bytes);
    let lasts = match &status.lasts {
        Lasts::Days(DAYS_TOLD..) => "enough for ten years of polls as in the last week".to_owned(),
        Lasts::Days(days) => format!(
            "full in about {days} day{} if polls come as in the last week",
            plural_of(*days)
        ),
        Lasts::Balanced => "old polls are forgotten as fast as new ones come".to_owned(),
        Lasts::Unknown(why) => format!("how long that lasts is not known: {why}"),
    };
    format!(
        "{} free; database {}, log {}; {lasts}",
        size(status.sizes.free),
        size(status.sizes.database),
        size(status.sizes.log)
    )
}

/// `1.4 GiB`, `12 MiB`, `3 KiB`.
fn told_bytes(bytes: u64) -> String {
    match bytes {
        0..1_048_576 => format!("{} KiB", bytes.div_ceil(1 << 10)),
        1_048_576..1_073_741_824 => format!("{} MiB", bytes >> 20),
        _ => format!("{}.{} GiB", bytes >> 30, ((bytes & ((1 << 30) - 1)) * 10) >> 30),
    }
}

/// The status for programs. What is not known is null.
pub(super) fn json(status: &Status) -> Value {
    let facts = &status.running.facts;
    let stored = status.stored.as_ref();
    let polls = stored.and_then(|stored| stored.polls.as_ref());
    let states = |polls: &Polls| -> Value {
        let each = StoreState::ALL.into_iter().zip(polls.states);
        each.map(|(state, count)| (state.as_str().replace(' ', "_"), json!(count)))
            .collect()
    };
    let (days, why) = match &status.lasts {
        Lasts::Days(days) => (Some(*days), None),
        Lasts::Balanced => (None, Some("old polls are forgotten as fast as new ones come")),
        Lasts::Unknown(why) => (None, Some(*why)),
    };
    let growth = stored.and_then(|stored| stored.growth);
    json!({
        "status": if status.problems.is_empty() { "ok" } else { "attention" },
        "problems": status.problems,
        "server": {
            "running": status.running.pid.is_some(),
            "pid": status.running.pid,
            "version": facts["version"],
            "address": facts["address"],
            "started_at": facts["started_at"],
            "written_at": facts["written_at"],
            "answers": status.running.answers,
            "not_ready": facts["not_ready"],
            "conditions": facts["conditions"],
            "queues": facts["queues"],
            "connections": facts["connections"],
        },
        "polls": polls.map(|polls| json!({
            "newest": format_rfc3339(polls.newest),
            "lag_seconds": (status.at - polls.newest).div_euclid(SECOND),
            "usual_gap_minutes": polls.usual_gap / MINUTE,
            "is_live": polls.is_live,
        })),
        "stores": polls.map(states),
        "reports": stored.map(|stored| json!({
            "complete": count_of(stored, ReportState::Complete),
            "running": count_of(stored, ReportState::Running),
            "failed": count_of(stored, ReportState::Failed),
        })),
        "messages": stored.map(|stored| stored.messages.iter().map(|count| json!({
            "receiver": count.receiver,
            "sent": count.sent,
            "waiting": count.waiting,
            "given_up": count.given_up,
            "is_failing": count.is_failing(status.at),
            "last_sent_at": count.last_sent_at.map(format_rfc3339),
        })).collect::<Vec<_>>()),
        "backups": status.backups.as_ref().map(|backups| json!({
            "folder": backups.folder,
            "count": backups.count,
            "newest": backups.newest.map(format_rfc3339),
            "next": backups.next.map(format_rfc3339),
            "missed_since": backups.missed_since.map(format_rfc3339),
        })),
        "disk": {
            "free_bytes": status.sizes.free,
            "database_bytes": status.sizes.database,
            "log_bytes": status.sizes.log,
            "polls_a_day": growth.map(|growth| growth.polls_a_day),
            "bytes_a_day": growth.map(|growth| growth.bytes_a_day()),
            "days_until_full": days,
            "days_unknown_because": why,
        },
        "written_seconds_ago": instant(&facts["written_at"]).map(|written| (status.at - written) / SECOND),
    })
}
