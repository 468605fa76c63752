//! `[[receiver]]`: where messages go.

use super::section::Section;
use crate::error::Result;
use crate::notify::receiver::Receiver;

/// The receiver that a table describes.
///
/// # Errors
/// When a key is unknown, missing or wrong.
pub fn read(mut table: Section) -> Result<Receiver> {
    let receiver = Receiver {
        name: table.required("name")?,
    };
    table.finish()?;
    Ok(receiver)
}
