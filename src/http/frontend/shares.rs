//! Shares: how many connections each address has, so that no client takes the places of all others.
//!
//! This machine and trusted proxies have no share of their own: many clients come through them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use super::socket::Peer;
use crate::http::proof::Proxies;

/// How many bits of an IPv6 address are the network's; a client may have all addresses of its network.
const NETWORK_BITS: u32 = 64;

/// The connections that each address has.
#[derive(Debug)]
pub(super) struct Shares {
    each_max: usize,
    exempt: Proxies,
    counts: HashMap<IpAddr, usize>,
}

impl Shares {
    pub(super) fn new(each_max: usize, exempt: Proxies) -> Self {
        Self {
            each_max,
            exempt,
            counts: HashMap::new(),
        }
    }

    /// Whose share a connection counts in; none if in nobody's.
    pub(super) fn holder(&self, peer: Peer) -> Option<IpAddr> {
        let Peer::Address(ip) = peer else { return None };
        if peer.is_local() || self.exempt.trust(peer) {
            return None;
        }
        Some(match ip.to_canonical() {
            IpAddr::V6(ip) => {
                let network = u128::MAX << (Ipv6Addr::BITS - NETWORK_BITS);
                Ipv6Addr::from_bits(ip.to_bits() & network).into()
            }
            ip => ip,
        })
    }

    /// Whether a holder has as many connections as it may.
    pub(super) fn is_full(&self, holder: IpAddr) -> bool {
        self.counts.get(&holder).is_some_and(|count| *count >= self.each_max)
    }

    /// Counts one more connection of a peer.
    pub(super) fn add(&mut self, peer: Peer) {
        if let Some(holder) = self.holder(peer) {
            *self.counts.entry(holder).or_default() += 1;
        }
    }

    /// Counts one connection less.
    pub(super) fn remove(&mut self, peer: Peer) {
        if let Some(holder) = self.holder(peer)
            && let Some(count) = self.counts.get_mut(&holder)
        {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&holder);
            }
        }
    }

    /// Forgets all connections.
    pub(super) fn clear(&mut self) {
        self.counts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_of_an_address_or_a_network_and_not_of_this_machine_or_its_proxies() {
        let peer = |ip: &str| Peer::Address(ip.parse().unwrap());
        let mut shares = Shares::new(2, Proxies(vec![peer("10.0.0.2")]));
        let holder = |ip: &str| shares.holder(peer(ip)).map(|ip| ip.to_string());
        for ip in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.2", "::ffff:10.0.0.2"] {
            assert_eq!(holder(ip), None, "{ip}");
        }
        assert_eq!(holder("::ffff:10.0.0.3").as_deref(), Some("10.0.0.3"));
        assert_eq!(holder("2001:db8:1:2:3:4:5:6").as_deref(), Some("2001:db8:1:2::"));
        assert_eq!(shares.holder(Peer::Unix), None);
        let (one, same, other) = (peer("2001:db8::1"), peer("2001:db8::2"), peer("2001:db8:1::1"));
        let key = shares.holder(one).unwrap();
        shares.add(one);
        assert!(!shares.is_full(key));
        shares.add(same);
        shares.add(other);
        assert!(shares.is_full(key));
        shares.remove(one);
        assert!(!shares.is_full(key));
        shares.remove(same);
        shares.remove(other);
        assert!(shares.counts.is_empty());
    }
}
