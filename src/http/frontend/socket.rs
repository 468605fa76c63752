//! Sockets: TCP, or a Unix socket that only this user of the machine can open; and who is at the other end.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr};
#[cfg(unix)]
use std::path::{Path, PathBuf};
use std::str::FromStr;

use mio::event::Source;
use mio::{Interest, Registry, Token};

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A port of an address of this machine.
    Tcp(SocketAddr),
    /// A socket in the file system.
    #[cfg(unix)]
    Unix(PathBuf),
}

impl Address {
    /// Its TCP address; none for a Unix socket.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }

    /// Whether no other machine can reach it.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().is_loopback(),
            #[cfg(unix)]
            Self::Unix(_) => true,
        }
    }
}

impl Address {
    /// Whether it belongs to this machine or to a network that the internet does not reach.
    pub fn is_private(&self) -> bool {
        let is_private = |ip: IpAddr| match ip.to_canonical() {
            IpAddr::V4(ip) => ip.is_private() || ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
        };
        self.is_local() || self.tcp().is_some_and(|address| is_private(address.ip()))
    }
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "expected an address with a port, such as 127.0.0.1:5000, or unix:PATH";
        #[cfg(unix)]
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() {
                Err(expected)
            } else {
                Ok(Self::Unix(path.into()))
            };
        }
        text.parse().map(Self::Tcp).map_err(|_| expected)
    }
}

/// As a URL, or `unix:PATH`.
impl fmt::Display for Address {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(to, "http://{address}"),
            #[cfg(unix)]
            Self::Unix(path) => write!(to, "unix:{}", path.display()),
        }
    }
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// A machine.
    Address(IpAddr),
    /// A process of this machine, at a Unix socket.
    Unix,
}

impl Peer {
    /// Whether it is this machine.
    pub fn is_local(self) -> bool {
        match self {
            Self::Address(ip) => ip.to_canonical().is_loopback(),
            Self::Unix => true,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(ip) => ip.to_canonical().fmt(to),
            Self::Unix => to.write_str("unix"),
        }
    }
}

/// A listening socket that waits for nothing.
#[derive(Debug)]
pub enum Listener {
    /// Of TCP.
    Tcp(mio::net::TcpListener),
    /// Of the file system.
    #[cfg(unix)]
    Unix(UnixSocket),
}

/// A listening socket of the file system, which is removed when nobody serves it any more.
#[cfg(unix)]
#[derive(Debug)]
pub struct UnixSocket {
    listener: mio::net::UnixListener,
    path: PathBuf,
    /// The file's number: one that another server made meanwhile must stay.
    inode: u64,
}

#[cfg(unix)]
impl Drop for UnixSocket {
    fn drop(&mut self) {
        use std::os::unix::fs::MetadataExt;

        if std::fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            // One that stays is replaced by the next server.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// A connection that waits for nothing.
#[derive(Debug)]
pub enum Stream {
    /// Of TCP.
    Tcp(mio::net::TcpStream),
    /// Of the file system.
    #[cfg(unix)]
    Unix(mio::net::UnixStream),
}

impl Listener {
    /// Listens on a TCP socket.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn tcp(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::Tcp(mio::net::TcpListener::from_std(listener)))
    }

    /// Listens at a path for processes of this user alone. A socket that nobody serves any more is replaced.
    ///
    /// # Errors
    /// When the path is too long, something else is there, another server listens there, or the system refuses.
    #[cfg(unix)]
    pub fn unix(path: &Path) -> io::Result<Self> {
        use std::fs;
        use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};

        // A longer one can be made by a rename, but nobody can connect to it.
        std::os::unix::net::SocketAddr::from_pathname(path)?;
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something else is there"));
            }
            Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, "another server listens there"));
            }
            Ok(_) => fs::remove_file(path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // Others could connect between `bind` and `chmod`: it is made in a private folder, and renamed.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let private = tempfile::Builder::new()
            .prefix(".sm-")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(folder.unwrap_or(Path::new(".")))?;
        let made = private.path().join("s");
        let listener = mio::net::UnixListener::bind(&made)?;
        fs::set_permissions(&made, fs::Permissions::from_mode(0o600))?;
        let inode = fs::symlink_metadata(&made)?.ino();
        fs::rename(&made, path)?;
        Ok(Self::Unix(UnixSocket {
            listener,
            path: path.to_owned(),
            inode,
        }))
    }

    /// Accepts a connection, if there is one.
    ///
    /// # Errors
    /// As the system's.
    pub(super) fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept()?;
                Ok((Stream::Tcp(stream), Peer::Address(address.ip())))
            }
            #[cfg(unix)]
            Self::Unix(socket) => Ok((Stream::Unix(socket.listener.accept()?.0), Peer::Unix)),
        }
    }

    /// How many descriptors can be open beside it at once, up to `wanted`.
    pub(super) fn descriptors(&self, wanted: usize) -> usize {
        #[cfg(unix)]
        {
            use std::os::fd::AsFd;
            let own = match self {
                Self::Tcp(listener) => listener.as_fd(),
                Self::Unix(socket) => socket.listener.as_fd(),
            };
            let copies = (0..wanted).map_while(|_| own.try_clone_to_owned().ok());
            copies.collect::<Vec<_>>().len()
        }
        #[cfg(not(unix))]
        wanted
    }

    /// Where it listens, with the port that was chosen.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> io::Result<Address> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Address::Tcp),
            #[cfg(unix)]
            Self::Unix(socket) => Ok(Address::Unix(socket.path.clone())),
        }
    }
}

impl Stream {
    /// Sends each part at once.
    pub(super) fn set_nodelay(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_nodelay(true),
            #[cfg(unix)]
            Self::Unix(_) => Ok(()),
        }
    }

    /// Ends one or both directions.
    pub(super) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(how),
            #[cfg(unix)]
            Self::Unix(stream) => stream.shutdown(how),
        }
    }
}

/// The same call, whichever socket it is.
macro_rules! each {
    ($socket:expr, $inner:ident => $call:expr) => {
        match $socket {
            Self::Tcp($inner) => $call,
            #[cfg(unix)]
            Self::Unix($inner) => $call,
        }
    };
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        each!(self, stream => stream.read(buffer))
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        each!(self, stream => stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        each!(self, stream => stream.flush())
    }
}

impl Source for Stream {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        each!(self, stream => stream.register(registry, token, interests))
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        each!(self, stream => stream.reregister(registry, token, interests))
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        each!(self, stream => stream.deregister(registry))
    }
}

impl Source for Listener {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => listener.register(registry, token, interests),
            #[cfg(unix)]
            Self::Unix(socket) => socket.listener.register(registry, token, interests),
        }
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => listener.reregister(registry, token, interests),
            #[cfg(unix)]
            Self::Unix(socket) => socket.listener.reregister(registry, token, interests),
        }
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => listener.deregister(registry),
            #[cfg(unix)]
            Self::Unix(socket) => socket.listener.deregister(registry),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_port_or_a_path() {
        let parse = |text: &str| text.parse::<Address>();
        let port = parse("127.0.0.1:5000").unwrap();
        assert!(port.is_local() && !parse("0.0.0.0:80").unwrap().is_local());
        assert_eq!(port.to_string(), "http://127.0.0.1:5000");
        for text in ["", "unix:", "localhost:80", "127.0.0.1"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(Peer::Address("::ffff:127.0.0.1".parse().unwrap()).is_local());
        assert_eq!(
            Peer::Address("::ffff:10.0.0.1".parse().unwrap()).to_string(),
            "10.0.0.1"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_unix_socket_is_this_users_alone_and_replaces_one_that_nobody_serves() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let first = Listener::unix(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(Listener::unix(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(first.address().unwrap(), Address::Unix(path.clone()));
        drop(first);
        assert!(!path.exists(), "a clean stop removes it");
        // As a kill leaves it.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let second = Listener::unix(&path).unwrap();
        let long = Listener::unix(&folder.path().join("x".repeat(120))).unwrap_err();
        assert_eq!(long.kind(), io::ErrorKind::InvalidInput);
        let file = folder.path().join("file");
        std::fs::write(&file, "precious").unwrap();
        assert_eq!(Listener::unix(&file).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            2,
            "no private folder stays"
        );
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "another's").unwrap();
        drop(second);
        assert!(path.exists(), "what another program put there stays");
    }
}
