//! `man`: the program's manual pages, made of the same texts as its help.

use std::fs;
use std::path::PathBuf;

use clap_mangen::Man;

use super::output::{self, note};
use crate::error::{Error, Result};
use crate::uptime::interval::DAY;
use crate::{civil, clock};

/// What every command says at its end.
const EXIT_STATUS: &str = ".SH \"EXIT STATUS\"\n.TP\n0\ndone\n.TP\n1\nfailed: the disk, the database or the system\n\
    .TP\n2\nwrong usage or bad input\n.SH \"SEE ALSO\"\nThe guides, which\n.B store\\-monitor docs\nprints.\n";

/// The options of `man`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The command, such as `serve` or `token add`; without one, the page of the program
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,

    /// Write all pages into this folder, which is made if it is missing
    #[arg(long, env = "STORE_MONITOR_OUTPUT", value_name = "DIR", conflicts_with = "command")]
    output: Option<PathBuf>,
}

/// Prints a page, or writes all of them.
///
/// # Errors
/// An unknown command; when stdout or a file cannot be written.
pub fn run(options: &Options) -> Result<()> {
    let mut program = super::command();
    program.build();
    if let Some(folder) = &options.output {
        let failed = |error| {
            let reason = format!(
                "cannot write {} (check the folder and your permissions)",
                folder.display()
            );
            Error::invalid(reason).because(error)
        };
        fs::create_dir_all(folder).map_err(failed)?;
        let mut pages = Vec::new();
        all(&program, "store-monitor", &mut pages);
        for (name, command) in &pages {
            fs::write(folder.join(format!("{name}.1")), page(name, command)?).map_err(failed)?;
        }
        note!("{} pages in {}", pages.len(), folder.display());
        return Ok(());
    }
    let (mut command, mut name) = (&program, "store-monitor".to_owned());
    for word in &options.command {
        command = command.find_subcommand(word).ok_or_else(|| {
            let known: Vec<_> = shown(command).map(clap::Command::get_name).collect();
            let known = match known.is_empty() {
                true => "it has none".to_owned(),
                false => format!("expected one of {}", known.join(", ")),
            };
            Error::invalid(format!(
                "{} has no command `{}` ({known})",
                name.replace('-', " "),
                word.escape_debug()
            ))
        })?;
        name = format!("{name}-{word}");
    }
    let page = page(&name, command)?;
    output::to_stdout(|out| {
        out.write_all(&page)
            .map_err(|error| Error::failed("stdout cannot be written").because(error))
    })
}

/// The commands below a command that its help shows.
fn shown(command: &clap::Command) -> impl Iterator<Item = &clap::Command> {
    let commands = command.get_subcommands();
    commands.filter(|command| !command.is_hide_set() && command.get_name() != "help")
}

/// A command and all those below it, each with the name of its page.
fn all<'a>(command: &'a clap::Command, name: &str, pages: &mut Vec<(String, &'a clap::Command)>) {
    pages.push((name.to_owned(), command));
    for below in shown(command) {
        all(below, &format!("{name}-{}", below.get_name()), pages);
    }
}

fn page(name: &str, command: &clap::Command) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    // The help is a command of each command, and has no page.
    let shown = command
        .clone()
        .disable_help_subcommand(true)
        .display_name(name.to_owned());
    Man::new(shown)
        .title(name.to_uppercase())
        .source(concat!("store-monitor ", env!("CARGO_PKG_VERSION")))
        .manual("store-monitor")
        .date(civil::format_day(clock::BUILT_US / DAY))
        .render(&mut page)
        .map_err(|error| Error::failed("the page cannot be made").because(error))?;
    // An empty line makes the paragraph already.
    let mut text = String::from_utf8_lossy(&page).replace("\n.br\n\n.br\n", "\n.sp\n");
    text += &environment(command);
    text += EXIT_STATUS;
    Ok(text.into_bytes())
}

/// The flags that a variable can set, too.
fn environment(command: &clap::Command) -> String {
    let mut section = String::new();
    for flag in command.get_arguments().filter(|flag| !flag.is_hide_set()) {
        let (Some(long), Some(variable)) = (flag.get_long(), flag.get_env()) else {
            continue;
        };
        let heading = if section.is_empty() { ".SH ENVIRONMENT\n" } else { "" };
        section += &format!(
            "{heading}.TP\n\\fB{}\\fR\nthe same as \\-\\-{}, which wins\n",
            variable.to_string_lossy(),
            long.replace('-', "\\-")
        );
    }
    section
}
