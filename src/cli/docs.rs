//! `docs`: prints a guide, or the list of guides.

use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::output;
use crate::docs::{GUIDES, Guide};
use crate::error::{Error, Result};

/// The options of `docs`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The guide; without one, all are listed
    #[arg(value_name = "TOPIC", value_parser = guide())]
    guide: Option<&'static Guide>,
}

/// Parses the name of a guide; for an unknown name, clap suggests the nearest.
fn guide() -> impl TypedValueParser<Value = &'static Guide> {
    PossibleValuesParser::new(GUIDES.map(|guide| guide.name)).try_map(|name| {
        let found = GUIDES.iter().find(|guide| guide.name == name);
        found.ok_or_else(|| Error::invalid(format!("there is no guide `{name}`")))
    })
}

/// Prints the guide or the list.
///
/// # Errors
/// When stdout cannot be written.
pub fn run(options: &Options) -> Result<()> {
    let text = match options.guide {
        Some(guide) => guide.text.to_owned(),
        None => GUIDES
            .map(|guide| format!("{:12} {}\n", guide.name, guide.about))
            .concat(),
    };
    output::to_stdout(|out| {
        out.write_all(text.as_bytes())
            .map_err(|error| Error::failed("stdout cannot be written").because(error))
    })
}
