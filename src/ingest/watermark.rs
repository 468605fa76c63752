//! The watermark: of polls that come in nearly in order of time, those before it are let go, sorted, while
//! the rest of them is still to come.
//!
//! It must never know where the polls come from, nor where they go.

use std::path::Path;
use std::{mem, vec};

use super::runs::{MEMORY_ROWS_MAX, PollRow, Runs};
use crate::error::Result;
use crate::uptime::interval::{HOUR, Micros};

/// How far behind the newest poll others are expected, in hours: what comes later than these is no longer
/// in order.
const LAG_HOURS_MAX: usize = 24;

/// When polls are let go.
#[derive(Clone, Copy, Debug)]
pub struct Tide {
    /// How many rows are waited for before the first is let go: as many tell how far they are from being
    /// in order, and name nearly every store.
    pub rows_before: usize,
    /// How many rows may wait in memory, late ones among them; what is more is spooled, as if nothing had
    /// ever been let go.
    pub rows_max: usize,
    /// For one row that comes too late so many must have been let go; else no more are.
    pub rows_a_late: u64,
    /// Among so many rows one may have come later than it is then waited for.
    pub rows_an_outlier: u64,
}

impl Default for Tide {
    fn default() -> Self {
        Self {
            rows_before: 1 << 17,
            rows_max: MEMORY_ROWS_MAX,
            rows_a_late: 8,
            rows_an_outlier: 4096,
        }
    }
}

/// Rows on their way: they go in as they come, and are let go in whole hours, an earlier one never after
/// a later one.
#[derive(Debug)]
pub(super) struct Watermark {
    tide: Tide,
    state: State,
    /// Sorted runs of rows that are not before the mark, in the order they came.
    waiting: Vec<vec::IntoIter<PollRow>>,
    waiting_rows: usize,
    /// The newest instant so far.
    newest: Micros,
    /// How many rows came so many hours behind the newest of the chunks before them, or some more.
    behind: [u64; LAG_HOURS_MAX + 1],
    /// How far the mark stays behind the newest.
    lag: Micros,
    /// The start of an hour: what is before it is let go, or late.
    mark: Micros,
    rows_let_go: u64,
    /// Late rows, and all that came after letting go had ended.
    rest: Runs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is let go yet, nor before the mark.
    Waiting,
    Flowing,
    /// Nothing is let go any more.
    Ended,
}

impl Watermark {
    /// No row yet; more than memory should hold are spooled to `folder`.
    pub(super) fn new(tide: Tide, folder: &Path) -> Self {
        Self {
            tide,
            state: State::Waiting,
            waiting: Vec::new(),
            waiting_rows: 0,
            newest: Micros::MIN,
            behind: [0; LAG_HOURS_MAX + 1],
            lag: 0,
            mark: Micros::MIN,
            rows_let_go: 0,
            rest: Runs::new(folder),
        }
    }

    /// Takes a chunk of rows that come after all before it; returns those that it lets go, sorted, and
    /// rows of one store and instant in the order they came in. They are all there are before the mark,
    /// but for late ones.
    ///
    /// # Errors
    /// When the spool cannot be written.
    pub(super) fn push(&mut self, mut chunk: Vec<PollRow>) -> Result<Vec<PollRow>> {
        // Stable; what is sorted already takes one look at each row.
        chunk.sort_by_key(PollRow::key);
        let Some(last) = chunk.last() else {
            return Ok(Vec::new());
        };
        let newest = last.poll.at();
        if self.state == State::Ended {
            self.rest.push(chunk)?;
            return Ok(Vec::new());
        }
        let late = chunk.partition_point(|row| row.poll.at() < self.mark);
        if late > 0 {
            let in_time = chunk.split_off(late);
            self.rest.push(mem::replace(&mut chunk, in_time))?;
        }
        if self.state == State::Waiting {
            self.observe(&chunk);
        }
        self.newest = self.newest.max(newest);
        self.waiting_rows += chunk.len();
        self.waiting.push(chunk.into_iter());
        let mut let_go = Vec::new();
        if self.state == State::Flowing || self.begins() {
            self.state = State::Flowing;
            self.mark = self.mark.max(self.mark_at(self.lag));
            let_go = self.let_go(self.mark);
        }
        let in_memory = self.waiting_rows + self.rest.len_in_memory();
        if in_memory > self.tide.rows_max || !self.rest_is_small() {
            self.keep_back()?;
        }
        Ok(let_go)
    }

    /// Counts how far behind the newest the rows of a chunk are.
    fn observe(&mut self, chunk: &[PollRow]) {
        let before = chunk.partition_point(|row| row.poll.at() < self.newest);
        for row in &chunk[..before] {
            let hours = (self.newest - row.poll.at()) / HOUR;
            let hours = usize::try_from(hours).unwrap_or(usize::MAX);
            self.behind[hours.min(LAG_HOURS_MAX)] += 1;
        }
    }

    /// Whether it is time to let go, which sets the lag: enough rows wait, and those that would be let go
    /// are most of them. In a file that is sorted by store, say, all rows are far behind.
    fn begins(&mut self) -> bool {
        if self.waiting_rows < self.tide.rows_before {
            return false;
        }
        let rows = self.waiting_rows as u64;
        let (mut hours, mut outliers) = (LAG_HOURS_MAX, 0);
        while hours > 0 {
            outliers += self.behind[hours];
            if outliers * self.tide.rows_an_outlier > rows {
                break;
            }
            hours -= 1;
        }
        // Those of these hours may be all but one more behind.
        self.lag = Micros::try_from(hours + 1).unwrap_or(Micros::MAX / HOUR) * HOUR;
        let mark = self.mark_at(self.lag);
        let before = |run: &vec::IntoIter<PollRow>| {
            let rows = run.as_slice();
            rows.partition_point(|row| row.poll.at() < mark)
        };
        let before: usize = self.waiting.iter().map(before).sum();
        hours < LAG_HOURS_MAX && before > self.waiting_rows / 4
    }

    /// The start of an hour at least `lag` before the newest.
    fn mark_at(&self, lag: Micros) -> Micros {
        (self.newest - lag).div_euclid(HOUR) * HOUR
    }

    /// Lets the last go, sorted, when all rows have come.
    ///
    /// # Errors
    /// When the spool cannot be written.
    pub(super) fn end(&mut self) -> Result<Vec<PollRow>> {
        let mut last = Vec::new();
        if self.state == State::Flowing {
            last = self.let_go(Micros::MAX);
        }
        self.keep_back()?;
        Ok(last)
    }

    /// The rows that could not be let go. All that were let go of one store and instant came before those.
    pub(super) fn into_rest(self) -> Runs {
        self.rest
    }

    /// A place for all rows that were let go, to be sorted with the rest: told once, when nothing is let go
    /// any more, and the rest is so large that each row of it must not cost more than one in order.
    pub(super) fn spent(&mut self) -> Option<Runs> {
        let spent = self.state == State::Ended && self.rows_let_go > 0 && !self.rest_is_small();
        spent.then(|| {
            self.rows_let_go = 0;
            self.rest.beside()
        })
    }

    fn rest_is_small(&self) -> bool {
        self.rest.len().saturating_mul(self.tide.rows_a_late) <= self.rows_let_go
    }

    /// Takes the rows before `mark` out of those that wait.
    fn let_go(&mut self, mark: Micros) -> Vec<PollRow> {
        let mut rows = Vec::new();
        for run in &mut self.waiting {
            let waiting = run.as_slice();
            let count = waiting.partition_point(|row| row.poll.at() < mark);
            rows.extend_from_slice(&waiting[..count]);
            if let Some(last) = count.checked_sub(1) {
                run.nth(last);
            }
        }
        self.waiting.retain(|run| !run.as_slice().is_empty());
        self.waiting_rows -= rows.len();
        self.rows_let_go += rows.len() as u64;
        // Stable; and a few runs behind one another are merged, which is all there is to do.
        rows.sort_by_key(PollRow::key);
        rows
    }

    /// Lets nothing go any more.
    fn keep_back(&mut self) -> Result<()> {
        self.state = State::Ended;
        self.waiting_rows = 0;
        // Late rows are there already: they are of other instants, so the order they came in still stands.
        mem::take(&mut self.waiting)
            .into_iter()
            .try_for_each(|run| self.rest.push(run.collect()))
    }
}
