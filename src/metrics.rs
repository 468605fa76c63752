//! Metrics: counters, gauges and histograms of a running server, and their text for Prometheus.
//!
//! Each room counts into a structure of its own, made of these atomics, and hands it out. A crate was weighed:
//! `prometheus-client` finds a labelled counter by a lock and a hash at each request. Here the place is known when the
//! program is compiled, or is the number of a route: a request costs three additions. What is unknown has no sample.

use std::fmt::{Display, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper ends of a histogram's buckets, in microseconds.
const BUCKETS: [u64; 15] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000, 30_000_000,
];

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// A counter that has counted nothing.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Counts one more.
    pub fn one(&self) {
        self.add(1);
    }

    /// Counts so many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The count since the start.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that is set again and again.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Sets it.
    pub fn set(&self, value: usize) {
        self.0.store(value as u64, Ordering::Relaxed);
    }

    /// The value that was set last.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long things took.
#[derive(Debug, Default)]
pub struct Histogram {
    /// How many ended in each bucket and in none before it; the last has no end.
    counts: [AtomicU64; BUCKETS.len() + 1],
    sum_us: AtomicU64,
}

impl Histogram {
    /// Counts one that took so long.
    pub fn observe(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let place = BUCKETS.partition_point(|end| *end < us);
        self.counts[place].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

/// The type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Grows until the process ends.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Durations.
    Histogram,
}

/// The labels of a sample: names and values.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

/// The text of all families.
#[derive(Debug, Default)]
pub struct Text(String);

/// One family, whose head is written with its first sample: a family without samples is absent.
pub struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
    help: &'static str,
    kind: Kind,
    has_head: bool,
}

impl Text {
    /// Begins a family.
    pub fn family(&mut self, kind: Kind, name: &'static str, help: &'static str) -> Family<'_> {
        Family {
            text: &mut self.0,
            name,
            help,
            kind,
            has_head: false,
        }
    }

    /// A family with one sample; absent if it is unknown.
    pub fn gauge(&mut self, name: &'static str, help: &'static str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.family(Kind::Gauge, name, help).sample(&[], value);
        }
    }

    /// A counter without labels.
    pub fn counter(&mut self, name: &'static str, help: &'static str, counter: &Counter) {
        self.family(Kind::Counter, name, help).sample(&[], counter.get());
    }

    /// A histogram without labels.
    pub fn histogram(&mut self, name: &'static str, help: &'static str, histogram: &Histogram) {
        self.family(Kind::Histogram, name, help).histogram(&[], histogram);
    }

    /// The whole text.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl Family<'_> {
    fn head(&mut self) {
        if std::mem::replace(&mut self.has_head, true) {
            return;
        }
        let (name, help) = (self.name, self.help);
        let kind = match self.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        // Writing to memory cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// A sample with these labels.
    pub fn sample(&mut self, labels: Labels<'_>, value: impl Display) {
        self.head();
        self.line("", labels, None, value);
    }

    /// The samples of a histogram with these labels.
    pub fn histogram(&mut self, labels: Labels<'_>, histogram: &Histogram) {
        self.head();
        let mut count = 0;
        for (place, end) in BUCKETS.iter().copied().map(Some).chain([None]).enumerate() {
            count += histogram.counts[place].load(Ordering::Relaxed);
            let end = end.map_or_else(|| "+Inf".to_owned(), seconds);
            self.line("_bucket", labels, Some(&end), count);
        }
        self.line("_sum", labels, None, seconds(histogram.sum_us.load(Ordering::Relaxed)));
        self.line("_count", labels, None, count);
    }

    fn line(&mut self, suffix: &str, labels: Labels<'_>, end: Option<&str>, value: impl Display) {
        let _ = write!(self.text, "{}{suffix}", self.name);
        let all = labels.iter().copied().chain(end.map(|end| ("le", end)));
        let mut before = '{';
        for (name, value) in all {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{before}{name}=\"{value}\"");
            before = ',';
        }
        let close = if before == ',' { "}" } else { "" };
        let _ = writeln!(self.text, "{close} {value}");
    }
}

/// Microseconds as seconds, exactly.
pub fn seconds(us: u64) -> String {
    let text = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_each_duration_in_every_bucket_that_it_fits_in() {
        let histogram = Histogram::default();
        for us in [0, 500, 501, 999_999, 60_000_000] {
            histogram.observe(Duration::from_micros(us));
        }
        let mut text = Text::default();
        text.family(Kind::Histogram, "a_seconds", "A.")
            .histogram(&[("b", "\"c\\")], &histogram);
        let text = text.into_string();
        assert!(text.starts_with("# HELP a_seconds A.\n# TYPE a_seconds histogram\n"));
        for line in [
            "a_seconds_bucket{b=\"\\\"c\\\\\",le=\"0.0005\"} 2",
            "a_seconds_bucket{b=\"\\\"c\\\\\",le=\"0.001\"} 3",
            "a_seconds_bucket{b=\"\\\"c\\\\\",le=\"1\"} 4",
            "a_seconds_bucket{b=\"\\\"c\\\\\",le=\"+Inf\"} 5",
            "a_seconds_sum{b=\"\\\"c\\\\\"} 61.001",
            "a_seconds_count{b=\"\\\"c\\\\\"} 5",
        ] {
            assert!(text.contains(&format!("\n{line}\n")), "{line} in {text}");
        }
        assert_eq!(histogram.count(), 5);
    }

    #[test]
    fn what_is_unknown_has_no_sample_and_no_head() {
        let mut text = Text::default();
        text.gauge("a", "A.", None::<u64>);
        text.gauge("b", "B.", Some(-1));
        assert_eq!(text.into_string(), "# HELP b B.\n# TYPE b gauge\nb -1\n");
    }
}
