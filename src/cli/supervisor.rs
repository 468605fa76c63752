//! The supervisor of a server: systemd, by the protocol of `sd_notify(3)`; without one nothing is told.
//!
//! *Alive* says that the parts of the server answer, not that all is well: a restart helps a server that hangs. It
//! does not help a full disk, and would make things worse where the database was moved away.

use std::env;
use std::ffi::OsString;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;

use super::upkeep::every;
use crate::db::writer::Writer;
use crate::error::Result;
use crate::health::Health;
use crate::http::frontend::socket::Address;
use crate::http::probe::Place;

/// How many looks at the server's parts the time allows within which the supervisor must hear of it.
const LOOKS: u32 = 4;

/// Who started the server, if it wants to hear how the server is.
#[derive(Clone, Debug)]
pub(super) struct Supervisor {
    /// The socket that it reads.
    socket: Option<OsString>,
}

impl Supervisor {
    /// That of this process.
    pub(super) fn of_this_process() -> Self {
        Self {
            socket: env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()),
        }
    }

    /// The server answers requests.
    pub(super) fn ready(&self, address: &Address) {
        self.tell(&format!("READY=1\nSTATUS=serves {address}"));
    }

    /// The server reads its configuration again; it is ready when it says so again.
    pub(super) fn reloading(&self) {
        self.tell("RELOADING=1\nSTATUS=reads its configuration again");
    }

    /// The server stops.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=stops");
    }

    fn tell(&self, words: &str) {
        let Some(socket) = &self.socket else {
            return;
        };
        if let Err(error) = send(socket, words) {
            tracing::warn!(%error, "the supervisor could not be told");
        }
    }

    /// Tells the supervisor again and again that the server is alive, if it wants to know, until the sender is dropped.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn keep_told(
        &self,
        address: Address,
        writer: Writer,
        health: Arc<Health>,
    ) -> Result<Option<Sender<()>>> {
        let (Some(_), Some(within)) = (&self.socket, within()) else {
            return Ok(None);
        };
        let supervisor = self.clone();
        every(within / LOOKS, "the look for the supervisor", move || {
            // An error is an answer, too. Only silence is none: then nothing is told, and the supervisor acts.
            let _ = writer.write(|_| Ok(()));
            Place::Address(address.clone()).get("/health", within / LOOKS)?;
            let status = match health.list().first() {
                Some((_, sentence)) => sentence.lines().next().unwrap_or_default().to_owned(),
                None => format!("serves {address}"),
            };
            supervisor.tell(&format!("WATCHDOG=1\nSTATUS={status}"));
            Ok(())
        })
        .map(Some)
    }
}

/// The time within which the supervisor must hear that this process is alive; none if it does not ask.
fn within() -> Option<Duration> {
    let number = |name| env::var(name).ok()?.parse::<u64>().ok();
    let is_other = number("WATCHDOG_PID").is_some_and(|pid| pid != u64::from(std::process::id()));
    let microseconds = number("WATCHDOG_USEC").filter(|&time| time > 0 && !is_other);
    microseconds.map(Duration::from_micros)
}

#[cfg(unix)]
fn send(socket: &OsString, words: &str) -> io::Result<()> {
    use std::os::unix::net::UnixDatagram;

    let datagram = UnixDatagram::unbound()?;
    // A supervisor that does not read must not stop the server.
    datagram.set_write_timeout(Some(Duration::from_secs(1)))?;
    #[cfg(target_os = "linux")]
    {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::ffi::OsStrExt;
        use std::os::unix::net::SocketAddr;

        // A name without a place in the file system.
        if let Some(name) = socket.as_bytes().strip_prefix(b"@") {
            let address = SocketAddr::from_abstract_name(name)?;
            return datagram.send_to_addr(words.as_bytes(), &address).map(drop);
        }
    }
    datagram.send_to(words.as_bytes(), socket).map(drop)
}

#[cfg(not(unix))]
fn send(_socket: &OsString, _words: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
