//! The import call, which the command line, the API and the page `/load` share.
//!
//! [`read`] judges the inputs and refuses the call or returns a [`Batch`]; [`write`](super::load::write) writes
//! it in one transaction and returns the [`Summary`](super::load::Summary).

use std::io::Read;
use std::path::Path;

use super::batch::{self, Batch, Refusal, Source};
use super::problem::BadRow;
use crate::error::{Error, Result};
use crate::uptime::interval::{DAY, Micros};

/// How many times its sent length an upload may have when unpacked.
const UNPACKED_FACTOR: u64 = 8;

/// How a call with bad rows is treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnBadRow {
    /// Nothing is written.
    #[default]
    Refuse,
    /// The good rows are written.
    Skip,
}

impl OnBadRow {
    /// The name in requests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Skip => "skip",
        }
    }

    /// The choice with that name; without a name, [`OnBadRow::Refuse`].
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

/// An input that came over HTTP, where a body may have at most `bytes_max` bytes.
pub fn upload<'a>(name: &str, bytes: impl Read + Send + 'a, bytes_max: u64) -> Source<'a> {
    Source {
        bytes_max: bytes_max.saturating_mul(UNPACKED_FACTOR),
        ..Source::new(name, bytes)
    }
}

/// Reads and judges every row of the inputs. `at` is the machine's clock: no poll may be more than a day
/// later. Polls that memory should not hold are spooled to `folder`. `reject` receives every bad row, with the
/// name of its input; `on_bad_row` is called after all inputs were read.
///
/// # Errors
/// An input that cannot be read or is of no known kind; bad rows, unless they are skipped; those of
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
