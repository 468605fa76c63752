//! The process as the system sees it, in the names that Prometheus' own clients use.

use std::fs;
use std::path::Path;

use crate::metrics::{Kind, Text, seconds};
use crate::uptime::interval::{Micros, SECOND};

/// Writes what the system says of this process; `started_at` is its start. What is unknown is left out.
pub(super) fn write(text: &mut Text, started_at: Micros) {
    text.gauge(
        "process_start_time_seconds",
        "When the server started, in seconds since 1970.",
        Some(started_at / SECOND),
    );
    text.gauge(
        "process_resident_memory_bytes",
        "Memory of the process that is in use.",
        resident_bytes(),
    );
    if let Some(used) = processor_us() {
        let mut family = text.family(
            Kind::Counter,
            "process_cpu_seconds_total",
            "Processor time of the process.",
        );
        family.sample(&[], seconds(used));
    }
    let open = fs::read_dir("/proc/self/fd").ok().map(Iterator::count);
    text.gauge("process_open_fds", "Open files and connections.", open);
    text.gauge("process_max_fds", "How many there may be.", descriptors_max());
}

/// `VmRSS: 12345 kB`
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string(Path::new("/proc/self/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}

#[cfg(unix)]
fn processor_us() -> Option<u64> {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = u64::try_from(used.tv_sec).ok()?;
    Some(seconds * 1_000_000 + u64::try_from(used.tv_nsec).ok()? / 1000)
}

#[cfg(unix)]
fn descriptors_max() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(not(unix))]
fn processor_us() -> Option<u64> {
    None
}

#[cfg(not(unix))]
fn descriptors_max() -> Option<u64> {
    None
}
