//! How fast a database grows, by the polls of its last week.

use rusqlite::Connection;

use crate::error::Result;
use crate::uptime::interval::{DAY, HOUR, Micros};

/// With fewer polls, other rows are a large part of the file, and it says nothing of a poll's bytes.
const POLLS_MIN: u64 = 10_000;

/// The hours of polls that are needed, and those that are counted.
const HOURS_MIN: i64 = 48;
const HOURS_COUNTED: i64 = 7 * 24;

/// The growth of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// The polls of a day, on the average of the last week.
    pub polls_a_day: u64,
    /// The bytes of the file for each poll, with all that belongs to it.
    pub bytes_a_poll: u64,
    /// From the hour of the oldest poll to that of the newest.
    pub span: Micros,
}

impl Growth {
    /// The growth of a database whose file has so many bytes; none if its polls are too few, or of too few days.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn of(db: &Connection, database_bytes: u64) -> Result<Option<Self>> {
        let sums = "SELECT coalesce(sum(polls), 0), min(hour), max(hour) FROM hour_digest";
        let (polls, first, last): (u64, Option<i64>, Option<i64>) =
            db.query_row(sums, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let (Some(first), Some(last)) = (first, last) else {
            return Ok(None);
        };
        let hours = last - first + 1;
        if polls < POLLS_MIN || hours < HOURS_MIN {
            return Ok(None);
        }
        let counted = hours.min(HOURS_COUNTED);
        let recent = "SELECT coalesce(sum(polls), 0) FROM hour_digest WHERE hour > ?1";
        let recent: u64 = db.query_row(recent, [last - counted], |row| row.get(0))?;
        Ok(Some(Self {
            polls_a_day: recent * 24 / u64::try_from(counted).unwrap_or(1),
            bytes_a_poll: database_bytes.div_ceil(polls),
            span: hours * HOUR,
        }))
    }

    /// The bytes of a day.
    pub fn bytes_a_day(&self) -> u64 {
        self.polls_a_day * self.bytes_a_poll
    }

    /// Whether polls are forgotten as fast as they come: those of so many days are kept, and all of them are there.
    pub fn is_balanced(&self, keep_days: Option<u32>) -> bool {
        keep_days.is_some_and(|days| self.span >= Micros::from(days) * DAY)
    }
}
