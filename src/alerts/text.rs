//! The words of alerts: a subject, a text for people, and facts for programs.

use std::fmt::Write;

use chrono::DateTime;
use chrono_tz::Tz;
use serde_json::{Value, json};

use super::alert::{About, Alert, Cause, Line};
use super::rule::When;
use crate::civil::format_utc;
use crate::uptime::fleet::StoreKey;
use crate::uptime::interval::{HOUR, Interval, MINUTE, Micros};

/// How many stores a text lists by name.
pub const ALERT_LINES_MAX: usize = 25;

/// How many stores the facts list.
pub const ALERT_FACTS_MAX: usize = 1000;

/// What people call a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// Its id.
    pub id: String,
    /// Its name; its id if it has none.
    pub name: String,
    /// Its owner; empty if not known.
    pub owner: String,
    /// Its time zone.
    pub zone: Tz,
}

/// Finds the names of stores.
pub type Names<'a> = &'a dyn Fn(StoreKey) -> Name;

/// One line about an alert.
pub fn subject(alert: &Alert, names: Names<'_>) -> String {
    let prefix = match alert.cause {
        Cause::News => "",
        Cause::Reminder => "Still: ",
        Cause::Escalation => "Not acknowledged: ",
    };
    let said = match &alert.about {
        About::Stores(lines) if alert.what == When::Silent => format!("{} not polled", are(lines, names)),
        About::Stores(lines) => format!("{} offline", are(lines, names)),
        About::Back(lines) => format!("{} back", are(lines, names)),
        About::PollerAway { overdue, expected, .. } => {
            format!("the poller is away: {overdue} of {expected} open stores have not been polled")
        }
        About::PollerBack(away) => format!("the poller works again, after {}", length(away.length())),
        About::BackupsMissed(_) => "two backups in a row were not made".to_owned(),
        About::BackupsMade => "backups are made again".to_owned(),
    };
    let mut said = format!("{prefix}{said}");
    if let Some(first) = said.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    said
}

/// `Pike Place is`, or `3 stores of Salt & Oyster are`.
fn are(lines: &[Line], names: Names<'_>) -> String {
    let [first, rest @ ..] = lines else {
        return "no store is".to_owned();
    };
    let first = names(first.store);
    if rest.is_empty() {
        return format!("{} is", first.name);
    }
    let same = !first.owner.is_empty() && rest.iter().all(|line| names(line.store).owner == first.owner);
    match same {
        true => format!("{} stores of {} are", lines.len(), first.owner),
        false => format!("{} stores are", lines.len()),
    }
}

/// The whole alert as plain text; `link` acknowledges it.
pub fn text(alert: &Alert, names: Names<'_>, link: Option<&str>) -> String {
    let mut text = format!("{}.\n", subject(alert, names));
    // Writing to memory cannot fail.
    match &alert.about {
        About::Stores(lines) | About::Back(lines) => {
            text.push('\n');
            for line in lines.iter().take(ALERT_LINES_MAX) {
                let _ = writeln!(text, "- {}", sentence(line, alert.what, &names(line.store)));
            }
            if lines.len() > ALERT_LINES_MAX {
                let _ = writeln!(text, "- and {} more", lines.len() - ALERT_LINES_MAX);
            }
        }
        About::PollerAway { since, .. } => {
            let _ = writeln!(
                text,
                "The newest poll is of {} UTC. Whether stores are online is unknown since; this message stands for all \
                 of them.",
                moment(*since, Tz::UTC)
            );
        }
        About::PollerBack(away) => {
            let _ = writeln!(
                text,
                "It was away from {} to {} UTC. What happened in that time can only be guessed.",
                moment(away.start, Tz::UTC),
                moment(away.end, Tz::UTC)
            );
        }
        About::BackupsMissed(since) => {
            let _ = writeln!(
                text,
                "None was made since {} UTC. The server's log and its status say why.",
                moment(*since, Tz::UTC)
            );
        }
        About::BackupsMade => {}
    }
    if alert.passed > 0 {
        let stores = if alert.passed == 1 { "store was" } else { "stores were" };
        let _ = writeln!(
            text,
            "\n{} more {stores} in trouble and back before this message left.",
            alert.passed
        );
    }
    if let Some(link) = link {
        let _ = writeln!(text, "\nI know about it, and why: {link}");
    }
    let _ = writeln!(text, "\nRule: {}", alert.rule);
    text
}

/// What a text says of one store.
fn sentence(line: &Line, what: When, name: &Name) -> String {
    let since = moment(line.trouble.since, name.zone);
    let polls = match line.trouble.inactive {
        1 => "1 inactive poll".to_owned(),
        polls => format!("{polls} inactive polls in a row"),
    };
    let said = match (line.back_at, what, line.trouble.what) {
        (Some(at), _, When::Silent) => format!("polled again at {}, not polled since {since}", moment(at, name.zone)),
        (Some(at), ..) => format!("active at {}, was offline since {since}", moment(at, name.zone)),
        (None, _, When::Silent) if line.suspected => format!("probably too, no poll since {since}"),
        (None, _, When::Silent) => format!("no poll since {since}"),
        (None, ..) if line.suspected => format!("probably too, {polls} since {since}"),
        (None, ..) => format!("since {since}, {polls}"),
    };
    format!("{}: {said}", name.name)
}

/// `Tue 3 Nov 10:02`, in local time.
fn moment(at: Micros, zone: Tz) -> String {
    let local = DateTime::from_timestamp_micros(at).map(|utc| utc.with_timezone(&zone));
    local.map_or_else(String::new, |local| local.format("%a %-d %b %H:%M").to_string())
}

/// `2 h 10 min`.
fn length(length: Micros) -> String {
    match (length / HOUR, length % HOUR / MINUTE) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// The alert as a JSON object. Instants are UTC.
pub fn facts(alert: &Alert, names: Names<'_>, link: Option<&str>) -> Value {
    let line = |line: &Line| {
        let name = names(line.store);
        json!({
            "store_id": name.id,
            "name": name.name,
            "group": name.owner,
            "since": format_utc(line.trouble.since),
            "inactive_polls": line.trouble.inactive,
            "suspected": line.suspected,
            "back_at": line.back_at.map(format_utc),
        })
    };
    let (away, overdue, expected) = match alert.about {
        About::PollerAway {
            since,
            overdue,
            expected,
        } => (Some((since, None)), Some(overdue), Some(expected)),
        About::PollerBack(Interval { start, end }) => (Some((start, Some(end))), None, None),
        About::BackupsMissed(since) => (Some((since, None)), None, None),
        _ => (None, None, None),
    };
    json!({
        "rule": alert.rule,
        "what": alert.what.as_str(),
        "cause": alert.cause.as_str(),
        "ended": matches!(alert.about, About::Back(_) | About::PollerBack(_) | About::BackupsMade),
        "at": format_utc(alert.at),
        "since": away.map(|(since, _)| format_utc(since)),
        "until": away.and_then(|(_, until)| until).map(format_utc),
        "overdue_stores": overdue,
        "open_stores": expected,
        "stores_count": alert.lines().len(),
        "stores": alert.lines().iter().take(ALERT_FACTS_MAX).map(line).collect::<Vec<_>>(),
        "passed": alert.passed,
        "acknowledge_url": link,
    })
}
