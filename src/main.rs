//! The plot: parse the command line, run the command, report its error, exit with its status.

use std::process::ExitCode;

use store_monitor::cli;
use store_monitor::error::ErrorKind;

fn main() -> ExitCode {
    let command = cli::parse();
    cli::start_log(&command);
    match cli::run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("store-monitor: {error}");
            match error.kind() {
                ErrorKind::Invalid | ErrorKind::NotFound => ExitCode::from(2),
                ErrorKind::Unavailable | ErrorKind::NoSpace | ErrorKind::Failed => ExitCode::FAILURE,
            }
        }
    }
}
