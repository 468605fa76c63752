//! The import call: what the command line, the API and the page `/load` do with inputs, each in its words.
//!
//! [`read`] judges the inputs and refuses the call or gives a [`Batch`]; [`write`](super::load::write)
//! writes that in one transaction and gives the [`Summary`](super::load::Summary).

use std::io::Read;
use std::path::Path;

use super::batch::{self, Batch, Refusal, Source};
use super::problem::BadRow;
use crate::error::{Error, Result};
use crate::uptime::interval::{DAY, Micros};

/// How many times as long as it was sent an upload may be when it is unpacked.
const UNPACKED_FACTOR: u64 = 8;

/// What becomes of a call with bad rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnBadRow {
    /// Nothing is written.
    #[default]
    Refuse,
    /// The good rows are taken.
    Skip,
}

impl OnBadRow {
    /// The name that clients use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Skip => "skip",
        }
    }

    /// The choice with that name; none chosen is [`OnBadRow::Refuse`].
    ///
    /// # Errors
    /// An unknown name.
    pub fn parse(name: Option<&str>) -> Result<Self> {
        match name {
            None | Some("refuse") => Ok(Self::Refuse),
            Some("skip") => Ok(Self::Skip),
            Some(other) => {
                let other = other.escape_debug();
                let reason = format!("unknown on_bad_row `{other}` (expected `refuse` or `skip`)");
                Err(Error::invalid(reason))
            }
        }
    }
}

/// An input that came over HTTP, where a body may have `bytes_max` bytes.
pub fn upload<'a>(name: &str, bytes: impl Read + Send + 'a, bytes_max: u64) -> Source<'a> {
    Source {
        bytes_max: bytes_max.saturating_mul(UNPACKED_FACTOR),
        ..Source::new(name, bytes)
    }
}

/// Reads and judges every row of the inputs, at the instant `at` by the machine's clock: no poll may be
/// more than a day later. Polls that memory should not hold are spooled to `folder`. `reject` is told of
/// every bad row, with the name of its input; `on_bad_row` is asked when all inputs were read.
///
/// # Errors
/// An input that cannot be read or is none of ours; bad rows, unless they are skipped; those of
/// `on_bad_row` and `reject`.
pub fn read<'a>(
    sources: impl IntoIterator<Item = Source<'a>>,
    at: Micros,
    folder: &Path,
    on_bad_row: impl FnOnce() -> Result<OnBadRow>,
    reject: &mut dyn FnMut(&str, BadRow) -> Result<()>,
) -> Result<Batch, Refusal> {
    let batch = batch::read(sources, at + DAY, folder, reject)?;
    if on_bad_row()? == OnBadRow::Refuse && batch.rejected > 0 {
        let (count, told) = (batch.rejected, batch.bad_rows);
        return Err(Refusal::Rows { count, told });
    }
    Ok(batch)
}
