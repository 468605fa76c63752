//! A probe: one question to a server, over TCP or a Unix socket, for commands on its machine.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::frontend::socket::Address;
use crate::error::{Error, Result};

/// The longest answer that is read.
const ANSWER_BYTES_READ: u64 = 1 << 20;

/// How many header fields of an answer are read.
const FIELDS_MAX: usize = 64;

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At an address of this machine.
    Address(Address),
    /// At a host and port, below a path.
    Url {
        /// The host with its port.
        host: String,
        /// The path before all others; without a slash at its end.
        base: String,
    },
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Place {
    /// The place that a URL names.
    ///
    /// # Errors
    /// When it is none of `http://`.
    pub fn from_url(url: &str) -> Result<Self> {
        let Some(rest) = url.strip_prefix("http://") else {
            return Err(Error::invalid(format!(
                "the URL `{}` does not begin with http:// (name the server's own address, not that of its proxy)",
                url.escape_debug()
            )));
        };
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let has_port = host
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let host = if has_port {
            host.to_owned()
        } else {
            format!("{host}:80")
        };
        let base = match path.trim_end_matches('/') {
            "" => String::new(),
            path => format!("/{path}"),
        };
        Ok(Self::Url { host, base })
    }

    /// Asks for a path with its query; each step, the connection or a read, may take as long as `within`.
    ///
    /// # Errors
    /// When nobody listens there, or the answer is none of HTTP.
    pub fn get(&self, target: &str, within: Duration) -> Result<Answered> {
        let failed = |error: std::io::Error| Error::unavailable(format!("{self} does not answer")).because(error);
        match self {
            #[cfg(unix)]
            Self::Address(Address::Unix(path)) => {
                let stream = UnixStream::connect(path).map_err(failed)?;
                stream.set_read_timeout(Some(within)).map_err(failed)?;
                stream.set_write_timeout(Some(within)).map_err(failed)?;
                self.ask(stream, "localhost", target)
            }
            Self::Address(Address::Tcp(address)) => {
                let address = reachable(*address);
                self.ask(
                    connect(&[address], within).map_err(failed)?,
                    &address.to_string(),
                    target,
                )
            }
            Self::Url { host, base } => {
                let addresses: Vec<_> = host.to_socket_addrs().map_err(failed)?.collect();
                self.ask(
                    connect(&addresses, within).map_err(failed)?,
                    host,
                    &format!("{base}{target}"),
                )
            }
        }
    }

    fn ask(&self, mut stream: impl Read + Write, host: &str, target: &str) -> Result<Answered> {
        let failed = |error: std::io::Error| Error::unavailable(format!("{self} does not answer")).because(error);
        let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).map_err(failed)?;
        let mut bytes = Vec::new();
        stream.take(ANSWER_BYTES_READ).read_to_end(&mut bytes).map_err(failed)?;
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut answer = httparse::Response::new(&mut fields);
        match (answer.parse(&bytes), answer.code) {
            (Ok(httparse::Status::Complete(length)), Some(status)) => Ok(Answered {
                status,
                body: bytes.split_off(length),
            }),
            _ => Err(Error::unavailable(format!(
                "{self} does not answer as a server of HTTP does"
            ))),
        }
    }
}

/// As people write it.
impl std::fmt::Display for Place {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => address.fmt(to),
            Self::Url { host, base } => write!(to, "http://{host}{base}"),
        }
    }
}

/// A server that listens everywhere is asked at this machine's own address.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// A connection to the first address that gives one.
fn connect(addresses: &[SocketAddr], within: Duration) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::other("the host has no address");
    for address in addresses {
        match TcpStream::connect_timeout(address, within) {
            Ok(stream) => {
                stream.set_read_timeout(Some(within))?;
                stream.set_write_timeout(Some(within))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_port_and_a_path_before_all_others() {
        let read = |url: &str| Place::from_url(url).map(|place| place.to_string());
        assert_eq!(read("http://a.example/").unwrap(), "http://a.example:80");
        assert_eq!(read("http://[::1]:5000/a/b/").unwrap(), "http://[::1]:5000/a/b");
        assert_eq!(read("http://127.0.0.1:5000").unwrap(), "http://127.0.0.1:5000");
        for wrong in ["https://a.example", "a.example:80", ""] {
            assert!(read(wrong).unwrap_err().to_string().contains("http://"), "{wrong}");
        }
    }

    #[test]
    fn a_server_that_listens_everywhere_is_asked_here() {
        let asked = |address: &str| reachable(address.parse().unwrap()).to_string();
        assert_eq!(asked("0.0.0.0:5000"), "127.0.0.1:5000");
        assert_eq!(asked("[::]:5000"), "[::1]:5000");
        assert_eq!(asked("10.0.0.1:5000"), "10.0.0.1:5000");
    }
}
