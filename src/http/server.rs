//! The server: a listener, the frontend that faces its clients, and the backend that answers.

use std::io;
use std::net::{SocketAddr, TcpListener};

use super::app::Site;
use super::backend::Backend;
use super::frontend::limits::Limits;
use super::frontend::{self, Frontend};
use super::routes;
use crate::error::{Error, Result};

/// How many connections may wait to be accepted; the system may hold it to fewer.
const BACKLOG: i32 = 1024;
/// How many of the longest bodies may wait on the disk together.
const BODIES_ON_DISK_MAX: u64 = 4;
/// How many bytes may wait on the disk at least: replies wait there too.
const DISK_BYTES: u64 = 1 << 30;

/// Takes the address, before anything else is begun that would have to be undone.
///
/// # Errors
/// When the address is taken or not the machine's.
pub fn bind(address: SocketAddr) -> Result<TcpListener> {
    let bind = || {
        let listener = TcpListener::bind(address)?;
        // The default of 128 overflows when many connect at once, and their next try is a second away.
        socket2::SockRef::from(&listener).listen(BACKLOG)?;
        Ok::<_, io::Error>(listener)
    };
    bind().map_err(|error| {
        Error::invalid(format!(
            "cannot listen on {address} (--listen names another address, port 0 picks a free port)"
        ))
        .because(error)
    })
}

/// How much a server takes on at once.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// Requests that are handled side by side.
    pub handlers: usize,
    /// Connections that are kept.
    pub connections_max: usize,
}

/// A server that accepts and answers until it is stopped.
pub struct Server {
    frontend: Frontend,
    address: SocketAddr,
}

impl Server {
    /// Answers on `listener`.
    ///
    /// # Errors
    /// When the machine gives no thread.
    pub fn start(listener: TcpListener, capacity: Capacity, site: Site) -> Result<Self> {
        let address = listener
            .local_addr()
            .map_err(|error| Error::failed("cannot start the server").because(error))?;
        let (handlers, connections_max) = frontend::plan(&listener, capacity.handlers, capacity.connections_max);
        let rows_bytes_max = site.body_bytes_max;
        let bodies_bytes_max = rows_bytes_max.saturating_mul(BODIES_ON_DISK_MAX);
        let limits = Limits {
            handlers,
            connections_max,
            folder: site.folder().to_owned(),
            disk_bytes_max: bodies_bytes_max.max(DISK_BYTES),
        };
        let admit = move |method: &str, target: &str| routes::admit(method, target, rows_bytes_max);
        let mut backend = Backend::start(handlers, site)?;
        let dispatch = move |exchange| backend.submit(exchange);
        let frontend = Frontend::open(listener, limits, Box::new(admit), Box::new(dispatch))?;
        Ok(Self { frontend, address })
    }

    /// Where it listens; the port is the one that was picked.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts no new requests and returns when those in hand are answered.
    pub fn stop(self) {
        self.frontend.close();
    }
}
