//! Polls: the answers of stores. They are many, so they are sorted and written apart from other kinds.

use rusqlite::Connection;

use super::field::{Fault, RowNotes, text};
use super::input_kind::{Column, Description, InputKind, Verdict, id_of};
use crate::civil::{self, format_utc, parse_timestamp_bytes};
use crate::db::{Changed, polls, store_keys};
use crate::error::Result;
use crate::ingest::fields::Fields;
use crate::ingest::problem::{Code, excerpt};
use crate::ingest::runs::PollRow;
use crate::uptime::fleet::StoreKey;
use crate::uptime::interval::{DAY, Micros};
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
            Column::of(&["timestamp_utc"], Code::Timestamp),
            Column::of(&["status"], Code::Status),
        ],
        exported: &["store_id", "status", "timestamp_utc"],
    };

    type Value<'a> = Poll;

    #[inline(always)]
    fn parse<'a>(fields: Fields<'a>, latest: Micros, notes: &mut RowNotes) -> Result<Poll, Fault<'a>> {
        // Of two faults the first is reported, in the order in which most sources write the columns.
        let status = status(fields[2], notes)?;
        let at = instant(fields[1], latest, notes)?;
        Ok(Poll::new(at, status))
    }

    fn take(&mut self, store: u32, line: u64, poll: Poll) -> Verdict {
        self.0.push(PollRow::new(store, line, poll));
        // Only sorted rows show repeats.
        Verdict::New
    }

    fn write(&self, _: &Connection, _: &[StoreKey]) -> Result<Changed> {
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

fn instant<'a>(field: &'a [u8], latest_us: Micros, notes: &mut RowNotes) -> Result<Micros, Fault<'a>> {
    let fault = |code, reason| Fault::of(1, field, code, reason);
    let read = match parse_timestamp_bytes(field) {
        Ok(read) => read,
        Err(_) => {
            // The slow path: spaces around the field, and bytes that are not text.
            let text = text(1, field, notes)?;
            parse_timestamp_bytes(text.as_bytes()).map_err(|error| {
                let reason = format!("no instant `{}`: {error}", excerpt(text.as_bytes()));
                fault(Code::Timestamp, reason)
            })?
        }
    };
    if read.at < EARLIEST_US {
        let reason = format!("{} is before the year 2000", format_utc(read.at));
        return Err(fault(Code::Range, reason));
    }
    if read.at > latest_us {
        let reason = format!(
            "{} is in the future (the latest instant taken is {})",
            format_utc(read.at),
            format_utc(latest_us)
        );
        return Err(fault(Code::Range, reason));
    }
    for (is, code) in [
        (read.offset, Code::Offset),
        (read.subsecond, Code::Subsecond),
        (read.leap_second, Code::LeapSecond),
    ] {
        if is {
            notes.add(code);
        }
    }
    Ok(read.at)
}

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
    let word = excerpt(word.as_bytes());
    let reason = format!("unknown status `{word}` (expected `active` or `inactive`)");
    Err(Fault::of(2, field, Code::Status, reason))
}
