//! Opening times: the columns that weekly and special hours share, and the times that a row gives.
//!
//! Both kinds have these columns in slots 2 to 5.

use super::field::{Fault, RowNotes, text};
use super::input_kind::{Column, Need};
use super::wall_time;
use crate::civil::format_local_time;
use crate::ingest::fields::Fields;
use crate::ingest::problem::{Code, excerpt};
use crate::uptime::calendar::Times;
use crate::uptime::interval::{DAY, Interval};

const START_SLOT: usize = 2;
const END_SLOT: usize = 3;
const IS_CLOSED_SLOT: usize = 4;
const IS_OPEN_SLOT: usize = 5;

/// When a stretch begins; empty in a row that says *closed*.
pub(super) const START: Column = Column {
    need: Need::Column,
    synonyms: &[
        "starttime",
        "localstarttime",
        "opentime",
        "openingtime",
        "opens",
        "start",
    ],
    ..Column::of(&["start_time_local"], Code::Time)
};

/// When a stretch ends; empty in a row that says *closed*.
pub(super) const END: Column = Column {
    need: Need::Column,
    synonyms: &["endtime", "localendtime", "closetime", "closingtime", "closes", "end"],
    ..Column::of(&["end_time_local"], Code::Time)
};

/// Whether the store is closed; an input may lack it.
pub(super) const IS_CLOSED: Column = Column {
    need: Need::Nothing,
    ..Column::of(&["is_closed", "closed"], Code::Time)
};

/// Whether the store is open; an input may lack it.
pub(super) const IS_OPEN: Column = Column {
    need: Need::Nothing,
    ..Column::of(&["is_open"], Code::Time)
};

/// When the store is open by this row; none if it says *closed*.
pub(super) fn times<'a>(fields: Fields<'a>, notes: &mut RowNotes) -> Result<Option<Times>, Fault<'a>> {
    let closed = is_closed(fields, notes)?;
    let [start, end] = [fields[START_SLOT], fields[END_SLOT]];
    let texts = [text(START_SLOT, start, notes)?, text(END_SLOT, end, notes)?];
    match (closed, texts) {
        (Some(true), _) | (None, ["", ""]) => Ok(None),
        (Some(false), ["", ""]) => {
            let reason = "no times on a day that is not closed (give both, or say that it is closed)";
            Err(Fault::of(START_SLOT, start, Code::Time, reason))
        }
        (_, ["", _]) | (_, [_, ""]) => {
            let slot = if texts[0].is_empty() { START_SLOT } else { END_SLOT };
            let reason = "one time is missing (give both; leave both empty on a closed day)";
            Err(Fault::of(slot, fields[slot], Code::Time, reason))
        }
        _ => wall_time::times([start, end], texts, notes).map(Some),
    }
}

/// The texts of the columns of times; both are empty in a row that says *closed*.
pub(super) fn texts(times: Option<Times>) -> [String; 2] {
    times.map(|times| times.map(format_local_time)).unwrap_or_default()
}

/// A stretch that begins on the day of this midnight.
pub(super) fn stretch(midnight: i64, [start, end]: Times) -> Interval {
    let overnight = if end <= start { DAY } else { 0 };
    Interval::new(midnight + start, midnight + overnight + end)
}

/// Whether the columns of flags say that the day is closed; none if they say nothing.
fn is_closed<'a>(fields: Fields<'a>, notes: &mut RowNotes) -> Result<Option<bool>, Fault<'a>> {
    let mut closed = None;
    for slot in [IS_CLOSED_SLOT, IS_OPEN_SLOT] {
        let word = text(slot, fields[slot], notes)?;
        let says = match &*word.to_ascii_lowercase() {
            "" => continue,
            "true" | "t" | "yes" | "y" | "1" | "1.0" => true,
            "false" | "f" | "no" | "n" | "0" | "0.0" => false,
            _ => {
                let word = excerpt(word.as_bytes());
                let reason = format!("`{word}` is neither yes nor no (expected `true` or `false`)");
                return Err(Fault::of(slot, fields[slot], Code::Time, reason));
            }
        };
        notes.add(Code::ClosedColumn);
        let says = if slot == IS_CLOSED_SLOT { says } else { !says };
        if closed.replace(says).is_some_and(|other| other != says) {
            let reason = "one column says that the day is closed, another that it is open (keep one)";
            return Err(Fault::of(slot, fields[slot], Code::Time, reason));
        }
    }
    Ok(closed)
}
