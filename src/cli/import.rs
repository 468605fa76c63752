//! `import`: CSV files into the database, all or nothing, with notes on unusual rows.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use rusqlite::Connection;

use super::output::{self, note};
use super::upkeep::ReserveOption;
use super::{Database, folder_of};
use crate::civil;
use crate::clock;
use crate::db;
use crate::db::audit::Author;
use crate::db::connection::{create, leave_checkpoints, open_reader, open_writer};
use crate::db::fit::Fit;
use crate::db::schedules::HoursMode;
use crate::db::{forget, inspect, packed, part, polls, reserve};
use crate::error::{Error, Result};
use crate::ingest::batch::Batch;
use crate::ingest::import::{self, Choices, OnBadRow};
use crate::ingest::load::{self, Summary};
use crate::ingest::machine_time::{AHEAD_MINUTES, MachineTime};
use crate::ingest::options::{DayNumbers, NewStores, ReadOptions, STORES_MAX, valid_from};
use crate::ingest::problem::BadRow;
use crate::ingest::source::{BAD_ROWS_TOLD, Refusal, Source, SourceNote};
use crate::scratch::Scratch;
use crate::uptime::calendar::LocalDate;
use crate::uptime::interval::{MINUTE, Micros};

/// The options of `import`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// CSV files, plain or gzipped, spreadsheets (.xlsx, .ods) and zips of CSV files; `-` is stdin
    #[arg(required_unless_present_any = ["prune_before", "keep_days"], value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Take the good rows, and write each bad one here with its line and what is wrong with it
    #[arg(long, env = "STORE_MONITOR_REJECTS", value_name = "FILE")]
    rejects: Option<PathBuf>,

    /// How the days of business hours are numbered: monday=0 (to 6 for Sunday), monday=1, sunday=0 or sunday=1
    #[arg(long, env = "STORE_MONITOR_DAYS", value_name = "DAY=NUMBER", default_value = "monday=0", value_parser = day_numbers)]
    days: DayNumbers,

    /// What new business hours of a store replace: all its version (replace), or those of the weekdays named (merge)
    #[arg(long, env = "STORE_MONITOR_HOURS", value_name = "MODE", default_value = "replace", value_parser = hours_mode)]
    hours: HoursMode,

    /// The local date from which business hours hold whose file has no column valid_from, such as 2026-11-01
    #[arg(long, env = "STORE_MONITOR_VALID_FROM", value_name = "DATE", value_parser = date)]
    valid_from: Option<LocalDate>,

    /// Take store ids that look damaged by a spreadsheet, such as 2.57E+14 or #N/A
    #[arg(long, env = "STORE_MONITOR_IDS_AS_WRITTEN")]
    ids_as_written: bool,

    /// How many minutes polls may be ahead of this machine's clock
    #[arg(long, env = "STORE_MONITOR_AHEAD", value_name = "MINUTES", default_value_t = AHEAD_MINUTES)]
    ahead: u32,

    /// How many stores the database may have; files that name more are refused
    #[arg(long, env = "STORE_MONITOR_MAX_STORES", value_name = "N", default_value_t = STORES_MAX)]
    max_stores: u64,

    /// Then forget all polls before this instant
    #[arg(long, env = "STORE_MONITOR_PRUNE_BEFORE", value_name = "TIME", value_parser = civil::parse_instant)]
    prune_before: Option<Micros>,

    /// Then forget polls more than N days older than the newest, unless --prune-before says it
    /// otherwise; reports need eight. Never more than half of all polls: that needs --prune-before
    #[arg(long, env = "STORE_MONITOR_KEEP_DAYS", value_name = "N")]
    keep_days: Option<u32>,

    #[command(flatten)]
    reserve: ReserveOption,

    /// Leave the write-ahead log to another program that copies it, such as Litestream
    #[arg(long, env = "STORE_MONITOR_EXTERNAL_CHECKPOINTS")]
    external_checkpoints: bool,

    #[command(flatten)]
    database: Database,
}

fn day_numbers(name: &str) -> Result<DayNumbers> {
    DayNumbers::parse(Some(name))
}

fn date(text: &str) -> Result<LocalDate> {
    let missing = || Error::invalid("no date (expected one such as `2026-11-01`)");
    valid_from(Some(text))?.ok_or_else(missing)
}

fn hours_mode(name: &str) -> Result<HoursMode> {
    HoursMode::parse(Some(name))
}

/// Loads the files, then deletes old polls.
///
/// # Errors
/// A file that cannot be read or is of no known kind; without `--rejects`, any bad row. Then nothing is
/// written.
pub fn run(options: &Options) -> Result<()> {
    let _held = options.database.hold_whole()?;
    part::clear(&options.database.file);
    if options.external_checkpoints {
        leave_checkpoints();
    }
    if !options.files.is_empty() {
        import(options)?;
    }
    if options.prune_before.is_some() || options.keep_days.is_some() {
        prune(options)?;
    }
    if let Err(error) = reserve::keep(&options.database.file, options.reserve.bytes) {
        tracing::warn!("{error}");
    }
    Ok(())
}

/// Deletes old polls.
fn prune(options: &Options) -> Result<()> {
    // Opened as a reader first: a mistyped name must not create a database.
    drop(open_reader(&options.database.file)?);
    let mut db = open_writer(&options.database.file)?;
    let before = match (options.prune_before, options.keep_days) {
        (None, Some(days)) => forget::cut(&db, days)?,
        (before, _) => before,
    };
    // An instant that a person names is always meant.
    if let (None, Some(before)) = (options.prune_before, before)
        && let Some(too_many) = forget::too_many(&db, before)?
    {
        return Err(Error::failed(too_many.sentence(&options.database.file)));
    }
    let polls = before.map_or(Ok(0), |before| {
        forget::prune(&mut db, before, &Author::command(clock::machine_us()))
    })?;
    note!("{} polls forgotten", grouped(polls));
    Ok(())
}

fn import(options: &Options) -> Result<()> {
    let (summary, fit) = match &options.rejects {
        None => load(options, OnBadRow::Refuse, &mut |_, _| Ok(())).map_err(refused),
        Some(file) => {
            let mut loaded = Err(Error::failed("nothing was read"));
            output::to_file(file, |out| {
                loaded = match take_good_rows(options, out) {
                    // Without one good row nothing is loaded, and the file says why.
                    Err(Refusal::Rows { count, .. }) => Err(Error::invalid(format!(
                        "every row was refused, so nothing was written ({} in the rejects file)",
                        counted(count, "row")
                    ))),
                    Err(refusal) => return Err(refusal.into()),
                    Ok(loaded) => Ok(loaded),
                };
                Ok(())
            })?;
            loaded
        }
    }?;
    fit.sentences().iter().for_each(|sentence| note!("{sentence}"));
    tell(&summary, options.files.len());
    Ok(())
}

fn take_good_rows(options: &Options, out: &mut dyn Write) -> Result<Loaded, Refusal> {
    let unwritten = |error: csv::Error| Error::failed("the rejects file cannot be written").because(error);
    let mut rejects = csv::Writer::from_writer(out);
    rejects
        .write_record(["file", "line", "column", "code", "value", "reason", "row"])
        .map_err(unwritten)?;
    let loaded = load(options, OnBadRow::Skip, &mut |name, bad| {
        let line = bad.line.to_string();
        let column = bad.column.unwrap_or_default();
        let (code, value, reason) = (bad.code.as_str(), &bad.value, &bad.reason);
        let fields = [name, &line, column, code, value, reason].map(str::as_bytes);
        let record = fields.into_iter().chain([&*bad.raw]);
        rejects.write_record(record).map_err(unwritten)
    });
    rejects.flush().map_err(|error| unwritten(error.into()))?;
    loaded
}

/// What was loaded, and whether the stores of all sources are the same ones.
type Loaded = (Summary, Fit);

/// Reads all files, then writes their rows. A new database is created only when there are rows to
/// write.
fn load(
    options: &Options,
    on_bad_row: OnBadRow,
    reject: &mut dyn FnMut(&str, BadRow) -> Result<()>,
) -> Result<Loaded, Refusal> {
    let file = &options.database.file;
    let existing = match file.exists() {
        true => Some(open_writer(file)?),
        false => None,
    };
    existing.as_ref().map_or(Ok(()), inspect::newest)?;
    let newest = existing.as_ref().map_or(Ok(None), polls::newest)?;
    let ahead = i64::from(options.ahead) * MINUTE;
    let time = MachineTime::new(clock::machine_us(), ahead, clock::BUILT_US, newest);
    let files = options
        .files
        .iter()
        .map(|file| open(file))
        .collect::<Result<Vec<_>>>()?;
    let (rows, began) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let bar = progress_bar(&files, &rows);
    let sources = files.into_iter().map(|input| Source {
        watched: Some(&rows),
        options: ReadOptions {
            days: options.days,
            ids_as_written: options.ids_as_written,
            valid_from: options.valid_from,
            new_stores: NewStores::UpTo(options.max_stores),
            ..ReadOptions::until(Micros::MAX)
        },
        ..Source::new(input.name, bar.wrap_read(input.bytes))
    });
    let choices = Choices {
        on_bad_row,
        hours: options.hours,
    };
    let scratch = Scratch::unbounded(folder_of(file));
    let read = import::read(sources, time, &scratch, || Ok(choices), reject);
    tracing::debug!(elapsed = ?began.elapsed(), "read and sorted");
    bar.set_style(style("{spinner} {msg} {elapsed}"));
    bar.set_message("writing");
    let written = read.and_then(|batch| {
        let written = match existing {
            Some(mut db) => write(&mut db, batch),
            None => create(file, |db| write(db, batch)),
        };
        Ok(written?)
    });
    bar.finish_and_clear();
    tracing::debug!(elapsed = ?began.elapsed(), "written");
    written
}

/// Writes a batch; readers of the database see it whole or not at all.
fn write(db: &mut Connection, batch: Batch) -> Result<Loaded> {
    let author = Author::command(clock::machine_us());
    let loaded = db::write(db, |db| {
        let summary = load::write(db, batch)?;
        summary.audit(db, &author)?;
        Ok((summary, Fit::of(db)?))
    })?;
    pack(db);
    Ok(loaded)
}

/// Packs hours that are not packed yet.
fn pack(db: &mut Connection) {
    if let Err(error) = packed::pack_all(db, packed::AFTER_IMPORT) {
        // The rows are stored; reading them only takes longer.
        tracing::warn!(%error, "the rows could not be packed");
    }
}

/// The error of a refused call, with the list of its bad rows.
fn refused(refusal: Refusal) -> Error {
    let Refusal::Rows { count, told, .. } = refusal else {
        return refusal.into();
    };
    for row in &told {
        note!("{}", row.bad.in_file(&row.source));
    }
    let more = count.saturating_sub(BAD_ROWS_TOLD as u64);
    let rows = if count == 1 {
        "1 row was".to_owned()
    } else {
        format!("{} rows were", grouped(count))
    };
    let more = if more > 0 {
        format!(" ({} more than are told above)", grouped(more))
    } else {
        String::new()
    };
    Error::invalid(format!(
        "{rows} refused{more}, so nothing was written (correct them, or take the good rows with --rejects FILE)"
    ))
}

/// Loads sources that must be good, such as the demo's.
///
/// # Errors
/// When one is bad, or the database cannot be written.
pub fn load_all<'a>(db: &mut Connection, sources: impl IntoIterator<Item = Source<'a>>) -> Result<Summary> {
    let scratch = Scratch::unbounded(&std::env::temp_dir());
    let batch = import::read(
        sources,
        MachineTime::until(Micros::MAX),
        &scratch,
        || Ok(Choices::default()),
        &mut |_, _| Ok(()),
    )?;
    db::write(db, |db| load::write(db, batch))
}

/// An open input file.
struct Input {
    name: String,
    /// Its length, if it has one.
    length: Option<u64>,
    bytes: Box<dyn Read + Send>,
}

fn open(file: &Path) -> Result<Input> {
    if file == Path::new("-") {
        return Ok(Input {
            name: "stdin".to_owned(),
            length: None,
            bytes: Box::new(io::stdin()),
        });
    }
    let name = file.display().to_string();
    let unreadable = |error: io::Error| {
        Error::invalid(format!("cannot read {name} (check its name and your permissions)")).because(error)
    };
    let open = File::open(file).map_err(unreadable)?;
    let facts = open.metadata().map_err(unreadable)?;
    if facts.is_dir() {
        return Err(Error::invalid(format!("{name} is a folder (name the files in it)")));
    }
    Ok(Input {
        length: facts.is_file().then_some(facts.len()),
        bytes: Box::new(open),
        name,
    })
}

/// A bar on stderr if that is a terminal, else a hidden bar.
fn progress_bar(files: &[Input], rows: &Arc<AtomicU64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let length: Option<u64> = files.iter().map(|input| input.length).sum();
    let bar = match length {
        Some(length) => ProgressBar::new(length)
            .with_style(style("{wide_bar} {bytes}/{total_bytes}  {rows_per_second}  {eta} left")),
        None => ProgressBar::new_spinner().with_style(style("{spinner} {bytes}  {rows_per_second}")),
    };
    let rows = Arc::clone(rows);
    let rate = move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let elapsed_ms = state.elapsed().as_millis().max(1);
        let rate = u128::from(rows.load(Ordering::Relaxed)) * 1000 / elapsed_ms;
        // A bar that cannot be written must not stop the import.
        let _ = write!(out, "{} rows/s", grouped(u64::try_from(rate).unwrap_or(u64::MAX)));
    };
    bar.set_style(bar.style().with_key("rows_per_second", rate));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants of this file; a wrong one would only give the default style.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Prints the summary in one line, and a line for each note.
fn tell(summary: &Summary, files: usize) {
    for SourceNote { source, note } in &summary.notes {
        let (code, meaning) = (note.code.as_str(), note.code.meaning());
        let place = match note.line {
            Some(line) if note.count == 1 => format!(" on line {line}"),
            Some(line) => format!(", first on line {line}"),
            None => String::new(),
        };
        let times = if note.count == 1 {
            "once".to_owned()
        } else {
            format!("{} times", grouped(note.count))
        };
        let names = match &note.names[..] {
            [] => String::new(),
            names => format!(" ({})", names.join(", ")),
        };
        note!("note: {source}: {code}, {times}{place}: {meaning}{names}");
    }
    let span = summary.span.map_or_else(String::new, |(first, last)| {
        format!(
            "; polls from {} to {}",
            civil::format_utc(first),
            civil::format_utc(last)
        )
    });
    note!(
        "{}: {} accepted, {} unchanged, {} replaced, {} removed, {} rejected; {}{span}",
        counted(files as u64, "file"),
        counted(summary.accepted, "row"),
        grouped(summary.unchanged),
        grouped(summary.replaced),
        grouped(summary.removed),
        grouped(summary.rejected),
        counted(summary.stores_new, "new store"),
    );
}

/// A count of things, one or more.
fn counted(count: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// A number with a comma between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(super::grouped),
            ["0", "999", "1,000", "1,234,567"]
        );
    }
}
