//! A question to a server of this machine: does it answer, and with which status?

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::http::frontend::socket::Address;

/// How many bytes the first line of an answer has up to its status: `HTTP/1.1 200`.
const STATUS_BYTES: usize = 12;

/// Asks the server at `address` for `/health`, and gives the status of its answer.
///
/// # Errors
/// When nothing answers in HTTP, or each step takes longer than `within`.
pub(super) fn health(address: &Address, within: Duration) -> io::Result<u16> {
    match address {
        Address::Tcp(address) => {
            let address = reachable(*address);
            let stream = TcpStream::connect_timeout(&address, within)?;
            stream.set_read_timeout(Some(within))?;
            stream.set_write_timeout(Some(within))?;
            ask(stream, &address.to_string())
        }
        #[cfg(unix)]
        Address::Unix(path) => {
            let stream = std::os::unix::net::UnixStream::connect(path)?;
            stream.set_read_timeout(Some(within))?;
            stream.set_write_timeout(Some(within))?;
            ask(stream, "localhost")
        }
    }
}

/// An address of this machine for a server that listens on all of them.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

fn ask(mut stream: impl Read + Write, host: &str) -> io::Result<u16> {
    write!(
        stream,
        "GET /health HTTP/1.1\r\nHost: {host}\r\nUser-Agent: store-monitor\r\nConnection: close\r\n\r\n"
    )?;
    let mut line = [0; STATUS_BYTES];
    stream.read_exact(&mut line)?;
    let status = line
        .strip_prefix(b"HTTP/1.1 ")
        .and_then(|digits| str::from_utf8(digits).ok()?.parse().ok());
    status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_all_addresses_is_asked_at_one_of_this_machine() {
        for (listen, asked) in [
            ("0.0.0.0:5000", "127.0.0.1:5000"),
            ("[::]:80", "[::1]:80"),
            ("192.0.2.1:80", "192.0.2.1:80"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()), asked.parse().unwrap());
        }
    }
}
