//! Capacity: how many threads and descriptors the system gives; the server finds out by asking for them.
//!
//! Both limits may be far below the configured numbers. The server asks once at the start, returns everything,
//! and plans with the counts.

use std::thread;

use crossbeam_channel::bounded;

use super::socket::Listener;

/// Threads reserved for tiny_http, reports, imports and the end of the program.
const SPARE_THREADS: usize = 21;
/// Descriptors reserved for tiny_http, the database's files, spools and sorting.
const SPARE_DESCRIPTORS: usize = 33;
/// Descriptors of a handler: its reader opens the database and its log.
const HANDLER_DESCRIPTORS: usize = 3;
/// The least number of connections in a plan, whatever the system gives.
const CONNECTIONS_MIN: usize = 4;
/// A probing thread does nothing.
const STACK_BYTES: usize = 64 * 1024;

/// How many handlers and connections are possible, up to the wanted numbers.
pub fn plan(listener: &Listener, handlers: usize, connections: usize) -> (usize, usize) {
    let threads = threads(handlers + SPARE_THREADS).saturating_sub(SPARE_THREADS);
    let wanted = HANDLER_DESCRIPTORS * handlers + connections + SPARE_DESCRIPTORS;
    let (planned, kept) = divide(listener.descriptors(wanted), threads, connections);
    if threads < handlers {
        tracing::warn!(
            wanted = handlers,
            planned,
            "the limit on threads is too low for so many handlers (ulimit -u raises it)"
        );
    }
    if kept < connections {
        tracing::warn!(
            wanted = connections,
            planned = kept,
            "the limit on open files is too low for so many connections (ulimit -n raises it)"
        );
    }
    (planned, kept)
}

/// Divides the descriptors: handlers get at most a third.
fn divide(descriptors: usize, handlers: usize, connections: usize) -> (usize, usize) {
    let handlers = handlers.min(descriptors / 3 / HANDLER_DESCRIPTORS).max(1);
    let left = descriptors.saturating_sub(handlers * HANDLER_DESCRIPTORS + SPARE_DESCRIPTORS);
    (handlers, connections.min(left.max(CONNECTIONS_MIN)))
}

/// How many threads can run at once, up to `wanted`.
fn threads(wanted: usize) -> usize {
    let (release, released) = bounded::<()>(0);
    let start = |_| {
        let released = released.clone();
        let wait = move || {
            // Blocks until the sender is dropped.
            let _ = released.recv();
        };
        let thread = thread::Builder::new().stack_size(STACK_BYTES);
        thread.spawn(wait).ok()
    };
    let threads: Vec<_> = (0..wanted).map_while(start).collect();
    drop(release);
    let count = threads.len();
    for thread in threads {
        // Its work cannot panic.
        let _ = thread.join();
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_divided_so_that_all_get_some() {
        assert_eq!(divide(1000, 64, 512), (64, 512));
        assert_eq!(divide(50, 64, 512), (5, CONNECTIONS_MIN), "64 descriptors");
        assert_eq!(divide(0, 64, 512), (1, CONNECTIONS_MIN));
        assert_eq!(divide(1000, 2, 8), (2, 8));
    }

    #[test]
    fn probing_finds_what_is_there() {
        let listener = Listener::tcp(std::net::TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
        assert_eq!(threads(3), 3);
        assert_eq!(listener.descriptors(5), 5);
    }
}
