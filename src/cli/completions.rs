//! `completions`: what a shell needs to complete the program's commands and flags.

use clap_complete::Shell;

use super::output;
use crate::error::{Error, Result};

/// The options of `completions`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Prints the shell's script.
///
/// # Errors
/// When stdout cannot be written.
pub fn run(options: &Options) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut super::command(), "store-monitor", &mut script);
    output::to_stdout(|out| {
        out.write_all(&script)
            .map_err(|error| Error::failed("stdout cannot be written").because(error))
    })
}
