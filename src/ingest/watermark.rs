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
    /// How many rows may wait in memory, late ones among them; with more of them nothing is let go any
    /// more, and rows are spooled.
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
    /// are a good part of them. In a file that is sorted by store, say, all rows are far behind.
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

    /// The rows that could not be let go. All that were let go of one store and instant came before those,
    /// in whichever of the call's files: a row is late once its hour has been let go, and from then on all
    /// of its hour are.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::uptime::poll::{Poll, Status};

    /// Rows at these instants, a store each in turn; their lines tell the order they came in.
    fn rows(instants: &[Micros], stores: u32) -> Vec<PollRow> {
        let rows = (0..).zip(instants).map(|(line, &at)| PollRow {
            poll: Poll::new(at, Status::Active),
            store: line % stores,
            line,
        });
        rows.collect()
    }

    /// What was let go, piece by piece, and the rest.
    fn sail(tide: Tide, rows: &[PollRow], chunk_rows: usize) -> (Vec<Vec<PollRow>>, Watermark) {
        let mut watermark = Watermark::new(tide, Path::new("."));
        let mut let_go = Vec::new();
        for chunk in rows.chunks(chunk_rows) {
            let_go.push(watermark.push(chunk.to_vec()).expect("memory"));
        }
        let_go.push(watermark.end().expect("memory"));
        (let_go, watermark)
    }

    const TIDE: Tide = Tide {
        rows_before: 100,
        rows_max: usize::MAX,
        rows_a_late: 8,
        rows_an_outlier: 4096,
    };

    #[test]
    fn rows_in_order_are_let_go_while_others_still_come() {
        let instants: Vec<_> = (0..1000).map(|minute| minute * HOUR / 60).collect();
        let (let_go, watermark) = sail(TIDE, &rows(&instants, 3), 10);
        let early: usize = let_go[..50].iter().map(Vec::len).sum();
        assert!((300..500).contains(&early), "{early} of 500");
        assert_eq!(let_go.concat().len(), 1000);
        assert!(watermark.into_rest().is_empty());
    }

    #[test]
    fn rows_some_hours_behind_are_waited_for() {
        let instants: Vec<_> = (0..5000)
            .map(|minute| (minute - if minute % 20 == 7 { 300 } else { 0 }) * HOUR / 60)
            .collect();
        let (let_go, watermark) = sail(
            Tide {
                rows_before: 1000,
                ..TIDE
            },
            &rows(&instants, 3),
            10,
        );
        assert!(let_go[..250].iter().any(|rows| !rows.is_empty()));
        assert!(let_go.concat().is_sorted_by_key(PollRow::key));
        assert!(watermark.into_rest().is_empty());
    }

    #[test]
    fn rows_in_no_order_are_all_kept_back() {
        let by_store: Vec<_> = (0..10)
            .flat_map(|_| (0..100).map(|hour| hour * HOUR))
            .collect();
        let backwards: Vec<_> = (0..1000).rev().map(|hour| hour * HOUR / 3).collect();
        for instants in [by_store, backwards] {
            let tide = Tide {
                rows_before: 250,
                ..TIDE
            };
            let (let_go, mut watermark) = sail(tide, &rows(&instants, 10), 10);
            assert!(let_go.concat().is_empty());
            assert!(watermark.spent().is_none(), "there is nothing to take back");
            assert_eq!(watermark.into_rest().len(), 1000);
        }
    }

    #[test]
    fn once_too_many_are_late_no_more_are_let_go() {
        let once: Vec<_> = (0..1000).map(|minute| minute * HOUR / 60).collect();
        let twice = rows(&[&once[..], &once[..]].concat(), 7);
        let (let_go, mut watermark) = sail(TIDE, &twice, 10);
        let let_go = let_go.concat().len();
        assert!((800..1000).contains(&let_go), "{let_go}");
        assert!(watermark.spent().is_some());
        assert!(watermark.spent().is_none(), "they are taken back once");
        assert_eq!(watermark.into_rest().len() + let_go as u64, 2000);
        // Of fewer late ones each is judged by itself.
        let (_, mut watermark) = sail(TIDE, &twice[..1050], 10);
        assert!(watermark.spent().is_none());
        assert_eq!(watermark.into_rest().len(), 50);
    }

    #[test]
    fn no_more_wait_in_memory_than_may() {
        let one_hour: Vec<_> = (0..1000).collect();
        let (let_go, watermark) = sail(
            Tide {
                rows_max: 200,
                ..TIDE
            },
            &rows(&one_hour, 7),
            10,
        );
        assert!(let_go.concat().is_empty());
        assert_eq!(watermark.into_rest().len(), 1000);
    }

    proptest! {
        #[test]
        fn what_is_let_go_is_in_order_and_before_what_is_not(
            steps in prop::collection::vec((0..9_i64, 0..30_i64), 1..600),
            chunk_rows in 1..40_usize,
            rows_before in 1..300_usize,
            rows_max in 10..1000_usize,
            rows_a_late in 0..20_u64,
            rows_an_outlier in 1..50_u64,
        ) {
            let mut newest = 0;
            let instants: Vec<_> = steps
                .into_iter()
                .map(|(on, late)| {
                    newest += on * HOUR / 10;
                    // Most are not late at all.
                    newest - (late - 25).max(0) * HOUR / 2
                })
                .collect();
            let rows = rows(&instants, 5);
            let tide = Tide { rows_before, rows_max, rows_a_late, rows_an_outlier };
            let (let_go, watermark) = sail(tide, &rows, chunk_rows);
            let let_go = let_go.concat();
            prop_assert!(let_go.is_sorted_by_key(|row| (row.key(), row.line)));
            let rest = watermark.into_rest().into_sorted().expect("memory");
            let rest = rest.collect::<Result<Vec<_>>>().expect("memory");
            for late in &rest {
                let same = let_go.iter().filter(|row| row.key() == late.key());
                prop_assert!(same.clone().all(|row| row.line < late.line));
            }
            let mut all = [let_go, rest].concat();
            all.sort_by_key(|row| row.line);
            prop_assert_eq!(all, rows);
        }
    }
}
