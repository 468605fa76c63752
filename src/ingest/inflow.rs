//! Filling a database that has no polls: they are written while the rest of the inputs is still parsed.
//!
//! Nobody else sees them before the transaction ends, and if a bad row refuses the call in the end, it is
//! rolled back: so there is nothing to wait for. Polls that come in order of time go through the
//! [`watermark`](super::watermark) to a thread that writes them; what it keeps back, and all else, is
//! written behind them. Where polls come in another order, nothing is written before all is read.
//!
//! It must never know files, terminals or HTTP, nor whose the database is.

use std::mem;
use std::panic::resume_unwind;
use std::path::Path;
use std::thread::{self, Scope, ScopedJoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};
use rusqlite::Connection;

use super::batch::{Batch, ReadError, Source, read_into};
use super::blocks::Pace;
use super::last_in::{LastIn, Odd};
use super::late::{self, Early};
use super::load::{self, Stores, Summary};
use super::problem::BadRow;
use super::runs::{PollRow, Runs};
use super::sorter::{Chunk, Gather};
use super::watermark::{Tide, Watermark};
use crate::db::polls::{self, Adding};
use crate::error::{Error, Result};
use crate::uptime::interval::Micros;
use crate::uptime::poll::Poll;

/// How much waits to be written, in hours or blocks of polls. Everything waits for the writer in the end:
/// it should always have some, and parsers that were further ahead would only take its core and memory.
const POURS_MAX: usize = 4;

/// Reads and judges every row of the inputs, and has `make` fill a database with them, on a thread of its
/// own if polls can be written early.
///
/// Bad rows go to `reject`, and nothing may be later than `latest`, as for
/// [`read`](super::batch::read). `accept` is asked before the last is written: all that the batch is said
/// to have but ids and polls is there.
///
/// # Errors
/// An input that has no rows of ours or cannot be read; those of `reject`, `accept` and `make`, which
/// must leave nothing behind if [`Inflow::write`] fails.
pub fn fill<'a>(
    sources: impl IntoIterator<Item = Source<'a>>,
    latest: Micros,
    folder: &Path,
    reject: &mut dyn FnMut(&str, BadRow) -> Result<()>,
    accept: impl FnOnce(&Batch) -> Result<()>,
    make: impl FnOnce(Inflow) -> Result<Summary> + Send,
) -> Result<Summary, ReadError> {
    let pace = (Pace::default(), Tide::default());
    fill_at(pace, sources, latest, folder, reject, accept, make)
}

/// [`fill`] at another pace, which changes nothing of what comes out.
///
/// # Errors
/// As for [`fill`].
pub fn fill_at<'a>(
    (pace, tide): (Pace, Tide),
    sources: impl IntoIterator<Item = Source<'a>>,
    latest: Micros,
    folder: &Path,
    reject: &mut dyn FnMut(&str, BadRow) -> Result<()>,
    accept: impl FnOnce(&Batch) -> Result<()>,
    make: impl FnOnce(Inflow) -> Result<Summary> + Send,
) -> Result<Summary, ReadError> {
    thread::scope(|scope| {
        let gate = Gate {
            watermark: Watermark::new(tide, folder),
            through: Through {
                ids: Vec::new(),
                odd: Odd::default(),
                outlet: Outlet {
                    scope,
                    make: Some(make),
                    writer: None,
                },
            },
        };
        let (gate, batch) = read_into(gate, pace, sources, latest, reject)?;
        accept(&batch)?;
        Ok(gate.finish(batch)?)
    })
}

/// What a database is filled with, for [`Inflow::write`].
pub struct Inflow(Receiver<Pour>);

/// A part of it.
enum Pour {
    /// Polls that are in order of time, among them and behind all before them.
    Polls {
        /// The ids that come next in the call's list.
        ids: Vec<Box<str>>,
        /// Each with its store's place in that list, no store twice at one instant.
        polls: Vec<(u32, Poll)>,
    },
    /// Too many polls will be late: those before are to be put in here, and sorted with them.
    TakeBack(Runs),
    /// All else, and what was odd about the polls before.
    Last(Box<Batch>, Odd),
}

impl Inflow {
    /// Writes all of it, as it comes, into a database that has no polls; the caller holds the transaction.
    ///
    /// # Errors
    /// When the database cannot be written, or there was an error where all this comes from: the
    /// transaction must then be rolled back. [`ErrorKind::Unavailable`](crate::error::ErrorKind) when there
    /// are polls, which must have come in a moment ago, and some of these were to be written early.
    pub fn write(self, db: &Connection) -> Result<Summary> {
        let mut stores = Stores::default();
        let mut adding: Option<Adding<'_>> = None;
        let mut taken_back = None;
        for pour in self.0 {
            match pour {
                Pour::Polls { ids, polls } => {
                    stores.add(db, &ids)?;
                    let mut open = match adding.take() {
                        Some(open) => open,
                        // What came in meanwhile they would have to be compared to.
                        None if polls::newest(db)?.is_some() => {
                            return Err(Error::unavailable(
                                "other polls came into the empty database at the same time (try again in a second)",
                            ));
                        }
                        None => Adding::new(db)?.unfollowed(),
                    };
                    for (store, poll) in polls {
                        open.push(stores.keys[store as usize], poll)?;
                    }
                    adding = Some(open);
                }
                Pour::TakeBack(polls) => {
                    adding.take().map(Adding::finish).transpose()?;
                    taken_back = Some(late::take_back(db, &stores.keys, polls)?);
                }
                Pour::Last(batch, odd) => {
                    let written = adding.map(Adding::finish).transpose()?;
                    let early = match (taken_back, written) {
                        (Some(polls), _) => Some(Early::TakenBack { polls, odd }),
                        (None, Some(written)) => {
                            let new = written.polls.new;
                            Some(Early::Written { new, odd })
                        }
                        (None, None) => None,
                    };
                    return load::write_rest(db, *batch, stores, early);
                }
            }
        }
        Err(Error::failed("the inputs were not read to their end"))
    }
}

/// Lets polls through to the outlet once they are sure to be in order.
struct Gate<'scope, 'env, M> {
    watermark: Watermark,
    through: Through<'scope, 'env, M>,
}

impl<'scope, M: FnOnce(Inflow) -> Result<Summary> + Send + 'scope> Gather for Gate<'scope, '_, M> {
    fn push(&mut self, chunk: Chunk) -> Result<()> {
        self.through.ids.extend(chunk.ids);
        let rows = self.watermark.push(chunk.polls)?;
        self.through.polls(rows)?;
        self.through.take_back(self.watermark.spent())
    }
}

impl<'scope, M: FnOnce(Inflow) -> Result<Summary> + Send + 'scope> Gate<'scope, '_, M> {
    /// Lets all else through, the rest of the batch behind it.
    fn finish(mut self, batch: Batch) -> Result<Summary> {
        let rows = self.watermark.end()?;
        self.through.polls(rows)?;
        self.through.take_back(self.watermark.spent())?;
        let Through { ids, odd, outlet } = self.through;
        let polls = self.watermark.into_rest();
        let batch = Batch {
            ids,
            polls,
            ..batch
        };
        outlet.finish(Pour::Last(Box::new(batch), odd))
    }
}

/// The way from the gate to the outlet.
struct Through<'scope, 'env, M> {
    /// Ids that have not gone through yet.
    ids: Vec<Box<str>>,
    /// What was odd about polls that have.
    odd: Odd,
    outlet: Outlet<'scope, 'env, M>,
}

impl<'scope, M: FnOnce(Inflow) -> Result<Summary> + Send + 'scope> Through<'scope, '_, M> {
    /// Sends on those that stand of sorted rows, and the ids that they may need.
    fn polls(&mut self, rows: Vec<PollRow>) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut polls = Vec::with_capacity(rows.len());
        let mut standing = LastIn::of(rows.into_iter().map(Ok));
        for standing in standing.by_ref() {
            let standing = standing?;
            polls.push((standing.store, standing.poll));
        }
        self.odd = mem::take(&mut self.odd).and(standing.odd);
        let ids = mem::take(&mut self.ids);
        self.outlet.send(Pour::Polls { ids, polls })
    }

    /// Has all polls taken back that went through, if there is a place for them.
    fn take_back(&mut self, place: Option<Runs>) -> Result<()> {
        match place {
            Some(place) => self.outlet.send(Pour::TakeBack(place)),
            None => Ok(()),
        }
    }
}

/// Where the inflow goes to, and a thread that takes it from the first polls on.
struct Outlet<'scope, 'env, M> {
    scope: &'scope Scope<'scope, 'env>,
    make: Option<M>,
    writer: Option<(Sender<Pour>, Writer<'scope>)>,
}

type Writer<'scope> = ScopedJoinHandle<'scope, Result<Summary>>;

impl<'scope, M: FnOnce(Inflow) -> Result<Summary> + Send + 'scope> Outlet<'scope, '_, M> {
    fn send(&mut self, pour: Pour) -> Result<()> {
        if let Some(make) = self.make.take() {
            let (pours, inflow) = bounded(POURS_MAX);
            let writer = self.scope.spawn(move || make(Inflow(inflow)));
            self.writer = Some((pours, writer));
        }
        let Some((pours, writer)) = self.writer.take() else {
            return Err(unwritten());
        };
        if pours.send(pour).is_err() {
            // A writer that takes no more has failed, and says why.
            return Err(join(writer).err().unwrap_or_else(unwritten));
        }
        self.writer = Some((pours, writer));
        Ok(())
    }

    fn finish(self, last: Pour) -> Result<Summary> {
        match (self.make, self.writer) {
            (None, Some((pours, writer))) => {
                // As above.
                let _ = pours.send(last);
                drop(pours);
                join(writer)
            }
            // Nothing was written early: then no thread is needed.
            (Some(make), _) => {
                let (pours, inflow) = bounded(1);
                let _ = pours.send(last);
                make(Inflow(inflow))
            }
            (None, None) => Err(unwritten()),
        }
    }
}

fn unwritten() -> Error {
    Error::failed("the polls could not be written")
}

fn join(writer: Writer<'_>) -> Result<Summary> {
    writer.join().unwrap_or_else(|panic| resume_unwind(panic))
}
