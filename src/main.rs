//! The plot: parse the command line, run the command, report its error, exit with its status.

use std::process::ExitCode;

use store_monitor::cli::{self, output};
use store_monitor::error::ErrorKind;

fn main() -> ExitCode {
    if descriptors::stdout_was_closed() {
        output::mark_stdout_closed();
    }
    let command = match cli::parse() {
        Ok(command) => command,
        Err(error) => return failed(&error),
    };
    cli::start_log(&command);
    match cli::run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// Prints the error; its kind is the exit status.
fn failed(error: &store_monitor::error::Error) -> ExitCode {
    output::to_stderr(format_args!("store-monitor: {error}"));
    match error.kind() {
        ErrorKind::Invalid | ErrorKind::NotFound => ExitCode::from(2),
        ErrorKind::Unavailable | ErrorKind::NoSpace | ErrorKind::Broken | ErrorKind::Failed => ExitCode::FAILURE,
    }
}

/// Looks at stdout before the standard library does, which opens a closed one as `/dev/null`.
#[cfg(target_os = "linux")]
#[allow(
    unsafe_code,
    reason = "a section of the program is the only place that runs before the library's start"
)]
mod descriptors {
    use std::sync::atomic::{AtomicBool, Ordering};

    static STDOUT_WAS_CLOSED: AtomicBool = AtomicBool::new(false);

    // SAFETY: the loader calls every address in this section once, before `main`. The function needs nothing that the
    // standard library prepares: it makes one system call and stores its answer.
    #[used]
    #[unsafe(link_section = ".init_array")]
    static LOOK: extern "C" fn() = look;

    extern "C" fn look() {
        let is_closed = rustix::io::fcntl_getfd(rustix::stdio::stdout()).is_err();
        STDOUT_WAS_CLOSED.store(is_closed, Ordering::Relaxed);
    }

    pub(super) fn stdout_was_closed() -> bool {
        STDOUT_WAS_CLOSED.load(Ordering::Relaxed)
    }
}

/// Elsewhere nobody looks.
#[cfg(not(target_os = "linux"))]
mod descriptors {
    pub(super) fn stdout_was_closed() -> bool {
        false
    }
}
