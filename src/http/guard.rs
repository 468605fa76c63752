//! The guard: refuses requests that a browser was tricked into, before any handler sees them.
//!
//! It refuses three kinds. A `Host` that this server does not serve: a foreign name points at it (DNS rebinding):
//! 421. A write from another site, by `Sec-Fetch-Site` or, in older browsers, by `Origin`: 403. A write from a page
//! while pages are read-only: 403. Programs send neither header and pass.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use super::frontend::socket::Address;
use super::proof::field;
use super::response::Response;

/// The hosts of a server. Copies have the same names.
#[derive(Clone, Debug)]
pub struct Hosts {
    /// The address on which it listens; none for a Unix socket.
    address: Option<IpAddr>,
    /// The configured names, in lower case.
    names: Arc<RwLock<Vec<String>>>,
}

impl Hosts {
    /// The hosts of a server that listens at `address` and has these `names`.
    pub fn new(address: &Address, names: impl IntoIterator<Item = String>) -> Self {
        let hosts = Self {
            address: address.tcp().map(|address| address.ip()),
            names: Arc::default(),
        };
        hosts.rename(names);
        hosts
    }

    /// Gives the server other names, while it runs; returns those before.
    pub fn rename(&self, names: impl IntoIterator<Item = String>) -> Vec<String> {
        let lower = |name: String| name.trim().to_ascii_lowercase();
        let names = names.into_iter().map(lower).collect();
        let mut own = self.names.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *own, names)
    }

    /// The configured names.
    pub fn names(&self) -> Vec<String> {
        self.names.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a `Host` header names this server. The port is ignored: behind a tunnel or a proxy it is another
    /// one, and a rebound name is refused by its name.
    fn serve(&self, host: &str) -> bool {
        let name = without_port(host).to_ascii_lowercase();
        let name = name.trim_end_matches('.');
        if name == "localhost" || name.ends_with(".localhost") {
            return true;
        }
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        if names.iter().any(|own| own == name) {
            return true;
        }
        let literal = name.trim_start_matches('[').trim_end_matches(']');
        let own = |ip: IpAddr| self.address.is_some_and(|own| ip == own || own.is_unspecified());
        literal.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() || own(ip))
    }
}

/// A host without its port: `[::1]:80`, `127.0.0.1:80`, `example.com`.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit()) && (!name.contains(':') || name.ends_with(']')) =>
        {
            name
        }
        _ => host,
    }
}

/// The refusal of a request with this method and these fields; none if it may pass.
pub fn refuse(hosts: &Hosts, read_only_pages: bool, method: &str, fields: &[(String, String)]) -> Option<Response> {
    let host = field(fields, "Host");
    if let Some(host) = host.filter(|host| !hosts.serve(host)) {
        let detail = format!(
            "this server does not serve the host `{}` (if it should, start it with --host NAME)",
            host.escape_debug()
        );
        return Some(Response::problem(421, &detail));
    }
    if matches!(method, "GET" | "HEAD") {
        return None;
    }
    let (site, origin) = (field(fields, "Sec-Fetch-Site"), field(fields, "Origin"));
    let own = match (site, origin) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let authority = origin.split_once("://").map(|(_, authority)| authority);
            host.is_some() && authority == host
        }
        (None, None) => return None,
    };
    if !own {
        let detail = "this write comes from another site's page, which may not change anything here";
        return Some(Response::problem(403, detail));
    }
    read_only_pages.then(|| {
        let detail = "pages are read-only here (the server was started with --read-only-pages); \
                      a program may send this request";
        Response::problem(403, detail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(method: &str, headers: &[(&str, &str)], read_only: bool) -> Option<u16> {
        let hosts = Hosts::new(
            &"127.0.0.1:5000".parse().expect("an address"),
            ["Shop.example".to_owned()],
        );
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        let fields: Vec<_> = headers.iter().map(owned).collect();
        refuse(&hosts, read_only, method, &fields).map(|answer| answer.status)
    }

    #[test]
    fn only_own_hosts_are_served() {
        for host in [
            "127.0.0.1:5000",
            "127.0.0.1",
            "localhost:8080",
            "[::1]:5000",
            "[::1]",
            "shop.example",
            "SHOP.example:443",
            "a.localhost",
        ] {
            assert_eq!(status("GET", &[("Host", host)], false), None, "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:5000",
            "8.8.8.8",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "",
        ] {
            assert_eq!(status("GET", &[("Host", host)], false), Some(421), "{host}");
        }
        let everywhere = Hosts::new(&"0.0.0.0:80".parse().expect("an address"), []);
        assert!(everywhere.serve("10.1.2.3:80") && !everywhere.serve("evil.example"));
    }

    #[test]
    fn writes_from_another_site_are_refused() {
        let host = ("Host", "127.0.0.1:5000");
        let post = |name, value| status("POST", &[host, (name, value)], false);
        assert_eq!(status("POST", &[host], false), None);
        assert_eq!(post("Sec-Fetch-Site", "same-origin"), None);
        assert_eq!(post("Sec-Fetch-Site", "none"), None);
        assert_eq!(post("Sec-Fetch-Site", "same-site"), Some(403));
        assert_eq!(post("Sec-Fetch-Site", "cross-site"), Some(403));
        assert_eq!(post("Origin", "http://127.0.0.1:5000"), None);
        for origin in ["http://evil.example", "null", "http://127.0.0.1:5001"] {
            assert_eq!(post("Origin", origin), Some(403), "{origin}");
        }
        let read = status("GET", &[host, ("Sec-Fetch-Site", "cross-site")], false);
        assert_eq!(read, None);
    }

    #[test]
    fn read_only_pages_cannot_write_and_programs_can() {
        let own = ("Sec-Fetch-Site", "same-origin");
        assert_eq!(status("POST", &[own], true), Some(403));
        assert_eq!(status("POST", &[], true), None);
        assert_eq!(status("GET", &[own], true), None);
    }
}
