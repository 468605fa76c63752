//! Synthetic input files in the shape of real ones, of any size.
//!
//! The seed is the only source of chance, and all arithmetic is in integers: the same options give the same bytes.

pub mod chain;
mod order;
mod poll;
mod random;
mod rows;
mod season;
mod store;
mod week;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::uptime::interval::{DAY, HOUR, Micros};
pub use order::Order;
use poll::Polled;
use season::{Custom, Year};
use store::Store;

/// 2026-11-08T00:00:00Z: in the week before it, clocks go back in North America.
pub const END: Micros = 1_794_096_000 * 1_000_000;

/// 2000-01-01T00:00:00Z: no poll is older.
const START_MIN: Micros = 946_684_800 * 1_000_000;

/// 2100-01-01T00:00:00Z: no poll is younger.
const END_MAX: Micros = 4_102_444_800 * 1_000_000;

/// The buffer of each file: few writes, and small beside the stores.
const BUFFER_BYTES: usize = 1 << 20;

/// The options of a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many stores, at least one.
    pub stores: u32,
    /// How many days of polls, 24 hours each, at least one.
    pub days: u32,
    /// The seed: another seed gives another fleet.
    pub seed: u64,
    /// Whether ids are UUIDs and the day's column is `dayOfWeek`; else ids have 15 to 19 digits and it is `day`.
    pub uuid: bool,
    /// The order of the rows of polls.
    pub order: Order,
    /// No poll is at or after this instant, cut to the hour.
    pub end: Micros,
    /// Without holidays, changes of hours, sales and targets: the three files have only the columns they need.
    pub plain: bool,
}

impl Options {
    /// Number ids, rows in order of time, and polls up to [`END`].
    pub const fn new(stores: u32, days: u32, seed: u64) -> Self {
        Self {
            stores,
            days,
            seed,
            uuid: false,
            order: Order::Time,
            end: END,
            plain: false,
        }
    }

    /// The total for progress: stores times hours. Ten store-hours give about nine polls.
    pub fn store_hours(&self) -> u64 {
        u64::from(self.stores) * u64::from(poll::sweeps(self.days))
    }
}

/// How many rows each file has, without headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows of `store_status.csv`.
    pub polls: u64,
    /// Rows of `menu_hours.csv`.
    pub business_hours: u64,
    /// Rows of `special_hours.csv`.
    pub special_hours: u64,
    /// Rows of `timezones.csv`.
    pub timezones: u64,
    /// Rows of `stores.csv`.
    pub stores: u64,
}

/// Writes `store_status.csv`, `menu_hours.csv`, `timezones.csv` and `stores.csv` into `dir`, and `special_hours.csv`
/// unless the files are plain.
///
/// Creates `dir` if it is missing, and replaces files of these names. `progress` receives the count of finished
/// [`Options::store_hours`]. Memory: about a hundred bytes a store, however many polls. Orders other than by
/// time add 50 MB, and 21 bytes a poll in temporary files in `dir`. Beyond 268 million store-hours the memory
/// for sorting grows, too.
///
/// # Errors
/// Invalid options (no store, no day, or days outside the years 2000 to 2099), and errors of the file system.
pub fn write(options: &Options, dir: &Path, progress: &mut dyn FnMut(u64)) -> Result<Summary> {
    let start = start(options)?;
    fs::create_dir_all(dir).map_err(|cause| {
        let place = dir.display();
        Error::failed(format!("{place}: cannot be created, name another folder")).because(cause)
    })?;
    let mut summary = Summary::default();
    let mut polled = write_stores(options, start, dir, &mut summary)?;
    let mut status = Csv::create(dir, "store_status.csv", "store_id,status,timestamp_utc")?;
    let mut done = 0;
    let mut sweep_done = || {
        done += u64::from(options.stores);
        progress(done);
    };
    let hours = poll::sweeps(options.days);
    summary.polls = status.with(|out| {
        let span = (start, hours);
        let order = (options.order, options.seed);
        poll::write(order, &mut polled, span, (dir, out), &mut sweep_done)
    })?;
    status.finish()?;
    Ok(summary)
}

/// The start of the first sweep, if the options are valid.
fn start(options: &Options) -> Result<Micros> {
    if options.stores == 0 || options.days == 0 {
        let reason = "nothing to generate (expected at least one store and one day)";
        return Err(Error::invalid(reason));
    }
    if options.end > END_MAX {
        let reason = "the polls end after the year 2099 (expected an earlier end)";
        return Err(Error::invalid(reason));
    }
    let end = options.end.saturating_sub(options.end.rem_euclid(HOUR));
    let start = end.saturating_sub(Micros::from(options.days).saturating_mul(DAY));
    if start < START_MIN {
        let days = options.days;
        let reason = format!("{days} days reach back before the year 2000 (expected fewer)");
        return Err(Error::invalid(reason));
    }
    Ok(start)
}

/// Writes the small files, and returns the stores that are polled.
fn write_stores(options: &Options, start: Micros, dir: &Path, summary: &mut Summary) -> Result<Vec<Polled>> {
    let &Options {
        seed,
        stores,
        uuid,
        plain,
        ..
    } = options;
    let header = |header: &str, more: &str| match plain {
        true => header.to_owned(),
        false => format!("{header}{more}"),
    };
    let day = if uuid { "dayOfWeek" } else { "day" };
    let hours_header = header(
        &format!("store_id,{day},start_time_local,end_time_local"),
        ",valid_from",
    );
    let mut hours = Csv::create(dir, "menu_hours.csv", &hours_header)?;
    let mut zones = Csv::create(dir, "timezones.csv", "store_id,timezone_str")?;
    let names_header = header("store_id,name,group", ",sales_per_hour,target");
    let mut names = Csv::create(dir, "stores.csv", &names_header)?;
    let mut special = match plain {
        true => None,
        false => Some(Csv::create(
            dir,
            "special_hours.csv",
            "store_id,date,start_time_local,end_time_local,reason",
        )?),
    };
    let weeks = week::weeks();
    let year = Year::around(start, options.end);
    let mut polled = Vec::with_capacity(stores as usize);
    for index in 0..stores {
        let store = Store::new(seed, index, stores, uuid, &weeks);
        let id = store.id.as_bytes();
        if let Some(week) = store.week {
            let versions = match plain {
                true => vec![week.summer.iter().map(|line| format!("{line}\n")).collect()],
                false => year.versions(week, season::is_seasonal(seed, index)),
            };
            for lines in versions {
                summary.business_hours += lines.len() as u64;
                // Sources list a store's days from any weekday on; so does each store here.
                let first = index as usize % lines.len();
                hours.lines(id, lines[first..].iter().chain(&lines[..first]))?;
            }
        }
        // Without weekly hours a store is always open, and keeps no holidays.
        if let (Some(special), Some(label), Some(_)) = (&mut special, &store.label, store.week) {
            let lines = year.special_hours(Custom::of(seed, label.owner));
            summary.special_hours += lines.len() as u64;
            special.lines(id, &lines)?;
        }
        if let Some(zone) = store.zone {
            zones.lines(id, &[format!(",{zone}\n")])?;
            summary.timezones += 1;
        }
        if let Some(label) = &store.label {
            let mut line = format!(",{},{}", label.name, label.group);
            if !plain {
                let (sales, target) = (label.sales_per_hour(seed, index), label.target(seed));
                line += &format!(",{sales},{target}");
            }
            names.lines(id, &[line + "\n"])?;
            summary.stores += 1;
        }
        if store.polled {
            polled.push(Polled::new(seed, index, store.id, start));
        }
    }
    for file in [hours, zones, names].into_iter().chain(special) {
        file.finish()?;
    }
    Ok(polled)
}

/// An open file, with its path for error messages.
struct Csv {
    path: PathBuf,
    out: BufWriter<File>,
}

impl Csv {
    fn create(dir: &Path, name: &str, header: &str) -> Result<Self> {
        let path = dir.join(name);
        let file = File::create(&path).map_err(|cause| Self::error(&path, cause))?;
        let out = BufWriter::with_capacity(BUFFER_BYTES, file);
        let mut csv = Self { path, out };
        csv.with(|out| writeln!(out, "{header}"))?;
        Ok(csv)
    }

    fn with<T>(&mut self, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>) -> Result<T> {
        write(&mut self.out).map_err(|cause| Self::error(&self.path, cause))
    }

    /// Writes lines, each behind the store's id.
    fn lines<'l>(&mut self, id: &[u8], lines: impl IntoIterator<Item = &'l String>) -> Result<()> {
        lines.into_iter().try_for_each(|line| {
            self.with(|out| {
                out.write_all(id)?;
                out.write_all(line.as_bytes())
            })
        })
    }

    fn finish(mut self) -> Result<()> {
        self.with(Write::flush)
    }

    fn error(path: &Path, cause: io::Error) -> Error {
        let place = path.display();
        Error::failed(format!("{place}: cannot be written, check the disk and its rights")).because(cause)
    }
}

#[cfg(test)]
mod tests;
