//! The statement of any period: the rows of every store, owner or the fleet, bucket by bucket.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use chrono_tz::Tz;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::kind::{Order, Product};
use crate::access::Audience;
use crate::civil;
use crate::db;
use crate::db::fleet::{self, Label};
use crate::db::polls::{self, ReadLimits};
use crate::error::{Error, Result, nearest};
use crate::hot_window::HotWindow;
use crate::parallel;
use crate::render::definitions::Definitions;
pub use crate::render::statement::Per;
use crate::render::statement::StatementRows;
use crate::render::store_list::StoreList;
use crate::uptime::bucket_total::BucketTotal;
use crate::uptime::business_hours::ZoneTable;
use crate::uptime::fleet::{Fleet, Store, StoreKey};
use crate::uptime::history::StoreBlock;
use crate::uptime::interval::{HOUR, Interval, Micros};
use crate::uptime::period::{Bucket, By, PERIOD_DATES_MAX, Period};
use crate::uptime::poll::Poll;
use crate::uptime::report::Question;
use crate::uptime::statement::{PERIOD_REACH, PeriodTime};
use crate::uptime::statement_row::{encode, numbers};

/// How many bytes of polls are read at a time; a longer period is read block of stores by block of stores.
const STATEMENT_POLLS_BYTES_MAX: usize = 256 << 20;

/// How many rows a statement may have: some 100 bytes each as CSV.
const STATEMENT_ROWS_MAX: usize = 16_000_000;

/// The parameters of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// The dates, and how they are cut.
    pub period: Period,
    /// Whose rows it has.
    pub per: Per,
    /// Only this store.
    pub store: Option<String>,
    /// Only this owner's stores.
    pub group: Option<String>,
}

impl Parameters {
    /// The parameters that `field` has under their names: `from` and `to` are required.
    ///
    /// # Errors
    /// When one is missing, malformed, or the period is none.
    pub fn parse<'a>(mut field: impl FnMut(&'static str) -> Result<Option<&'a str>>) -> Result<Self> {
        let mut day = |name: &'static str| -> Result<i64> {
            let Some(text) = field(name)? else {
                return Err(Error::invalid(format!(
                    "`{name}` is missing (give the first and the last local date, such as from=2026-10-01 and \
                     to=2026-10-31)"
                )));
            };
            civil::parse_day(text).map_err(|error| Error::invalid(format!("`{name}`: {}", error.message())))
        };
        let (from, to) = (day("from")?, day("to")?);
        let unknown = |name: &str, value: &str, expected: &str| {
            let value = value.escape_debug();
            Error::invalid(format!("unknown {name} `{value}` (expected {expected})"))
        };
        let by = match field("by")? {
            None => By::default(),
            Some(name) => By::from_name(name).ok_or_else(|| unknown("by", name, "total, day, week or month"))?,
        };
        let per = match field("per")? {
            None => Per::default(),
            Some(name) => Per::from_name(name).ok_or_else(|| unknown("per", name, "store, group or fleet"))?,
        };
        let own = |text: &str| text.to_owned();
        Self {
            period: Period { from, to, by },
            per,
            store: field("store")?.map(own),
            group: field("group")?.map(own),
        }
        .checked()
    }

    /// The same, if its period is one.
    ///
    /// # Errors
    /// When it ends before it begins, or is too long.
    pub fn checked(self) -> Result<Self> {
        let Period { from, to, .. } = self.period;
        let days = [from, to].map(civil::format_day);
        if to < from {
            return Err(Error::invalid(format!(
                "the period ends before it begins: from {} to {} (swap them)",
                days[0], days[1]
            )));
        }
        if to - from >= PERIOD_DATES_MAX {
            return Err(Error::invalid(format!(
                "a period of more than {PERIOD_DATES_MAX} days: from {} to {} (choose a shorter one)",
                days[0], days[1]
            )));
        }
        Ok(self)
    }

    /// The parameters as a JSON object, as jobs keep them.
    pub fn json(&self) -> Value {
        let mut object = json!({
            "from": civil::format_day(self.period.from),
            "to": civil::format_day(self.period.to),
            "by": self.period.by.as_str(),
            "per": self.per.as_str(),
        });
        for (name, value) in [("store", &self.store), ("group", &self.group)] {
            if let Some(value) = value {
                object[name] = value.as_str().into();
            }
        }
        object
    }

    /// The parameters of a text from [`json`](Self::json).
    ///
    /// # Errors
    /// When it is malformed.
    pub fn from_json(text: &str) -> Result<Self> {
        let object: Value = serde_json::from_str(text).unwrap_or_default();
        Self::parse(|name| Ok(object.get(name).and_then(Value::as_str)))
    }
}

/// A complete statement.
#[derive(Debug)]
pub struct Statement {
    parameters: Parameters,
    question: Question,
    labels: Arc<StoreList>,
    /// The rows in stored form: those of each label, bucket by bucket.
    rows: Vec<u8>,
    csv_bytes: OnceLock<usize>,
}

impl Statement {
    /// The statement that `order` asks for.
    pub(super) fn make(db: &mut Connection, hot: &HotWindow, order: &Order) -> Result<Self> {
        let parameters = Parameters::from_json(&order.parameters)?;
        Self::new(db, (hot, &order.audience), parameters, order.question)
    }

    /// The statement of the polls and hours in the database, of the stores of an audience; the window may have them in
    /// memory.
    ///
    /// # Errors
    /// When the database cannot be read, there is no such store or owner, or the rows are too many.
    pub fn new(
        db: &mut Connection,
        (hot, audience): (&HotWindow, &Audience),
        parameters: Parameters,
        question: Question,
    ) -> Result<Self> {
        let view = db::read(db)?;
        let fleet = hot.fleet_of(&view, audience)?;
        let (labels, rows) = Call::new(&view, fleet, &parameters, question)?.rows(&view)?;
        Ok(Self {
            parameters,
            question,
            labels,
            rows,
            csv_bytes: OnceLock::new(),
        })
    }

    /// Restores a statement from its stored rows; none if they do not fit the stores and the period.
    pub(super) fn restore(parameters: &str, question: Question, labels: StoreList, rows: &[u8]) -> Option<Self> {
        let statement = Self {
            parameters: Parameters::from_json(parameters).ok()?,
            question,
            labels: labels.into(),
            rows: rows.to_vec(),
            csv_bytes: OnceLock::new(),
        };
        statement.statement_rows().each(|_, _, _| ()).then_some(statement)
    }

    /// Its rows, to be rendered.
    pub fn statement_rows(&self) -> StatementRows<'_> {
        StatementRows {
            period: &self.parameters.period,
            per: self.parameters.per,
            labels: &self.labels,
            stored: &self.rows,
        }
    }
}

impl Product for Statement {
    fn stores(&self) -> &StoreList {
        &self.labels
    }

    fn rows(&self) -> &[u8] {
        &self.rows
    }

    fn csv_bytes(&self) -> usize {
        *self
            .csv_bytes
            .get_or_init(|| self.statement_rows().csv_bytes(parallel::threads()))
    }

    fn csv(&self) -> Vec<u8> {
        self.statement_rows().csv(parallel::threads())
    }

    fn xlsx(&self) -> Result<Vec<u8>> {
        let Parameters { period, per, .. } = &self.parameters;
        self.statement_rows()
            .xlsx(&Definitions::of_statement(self.question, period, per.column()))
    }
}

/// A sentence if the period begins before the oldest poll, which is at `oldest`: it can know nothing of that time.
pub fn before_the_oldest_poll(oldest: Option<Micros>, period: &Period) -> Option<String> {
    // In the zone in which the period begins first.
    let begins = period.span(0).start;
    oldest.filter(|&oldest| begins < oldest).map(|oldest| {
        format!(
            "the oldest poll is of {}: time before it has the status of each store's first poll, and is not covered",
            civil::format_utc(oldest)
        )
    })
}

/// One call for a statement: its stores, and what they share.
pub(super) struct Call<'a> {
    parameters: &'a Parameters,
    question: Question,
    buckets: Vec<Bucket>,
    pub(super) fleet: Arc<Fleet>,
    stores: Arc<StoreList>,
    /// For each store of the fleet its key and its place in it, in order of the keys.
    places: Vec<(StoreKey, usize)>,
    pub(super) labels: HashMap<StoreKey, Label>,
    pub(super) zones: HashMap<Tz, ZoneTable>,
    /// The time of each pattern, made when a store first needs it.
    times: Vec<OnceLock<PeriodTime>>,
}

/// The rows of stores in stored form, with the place of each and the end of its rows.
type StoreRows = (Vec<u8>, Vec<(usize, usize)>);

/// The totals of the buckets of each owner.
type GroupTotals<'a> = BTreeMap<&'a str, Vec<BucketTotal>>;

impl<'a> Call<'a> {
    pub(super) fn new(
        view: &Connection,
        (mut fleet, mut stores): (Arc<Fleet>, Arc<StoreList>),
        parameters: &'a Parameters,
        question: Question,
    ) -> Result<Self> {
        let labels = fleet::labels(view)?;
        if parameters.store.is_some() || parameters.group.is_some() {
            fleet = chosen(&fleet, &labels, parameters)?.into();
            stores = StoreList::new(fleet.stores().iter().map(|store| &*store.id)).into();
        }
        let mut places: Vec<_> = (0..)
            .zip(fleet.stores())
            .map(|(place, store)| (store.key, place))
            .collect();
        places.sort_unstable();
        let buckets = parameters.period.buckets();
        let rows = match parameters.per {
            Per::Store => places.len() * buckets.len(),
            Per::Group | Per::Fleet => buckets.len(),
        };
        if rows > STATEMENT_ROWS_MAX {
            return Err(Error::invalid(format!(
                "the statement would have {rows} rows, and {STATEMENT_ROWS_MAX} is the most (cut it by week or month, \
                 or choose an owner or a shorter period)"
            )));
        }
        let span = parameters.period.span(PERIOD_REACH + HOUR);
        let mut zones = HashMap::new();
        for store in fleet.stores() {
            let zone = fleet.patterns()[store.pattern].zone;
            zones.entry(zone).or_insert_with(|| ZoneTable::new(zone, span));
        }
        let mut times = Vec::new();
        times.resize_with(fleet.patterns().len(), OnceLock::new);
        Ok(Self {
            parameters,
            question,
            buckets,
            fleet,
            stores,
            places,
            labels,
            zones,
            times,
        })
    }

    /// The labels and the rows of the statement.
    fn rows(&self, view: &Connection) -> Result<(Arc<StoreList>, Vec<u8>)> {
        match self.parameters.per {
            Per::Store => {
                let parts = self.by_blocks(view, |block| self.store_rows(block))?;
                let mut places = vec![(0, 0..0); self.places.len()];
                for (part, (_, ends)) in parts.iter().enumerate() {
                    let mut start = 0;
                    for &(place, end) in ends {
                        places[place] = (part, start..end);
                        start = end;
                    }
                }
                let mut rows = Vec::with_capacity(parts.iter().map(|(rows, _)| rows.len()).sum());
                for (part, range) in places {
                    rows.extend_from_slice(&parts[part].0[range]);
                }
                Ok((Arc::clone(&self.stores), rows))
            }
            Per::Group | Per::Fleet => {
                let parts = self.by_blocks(view, |block| self.group_totals(block))?;
                let mut groups = GroupTotals::new();
                // The fleet has a row a bucket, even without stores.
                if self.parameters.per == Per::Fleet {
                    groups.insert("", vec![BucketTotal::default(); self.buckets.len()]);
                }
                for (group, totals) in parts.into_iter().flatten() {
                    match groups.get_mut(group) {
                        Some(sums) => add(sums, &totals),
                        None => drop(groups.insert(group, totals)),
                    }
                }
                let mut rows = Vec::new();
                for total in groups.values().flatten() {
                    encode(&numbers(total), &mut rows);
                }
                Ok((StoreList::new(groups.into_keys()).into(), rows))
            }
        }
    }

    pub(super) fn by_blocks<T: Send>(
        &self,
        view: &Connection,
        each: impl Fn(&StoreBlock) -> T + Sync,
    ) -> Result<Vec<T>> {
        let span = self.parameters.period.span(PERIOD_REACH);
        let span = Interval::new(span.start, span.end.min(self.question.as_of + 1));
        let keys: Vec<_> = self.places.iter().map(|&(key, _)| key).collect();
        let limits = ReadLimits {
            threads: parallel::threads(),
            memory_max: STATEMENT_POLLS_BYTES_MAX,
        };
        polls::by_blocks(view, span, &keys, limits, each)
    }

    /// Calls `each` with every store of a block, its place in the fleet, the totals of its buckets, and the time and
    /// polls that they were measured by.
    pub(super) fn each_store(
        &self,
        block: &StoreBlock,
        mut each: impl FnMut(&Store, usize, &[BucketTotal], (&PeriodTime, &[Poll])),
    ) {
        let mut totals = vec![BucketTotal::default(); self.buckets.len()];
        let first = self
            .places
            .partition_point(|&(key, _)| StoreBlock::number_of(key) < block.number());
        let own = self.places[first..].iter();
        for &(key, place) in own.take_while(|&&(key, _)| StoreBlock::number_of(key) == block.number()) {
            let store = &self.fleet.stores()[place];
            let Some(time) = self.time_of(store) else { continue };
            time.measure(block.of(key), self.question.rule, &mut totals);
            let rate = self.labels.get(&key).and_then(|label| label.sales_per_hour);
            totals.iter_mut().for_each(|total| *total = total.at_rate(rate));
            each(store, place, &totals, (time, block.of(key)));
        }
    }

    fn time_of(&self, store: &Store) -> Option<&PeriodTime> {
        let pattern = &self.fleet.patterns()[store.pattern];
        let zone = self.zones.get(&pattern.zone)?;
        let as_of: Micros = self.question.as_of;
        let make = || PeriodTime::of_dates(pattern, zone, &self.parameters.period, &self.buckets, as_of);
        Some(self.times[store.pattern].get_or_init(make))
    }

    fn store_rows(&self, block: &StoreBlock) -> StoreRows {
        let (mut rows, mut ends) = StoreRows::default();
        self.each_store(block, |_, place, totals, _| {
            for total in totals {
                encode(&numbers(total), &mut rows);
            }
            ends.push((place, rows.len()));
        });
        (rows, ends)
    }

    fn group_totals(&self, block: &StoreBlock) -> GroupTotals<'_> {
        let mut groups = GroupTotals::new();
        self.each_store(block, |store, _, totals, _| {
            let group = match self.parameters.per {
                Per::Fleet => "",
                Per::Store | Per::Group => self.labels.get(&store.key).map_or("", |label| &label.group),
            };
            let zero = || vec![BucketTotal::default(); totals.len()];
            add(groups.entry(group).or_insert_with(zero), totals);
        });
        groups
    }
}

/// Adds totals, bucket by bucket.
fn add(sums: &mut [BucketTotal], totals: &[BucketTotal]) {
    for (sum, total) in sums.iter_mut().zip(totals) {
        *sum += *total;
    }
}

/// The stores that the parameters choose.
fn chosen(fleet: &Fleet, labels: &HashMap<StoreKey, Label>, parameters: &Parameters) -> Result<Fleet> {
    let group_of = |store: &Store| labels.get(&store.key).map_or("", |label| &label.group);
    if let Some(id) = &parameters.store
        && !fleet.stores().iter().any(|store| *store.id == **id)
    {
        let near = nearest(id, fleet.stores().iter().map(|store| &*store.id), 3);
        return Err(missing("store", id, &near));
    }
    if let Some(group) = &parameters.group
        && !fleet.stores().iter().any(|store| group_of(store) == group)
    {
        let groups: std::collections::BTreeSet<_> = fleet.stores().iter().map(group_of).collect();
        let near = nearest(group, groups.into_iter().filter(|group| !group.is_empty()), 3);
        return Err(missing("owner", group, &near));
    }
    let is_chosen = |store: &&Store| {
        parameters.store.as_ref().is_none_or(|id| *store.id == **id)
            && parameters.group.as_ref().is_none_or(|group| group_of(store) == group)
    };
    Ok(fleet.only(is_chosen))
}

/// Refuses a store or owner that is not there.
fn missing(what: &str, name: &str, near: &[&str]) -> Error {
    let name = name.escape_debug();
    let near: Vec<_> = near.iter().map(|near| format!("`{}`", near.escape_debug())).collect();
    let remedy = match near.as_slice() {
        [] => format!("load the {what} first"),
        near => format!("did you mean {}?", near.join(", ")),
    };
    Error::not_found(format!("there is no {what} `{name}` ({remedy})"))
}

/// Checks that the store and the owner that the parameters name are there.
///
/// # Errors
/// When one is not, or the database cannot be read.
pub fn check_names(fleet: &Fleet, labels: &HashMap<StoreKey, Label>, parameters: &Parameters) -> Result<()> {
    chosen(fleet, labels, parameters).map(drop)
}
