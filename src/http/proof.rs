//! Proofs: the secrets in a request's head, and what a client says about its own client. Pure.
//!
//! A secret comes as `Authorization: Bearer smt_…`, in the cookie of a session, or in the path of a link: a share link,
//! or that of an alert.

use std::net::IpAddr;

use super::frontend::socket::Peer;
use crate::access::secret::{Kind, Secret};

/// The name of a session's cookie.
pub const COOKIE: &str = "store-monitor";

/// The path before every page of a share link, without its secret.
pub const SHARE: &str = "/share/";

/// The path of an alert's link, without its secret.
pub const ALERT: &str = "/ack/";

/// What a request's head carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carried {
    /// No secret.
    Nothing,
    /// This secret.
    Secret(Secret),
    /// Something that is no secret of this program.
    Malformed,
}

/// The value of a field in any case of its name; the first of several.
pub fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.trim())
}

/// The token of a request. Two tokens are none: which one counts would depend on the reader.
pub fn token(fields: &[(String, String)]) -> Carried {
    let mut values = fields
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("Authorization"));
    let value = match (values.next(), values.next()) {
        (None, _) => return Carried::Nothing,
        (Some((_, value)), None) => value.trim(),
        (Some(_), Some(_)) => return Carried::Malformed,
    };
    let bearer = value
        .split_once([' ', '\t'])
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"));
    let secret = bearer.and_then(|(_, text)| Secret::parse(text.trim()));
    secret
        .filter(|secret| secret.kind() == Kind::Token)
        .map_or(Carried::Malformed, Carried::Secret)
}

/// The session of a request, from its cookies. A browser may send several of one name, of other paths: the first that
/// can be a secret counts.
pub fn session(fields: &[(String, String)]) -> Carried {
    let cookies = fields
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("Cookie"))
        .flat_map(|(_, value)| value.split(';'));
    let own = cookies.filter_map(|cookie| {
        let (name, value) = cookie.split_once('=')?;
        (name.trim() == COOKIE).then(|| value.trim().trim_matches('"'))
    });
    let mut carried = Carried::Nothing;
    for value in own {
        match Secret::parse(value).filter(|secret| secret.kind() == Kind::Session) {
            Some(secret) => return Carried::Secret(secret),
            None => carried = Carried::Malformed,
        }
    }
    carried
}

/// The token that a person types into the form of `/login`.
pub fn typed(text: &str) -> Option<Secret> {
    Secret::parse(text.trim()).filter(|secret| secret.kind() == Kind::Token)
}

/// The page of this server to which a log-in leads, from what a link or a form says; the fleet's for anything else.
pub fn own_page(next: &str) -> &str {
    let is_own = next.starts_with('/')
        && !next.starts_with("//")
        && !next.starts_with("/log")
        && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_own { next } else { "/" }
}

/// The header field that gives a browser its session, or takes it away (none).
pub fn set_cookie(secret: Option<&Secret>, is_tls: bool, idle_seconds: i64) -> String {
    let secure = if is_tls { "; Secure" } else { "" };
    let (value, age) = secret.map_or((String::new(), 0), |secret| (secret.text(), idle_seconds));
    format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}")
}

/// The parts of a share link's target: `/share/sml_…`, and the target behind it, which begins with a slash.
#[derive(Debug, PartialEq, Eq)]
pub struct Shared<'a> {
    /// The path before every page of the link.
    pub base: &'a str,
    /// Its secret; none if it cannot be one.
    pub secret: Option<Secret>,
    /// The target that is meant, such as `/` or `/stores/7?as_of=…`; a query alone means the root.
    pub rest: &'a str,
}

/// Splits the target of a share link; none if it is another target.
pub fn shared(target: &str) -> Option<Shared<'_>> {
    let rest = target.strip_prefix(SHARE)?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (base, rest) = target.split_at(SHARE.len() + end);
    let secret = Secret::parse(&base[SHARE.len()..]).filter(|secret| secret.kind() == Kind::Link);
    Some(Shared { base, secret, rest })
}

/// The secret in the target of an alert's link, or none in its place if it cannot be one; none if it is another target.
/// A query is ignored: programs that count clicks add some.
pub fn alerted(target: &str) -> Option<Option<Secret>> {
    let rest = target.strip_prefix(ALERT)?;
    let text = rest.split('?').next().unwrap_or_default();
    let secret = Secret::parse(text.strip_suffix('/').unwrap_or(text));
    Some(secret.filter(|secret| secret.kind() == Kind::Acknowledgement))
}

/// The proxies that may say who their clients are.
#[derive(Clone, Debug, Default)]
pub struct Proxies(pub Vec<Peer>);

impl Proxies {
    /// Whether a peer is one of them.
    pub fn trust(&self, peer: Peer) -> bool {
        let canonical = |peer: Peer| match peer {
            Peer::Address(ip) => Peer::Address(ip.to_canonical()),
            Peer::Unix => peer,
        };
        self.0.iter().any(|proxy| canonical(*proxy) == canonical(peer))
    }

    /// The client of a request, and whether it uses TLS: what a trusted proxy says, or else what the connection says.
    pub fn client(&self, peer: Peer, fields: &[(String, String)]) -> (Peer, bool) {
        if !self.trust(peer) {
            return (peer, false);
        }
        let is_tls = field(fields, "X-Forwarded-Proto").is_some_and(|proto| proto.eq_ignore_ascii_case("https"));
        // Each proxy adds its client at the end: the last that is no proxy itself is the client. What stands before
        // it, the client may have made up.
        let hops = fields
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("X-Forwarded-For"))
            .flat_map(|(_, value)| value.split(','));
        let mut client = peer;
        for hop in hops.collect::<Vec<_>>().into_iter().rev() {
            let Some(ip) = address(hop.trim()) else { break };
            client = Peer::Address(ip);
            if !self.trust(client) {
                break;
            }
        }
        (client, is_tls)
    }
}

/// An address as proxies write it, perhaps with a port.
fn address(text: &str) -> Option<IpAddr> {
    let plain = text.trim_start_matches('[');
    let plain = plain.split_once(']').map_or(plain, |(ip, _)| ip);
    let parsed = plain.parse::<IpAddr>().ok();
    parsed.or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn a_token_is_read_from_one_bearer_field_only() {
        let secret = Secret::new(Kind::Token).unwrap();
        let text = secret.text();
        let read = |value: &str| token(&fields(&[("authorization", value)]));
        for good in [
            format!("Bearer {text}"),
            format!("bEARER   {text}"),
            format!("Bearer\t{text} "),
        ] {
            assert_eq!(read(&good), Carried::Secret(secret.clone()), "{good}");
        }
        let session = Secret::new(Kind::Session).unwrap().text();
        for bad in [
            "",
            "Bearer",
            &text,
            &format!("Basic {text}"),
            &format!("Bearer {text}, Bearer {text}"),
            &format!("Bearer {session}"),
            &format!("Bearer {}", text.to_uppercase()),
        ] {
            assert_eq!(read(bad), Carried::Malformed, "{bad}");
        }
        assert_eq!(token(&fields(&[("Cookie", "a=b")])), Carried::Nothing);
        let bearer = format!("Bearer {text}");
        let twice = fields(&[("Authorization", &bearer), ("Authorization", &bearer)]);
        assert_eq!(token(&twice), Carried::Malformed);
    }

    #[test]
    fn a_session_is_the_first_cookie_that_can_be_one() {
        let secret = Secret::new(Kind::Session).unwrap();
        let text = secret.text();
        let read = |value: &str| session(&fields(&[("cookie", value)]));
        for good in [
            format!("store-monitor={text}"),
            format!("a=b; store-monitor={text};c"),
            format!("store-monitor=old; store-monitor=\"{text}\""),
        ] {
            assert_eq!(read(&good), Carried::Secret(secret.clone()), "{good}");
        }
        for none in ["", "a=b", "store-monitor", "Store-Monitor=x", "xstore-monitor=y"] {
            assert_eq!(read(none), Carried::Nothing, "{none}");
        }
        assert_eq!(read("store-monitor=x"), Carried::Malformed);
        let set = set_cookie(Some(&secret), true, 60);
        assert!(set.starts_with(&format!("store-monitor={text}; ")) && set.ends_with("; Secure"));
        assert!(set_cookie(None, false, 60).contains("Max-Age=0"));
    }

    #[test]
    fn a_share_link_is_split_into_its_secret_and_the_page() {
        let secret = Secret::new(Kind::Link).unwrap();
        let base = format!("/share/{}", secret.text());
        for (rest, query) in [
            ("", ""),
            ("/", ""),
            ("/stores/7", ""),
            ("", "?as_of=x"),
            ("/stores", "?q=a/b"),
        ] {
            let target = format!("{base}{rest}{query}");
            let shared = shared(&target).unwrap();
            assert_eq!((shared.base, shared.secret), (base.as_str(), Some(secret.clone())));
            assert_eq!(shared.rest, format!("{rest}{query}"));
        }
        assert_eq!(shared("/share/sml_1/x").unwrap().secret, None);
        assert_eq!(shared("/shares"), None);
        assert_eq!(shared("/stores?a=/share/x"), None);
    }

    #[test]
    fn an_alerts_link_is_its_secret_whatever_its_query() {
        let secret = Secret::new(Kind::Acknowledgement).unwrap();
        let text = secret.text();
        for target in [format!("/ack/{text}"), format!("/ack/{text}/?utm_source=mail")] {
            assert_eq!(alerted(&target), Some(Some(secret.clone())), "{target}");
        }
        let link = Secret::new(Kind::Link).unwrap().text();
        for target in ["/ack/", "/ack/x", &format!("/ack/{text}/x"), &format!("/ack/{link}")] {
            assert_eq!(alerted(target), Some(None), "{target}");
        }
        for target in ["/ack", "/stores", "/?a=/ack/x"] {
            assert_eq!(alerted(target), None, "{target}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_says_who_its_client_is() {
        let peer = |text: &str| Peer::Address(text.parse().unwrap());
        let proxies = Proxies(vec![peer("127.0.0.1"), peer("10.0.0.2")]);
        let sent = fields(&[
            ("X-Forwarded-For", "1.2.3.4, 203.0.113.9"),
            ("X-Forwarded-For", "10.0.0.2"),
            ("X-Forwarded-Proto", "HTTPS"),
        ]);
        assert_eq!(proxies.client(peer("127.0.0.1"), &sent), (peer("203.0.113.9"), true));
        assert_eq!(proxies.client(peer("::ffff:127.0.0.1"), &sent).0, peer("203.0.113.9"));
        assert_eq!(proxies.client(peer("127.0.0.2"), &sent), (peer("127.0.0.2"), false));
        assert_eq!(Proxies::default().client(Peer::Unix, &sent), (Peer::Unix, false));
        let client = |value: &str| {
            proxies
                .client(peer("127.0.0.1"), &fields(&[("X-Forwarded-For", value)]))
                .0
        };
        assert_eq!(client("[2001:db8::1]:4711"), peer("2001:db8::1"));
        assert_eq!(client("198.51.100.7:80"), peer("198.51.100.7"));
        assert_eq!(client("unknown"), peer("127.0.0.1"));
        assert_eq!(client(""), peer("127.0.0.1"));
    }
}
