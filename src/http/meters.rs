//! The meters of a site: requests by route, rows by code, and the frontend's.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::frontend::meter::Meter;
use super::response::STATUSES;
use crate::ingest::kind::Kind;
use crate::ingest::load::Summary;
use crate::ingest::problem::Code;
use crate::ingest::source::Refusal;
use crate::metrics::{Counter, Histogram};

/// What the handlers of a site count.
#[derive(Debug, Default)]
pub struct Meters {
    /// Requests.
    pub requests: Requests,
    /// Rows of inputs.
    pub rows: Rows,
    /// The frontend's.
    pub frontend: Arc<Meter>,
}

/// Requests that had an answer of a handler, by route; the last place is for requests without one.
#[derive(Debug, Default)]
pub struct Requests(OnceLock<Vec<OfRoute>>);

/// The requests of one route.
#[derive(Debug, Default)]
pub struct OfRoute {
    /// Its method; empty if there is no route.
    pub method: &'static str,
    /// The pattern of its path; empty if there is no route.
    pub path: &'static str,
    /// From the last byte of a request to the answer.
    pub durations: Histogram,
    statuses: [Counter; STATUSES.len()],
}

impl Requests {
    /// Makes a place for each route, by its method and pattern, once.
    pub(super) fn prepare(&self, routes: impl Iterator<Item = (&'static str, &'static str)>) {
        let place = |(method, path)| OfRoute {
            method,
            path,
            ..OfRoute::default()
        };
        self.0.get_or_init(|| routes.chain([("", "")]).map(place).collect());
    }

    fn all(&self) -> &[OfRoute] {
        self.0.get().map_or(&[], Vec::as_slice)
    }

    /// Counts an answer.
    pub(super) fn answered(&self, route: Option<usize>, status: u16, took: Duration) {
        let all = self.all();
        if let Some(of) = all.get(route.unwrap_or(all.len().saturating_sub(1))) {
            of.durations.observe(took);
            if let Some(place) = STATUSES.iter().position(|one| *one == status) {
                of.statuses[place].one();
            }
        }
    }

    /// Each route that had a request.
    pub fn each(&self) -> impl Iterator<Item = &OfRoute> {
        self.all().iter().filter(|of| of.durations.count() > 0)
    }
}

impl OfRoute {
    /// How many answers had each status.
    pub fn statuses(&self) -> impl Iterator<Item = (u16, u64)> {
        let counts = self.statuses.iter().map(Counter::get);
        STATUSES.into_iter().zip(counts).filter(|(_, count)| *count > 0)
    }
}

/// Rows that came over HTTP, by kind; the last place is for forms, whose files may be of several kinds.
#[derive(Debug, Default)]
pub struct Rows([OfKind; Kind::ALL.len() + 1]);

/// The rows of one kind.
#[derive(Debug)]
pub struct OfKind {
    /// New facts.
    pub accepted: Counter,
    /// Facts that were there already.
    pub unchanged: Counter,
    /// Facts that replaced others.
    pub replaced: Counter,
    refused: [Counter; Code::ALL.len()],
}

impl Default for OfKind {
    fn default() -> Self {
        Self {
            accepted: Counter::default(),
            unchanged: Counter::default(),
            replaced: Counter::default(),
            refused: [const { Counter::new() }; Code::ALL.len()],
        }
    }
}

impl Rows {
    /// The rows of a kind; none: of a form.
    pub(super) fn of(&self, kind: Option<Kind>) -> &OfKind {
        let place = kind.and_then(|kind| Kind::ALL.iter().position(|one| *one == kind));
        &self.0[place.unwrap_or(Kind::ALL.len())]
    }

    /// Each kind by its name in paths, and `form`.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, &OfKind)> {
        let names = Kind::ALL.into_iter().map(|kind| kind.description().slug);
        names.chain(["form"]).zip(&self.0)
    }
}

impl OfKind {
    /// Counts the rows of a load.
    pub(super) fn taken(&self, summary: &Summary) {
        self.accepted.add(summary.accepted);
        self.unchanged.add(summary.unchanged);
        self.replaced.add(summary.replaced);
    }

    /// Counts a bad row.
    pub(super) fn refused(&self, code: Code) {
        self.refused[code as usize].one();
    }

    /// Counts what a refusal is about, unless it is about rows: each of them was counted.
    pub(super) fn refused_whole(&self, refusal: &Refusal) {
        match refusal {
            Refusal::File { file, .. } => self.refused(file.code),
            Refusal::Store { bad, .. } => self.refused(bad.code),
            Refusal::Rows { .. } | Refusal::Failed(_) => {}
        }
    }

    /// How many rows and files were refused for each code, if any.
    pub fn refusals(&self) -> impl Iterator<Item = (Code, u64)> {
        let counts = self.refused.iter().map(Counter::get);
        Code::ALL.iter().copied().zip(counts).filter(|(_, count)| *count > 0)
    }
}
