//! The table: each measurement, its reference, and whether the target is met.

#![expect(clippy::print_stdout, reason = "the table is what the bench is for")]

use std::thread;
use std::time::Duration;

use super::Result;
use super::data::Data;

/// Something that was measured.
#[derive(Clone, Copy)]
pub(crate) enum Measure {
    Time(Duration),
    RowsPerSecond(f64),
    Bytes(u64),
    Unknown,
}

/// What the ratio of a figure to its reference should be.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
}

/// What a figure is compared to.
pub(crate) enum Against {
    Reference {
        name: &'static str,
        measured: Measure,
        target: Target,
    },
    /// Why there is nothing to compare it to.
    Missing(String),
}

impl Against {
    pub(crate) fn reference(reference: &Result<(&'static str, Measure)>, target: Target) -> Self {
        match reference {
            &Ok((name, measured)) => Self::Reference {
                name,
                measured,
                target,
            },
            Err(missing) => Self::Missing(missing.to_string()),
        }
    }
}

/// One line of the table.
pub(crate) struct Figure {
    pub(crate) what: &'static str,
    pub(crate) measured: Measure,
    pub(crate) against: Against,
}

#[derive(Default)]
pub(crate) struct Table(Vec<[String; 7]>);

impl Table {
    pub(crate) fn add(&mut self, figure: Figure) {
        let (what, measured) = (figure.what.to_owned(), figure.measured);
        let line = match figure.against {
            Against::Reference {
                name,
                measured: reference,
                target,
            } => {
                let ratio = measured.value() / reference.value();
                let (wanted, met) = match target {
                    Target::AtMost(most) => (format!("≤ {most:.3}"), ratio <= most),
                    Target::AtLeast(least) => (format!("≥ {least:.2}"), ratio >= least),
                };
                [
                    what,
                    measured.text(),
                    name.to_owned(),
                    reference.text(),
                    format!("{ratio:.3}"),
                    wanted,
                    if met { "yes" } else { "no" }.to_owned(),
                ]
            }
            Against::Missing(why) => {
                let why = why.lines().next().unwrap_or_default().to_owned();
                eprintln!("SKIPPED: {what}: {why}");
                let skipped = || "skipped".to_owned();
                let dash = || "–".to_owned();
                [
                    what,
                    measured.text(),
                    why,
                    dash(),
                    dash(),
                    dash(),
                    skipped(),
                ]
            }
        };
        self.0.push(line);
    }

    /// Prints it as Markdown, in columns.
    pub(crate) fn print(self, data: &Data) {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let ((stores, days), rows) = (data.size, data.rows);
        println!("{stores} stores, {days} days, {rows} polls; {cores} cores; medians\n");
        let head = [
            "what",
            "measured",
            "compared to",
            "measured",
            "ratio",
            "target",
            "met",
        ];
        print_lines(head, self.0);
    }
}

/// Prints a Markdown table, in columns.
pub(crate) fn print_lines<const N: usize>(head: [&str; N], mut lines: Vec<[String; N]>) {
    lines.insert(0, head.map(str::to_owned));
    let widths: [usize; N] = std::array::from_fn(|column| {
        let widths = lines.iter().map(|line| line[column].chars().count());
        widths.max().unwrap_or_default()
    });
    lines.insert(1, widths.map(|width| "-".repeat(width)));
    for line in lines {
        for (cell, width) in line.iter().zip(&widths) {
            print!("| {cell:width$} ");
        }
        println!("|");
    }
}

impl Measure {
    /// Only good for a ratio with another of its kind.
    fn value(self) -> f64 {
        match self {
            Self::Time(time) => time.as_secs_f64(),
            Self::RowsPerSecond(rate) => rate,
            Self::Bytes(bytes) => mib(bytes),
            Self::Unknown => f64::NAN,
        }
    }

    fn text(self) -> String {
        match self {
            Self::Time(time) => format!("{:.1} ms", time.as_secs_f64() * 1000.0),
            Self::RowsPerSecond(rate) if rate < 10_000.0 => format!("{rate:.0} rows/s"),
            Self::RowsPerSecond(rate) => format!("{:.0} thousand rows/s", rate / 1000.0),
            Self::Bytes(bytes) if bytes < 1 << 20 => format!("{:.1} KiB", mib(bytes) * 1024.0),
            Self::Bytes(bytes) => format!("{:.1} MiB", mib(bytes)),
            Self::Unknown => "–".to_owned(),
        }
    }
}

/// Exact up to 4 GiB, and to the nearest KiB below from there on.
pub(crate) fn mib(bytes: u64) -> f64 {
    let small = u32::try_from(bytes).map(|bytes| f64::from(bytes) / 1024.0);
    small.unwrap_or_else(|_| f64::from(u32::try_from(bytes / 1024).unwrap_or(u32::MAX))) / 1024.0
}
