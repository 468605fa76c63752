//! An upload: the body of a request in progress.

use std::io::ErrorKind;

use super::chunks::BodyDecoder;
use super::head::Head;
use super::limits::Admission;
use super::rate_limit::RateLimit;
use super::refusal::Refusal;
use super::spool::Spool;

/// A body in progress.
pub(super) struct Upload {
    pub(super) head: Head,
    pub(super) admission: Admission,
    pub(super) decoder: BodyDecoder,
    pub(super) spool: Spool,
    pub(super) rate_limit: RateLimit,
}

impl Upload {
    /// Reads the body's part of the input; returns how much it was.
    pub(super) fn decode(&mut self, input: &[u8]) -> Result<usize, Refusal> {
        let mut kept = Ok(());
        let spool = &mut self.spool;
        let taken = self.decoder.decode(input, |bytes| {
            if kept.is_ok() {
                kept = spool.push(bytes);
            }
        })?;
        kept.map(|()| taken).map_err(|error| {
            tracing::warn!(%error, "there is no room for a body");
            match error.kind() {
                ErrorKind::StorageFull => Refusal::NO_DISK,
                _ => Refusal::NO_ROOM,
            }
        })
    }
}
