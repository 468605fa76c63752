//! The curve: the cost of ten and a hundred times the stores, and an estimate for every restaurant on earth.
//!
//! `cargo bench --bench curve` runs it; `cargo bench --bench curve -- 14000 140000` with other sizes. It reports
//! and skips sizes that exceed the memory, the disk or the time, and removes its files. The program is measured
//! from outside.

#![expect(clippy::print_stdout, reason = "the tables are what the bench is for")]

#[expect(dead_code, reason = "the other benches use the rest")]
mod data;
#[expect(dead_code, reason = "the other benches use the rest")]
mod program;
#[expect(dead_code, reason = "the other benches use the rest")]
mod server;
#[expect(dead_code, reason = "the other benches use the rest")]
mod table;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use store_monitor::civil::write_timestamp;

use server::Server;
use table::mib;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const SIZES: [u32; 3] = [14_000, 140_000, 1_400_000];
const DAYS: u32 = 8;

/// How many stores are measured a second time with fewer days, at most, and with how many: what the other
/// days cost is the price of their polls.
const FEWER_DAYS: (u32, u32) = (140_000, 2);

/// All restaurants on earth, nearly.
const EARTH_STORES: u32 = 20_000_000;

/// How long all of it may take.
const TIME_MAX: Duration = Duration::from_secs(25 * 60);

/// What a poll may take of the disk (its CSV, the database, its write-ahead log) and of memory, on the way.
const DISK_BYTES_A_POLL: u64 = 110;
const MEMORY_BYTES_A_POLL: u64 = 20;

/// At most, of a store and a day.
const POLLS_A_DAY: u64 = 24;

const HOT_RUNS: usize = 11;
const HOUR_US: i64 = 3_600_000_000;
const MIB: f64 = 1_048_576.0;

/// What was measured of one size.
struct Point {
    stores: u32,
    days: u32,
    /// Rows of its file of polls.
    polls: u32,
    import: Duration,
    /// Of the database.
    file_bytes: u64,
    /// From the start of the process to its first line.
    listening: Duration,
    /// From the start of the process to its first report, complete.
    cold: Duration,
    /// Trigger to complete; the median.
    hot: Duration,
    /// Of the server, after those reports.
    resident_bytes: u64,
    /// A poll of each store in one request, until it is durable.
    batch: Duration,
    /// All of the above, and generating the data.
    took: Duration,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        eprintln!("nothing is measured here: `cargo bench --bench curve` does that");
        return Ok(());
    }
    let named = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'));
    let mut sizes = named
        .map(|size| size.parse::<u32>())
        .collect::<std::result::Result<Vec<u32>, _>>()
        .map_err(|_| "the arguments are numbers of stores, such as 14000 140000")?;
    if sizes.is_empty() {
        sizes.extend(SIZES);
    }
    sizes.sort_unstable();
    sizes.dedup();

    let start = Instant::now();
    let fewer = sizes.iter().rev().find(|&&size| size <= FEWER_DAYS.0);
    let fewer = fewer.map(|&size| (size, FEWER_DAYS.1));
    let whole = sizes.iter().map(|&size| (size, DAYS));
    let mut points: Vec<Point> = Vec::new();
    for (stores, days) in fewer.into_iter().chain(whole) {
        match why_not(stores, days, &points, start) {
            Some(reason) => eprintln!("SKIPPED: {stores} stores, {days} days: {reason}"),
            None => points.push(measure(stores, days)?),
        }
    }
    print_points(&points);
    print_costs(&points);
    Ok(())
}

/// What the machine lacks for a size, if anything.
fn why_not(stores: u32, days: u32, points: &[Point], start: Instant) -> Option<String> {
    let polls = u64::from(stores) * u64::from(days) * POLLS_A_DAY;
    if let Some(largest) = points.last() {
        let times = f64::from(stores) * f64::from(days)
            / (f64::from(largest.stores) * f64::from(largest.days));
        let expected = largest.took.mul_f64(times);
        let left = TIME_MAX.saturating_sub(start.elapsed());
        if expected > left {
            let (expected, left) = (expected.as_secs() / 60, left.as_secs() / 60);
            return Some(format!(
                "it would take {expected} minutes, and {left} are left"
            ));
        }
    }
    let lacks = |what: &str, free: Option<u64>, needed: u64| {
        let free = free.filter(|&free| free < needed)?;
        let (free, needed) = (free >> 30, (needed >> 30) + 1);
        Some(format!(
            "it needs {needed} GiB of {what}, and {free} are free"
        ))
    };
    lacks("disk", free_disk(target()), polls * DISK_BYTES_A_POLL)
        .or_else(|| lacks("memory", free_memory(), polls * MEMORY_BYTES_A_POLL))
}

/// Where the system says; none where it does not.
fn free_disk(folder: &Path) -> Option<u64> {
    let output = Command::new("df").arg("-Pk").arg(folder).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let kib: u64 = text
        .lines()
        .last()?
        .split_whitespace()
        .nth(3)?
        .parse()
        .ok()?;
    Some(kib * 1024)
}

fn free_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    program::status_bytes(&text, "MemAvailable:")
}

/// A folder that is gone in the end, whatever happens.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // Best effort: the next run removes it first.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Measures one size, each step once but for the hot reports.
fn measure(stores: u32, days: u32) -> Result<Point> {
    let start = Instant::now();
    let folder = Folder(target().join("bench-data").join("curve"));
    if folder.0.exists() {
        fs::remove_dir_all(&folder.0)?;
    }
    eprintln!("{stores} stores, {days} days: generating …");
    let polls = generate(&folder.0, stores, days)?;
    eprintln!("importing {polls} polls …");
    let database = folder.0.join("all.db");
    let files = [
        "store_status",
        "menu_hours",
        "special_hours",
        "timezones",
        "stores",
    ]
    .map(|name| folder.0.join(format!("{name}.csv")));
    let paths: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let (_, import) = program::timed(program::import_command(&paths, &database))?;
    // What follows may need their room.
    for file in &files {
        fs::remove_file(file)?;
    }
    let file_bytes = fs::metadata(&database)?.len();
    let batch = hour_of_polls(&database)?;

    eprintln!("serving …");
    let server = Server::start_new(&database)?;
    let listening = server.started.elapsed();
    let cold = server.report()?.told - server.started;
    let mut hot = Vec::new();
    for _ in 0..HOT_RUNS {
        hot.push(server.report()?.complete);
    }
    hot.sort_unstable();
    let resident_bytes = server.resident_bytes()?;
    let posted = Instant::now();
    server.post("/api/polls", &batch)?;
    let batch = posted.elapsed();
    Ok(Point {
        stores,
        days,
        polls,
        import,
        file_bytes,
        listening,
        cold,
        hot: hot[hot.len() / 2],
        resident_bytes,
        batch,
        took: start.elapsed(),
    })
}

/// Makes the files; returns how many polls there are, which counting in them would take long.
fn generate(folder: &Path, stores: u32, days: u32) -> Result<u32> {
    let mut command = program::program("generate");
    command.args(["--stores", &stores.to_string()]);
    command.args(["--days", &days.to_string()]).arg(folder);
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let polls = said.split(' ').zip(said.split(' ').skip(1));
    let polls = polls.filter(|(_, what)| what.starts_with("polls"));
    let polls = polls.map(|(number, _)| number.parse::<u32>()).next();
    match polls {
        Some(Ok(polls)) if output.status.success() => Ok(polls),
        _ => Err(format!("`generate` said: {said}").into()),
    }
}

/// A poll of each store in the hour after the newest, as CSV.
fn hour_of_polls(database: &Path) -> Result<Vec<u8>> {
    let db = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let newest: i64 = db.query_row("SELECT max(at) FROM poll", [], |row| row.get(0))?;
    let mut select = db.prepare("SELECT store_id FROM store ORDER BY key")?;
    let mut rows = select.query([])?;
    let mut csv = b"store_id,timestamp_utc,status\n".to_vec();
    let mut at = newest;
    while let Some(row) = rows.next()? {
        let id: String = row.get(0)?;
        // A poller goes round: neighbours are a moment apart, and never for longer than the hour.
        at = newest + (at - newest + 1_234) % HOUR_US;
        csv.extend_from_slice(id.as_bytes());
        csv.push(b',');
        write_timestamp(&mut csv, at);
        csv.extend_from_slice(b",active\n");
    }
    Ok(csv)
}

fn print_points(points: &[Point]) {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    println!(
        "{cores} cores; the hot report is the median of {HOT_RUNS}, all else was measured once\n"
    );
    let head = [
        "stores",
        "days",
        "polls",
        "import",
        "file",
        "start-up",
        "cold report",
        "hot report",
        "RSS",
        "an hour's batch",
    ];
    let line = |point: &Point| {
        let rate = f64::from(point.polls) / point.import.as_secs_f64() / 1e6;
        [
            point.stores.to_string(),
            point.days.to_string(),
            point.polls.to_string(),
            format!("{rate:.2} M polls/s"),
            size(mib(point.file_bytes) * MIB),
            time(point.listening.as_secs_f64()),
            time(point.cold.as_secs_f64()),
            time(point.hot.as_secs_f64()),
            size(mib(point.resident_bytes) * MIB),
            time(point.batch.as_secs_f64()),
        ]
    };
    table::print_lines(head, points.iter().map(line).collect());
    println!(
        "\nStart-up: from the start of the process until it listens. Cold report: from there to its first\n\
         report, complete. Files are in the page cache. Hot report: trigger to complete, durable."
    );
}

/// One of a point's figures, in seconds or bytes, and how to write it.
type Quantity = (&'static str, fn(&Point) -> f64, fn(f64) -> String);

const QUANTITIES: [Quantity; 5] = [
    ("import", |point| point.import.as_secs_f64(), time),
    ("file", |point| mib(point.file_bytes) * MIB, size),
    ("cold report", |point| point.cold.as_secs_f64(), time),
    ("hot report", |point| point.hot.as_secs_f64(), time),
    ("RSS", |point| mib(point.resident_bytes) * MIB, size),
];

/// What a poll and a store cost, and so every restaurant on earth: a poll, by what more days of the same
/// stores cost; a store, by what is left at the largest size.
fn print_costs(points: &[Point]) {
    let fewer = points.iter().find(|point| point.days != DAYS);
    let more = fewer.and_then(|fewer| {
        let same = |point: &&Point| point.stores == fewer.stores && point.days == DAYS;
        points.iter().find(same)
    });
    let largest = points.iter().filter(|point| point.days == DAYS);
    let largest = largest.max_by_key(|point| point.stores);
    let (Some(fewer), Some(more), Some(largest)) = (fewer, more, largest) else {
        eprintln!("SKIPPED: the costs, for which too few sizes were measured");
        return;
    };
    let scale = f64::from(EARTH_STORES) / f64::from(largest.stores);
    let polls = f64::from(largest.polls) * scale;
    let mut lines: Vec<[String; 4]> = Vec::new();
    for (what, of, write) in QUANTITIES {
        let polls_between = f64::from(more.polls) - f64::from(fewer.polls);
        // Where noise says that less costs more, the truth is too small to be seen.
        let a_poll = ((of(more) - of(fewer)) / polls_between).max(0.0);
        let a_store = (of(largest) - a_poll * f64::from(largest.polls)) / f64::from(largest.stores);
        let earth = a_poll * polls + a_store * f64::from(EARTH_STORES);
        lines.push([what.to_owned(), write(a_poll), write(a_store), write(earth)]);
    }
    let batch = largest.batch.as_secs_f64();
    lines.push([
        "an hour's batch".to_owned(),
        "–".to_owned(),
        time(batch / f64::from(largest.stores)),
        time(batch * scale),
    ]);
    let (stores, days, fewer_days) = (more.stores, more.days, fewer.days);
    println!(
        "\nA poll: what {days} days of {stores} stores cost beyond {fewer_days}. A store: the rest, at {} stores.\n",
        largest.stores
    );
    let earth = format!(
        "{} M stores, {:.1} G polls",
        EARTH_STORES / 1_000_000,
        polls / 1e9
    );
    table::print_lines(["what", "a poll", "a store", earth.as_str()], lines);
}

/// Seconds, in the unit that suits them.
fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-6 => format!("{:.1} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.2} µs", s * 1e6),
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s if s < 600.0 => format!("{s:.1} s"),
        s => format!("{:.0} min", s / 60.0),
    }
}

/// Bytes, in the unit that suits them.
fn size(bytes: f64) -> String {
    match bytes {
        b if b < 1024.0 => format!("{b:.1} B"),
        b if b < MIB => format!("{:.1} KiB", b / 1024.0),
        b if b < 10_240.0 * MIB => format!("{:.0} MiB", b / MIB),
        b => format!("{:.0} GiB", b / MIB / 1024.0),
    }
}

/// Where the program's target folder is.
fn target() -> &'static Path {
    let inside = Path::new(env!("CARGO_TARGET_TMPDIR"));
    inside.parent().unwrap_or(inside)
}
