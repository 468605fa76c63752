//! Polls: the answers of stores. They are many, so they are sorted and written apart from other kinds.

use rusqlite::Connection;

use super::field::{Fault, RowNotes, text};
use super::input_kind::{Column, Description, InputKind, Target, Verdict, id_of};
use crate::civil::{self, Timestamp, format_utc, parse_timestamp_bytes};
use crate::db::{Changed, polls, store_keys};
use crate::error::Result;
use crate::ingest::fields::Fields;
use crate::ingest::machine_time::second;
use crate::ingest::options::ReadOptions;
use crate::ingest::problem::{Code, Notes, excerpt};
use crate::ingest::runs::PollRow;
use crate::uptime::interval::{DAY, MINUTE, Micros, SECOND};
use crate::uptime::poll::{Poll, Status};

/// The earliest instant accepted: 2000-01-01.
pub const EARLIEST_US: Micros = 10_957 * DAY;

/// The polls of a call that are not sorted yet.
#[derive(Default)]
pub(in crate::ingest) struct Polls(pub(in crate::ingest) Vec<PollRow>);

impl InputKind for Polls {
    const DESCRIPTION: Description = Description {
        name: "polls",
        slug: "polls",
        title: "Polls",
        about: "Whether a store answered, and when",
        export_about: "Print every poll",
        sample_file: "polls.csv",
        sample: include_str!("samples/polls.csv"),
        columns: &[
            Column::STORE_ID,
            // A bare `timestamp` does not say that it is UTC, so it is not among them.
            Column {
                synonyms: &[
                    "utctimestamp",
                    "utctime",
                    "timeutc",
                    "datetimeutc",
                    "utcdatetime",
                    "polledatutc",
                ],
                ..Column::of(&["timestamp_utc"], Code::Timestamp)
            },
            Column {
                synonyms: &["storestatus", "pollstatus", "isactive", "isonline"],
                ..Column::of(&["status"], Code::Status)
            },
        ],
        exported: &["store_id", "status", "timestamp_utc"],
        refused: &[],
        is_whole: false,
    };

    type Value<'a> = Poll;

    #[inline(always)]
    fn parse<'a>(fields: Fields<'a>, options: &ReadOptions, notes: &mut RowNotes) -> Result<Poll, Fault<'a>> {
        // Of two faults the first is reported, in the order in which most sources write the columns.
        let status = status(fields[2], notes)?;
        let at = instant(fields[1], options, notes)?;
        Ok(Poll::new(at, status))
    }

    fn take(&mut self, store: u32, line: u64, poll: Poll) -> Verdict {
        self.0.push(PollRow::new(store, line, poll));
        // Only sorted rows show repeats.
        Verdict::New
    }

    fn write(&self, _: &Target<'_>, _: &mut Notes) -> Result<Changed> {
        Ok(Changed::default())
    }

    /// Ordered by instant and store id.
    fn export(db: &Connection, each: &mut dyn FnMut(&[&[u8]]) -> Result<()>) -> Result<()> {
        let ids = store_keys::ids(db)?;
        let mut timestamp = Vec::new();
        let mut write = |at: Micros, polls: &mut Vec<(&str, Status)>| -> Result<()> {
            // The table orders one instant's polls by key: the order in which stores first came in.
            polls.sort_unstable_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
            timestamp.clear();
            civil::write_timestamp(&mut timestamp, at);
            polls
                .drain(..)
                .try_for_each(|(id, status)| each(&[id.as_bytes(), status.as_str().as_bytes(), &timestamp]))
        };
        let (mut instant, mut same) = (Micros::MIN, Vec::new());
        polls::for_each(db, |at, store, status| {
            if at != instant {
                write(instant, &mut same)?;
                instant = at;
            }
            same.push((id_of(&ids, store)?, status));
            Ok(())
        })?;
        write(instant, &mut same)
    }
}

fn instant<'a>(field: &'a [u8], options: &ReadOptions, notes: &mut RowNotes) -> Result<Micros, Fault<'a>> {
    let fault = |code, reason| Fault::of(1, field, code, reason);
    let read = match parse_timestamp_bytes(field) {
        Ok(read) => read,
        Err(_) => {
            // The slow path: spaces around the field, bytes that are not text, and numbers.
            let text = text(1, field, notes)?;
            match parse_timestamp_bytes(text.as_bytes()) {
                Err(_) if let Some(at) = since_1970(text) => {
                    notes.add(Code::Epoch);
                    Timestamp::utc(at)
                }
                read => read.map_err(|error| {
                    let reason = format!("no instant `{}`: {error}", excerpt(text.as_bytes()));
                    fault(Code::Timestamp, reason)
                })?,
            }
        }
    };
    if read.at < EARLIEST_US {
        let reason = format!("{} is before the year 2000", format_utc(read.at));
        return Err(fault(Code::Range, reason));
    }
    if read.at > options.latest {
        let reason = format!(
            "{} is in the future: this machine's clock says {} (is it right? A poll may be {} minutes ahead of it; \
             `--ahead MINUTES` takes later ones)",
            format_utc(read.at),
            second(options.machine),
            (options.latest - options.machine) / MINUTE,
        );
        return Err(fault(Code::Range, reason));
    }
    for (is, code) in [
        (read.offset, Code::Offset),
        (read.subsecond, Code::Subsecond),
        (read.leap_second, Code::LeapSecond),
        (read.short, Code::TimeShort),
    ] {
        if is {
            notes.add(code);
        }
    }
    Ok(read.at)
}

/// The instant that a number of seconds or milliseconds since 1970 names. Seconds have 9 or 10 digits from 1973 to
/// 2286, and milliseconds 12 or 13, so only one of them is meant.
fn since_1970(text: &str) -> Option<Micros> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unit = match whole.len() {
        9 | 10 => SECOND,
        12 | 13 => SECOND / 1000,
        _ => return None,
    };
    if !is_number(whole) || !is_number(fraction) || fraction.len() > 6 {
        return None;
    }
    let part: Micros = format!("{fraction:0<6}").parse().ok()?;
    Some(whole.parse::<Micros>().ok()? * unit + part * unit / SECOND)
}

/// Words that mean a status, in lower case.
const STATUS_WORDS: [(&str, Status); 10] = [
    ("up", Status::Active),
    ("down", Status::Inactive),
    ("online", Status::Active),
    ("offline", Status::Inactive),
    ("1", Status::Active),
    ("0", Status::Inactive),
    ("true", Status::Active),
    ("false", Status::Inactive),
    ("t", Status::Active),
    ("f", Status::Inactive),
];

fn status<'a>(field: &'a [u8], notes: &mut RowNotes) -> Result<Status, Fault<'a>> {
    match field {
        b"active" => return Ok(Status::Active),
        b"inactive" => return Ok(Status::Inactive),
        _ => {}
    }
    let word = text(2, field, notes)?;
    for status in [Status::Active, Status::Inactive] {
        if word.eq_ignore_ascii_case(status.as_str()) {
            if word != status.as_str() {
                notes.add(Code::StatusCase);
            }
            return Ok(status);
        }
    }
    let meant = STATUS_WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word));
    if let Some(&(_, status)) = meant {
        notes.add(Code::StatusWord);
        return Ok(status);
    }
    let word = excerpt(word.as_bytes());
    let reason = format!("unknown status `{word}` (expected `active` or `inactive`)");
    Err(Fault::of(2, field, Code::Status, reason))
}
