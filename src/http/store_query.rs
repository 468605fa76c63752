//! A query for a list of stores: the filters, the order and the page.
//!
//! The page `/stores` and `GET /api/stores` both use it.

use std::cmp::Ordering;

use super::query::{number, unknown};
use super::query_fields::OFFSET_MAX;
use super::request::Request;
use crate::error::Result;
use crate::fleet_view::FleetView;
use crate::uptime::interval::Micros;
use crate::uptime::store_state::StoreState;
use crate::uptime::window::Window;

/// The orders of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// The store's name.
    #[default]
    Name,
    /// Its owner.
    Owner,
    /// Its state; those that need attention first.
    State,
    /// Downtime in the week.
    Downtime,
    /// Lost sales in the week.
    Lost,
    /// The share of the week's business time online.
    Online,
    /// The share of the week within an hour of a poll.
    Coverage,
    /// When it was last polled.
    LastPoll,
}

impl Sort {
    /// Every order.
    pub const ALL: [Self; 8] = [
        Self::Name,
        Self::Owner,
        Self::State,
        Self::Downtime,
        Self::Lost,
        Self::Online,
        Self::Coverage,
        Self::LastPoll,
    ];

    /// The name in requests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Owner => "owner",
            Self::State => "state",
            Self::Downtime => "downtime",
            Self::Lost => "lost_sales",
            Self::Online => "online",
            Self::Coverage => "coverage",
            Self::LastPoll => "last_poll",
        }
    }

    /// Whether the first click sorts from the largest down, because people look for the largest.
    pub const fn is_largest_first(self) -> bool {
        matches!(self, Self::Downtime | Self::Lost | Self::LastPoll)
    }
}

/// The filters, the order and the page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreQuery {
    /// Words of the name, the owner or the id, in any order and any case; empty for all.
    pub text: String,
    /// The owner; none for all.
    pub group: Option<String>,
    /// The state; none for all.
    pub state: Option<StoreState>,
    /// Only stores with too few polls in their week to be sure.
    pub unvouched: bool,
    /// The order.
    pub sort: Sort,
    /// The order of a query that names none.
    pub sort_default: Sort,
    /// From the largest down.
    pub descending: bool,
    /// How many stores are skipped.
    pub offset: usize,
    /// How many stores are shown, at most.
    pub limit: usize,
}

impl StoreQuery {
    /// The list in the query. Its order is `sort_default` and its limit `limit_default` unless given; the limit is at
    /// most `limit_max`.
    ///
    /// # Errors
    /// When the query is malformed.
    pub fn read(request: &Request<'_>, sort_default: Sort, limit_default: usize, limit_max: usize) -> Result<Self> {
        let state = match request.field("state")? {
            None => (None, false),
            Some("unvouched") => (None, true),
            Some(name) => {
                let expected = "`online`, `offline`, `closed`, `not-sure` or `unvouched`";
                let state = StoreState::from_name(name);
                (Some(state.ok_or_else(|| unknown("state", name, expected))?), false)
            }
        };
        let sort = match request.field("sort")? {
            None => sort_default,
            Some(name) => Sort::ALL
                .into_iter()
                .find(|sort| sort.as_str() == name)
                .ok_or_else(|| unknown("sort", name, &Sort::ALL.map(Sort::as_str).join(", ")))?,
        };
        let descending = match request.field("order")? {
            None => sort.is_largest_first(),
            Some("asc") => false,
            Some("desc") => true,
            Some(other) => return Err(unknown("order", other, "`asc` or `desc`")),
        };
        Ok(Self {
            text: request.field("q")?.unwrap_or_default().to_owned(),
            group: request.field("group")?.map(str::to_owned),
            state: state.0,
            unvouched: state.1,
            sort,
            sort_default,
            descending,
            offset: number(request, "offset", 0..=OFFSET_MAX, 0)?,
            limit: number(request, "limit", 1..=limit_max, limit_default)?,
        })
    }

    /// The same list as a query, without fields that have their default.
    pub fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if !self.text.is_empty() {
            query.append_pair("q", &self.text);
        }
        if let Some(group) = &self.group {
            query.append_pair("group", group);
        }
        match self.state {
            Some(state) => query.append_pair("state", &state.as_str().replace(' ', "-")),
            None if self.unvouched => query.append_pair("state", "unvouched"),
            None => &mut query,
        };
        if self.sort != self.sort_default {
            query.append_pair("sort", self.sort.as_str());
        }
        if self.descending != self.sort.is_largest_first() {
            query.append_pair("order", if self.descending { "desc" } else { "asc" });
        }
        if self.offset > 0 {
            query.append_pair("offset", &self.offset.to_string());
        }
        query.finish()
    }

    /// The places of the list's stores in the fleet, in its order.
    ///
    /// # Errors
    /// When there is no such owner.
    pub fn places(&self, view: &FleetView) -> Result<Vec<usize>> {
        view.knows(self.group.as_deref())?;
        let text = self.text.to_lowercase();
        let words: Vec<&str> = text.split_whitespace().collect();
        let fits = |place: &usize| {
            let (label, summary) = (&view.labels[*place], &view.overview.summaries[*place]);
            self.group.as_ref().is_none_or(|group| label.group == *group)
                && self.state.is_none_or(|state| summary.state == state)
                && (!self.unvouched || !summary.is_vouched())
                && view.has_words(*place, &words)
        };
        let mut places: Vec<usize> = (0..view.labels.len()).filter(fits).collect();
        // Equal stores keep the fleet's order, by id.
        match self.sort {
            Sort::Name => self.sort_by(&mut places, |place| view.name(place).to_lowercase()),
            Sort::Owner => self.sort_by(&mut places, |place| {
                let owner = view.labels[place].group.to_lowercase();
                (owner.is_empty(), owner, view.name(place).to_lowercase())
            }),
            Sort::State => self.sort_by(&mut places, |place| {
                let summary = &view.overview.summaries[place];
                (summary.state, summary.offline_since)
            }),
            Sort::Downtime => self.sort_known(&mut places, |place| {
                Some(view.overview.summaries[place].totals[Window::Week].known()?.1)
            }),
            Sort::Lost => self.sort_known(&mut places, |place| Some(view.lost(place)?.hundredths()[1])),
            Sort::Online => self.sort_known(&mut places, |place| {
                Some(view.overview.summaries[place].totals[Window::Week].share()?.hundredths)
            }),
            Sort::Coverage => self.sort_known(&mut places, |place| {
                Some(view.overview.summaries[place].seen()?.hundredths)
            }),
            Sort::LastPoll => self.sort_known(&mut places, |place| {
                Some(view.overview.summaries[place].last_poll?.at())
            }),
        }
        Ok(places)
    }

    fn sort_by<K: Ord>(&self, places: &mut [usize], key: impl Fn(usize) -> K) {
        places.sort_by_cached_key(|&place| key(place));
        if self.descending {
            places.reverse();
        }
    }

    /// Unknown values come last in both directions.
    fn sort_known(&self, places: &mut [usize], key: impl Fn(usize) -> Option<Micros>) {
        let value = |place: usize| key(place).map(|value| if self.descending { -value } else { value });
        places.sort_by(|&a, &b| match (value(a), value(b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        });
    }
}
