//! `[[digest]]`: who gets which digest, and when.

use super::section::Section;
use crate::access::Audience;
use crate::error::Result;

/// A digest that is sent again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The stores that it is about.
    pub stores: Audience,
    /// The receivers.
    pub to: Vec<String>,
}

/// The digest that a table describes.
///
/// # Errors
/// When a key is unknown, missing or wrong.
pub fn read(mut table: Section) -> Result<Schedule> {
    let groups = table.texts("group")?;
    let digest = Schedule {
        stores: match groups.is_empty() {
            true => Audience::All,
            false => Audience::of_groups(groups),
        },
        to: table.texts("to")?,
    };
    table.finish()?;
    Ok(digest)
}
