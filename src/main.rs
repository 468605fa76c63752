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
    if command.is_server() {
        allocator::bound();
    }
    match cli::start_log(&command).and_then(|()| cli::run(command)) {
        Ok(()) => {
            cli::finish_log();
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error),
    }
}

/// Prints the error; its kind is the exit status.
fn failed(error: &store_monitor::error::Error) -> ExitCode {
    cli::tell(error);
    match error.kind() {
        ErrorKind::Invalid | ErrorKind::Forbidden | ErrorKind::NotFound => ExitCode::from(2),
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

/// Other systems: a closed stdout is not noticed.
#[cfg(not(target_os = "linux"))]
mod descriptors {
    pub(super) fn stdout_was_closed() -> bool {
        false
    }
}

/// Bounds what a server's allocator keeps for itself.
///
/// By itself glibc gives each thread an arena, up to eight for each processor, and each arena keeps the most that its
/// thread ever used. Reports and pages are made by many threads, so memory grew for an hour, to twice its size.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "the allocator has no other way to be told")]
mod allocator {
    /// How many arenas all threads share. Small allocations come from each thread's own cache.
    const ARENAS: i32 = 2;

    /// Allocations from this size on go back to the system when they are freed.
    const MAPPED_BYTES: i32 = 256 << 10;

    /// So much free memory at the end of an arena goes back to the system.
    const TRIMMED_BYTES: i32 = 1 << 20;

    pub(super) fn bound() {
        // SAFETY: no other thread runs yet, and the values are sound: at worst the allocator refuses them.
        unsafe {
            libc::mallopt(libc::M_ARENA_MAX, ARENAS);
            libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_BYTES);
            libc::mallopt(libc::M_TRIM_THRESHOLD, TRIMMED_BYTES);
        }
    }
}

/// Elsewhere the allocator is left alone.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod allocator {
    pub(super) fn bound() {}
}
