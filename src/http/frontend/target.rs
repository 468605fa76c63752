//! Request targets and hosts: RFC 9112, section 3.2, and the parts of RFC 3986 that concern a server.
//!
//! Pure. Whether the path exists is decided elsewhere.

use std::net::Ipv6Addr;

use super::refusal::Refusal;

/// A request's target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// Path and query; `*` for a question about the whole server.
    pub path: &'a str,
    /// The host in an absolute target, which overrides the field `Host`.
    pub host: Option<&'a str>,
}

/// Reads the target of a request with this method.
///
/// # Errors
/// [`Refusal`] with 400 for a form that does not fit the method, or a byte that no URI has.
pub fn read<'a>(method: &str, text: &'a str) -> Result<Target<'a>, Refusal> {
    if method == "CONNECT" {
        let authority = is_authority(text) && text.rsplit_once(':').is_some_and(has_port);
        return if authority {
            Err(Refusal::METHOD) // Well-formed, but a question for a proxy.
        } else {
            Err(Refusal::malformed("CONNECT needs a host and a port"))
        };
    }
    if text == "*" {
        return if method == "OPTIONS" {
            Ok(Target { path: text, host: None })
        } else {
            Err(Refusal::malformed("the target `*` is for OPTIONS alone (name a path)"))
        };
    }
    let (host, path) = if text.starts_with('/') {
        (None, text)
    } else {
        let rest = strip_scheme(text).ok_or(Refusal::malformed(
            "the target must be a path such as /health (or an http:// address)",
        ))?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        if !is_authority(&rest[..end]) {
            return Err(Refusal::malformed("the target's host is not a valid one"));
        }
        (Some(&rest[..end]), &rest[end..])
    };
    if !is_path_and_query(path) {
        return Err(Refusal::malformed(
            "the target has a character that must be percent-encoded, or a fragment",
        ));
    }
    let path = if path.is_empty() { "/" } else { path };
    Ok(Target { path, host })
}

/// Whether the text is a valid `Host`: a host, with an optional port.
///
/// An empty host is refused although the grammar allows it: an http URI must name a host.
pub fn is_authority(text: &str) -> bool {
    let (host, port) = if text.starts_with('[') {
        let Some(end) = text.find(']') else {
            return false;
        };
        if text[1..end].parse::<Ipv6Addr>().is_err() {
            return false;
        }
        (&text[..=end], &text[end + 1..])
    } else {
        text.split_at(text.find(':').unwrap_or(text.len()))
    };
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=".contains(&byte);
    let host = host.starts_with('[') || (!host.is_empty() && host.bytes().all(legal));
    let port = match port.strip_prefix(':') {
        None => port.is_empty(),
        Some("") => true,
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u16>().is_ok(),
    };
    host && port
}

fn has_port((_, port): (&str, &str)) -> bool {
    port.parse::<u16>().is_ok()
}

/// The text after `http://` or `https://`, in any case.
fn strip_scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once("://")?;
    let known = ["http", "https"].iter();
    let mut known = known.filter(|known| scheme.eq_ignore_ascii_case(known));
    known.next().map(|_| rest)
}

/// Whether it has only bytes that RFC 3986 allows or browsers send unencoded.
fn is_path_and_query(text: &str) -> bool {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let banned = |text: &str, banned: &[u8]| {
        text.bytes()
            .any(|byte| !byte.is_ascii_graphic() || banned.contains(&byte))
    };
    // NUL ends strings in some languages: no honest path has one.
    !banned(path, b"\"<>#\\^`{}") && !banned(query, b"\"<>#") && !path.contains("%00")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_has_the_form_that_goes_with_its_method() {
        let path = |method, text| read(method, text).map(|target| target.path);
        assert_eq!(path("GET", "/a?b=[1]|{2}"), Ok("/a?b=[1]|{2}"));
        assert_eq!(path("GET", "http://x"), Ok("/"));
        assert_eq!(path("GET", "HTTP://x:80?q"), Ok("?q"));
        assert_eq!(path("OPTIONS", "*"), Ok("*"));
        assert_eq!(path("CONNECT", "x:443"), Err(Refusal::METHOD));
        let host = read("GET", "https://[::1]:8/a").map(|target| target.host);
        assert_eq!(host, Ok(Some("[::1]:8")));
        for (method, text) in [
            ("GET", "*"),
            ("GET", "x:80"),
            ("GET", "a"),
            ("GET", "ftp://x/"),
            ("GET", "http:///a"),
            ("GET", "http://u@x/"),
            ("GET", "/a#b"),
            ("GET", "/\\"),
            ("GET", "/é"),
            ("GET", "/%00"),
            ("CONNECT", "/"),
            ("CONNECT", "x"),
            ("CONNECT", "x:"),
        ] {
            let refused = read(method, text).expect_err(text);
            assert_eq!(refused.status, 400, "{method} {text}");
        }
    }

    #[test]
    fn a_host_is_a_name_or_an_address_with_an_optional_port() {
        for host in ["x", "a.example", "127.0.0.1:80", "[::1]", "[::1]:65535", "x:", "a_b"] {
            assert!(is_authority(host), "{host}");
        }
        for host in [
            "", ":80", "a b", "a,b", "u@x", "x/", "x:y", "x:65536", "x:+1", "[::1", "[x]", "x?", "[::1]x", "a:b:1", "é",
        ] {
            assert!(!is_authority(host), "{host}");
        }
    }
}
