//! The heat of a fleet: the downtime of each weekday and hour, over up to four weeks.
//!
//! The last week is the view's own. The three weeks before it end at the UTC midnight before the view's week: so they
//! are the same for a day, and are read from the database once a day, unless late polls change them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use super::FleetView;
use super::incidents::by_owner;
use crate::access::Audience;
use crate::db::fleet::Label;
use crate::db::generation::Generation;
use crate::db::{self, polls};
use crate::error::Result;
use crate::hot_window::Inputs;
use crate::parallel::{self, threads};
use crate::uptime::fleet::{BusinessTime, Fleet};
use crate::uptime::history::History;
use crate::uptime::interval::{DAY, Interval, Micros};
use crate::uptime::load::Load;
use crate::uptime::overview::Overview;
use crate::uptime::report::Question;
use crate::uptime::timeline::Interpolation;
use crate::uptime::window::reach;

/// How many weeks before the last one there are, at most.
const WEEKS_BEFORE: i64 = 3;

/// With more owners than this, the heat of one owner's stores is of the last week alone: a few kilobytes an owner are
/// kept.
const OWNERS_MAX: usize = 1000;

/// How many pasts of audiences other than all stores are kept together.
const AUDIENCE_PASTS_MAX: usize = 32;

const WEEK: Micros = 7 * DAY;

/// The loads of each weekday (0 = Monday) and hour by each store's own clock.
pub type Cells = Vec<[Load; 24]>;

/// Cells of some weeks.
#[derive(Clone, Debug)]
pub struct Heat {
    /// How many weeks, the last one among them.
    pub weeks: usize,
    /// The cells.
    pub cells: Cells,
}

/// The weeks before a view's week.
#[derive(Debug, Default)]
pub struct Past {
    /// How many weeks were seen for half or more, counted back from the view's week without a gap.
    pub weeks: usize,
    /// Their cells, of all stores.
    pub all: Cells,
    /// Their cells, of each owner's stores.
    by_owner: HashMap<String, Cells>,
}

impl Past {
    /// The cells of an owner, or of all; none if they are not kept.
    pub fn of(&self, group: Option<&str>) -> Option<&Cells> {
        match group {
            None => Some(&self.all),
            Some(group) => self.by_owner.get(group),
        }
    }

    /// The weeks that end at `end` and before, by these polls.
    fn new(fleet: &Fleet, labels: &[Label], history: &History, end: Micros, rule: Interpolation) -> Self {
        let mut past = Self::default();
        let owners = by_owner(labels);
        let owners = if owners.len() > OWNERS_MAX {
            Default::default()
        } else {
            owners
        };
        for week in 0..WEEKS_BEFORE {
            let question = Question {
                as_of: end - week * WEEK,
                rule,
            };
            let business = BusinessTime::new(fleet, BusinessTime::span_for(question.as_of));
            let overview = Overview::new(fleet, &business, history, question, threads());
            let seen = overview.summaries.iter().filter_map(|store| store.coverage);
            let (seen, open) = seen.fold((0, 0), |(seen, open), one| (seen + one.seen, open + one.business));
            // A few polls at a week's end are no week.
            if open == 0 || 2 * seen < open {
                break;
            }
            past.weeks += 1;
            add(&mut past.all, &overview.cells);
            let of_owner = |(owner, places): (&str, &Vec<usize>)| {
                // Both come in the order of the fleet.
                let (mut place, mut next) = (0, places.iter().peekable());
                let fleet = fleet.only(|_| {
                    place += 1;
                    next.next_if(|next| **next + 1 == place).is_some()
                });
                let cells = Overview::new(&fleet, &business, history, question, 1).cells;
                (owner.to_owned(), cells)
            };
            let parts = owners.iter().map(|(owner, places)| (*owner, places));
            for (owner, cells) in parallel::map(threads(), parts, of_owner) {
                add(past.by_owner.entry(owner).or_default(), &cells);
            }
        }
        past
    }
}

/// Adds cells to others, which may be empty.
pub fn add(to: &mut Cells, cells: &[[Load; 24]]) {
    to.resize(cells.len().max(to.len()), [Load::default(); 24]);
    for (load, other) in to.iter_mut().flatten().zip(cells.iter().flatten()) {
        load.add(other);
    }
}

/// What says that polls are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Polls {
    /// The number of changes to polls of the past.
    Settled(u64),
    /// The generation of all: the weeks reach into the present.
    All(i64),
}

impl Polls {
    /// Those before `end`, of a view that was made at `generation`.
    pub(super) fn of(generation: Generation, inputs: &Inputs, end: Micros) -> Self {
        if end <= inputs.past_until {
            Self::Settled(inputs.past)
        } else {
            Self::All(generation.polls)
        }
    }
}

/// What a past follows from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    audience: Audience,
    fleet: i64,
    polls: Polls,
    end: Micros,
    rule: Interpolation,
}

/// The latest past of each audience and rule, the newest first.
#[derive(Debug, Default)]
pub(super) struct Pasts(Mutex<Vec<(Key, Arc<Past>)>>);

impl Pasts {
    /// The weeks before that of a view: the kept ones, or new ones, for which concurrent callers wait.
    pub(super) fn past(&self, db: &mut Connection, view: &FleetView) -> Result<Arc<Past>> {
        let FleetView {
            generation,
            audience,
            inputs,
            labels,
            question,
            ..
        } = view;
        let end = (question.as_of - WEEK).div_euclid(DAY) * DAY;
        let key = Key {
            audience: audience.clone(),
            fleet: generation.fleet,
            polls: Polls::of(*generation, inputs, end),
            end,
            rule: question.rule,
        };
        // A panic while one is made leaves the kept ones.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, past)) = kept.iter().find(|(of, _)| *of == key) {
            return Ok(Arc::clone(past));
        }
        let history = {
            let view = db::read(db)?;
            let oldest = reach(key.end - (WEEKS_BEFORE - 1) * WEEK).start;
            polls::history(&view, Interval::new(oldest, key.end + 1), threads())?
        };
        let past = Arc::new(Past::new(&inputs.fleet, labels, &history, key.end, key.rule));
        let mut others = 0;
        kept.retain(|(of, _)| {
            others += usize::from(!of.audience.is_all());
            (of.audience != key.audience || of.rule != key.rule)
                && (of.audience.is_all() || others < AUDIENCE_PASTS_MAX)
        });
        kept.insert(0, (key, Arc::clone(&past)));
        Ok(past)
    }
}
