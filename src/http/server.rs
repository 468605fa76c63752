//! The server: a listener, the frontend that faces its clients, and the backend that answers.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use super::app::Site;
use super::backend::Backend;
use super::frontend::head::Head;
use super::frontend::limits::Limits;
use super::frontend::meter::Meter;
use super::frontend::seen::Seen;
use super::frontend::socket::{Address, Listener, Peer};
use super::frontend::{self, Frontend};
use super::gate::Gate;
use super::request_log;
use crate::error::{Error, Result};

/// How many connections may wait to be accepted; the system may allow fewer.
const BACKLOG: i32 = 1024;

/// One address has the places of the server divided by this.
const SHARES: usize = 4;

/// How many connections the address of `--metrics-listen` has.
const NUMBERS_CONNECTIONS_MAX: usize = 16;

/// Binds the address, before anything starts that would have to be undone.
///
/// # Errors
/// When the address is in use or not the machine's.
pub fn bind(address: &Address) -> Result<Listener> {
    let bind = || match address {
        Address::Tcp(address) => {
            let listener = TcpListener::bind(address)?;
            // The default of 128 overflows when many connect at once, and their next try is a second later.
            socket2::SockRef::from(&listener).listen(BACKLOG)?;
            Listener::tcp(listener)
        }
        #[cfg(unix)]
        Address::Unix(path) => Listener::unix(path),
    };
    bind().map_err(|error: io::Error| {
        let (wanted, remedy) = match address {
            Address::Tcp(address) => (
                address.to_string(),
                "--listen names another address, port 0 picks a free port",
            ),
            #[cfg(unix)]
            unix => (
                unix.to_string(),
                "--listen names another path: a short one, in a folder that is there",
            ),
        };
        Error::invalid(format!("cannot listen on {wanted} ({remedy})")).because(error)
    })
}

/// The capacity of a server.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// How many requests are handled at once.
    pub handlers: usize,
    /// How many connections are kept.
    pub connections_max: usize,
    /// How many of them one address may have; none for a quarter.
    pub connections_each_max: Option<usize>,
}

/// A running server.
pub struct Server {
    frontend: Frontend,
    address: Address,
}

impl Server {
    /// Serves `listener`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(listener: Listener, capacity: Capacity, gate: Gate, site: Site) -> Result<Self> {
        let meter = Arc::clone(&site.meters.frontend);
        Self::start_with(listener, capacity, meter, gate, site)
    }

    /// Serves the numbers of `site` at a second `listener`, which is as strict with its clients. It has a handler of
    /// its own: numbers come also when clients have all others.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start_numbers(listener: Listener, gate: Gate, site: Site) -> Result<Self> {
        let capacity = Capacity {
            handlers: 1,
            connections_max: NUMBERS_CONNECTIONS_MAX,
            connections_each_max: Some(NUMBERS_CONNECTIONS_MAX),
        };
        let gate = Gate {
            is_of_numbers: true,
            ..gate
        };
        Self::start_with(listener, capacity, Arc::default(), gate, site)
    }

    fn start_with(listener: Listener, capacity: Capacity, meter: Arc<Meter>, gate: Gate, site: Site) -> Result<Self> {
        let address = listener
            .address()
            .map_err(|error| Error::failed("cannot start the server").because(error))?;
        let (handlers, connections_max) = frontend::plan(&listener, capacity.handlers, capacity.connections_max);
        let limits = Limits {
            handlers,
            connections_max,
            connections_each_max: capacity
                .connections_each_max
                .unwrap_or(connections_max.div_ceil(SHARES)),
            proxies: gate.proxies.clone(),
            scratch: site.scratch.clone(),
            meter,
        };
        let nobody = Arc::new(gate.stranger(Peer::Unix));
        let admit = move |head: &mut Head, peer: Peer| gate.admit(head, peer);
        let is_quiet = site.is_quiet;
        let observe = move |seen: &Seen<'_>| request_log::write(seen, is_quiet);
        let mut backend = Backend::start(handlers, site, nobody)?;
        let dispatch = move |exchange| backend.submit(exchange);
        let frontend = Frontend::open(
            listener,
            limits,
            (Box::new(admit), Box::new(observe)),
            Box::new(dispatch),
        )?;
        Ok(Self { frontend, address })
    }

    /// The address on which it listens, with the port that was chosen.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Accepts no new requests and returns once the current ones are answered.
    pub fn stop(self) {
        self.frontend.close();
    }
}
