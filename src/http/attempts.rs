//! Attempts: slows clients that try secrets. Pure: the caller brings the clock.
//!
//! Each wrong secret costs its client's address ten seconds, of which a few are free. While an address owes more, its
//! wrong secrets are answered 429, whatever they are. A right one is taken nevertheless: nobody is locked out because
//! a neighbour behind the same address tries secrets, and 256 bits cannot be guessed at any rate.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::frontend::socket::Peer;
use super::response::Response;

/// The same whether an alert's link is not whole, never was, or is forgotten.
pub const NO_ALERT: &str = "no alert has this link: it is not whole, or it is too old (open it from the message again, or \
                            from a newer one)";

/// What a wrong secret costs.
const COST: Duration = Duration::from_secs(10);

/// How many wrong secrets in a row are not slowed.
const FREE_ATTEMPTS_MAX: u32 = 10;

/// How many addresses are remembered; beyond, the one that owes least is forgotten.
const ADDRESSES_MAX: usize = 4096;

/// The debts of addresses.
#[derive(Debug, Default)]
pub struct Attempts {
    /// When each debt is paid.
    paid_at: HashMap<Peer, Instant>,
}

impl Attempts {
    /// How long the client must wait; none if it may try.
    pub fn wait(&self, client: Peer, now: Instant) -> Option<Duration> {
        let paid_at = self.paid_at.get(&network(client))?;
        let debt = paid_at.saturating_duration_since(now);
        debt.checked_sub(COST * (FREE_ATTEMPTS_MAX - 1))
            .filter(|wait| !wait.is_zero())
    }

    /// Counts a wrong secret; returns how long the client must wait before the next, if it must have waited for this
    /// one.
    pub fn failed(&mut self, client: Peer, now: Instant) -> Option<Duration> {
        let wait = self.wait(client, now);
        if wait.is_some() {
            return wait;
        }
        let client = network(client);
        if self.paid_at.len() >= ADDRESSES_MAX && !self.paid_at.contains_key(&client) {
            self.paid_at.retain(|_, paid_at| *paid_at > now);
            let least = self.paid_at.iter().min_by_key(|(_, paid_at)| **paid_at);
            if let Some(least) = least
                .map(|(client, _)| *client)
                .filter(|_| self.paid_at.len() >= ADDRESSES_MAX)
            {
                self.paid_at.remove(&least);
            }
        }
        let paid_at = self.paid_at.entry(client).or_insert(now);
        *paid_at = (*paid_at).max(now) + COST;
        None
    }
}

/// Counts a wrong secret.
///
/// # Errors
/// The answer to a client that tries too many: it must wait.
pub fn count_wrong(attempts: &Mutex<Attempts>, client: Peer) -> Result<(), Response> {
    let mut attempts = attempts.lock().unwrap_or_else(PoisonError::into_inner);
    let wait = attempts.failed(client, Instant::now());
    wait.map_or(Ok(()), |wait| Err(slow(wait)))
}

fn slow(wait: Duration) -> Response {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let detail = format!("too many wrong tokens came from this address (try again in {seconds} s)");
    Response::problem(429, &detail).with("Retry-After", seconds.to_string())
}

/// The network that one client has: an IPv6 client has 64 bits of addresses for itself.
pub fn network(client: Peer) -> Peer {
    match client {
        Peer::Address(ip) => match ip.to_canonical() {
            IpAddr::V6(ip) => Peer::Address(IpAddr::V6((ip.to_bits() >> 64 << 64).into())),
            ip => Peer::Address(ip),
        },
        Peer::Unix => Peer::Unix,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> Peer {
        Peer::Address(text.parse().unwrap())
    }

    #[test]
    fn an_address_that_tries_secrets_is_slowed_and_others_are_not() {
        let (mut attempts, start) = (Attempts::default(), Instant::now());
        let client = peer("10.0.0.1");
        for _ in 0..FREE_ATTEMPTS_MAX {
            assert_eq!(attempts.failed(client, start), None);
        }
        assert_eq!(attempts.failed(client, start), Some(COST));
        assert_eq!(
            attempts.failed(client, start + COST / 2),
            Some(COST / 2),
            "a refused try costs nothing"
        );
        assert_eq!(attempts.wait(peer("10.0.0.2"), start), None);
        assert_eq!(attempts.failed(client, start + COST), None);
        assert_eq!(attempts.failed(client, start + COST), Some(COST));
        assert_eq!(attempts.wait(client, start + COST * 20), None);
        // An hour has no more free ones than a minute.
        let later = start + COST * 1000;
        let free = (0..50).filter(|_| attempts.failed(client, later).is_none()).count();
        assert_eq!(free, FREE_ATTEMPTS_MAX as usize);
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        assert_eq!(network(peer("2001:db8:1:2:3::4")), network(peer("2001:db8:1:2::9")));
        assert_ne!(network(peer("2001:db8:1:2::9")), network(peer("2001:db8:1:3::9")));
        assert_eq!(network(peer("::ffff:10.0.0.1")), network(peer("10.0.0.1")));
    }

    #[test]
    fn the_table_is_bounded_and_forgets_the_one_that_owes_least() {
        let (mut attempts, start) = (Attempts::default(), Instant::now());
        let client = |number: usize| Peer::Address(IpAddr::V4(u32::try_from(number).unwrap().into()));
        for _ in 0..FREE_ATTEMPTS_MAX {
            attempts.failed(client(0), start);
        }
        for number in 1..3 * ADDRESSES_MAX {
            attempts.failed(client(number), start);
        }
        assert_eq!(attempts.paid_at.len(), ADDRESSES_MAX);
        assert!(attempts.wait(client(0), start).is_some());
    }
}
