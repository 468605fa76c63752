//! The import call, which the command line, the API and the page `/load` share.
//!
//! [`read`] judges the inputs and refuses the call or returns a [`Batch`]; [`write`](super::load::write) writes
//! it in one transaction and returns the [`Summary`](super::load::Summary).

use std::io::Read;

use super::batch::{self, Batch};
use super::machine_time::MachineTime;
use super::problem::BadRow;
use super::source::{Refusal, Source};
use crate::db::schedules::HoursMode;
use crate::error::{Error, Result};
use crate::scratch::Scratch;

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

/// A caller's choices about a call, which may be known only after its inputs were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// How bad rows are treated.
    pub on_bad_row: OnBadRow,
    /// What new hours of a store replace.
    pub hours: HoursMode,
}

/// An input that came over HTTP, where a body may have at most `bytes_max` bytes, also when it is unpacked.
pub fn upload<'a>(name: &str, bytes: impl Read + Send + 'a, bytes_max: u64) -> Source<'a> {
    Source {
        bytes_max,
        ..Source::new(name, bytes)
    }
}

/// Reads and judges every row of the inputs. `time` is the machine's: it says which polls are in the future. Polls that
/// memory should not hold are spooled to `scratch`. `reject` receives every bad row, with the name of its input;
/// `choices` is called after all inputs were read.
///
/// # Errors
/// An input that cannot be read or is of no known kind; bad rows, unless they are skipped; bad rows alone, even if
/// they are skipped; polls ahead of a clock that is in doubt; those of `choices` and `reject`.
pub fn read<'a>(
    sources: impl IntoIterator<Item = Source<'a>>,
    time: MachineTime,
    scratch: &Scratch,
    choices: impl FnOnce() -> Result<Choices>,
    reject: &mut dyn FnMut(&str, BadRow) -> Result<()>,
) -> Result<Batch, Refusal> {
    let mut batch = batch::read(sources, time, scratch, reject)?;
    time.judge(batch.span.map(|(_, last)| last))?;
    let choices = choices()?;
    batch.hours = choices.hours;
    let is_refused = match choices.on_bad_row {
        OnBadRow::Refuse => batch.rejected > 0,
        OnBadRow::Skip => {
            batch.refuse_siblings(reject)?;
            batch.rejected > 0 && batch.rows_good == 0
        }
    };
    if is_refused {
        return Err(Refusal::Rows {
            count: batch.rejected,
            good: batch.rows_good,
            told: batch.bad_rows,
        });
    }
    Ok(batch)
}
