//! The machine's clock. Only the edge reads it: commands, the job queue, HTTP. All other rooms receive `as_of`.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::uptime::interval::Micros;

/// The current instant, in microseconds since 1970 UTC.
pub fn machine_us() -> Micros {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros::try_from(since_1970.as_micros()).unwrap_or(Micros::MAX)
}
