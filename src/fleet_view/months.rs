//! The months of stores with a target: how much downtime each may still have.
//!
//! A month has more polls than memory holds. What they say up to the UTC midnight a week before is read from the
//! database once a day, as for the heat map, and kept as a few bytes a store; the polls in memory say the rest. It is
//! read more often near the end of a month, when stores are in different months.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use super::heat::Polls;
use crate::db::fleet::{self, Label};
use crate::db::generation::Generation;
use crate::db::polls::{self, ReadLimits};
use crate::db::{self};
use crate::error::Result;
use crate::hot_window::Inputs;
use crate::parallel::threads;
use crate::uptime::fleet::{Fleet, Store, StoreKey};
use crate::uptime::history::StoreBlock;
use crate::uptime::interval::{DAY, HOUR, Interval, MINUTE, Micros};
use crate::uptime::period::month_of;
use crate::uptime::poll::Poll;
use crate::uptime::report::Question;
use crate::uptime::target::{Carry, MonthLeft, MonthTime};
use crate::uptime::timeline::Interpolation;
use crate::uptime::window::reach;

/// How many bytes of polls are read at a time.
const MONTH_POLLS_BYTES_MAX: usize = 64 << 20;

/// While zones are in different months, a kept past is of a quarter of an hour: all zones change dates at quarters.
const QUARTER: Micros = 15 * MINUTE;

/// No zone is further from UTC than this.
const OFFSET_FURTHEST: Micros = 15 * HOUR;

/// The past of the months of all stores that may have a target.
#[derive(Debug)]
pub struct Months {
    /// The instant up to which polls are carried.
    until: Micros,
    /// The month of each pattern.
    times: Vec<MonthTime>,
    /// What the polls up to then say.
    carried: HashMap<StoreKey, Carry>,
}

impl Months {
    fn new(view: &Connection, fleet: &Fleet, question: Question, until: Micros, keys: &[StoreKey]) -> Result<Self> {
        let times = fleet.patterns().iter();
        let times: Vec<MonthTime> = times.map(|pattern| MonthTime::new(pattern, question.as_of)).collect();
        let from = times.iter().map(MonthTime::counted_from).min().unwrap_or(until);
        let span = Interval::new(from, until + 1);
        let mut carried = HashMap::new();
        if from <= until && !keys.is_empty() {
            let limits = ReadLimits {
                threads: threads(),
                memory_max: MONTH_POLLS_BYTES_MAX,
            };
            let carry = |block: &StoreBlock| -> Vec<(StoreKey, Carry)> {
                let mut scratch = Vec::new();
                let first = keys.partition_point(|&key| StoreBlock::number_of(key) < block.number());
                let own = keys[first..].iter();
                let own = own.take_while(|&&key| StoreBlock::number_of(key) == block.number());
                own.filter_map(|&key| {
                    let &[(_, pattern)] = fleet.with_keys(key, key) else {
                        return None;
                    };
                    Some((
                        key,
                        times[pattern].carry(block.of(key), question.rule, until, &mut scratch),
                    ))
                })
                .collect()
            };
            let blocks = polls::by_blocks(view, span, keys, limits, carry)?;
            carried.extend(blocks.into_iter().flatten());
        }
        Ok(Self { until, times, carried })
    }

    /// The month of a store with this target at the question's instant.
    pub fn left(&self, inputs: &Inputs, store: &Store, question: Question, target: i64) -> MonthLeft {
        let (mut late, mut scratch): (Vec<Poll>, Vec<Poll>) = (Vec::new(), Vec::new());
        let polls = inputs.history.of(store.key, reach(question.as_of), &mut late);
        let carry = self.carried.get(&store.key).copied().unwrap_or_default();
        self.times[store.pattern].left((carry, self.until), polls, question, target, &mut scratch)
    }
}

/// What a past follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    fleet: i64,
    polls: Polls,
    until: Micros,
    /// The month of all stores, or the quarter of an hour while they are in different ones.
    month: (i64, Option<i64>),
    /// Whether every store has a target, because there is one for all.
    all: bool,
}

/// A past, and what it follows from.
type Kept = Mutex<Option<(Key, Arc<Months>)>>;

/// The latest past of each rule.
#[derive(Debug, Default)]
pub(super) struct KeptMonths([Kept; Interpolation::ALL.len()]);

impl KeptMonths {
    /// The past at `question`: the kept one, or a new one, for which concurrent callers wait. With `all`, every store
    /// has a target.
    pub(super) fn months(
        &self,
        db: &mut Connection,
        generation: Generation,
        inputs: &Inputs,
        question: Question,
        all: bool,
    ) -> Result<Arc<Months>> {
        let until = (question.as_of - 7 * DAY).div_euclid(DAY) * DAY;
        let month = |at: Micros| month_of(at.div_euclid(DAY)).first;
        let months = [question.as_of - OFFSET_FURTHEST, question.as_of + OFFSET_FURTHEST].map(month);
        let is_split = months[0] != months[1];
        let key = Key {
            fleet: generation.fleet,
            polls: Polls::of(generation, inputs, until),
            until,
            month: (months[0], is_split.then(|| question.as_of.div_euclid(QUARTER))),
            all,
        };
        // A panic while one is made leaves the kept one.
        let mut kept = self.0[question.rule as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((of, months)) = &*kept
            && *of == key
        {
            return Ok(Arc::clone(months));
        }
        let view = db::read(db)?;
        let fleet = &inputs.fleet;
        let mut keys: Vec<StoreKey> = match all {
            true => fleet.stores().iter().map(|store| store.key).collect(),
            false => {
                let labels = fleet::labels(&view)?;
                let has_target = |label: &Label| label.target.is_some();
                labels
                    .iter()
                    .filter(|(_, label)| has_target(label))
                    .map(|(&key, _)| key)
                    .collect()
            }
        };
        keys.sort_unstable();
        let months = Arc::new(Months::new(&view, fleet, question, until, &keys)?);
        *kept = Some((key, Arc::clone(&months)));
        Ok(months)
    }
}
