//! Capacity: how many threads and descriptors the machine gives, found out by asking for them.
//!
//! The limits on both may be far below what a server would like, and an attempt that fails later could
//! end tiny_http's accepting for good. So the frontend learns what it may count on before it does, gives
//! everything back, and plans with that: with descriptors at the start; with threads, which take long to
//! begin, each time before some more handlers do. It must never know what the threads will do.

use std::net::TcpListener;
use std::thread;

use crossbeam_channel::bounded;

/// Threads left to reports, to imports and to the end of the program.
const SPARE_THREADS: usize = 16;
/// tiny_http's own threads beside those of its connections, and the frontend's.
const FIXED_THREADS: usize = 6;
/// Descriptors left to the database's files, to spools and to sorting.
const SPARE_DESCRIPTORS: usize = 24;
/// Descriptors of a handler: an upstream connection has one end here and two there, its reader two files.
const HANDLER_DESCRIPTORS: usize = 5;
/// The least that is planned with, whatever the machine says.
const CONNECTIONS_MIN: usize = 4;
/// A probing thread does nothing.
const STACK_BYTES: usize = 64 * 1024;

/// How many handlers and connections there can be descriptors for, at most as many as are wanted.
pub fn plan(listener: &TcpListener, handlers: usize, connections: usize) -> (usize, usize) {
    let wanted = HANDLER_DESCRIPTORS * handlers + connections + SPARE_DESCRIPTORS;
    let descriptors = descriptors(listener, wanted);
    let (handlers, planned) = divide(descriptors, handlers, connections);
    if planned < connections {
        tracing::warn!(
            wanted = connections,
            planned,
            "the limit on open files is too low for so many connections (ulimit -n raises it)"
        );
    }
    (handlers, planned)
}

/// Divides what there is: a third of the descriptors may go to handlers.
fn divide(descriptors: usize, handlers: usize, connections: usize) -> (usize, usize) {
    let handlers = handlers.min(descriptors / 3 / HANDLER_DESCRIPTORS).max(1);
    let left = descriptors.saturating_sub(handlers * HANDLER_DESCRIPTORS + SPARE_DESCRIPTORS);
    (handlers, connections.min(left.max(CONNECTIONS_MIN)))
}

/// How many handlers there can be threads for, up to as many as are wanted: the first of all, with which
/// tiny_http starts its own.
pub fn first_handlers(wanted: usize) -> usize {
    handlers(wanted, FIXED_THREADS + SPARE_THREADS)
}

/// How many handlers more there can be threads for, up to as many as are wanted.
pub fn more_handlers(wanted: usize) -> usize {
    handlers(wanted, SPARE_THREADS)
}

/// A handler takes a thread, and its connection one of tiny_http's.
fn handlers(wanted: usize, others: usize) -> usize {
    threads(2 * wanted + others).saturating_sub(others) / 2
}

/// How many threads there can be at once, up to as many as are wanted.
fn threads(wanted: usize) -> usize {
    let (release, released) = bounded::<()>(0);
    let start = |_| {
        let released = released.clone();
        let wait = move || {
            // Until the sender is gone.
            let _ = released.recv();
        };
        thread::Builder::new().stack_size(STACK_BYTES).spawn(wait)
    };
    let threads: Vec<_> = (0..wanted).map_while(|number| start(number).ok()).collect();
    drop(release);
    let count = threads.len();
    for thread in threads {
        // It did nothing that could panic.
        let _ = thread.join();
    }
    count
}

/// How many descriptors there can be at once, up to as many as are wanted.
fn descriptors(any: &TcpListener, wanted: usize) -> usize {
    let copies = (0..wanted).map_while(|_| any.try_clone().ok());
    copies.collect::<Vec<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_is_divided_so_that_all_get_some() {
        assert_eq!(divide(1000, 64, 512), (64, 512));
        assert_eq!(divide(50, 64, 512), (3, 11), "64 descriptors");
        assert_eq!(divide(0, 64, 512), (1, CONNECTIONS_MIN));
        assert_eq!(divide(1000, 2, 8), (2, 8));
    }

    #[test]
    fn probing_finds_what_is_there() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(threads(3), 3);
        assert_eq!(more_handlers(3), 3);
        assert_eq!(descriptors(&listener, 5), 5);
    }
}
