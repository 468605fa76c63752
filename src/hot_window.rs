//! The hot window: the polls of the last eight days in memory, and the fleet they belong to.
//!
//! The database stays the record: the window was read from it, and is valid while its [`Generation`] is
//! current.
//!
//! # Where the time of a start goes
//! Mostly into reading packed hours and laying out their polls, then into the walk over all polls. Fleet and
//! polls are read side by side, the polls in parts, each through its own connection. Blocks are laid out on
//! every core, straight from the database's bytes. Half of the time is the first touch of memory: three fifths
//! of it for the polls, a third for the packed bytes.

mod audience;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use crate::db::connection::open_reader;
use crate::db::generation::{self, Generation};
use crate::db::polls::PollChange;
use crate::db::writer::{Follow, Telling};
use crate::db::{self, fleet, polls};
use crate::error::Result;
use crate::parallel;
use crate::render::store_list::StoreList;
use crate::uptime::fleet::{BusinessTime, Fleet, Store, StoreKey};
use crate::uptime::history::History;
use crate::uptime::interval::{DAY, HOUR, Interval, Micros};
use crate::uptime::poll::Poll;
use crate::uptime::state_counts::state_counts;
use crate::uptime::window::{REACH, reach};

/// How much longer the window is than a report's reach: a report that was triggered shortly before newer
/// polls came in is still made from memory.
const SLACK: Micros = 6 * HOUR;

/// Polls that come in later than this after the newest change the past, which others keep for a day: everything that
/// ends a week before `as_of`.
pub const PRESENT: Micros = 6 * DAY;

/// How many polls wait until memory follows them, unless a report asks earlier. Each follow copies most of the window,
/// and the writer waits for it: an hour of 14,000 stores should not need one.
const WAITING_POLLS: usize = 1 << 16;

/// How many changes wait until then: most have one poll, and each takes some hundred bytes.
const WAITING_CHANGES: usize = 1 << 10;

/// How many polls may wait while the window is read. Beyond that, reading it again costs less than following them.
const WAITING_POLLS_MAX: usize = 1 << 18;

/// The inputs of a report, as the database had them at one moment.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// Every store, or those that a product is restricted to.
    pub fleet: Arc<Fleet>,
    /// The ids of these stores.
    pub stores: Arc<StoreList>,
    /// The business time, expanded over the day of the report.
    pub business: Arc<BusinessTime>,
    /// Polls, at least all within reach of the report's `as_of`.
    pub history: Arc<History>,
    /// Another number whenever polls from before `past_until` may have changed.
    pub past: u64,
    /// The end of the past: [`PRESENT`] before the newest poll.
    pub past_until: Micros,
    /// Whether the polls are those that the window holds anyway, not others that were read for these inputs.
    pub is_of_window: bool,
}

impl Inputs {
    /// How many stores are in each state at `as_of`, in the order of
    /// [`StoreState::ALL`](crate::uptime::store_state::StoreState::ALL).
    pub fn state_counts(&self, as_of: Micros) -> [usize; 4] {
        state_counts(&self.fleet, &self.business, &self.history, as_of)
    }

    /// The inputs from these parts; `business` is of `fleet` or of the whole fleet that it belongs to.
    pub fn new(fleet: Arc<Fleet>, business: Arc<BusinessTime>, history: Arc<History>) -> Self {
        Self {
            stores: list(&fleet),
            fleet,
            business,
            history,
            past: 0,
            past_until: Micros::MIN,
            is_of_window: false,
        }
    }

    /// The same inputs, restricted to the stores for which `keep` is true.
    #[must_use]
    pub fn only(&self, keep: impl FnMut(&&Store) -> bool) -> Self {
        let (business, history) = (Arc::clone(&self.business), Arc::clone(&self.history));
        Self {
            past: self.past,
            past_until: self.past_until,
            is_of_window: self.is_of_window,
            ..Self::new(self.fleet.only(keep).into(), business, history)
        }
    }
}

fn list(fleet: &Fleet) -> Arc<StoreList> {
    Arc::new(StoreList::new(fleet.stores().iter().map(|store| &*store.id)))
}

/// The contents of the window, and the generation of the database that they were read at.
#[derive(Debug, Default)]
struct Loaded {
    generation: Generation,
    fleet: Option<(Arc<Fleet>, Arc<StoreList>)>,
    business: Option<Arc<BusinessTime>>,
    /// All polls of this span are here.
    span: Option<Interval>,
    history: Arc<History>,
    /// See [`Inputs::past`].
    past: u64,
}

impl Loaded {
    /// Applies later changes in order, up to the first gap between them. They are laid out together: one by one, each
    /// would copy a block.
    fn follow(&mut self, changes: impl IntoIterator<Item = PollChange>) {
        let Some(mut span) = self.span else { return };
        let mut polls = Vec::new();
        for change in changes {
            if change.before != self.generation.polls {
                continue;
            }
            let is_late = |(_, poll): &(_, Poll)| poll.at() < span.end - PRESENT;
            self.past += u64::from(change.polls.iter().any(is_late));
            let newest = change.polls.iter().map(|(_, poll)| poll.at() + 1).max();
            span.end = span.end.max(newest.unwrap_or(span.end));
            span.start = span.start.max(span.end - 1 - REACH - SLACK);
            polls.extend(change.polls);
            self.generation.polls = change.after;
        }
        self.span = Some(span);
        if polls.is_empty() {
            return;
        }
        // The last write wins: reversed, it comes first of equal instants, and the sort is stable.
        polls.reverse();
        let key = |&(store, poll): &(StoreKey, Poll)| (store, poll.at());
        polls.sort_by_key(key);
        polls.dedup_by_key(|row| key(row));
        self.history = Arc::new(self.history.with(&polls, span.start));
    }
}

/// Changes in the order of their commits.
#[derive(Debug, Default)]
struct Waiting {
    changes: Vec<PollChange>,
    /// How many polls they have together.
    polls: usize,
}

/// The inputs of reports, kept in memory while they are current.
#[derive(Debug, Default)]
pub struct HotWindow {
    loaded: Mutex<Loaded>,
    /// Durable changes that are not yet applied.
    waiting: Mutex<Waiting>,
    /// Held between a commit and the arrival of its change here.
    telling: Telling,
    /// Whether the polls were read since the start.
    is_read: AtomicBool,
    audiences: audience::Audiences,
}

impl Follow for Arc<HotWindow> {
    fn follow(&self, change: PollChange) {
        self.note(change);
    }

    fn telling(&self) -> Telling {
        self.telling.clone()
    }
}

impl HotWindow {
    /// Reads the inputs of the newest report, so that the first report does not wait for them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn warm(&self, db: &mut Connection) -> Result<()> {
        let newest = polls::newest(db)?;
        newest.map_or(Ok(()), |as_of| self.inputs(db, as_of).map(drop))?;
        self.is_read.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Whether the polls were read since the start, so that a report does not wait for them.
    pub fn is_read(&self) -> bool {
        self.is_read.load(Ordering::Relaxed)
    }

    /// Takes a durable change; to be called in the order of the commits.
    ///
    /// It never waits for a report: changes wait until there are some, or until the next report. Few wait, since each
    /// takes more memory than its polls do later.
    pub fn note(&self, change: PollChange) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.polls += change.polls.len();
        waiting.changes.push(change);
        if waiting.polls < WAITING_POLLS && waiting.changes.len() < WAITING_CHANGES {
            return;
        }
        match self.loaded.try_lock() {
            Ok(mut loaded) => loaded.follow(std::mem::take(&mut *waiting).changes),
            // A load is running, and applies them at its end.
            Err(_) if waiting.polls < WAITING_POLLS_MAX && waiting.changes.len() < WAITING_POLLS_MAX => {}
            // It takes long: reading again will cost less than applying these.
            Err(_) => *waiting = Waiting::default(),
        }
    }

    fn waiting(&self) -> Vec<PollChange> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *waiting).changes
    }

    /// Every store as `view` sees it, and the list of their ids: the kept ones while they are current.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn fleet(&self, view: &Connection) -> Result<(Arc<Fleet>, Arc<StoreList>)> {
        let now = generation::current(view)?.fleet;
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = &loaded.fleet
            && loaded.generation.fleet == now
        {
            return Ok(kept.clone());
        }
        drop(loaded);
        let fleet = fleet::load(view)?;
        let stores = list(&fleet);
        Ok((Arc::new(fleet), stores))
    }

    /// The inputs of a report at `as_of`, as the database has them now.
    ///
    /// Stale parts are read again first, by one caller while others wait. A report that ends before the window
    /// begins reads its own range and leaves the window unchanged.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn inputs(&self, db: &mut Connection, as_of: Micros) -> Result<Inputs> {
        let view = db::read(db)?;
        let now = generation::current(&view)?;
        // A panic during a load leaves a consistent, possibly older state: each field is replaced whole.
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.span.is_none() {
            let newest = polls::newest(&view)?.unwrap_or(as_of);
            let span = Interval::new(newest - REACH - SLACK, newest + 1);
            let read = read_all(&view, span, as_of)?;
            *loaded = Loaded {
                generation: now,
                fleet: Some((read.fleet, read.stores)),
                business: Some(read.business),
                span: Some(span),
                history: read.history,
                past: loaded.past + 1,
            };
        }
        let (fleet, stores) = match &loaded.fleet {
            Some(fleet) if loaded.generation.fleet == now.fleet => fleet.clone(),
            _ => {
                let fleet = fleet::load(&view)?;
                let stores = list(&fleet);
                loaded.business = None;
                loaded.generation.fleet = now.fleet;
                loaded.fleet.insert((Arc::new(fleet), stores)).clone()
            }
        };
        let day = BusinessTime::span_for(as_of);
        // The day of the newest poll, or the next, which may have none yet.
        let newest = loaded.span.map(|held| BusinessTime::span_for(held.end - 1).start);
        let is_current = |day: Interval| newest.is_none_or(|newest| (newest..=newest + DAY).contains(&day.start));
        let business = match &loaded.business {
            Some(business) if business.span() == day => Arc::clone(business),
            // A report of another day must not replace the business time of this day: not one of the past, and not
            // one of a future that a caller, a clock or a poll that was taken back had wrong.
            Some(kept) if !is_current(day) || (is_current(kept.span()) && kept.span().start > day.start) => {
                Arc::new(BusinessTime::new(&fleet, day))
            }
            _ => Arc::clone(loaded.business.insert(Arc::new(BusinessTime::new(&fleet, day)))),
        };
        loaded.follow(self.waiting());
        if loaded.generation.polls < now.polls {
            // The change of a visible commit arrives in a moment; reading everything again takes long.
            self.telling.wait();
            loaded.follow(self.waiting());
        }
        // Changes committed after `view` began may have been applied already. Memory is then ahead of
        // the view, by polls that were acknowledged after the request for this report.
        if loaded.generation.polls < now.polls {
            tracing::debug!("polls are read again: another process wrote, or too many came in");
            let newest = polls::newest(&view)?.unwrap_or(as_of);
            let span = Interval::new(newest - REACH - SLACK, newest + 1);
            loaded.history = Arc::new(polls::history(&view, span, parallel::threads())?);
            loaded.span = Some(span);
            loaded.generation.polls = now.polls;
            loaded.past += 1;
        }
        self.is_read.store(true, Ordering::Relaxed);
        // No poll is newer than the newest: only the start decides.
        let span = reach(as_of);
        let past = loaded.past;
        let past_until = loaded.span.map_or(Micros::MIN, |held| held.end - PRESENT);
        let is_of_window = loaded.span.is_some_and(|held| held.start <= span.start);
        let history = if is_of_window {
            Arc::clone(&loaded.history)
        } else {
            drop(loaded);
            Arc::new(polls::history(&view, span, parallel::threads())?)
        };
        Ok(Inputs {
            fleet,
            stores,
            business,
            history,
            past,
            past_until,
            is_of_window,
        })
    }
}

/// The inputs of one report at `as_of`, read from the database for this report alone.
///
/// # Errors
/// When the database cannot be read.
pub fn read_inputs(db: &mut Connection, as_of: Micros) -> Result<Inputs> {
    let view = db::read(db)?;
    read_all(&view, reach(as_of), as_of)
}

/// Every store with its business time for a report at `as_of`, and the polls of `span`, read side by side.
fn read_all(view: &Connection, span: Interval, as_of: Micros) -> Result<Inputs> {
    let generation = generation::current(view)?;
    let load = |view: &Connection| -> Result<(Fleet, BusinessTime)> {
        let fleet = fleet::load(view)?;
        let business = BusinessTime::new(&fleet, BusinessTime::span_for(as_of));
        Ok((fleet, business))
    };
    let read_fleet = |file: &Path| -> Result<Option<(Fleet, BusinessTime)>> {
        let mut db = open_reader(file)?;
        let view = db::read(&mut db)?;
        // Discarded if another write came between the two views.
        (generation::current(&view)? == generation)
            .then(|| load(&view))
            .transpose()
    };
    let file = view.path().map(Path::new);
    let (fleet, history) = parallel::join(
        || file.map(read_fleet),
        || polls::history(view, span, parallel::threads()),
    );
    let (fleet, business) = match fleet.transpose()?.flatten() {
        Some(read) => read,
        None => load(view)?,
    };
    Ok(Inputs::new(fleet.into(), business.into(), history?.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uptime::history::History;
    use crate::uptime::poll::Status::{Active, Inactive};

    const BEGAN: Micros = 1_700_000_000_000_000;

    fn window() -> HotWindow {
        let window = HotWindow::default();
        *window.loaded.lock().unwrap() = Loaded {
            span: Some(Interval::new(BEGAN - REACH - SLACK, BEGAN)),
            ..Loaded::default()
        };
        window
    }

    fn change(number: i64, polls: Vec<(StoreKey, Poll)>) -> PollChange {
        PollChange {
            before: number,
            after: number + 1,
            polls,
        }
    }

    #[test]
    fn few_changes_wait_without_a_report_and_none_is_lost() {
        let window = window();
        let count = 10_000_i64;
        for number in 0..count {
            let store = StoreKey::try_from(number % 700).unwrap();
            window.note(change(number, vec![(store, Poll::new(BEGAN + number, Active))]));
            assert!(window.waiting.lock().unwrap().changes.len() < WAITING_CHANGES);
        }
        let mut loaded = window.loaded.lock().unwrap();
        loaded.follow(window.waiting());
        assert_eq!(loaded.generation.polls, count);
        assert_eq!(i64::try_from(loaded.history.len()), Ok(count));
    }

    #[test]
    fn changes_that_are_followed_together_are_as_if_each_came_alone() {
        let changes: Vec<_> = (0..400)
            .map(|number| {
                let status = if number % 3 == 0 { Active } else { Inactive };
                let poll = |store| (store, Poll::new(BEGAN + number % 40, status));
                change(number, vec![poll(1), poll(StoreKey::try_from(number % 300).unwrap())])
            })
            .collect();
        let (together, alone) = (window(), window());
        together.loaded.lock().unwrap().follow(changes.clone());
        for change in changes {
            alone.loaded.lock().unwrap().follow([change]);
        }
        let all = |history: &History| -> Vec<Vec<Poll>> {
            let everything = Interval::new(Micros::MIN, Micros::MAX);
            (0..300)
                .map(|store| history.of(store, everything, &mut Vec::new()).to_vec())
                .collect()
        };
        let histories = [together, alone].map(|window| all(&window.loaded.lock().unwrap().history));
        assert!(histories[0] == histories[1]);
    }
}
