//! Which addresses of the network a message may be sent to.
//!
//! A server is inside a network that others are kept out of; a webhook must not become a way in. So the address is
//! judged that is connected to, after its name was resolved: a name that leads to a private address is of no use.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::failure::Failure;

/// How long a name may take to be resolved.
const RESOLVED_WITHIN: Duration = Duration::from_secs(5);

/// Whether an address is one of the public internet, as far as its number tells.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_reserved = match a {
        // This network, this machine, multicast and what was reserved once.
        0 | 127 | 224..=255 => true,
        10 => true,
        // Carrier-grade NAT.
        100 => (64..128).contains(&b),
        169 => b == 254,
        172 => (16..32).contains(&b),
        // Private; protocol assignments and documentation; 6to4 relays.
        192 => matches!((b, c), (168, _) | (0, 0 | 2) | (88, 99)),
        // Benchmarks; documentation.
        198 => matches!((b, c), (18 | 19, _) | (51, 100)),
        203 => (b, c) == (0, 113),
        _ => false,
    };
    !is_reserved
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    let [high, low] = [parts[6], parts[7]].map(u16::to_be_bytes);
    let inside = |[a, b]: [u8; 2], [c, d]: [u8; 2]| is_public_v4(Ipv4Addr::new(a, b, c, d));
    match parts {
        // IPv4 within IPv6: mapped, translated (also by NAT64, whose own prefix is private), 6to4.
        [0, 0, 0, 0, 0, 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => inside(high, low),
        [0x2002, first, second, ..] => inside(first.to_be_bytes(), second.to_be_bytes()),
        // Teredo, benchmarks, ORCHID and documentation.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // Of the rest only the global unicast addresses are assigned: no loopback, ULA, link-local or multicast.
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

/// A name that leads to no address that may be connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    host: String,
    address: IpAddr,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, address } = self;
        let name = host.trim_matches(['[', ']']);
        match name.parse() == Ok(*address) {
            true => write!(f, "{address} is a private address")?,
            false => write!(f, "{host} leads to the private address {address}")?,
        }
        f.write_str(" (if it is meant, write allow_private = true)")
    }
}

impl std::error::Error for Refused {}

/// The addresses of `found` that may be connected to.
///
/// # Errors
/// When all are refused.
pub fn allowed(host: &str, found: Vec<SocketAddr>, allow_private: bool) -> Result<Vec<SocketAddr>, Refused> {
    let first = found.first().copied();
    let may = |address: &SocketAddr| allow_private || is_public(address.ip());
    let allowed: Vec<_> = found.into_iter().filter(may).collect();
    match first.filter(|_| allowed.is_empty()) {
        Some(first) => Err(Refused {
            host: host.to_owned(),
            address: first.ip(),
        }),
        None => Ok(allowed),
    }
}

/// The addresses of a name, whatever they are.
///
/// # Errors
/// When there are none, or they take too long.
pub fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    let (sender, found) = mpsc::sync_channel(1);
    let name = (host.trim_matches(['[', ']']).to_owned(), port);
    // The system has no call with a time-out: a thread that waits for too long is left behind, and ends by itself.
    thread::Builder::new()
        .name("resolve".to_owned())
        .spawn(move || sender.send(name.to_socket_addrs()))
        .map_err(|error| Failure::later(format!("cannot start a thread: {error}")))?;
    match found.recv_timeout(RESOLVED_WITHIN) {
        Ok(Ok(addresses)) => {
            let addresses: Vec<_> = addresses.collect();
            match addresses.is_empty() {
                true => Err(Failure::later(format!("{host} has no address"))),
                false => Ok(addresses),
            }
        }
        Ok(Err(error)) => Err(Failure::later(format!("{host} cannot be resolved: {error}"))),
        Err(_) => {
            let seconds = RESOLVED_WITHIN.as_secs();
            Err(Failure::later(format!("{host} was not resolved within {seconds} s")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_networks_that_others_are_kept_out_of_are_refused() {
        let private = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b:1::8.8.8.8",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:a00:1::1",
            "2002:7f00:1::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for text in private {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        let public = [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.167.1.1",
            "198.20.0.1",
            "223.255.255.254",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2001:4860:4860::8888",
            "2002:808:808::1",
            "2606:4700::1111",
            "2a00:1450::1",
        ];
        for text in public {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn of_a_name_with_several_addresses_the_private_ones_are_left_out() {
        let addresses = ["10.0.0.1:80", "8.8.8.8:80", "[::1]:80"].map(|text| text.parse().unwrap());
        let found = allowed("a.example", addresses.to_vec(), false).unwrap();
        assert_eq!(found, [addresses[1]]);
        assert_eq!(allowed("a.example", addresses.to_vec(), true).unwrap(), addresses);
        let refused = allowed("a.example", vec![addresses[0], addresses[2]], false).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "a.example leads to the private address 10.0.0.1 (if it is meant, write allow_private = true)"
        );
        let refused = allowed("[::1]", vec![addresses[2]], false).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "::1 is a private address (if it is meant, write allow_private = true)"
        );
    }

    /// Each spelling of an address that the system's resolver knows is judged by what it comes to.
    #[test]
    fn spellings_of_this_machine_are_refused_by_the_address_that_they_come_to() {
        for host in [
            "localhost",
            "127.1",
            "2130706433",
            "0x7f.1",
            "0177.0.0.1",
            "[::ffff:7f00:1]",
            "0",
        ] {
            let Ok(found) = resolve(host, 80) else { continue };
            assert!(allowed(host, found, false).is_err(), "{host}");
        }
    }
}
