//! Response filters: give every answer safe headers, and some an `ETag` and gzip.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::request::Request;
use super::response::Response;
use super::visitor::{Proof, Visitor};

/// A page may load this server's own style, script, pictures and forms, and nothing else.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
    img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A shorter body is not compressed.
const GZIP_FROM_BYTES: usize = 1024;

/// The final answer.
pub fn finish(request: &Request<'_>, visitor: &Visitor, mut answer: Response) -> Response {
    answer = below_base(visitor, for_one(visitor, answer))
        .with("X-Content-Type-Options", "nosniff")
        .with("Referrer-Policy", referrer_policy(visitor))
        .with("X-Frame-Options", "DENY")
        .with("Content-Security-Policy", CONTENT_SECURITY_POLICY);
    if visitor.is_guest() {
        // A search engine may learn of the address from a mail or a chat.
        answer = answer.with("X-Robots-Tag", "noindex, nofollow");
    }
    let reads = matches!(request.method.as_str(), "GET" | "HEAD");
    // An answer that no cache may keep needs no tag.
    let kept = answer.header("Cache-Control") != Some("no-store");
    if !reads || answer.status != 200 || !kept {
        return answer;
    }
    let tag = format!("W/\"{:016x}\"", fnv1a(&answer.body));
    let known = request.header("If-None-Match").is_some_and(|tags| {
        let tags = tags.split(',').map(str::trim);
        let plain = tag.trim_start_matches("W/");
        tags.into_iter()
            .any(|known| known == "*" || known.trim_start_matches("W/") == plain)
    });
    answer = answer.with("ETag", tag).with("Vary", "Accept-Encoding");
    if known {
        answer.status = 304;
        answer.headers.retain(|(name, _)| *name != "Content-Type");
        answer.body = Vec::new().into();
        return answer;
    }
    if answer.body.len() >= GZIP_FROM_BYTES && accepts_gzip(request) {
        let mut packed = GzEncoder::new(Vec::new(), Compression::new(5));
        // Writing to memory cannot fail; if it did, the plain body would be sent.
        if packed.write_all(&answer.body).is_ok()
            && let Ok(packed) = packed.finish()
        {
            answer.body = packed.into();
            answer = answer.with("Content-Encoding", "gzip");
        }
    }
    answer
}

/// A guest's address is a secret, which no other site may learn.
fn referrer_policy(visitor: &Visitor) -> &'static str {
    match visitor.is_guest() {
        true => "no-referrer",
        false => "same-origin",
    }
}

/// Keeps the answer to somebody who proved who they are out of caches that others share.
fn for_one(visitor: &Visitor, answer: Response) -> Response {
    let is_checked = answer.header("Cache-Control") == Some("no-cache");
    match matches!(visitor.proof, Proof::None) || !is_checked {
        true => answer,
        false => answer.cached("private, no-cache"),
    }
}

/// Leads every link of a guest's page to a page of the same share link. Assets have no secret, and are cached once.
fn below_base(visitor: &Visitor, mut answer: Response) -> Response {
    let base = visitor.base.as_str();
    if base.is_empty() {
        return answer;
    }
    for (name, value) in &mut answer.headers {
        if *name == "Location" && value.starts_with('/') {
            value.insert_str(0, base);
        }
    }
    let is_page = answer
        .header("Content-Type")
        .is_some_and(|kind| kind.starts_with("text/html"));
    if let Some(page) = std::str::from_utf8(&answer.body).ok().filter(|_| is_page) {
        // Text has no quotation mark as such, so these are attributes.
        let mut led = page.to_owned();
        for attribute in ["href", "action", "src"] {
            let led_to = |place: &str| format!(" {attribute}=\"{place}");
            led = led.replace(&led_to("/"), &led_to(&format!("{base}/")));
            led = led.replace(&led_to(&format!("{base}/assets/")), &led_to("/assets/"));
        }
        answer.body = led.into_bytes().into();
    }
    answer
}

/// Whether the client accepts gzip: it is named, with a weight that is not zero.
fn accepts_gzip(request: &Request<'_>) -> bool {
    let codings = request.header("Accept-Encoding").unwrap_or_default();
    codings.split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let refused = parts.any(|weight| {
            let weight = weight.replace(' ', "");
            weight
                .strip_prefix("q=")
                .is_some_and(|q| q.bytes().all(|byte| matches!(byte, b'0' | b'.')))
        });
        named && !refused
    })
}

/// FNV-1a: a hash for own contents, not against forgery.
pub const fn fnv1a(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut place = 0;
    while place < bytes.len() {
        hash = (hash ^ bytes[place] as u64).wrapping_mul(0x0100_0000_01b3);
        place += 1;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::secret::{Kind, Secret};
    use crate::http::frontend::socket::Peer;

    fn answer(headers: &[(&str, &str)], answer: Response) -> Response {
        let mut body = std::io::empty();
        let mut request = Request::new("GET", "/", &mut body);
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        request.headers = headers.iter().map(owned).collect();
        finish(&request, &nobody(), answer)
    }

    fn nobody() -> Visitor {
        let secret = Secret::new(Kind::Session).unwrap();
        Visitor::stranger(Peer::Unix, false, secret.into())
    }

    #[test]
    fn a_guests_page_leads_to_pages_of_the_same_link_alone() {
        let mut body = std::io::empty();
        let request = Request::new("GET", "/", &mut body);
        let visitor = Visitor {
            base: "/share/x".to_owned(),
            proof: Proof::Link,
            ..nobody()
        };
        let html =
            r#"<link href="/assets/a"><a href="/stores">/stores</a><form action="/"><img src="/api/b"><a href=".">"#;
        let answer = Response::new(200, "text/html; charset=utf-8", html.as_bytes().to_vec()).revalidated();
        let answer = finish(&request, &visitor, answer.with("Location", "/stores/7"));
        assert_eq!(
            std::str::from_utf8(&answer.body).unwrap(),
            r#"<link href="/assets/a"><a href="/share/x/stores">/stores</a><form action="/share/x/"><img src="/share/x/api/b"><a href=".">"#
        );
        assert_eq!(answer.header("Location"), Some("/share/x/stores/7"));
        assert_eq!(answer.header("Referrer-Policy"), Some("no-referrer"));
        assert_eq!(answer.header("Cache-Control"), Some("private, no-cache"));
    }

    fn page() -> Response {
        Response::new(200, "text/html", vec![b'a'; 4096]).revalidated()
    }

    #[test]
    fn a_known_page_is_not_sent_again() {
        let first = answer(&[], page());
        let tag = first.header("ETag").expect("a tag").to_owned();
        let again = answer(&[("If-None-Match", &tag)], page());
        assert_eq!((again.status, again.body.len()), (304, 0));
        let other = answer(&[("If-None-Match", "\"other\"")], page());
        assert_eq!(other.status, 200);
    }

    #[test]
    fn gzip_is_sent_to_clients_that_accept_it() {
        for (accept, packed) in [
            ("gzip, br", true),
            ("br;q=1, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("br", false),
            ("", false),
        ] {
            let answer = answer(&[("Accept-Encoding", accept)], page());
            assert_eq!(answer.body.len() < 4096, packed, "{accept}");
            assert_eq!(answer.header("Content-Encoding").is_some(), packed);
        }
    }

    #[test]
    fn an_answer_that_no_cache_may_keep_has_no_tag() {
        let csv = Response::new(200, "text/csv", vec![b'a'; 4096]);
        let answer = answer(&[("Accept-Encoding", "gzip")], csv);
        assert_eq!((answer.header("ETag"), answer.body.len()), (None, 4096));
        assert!(answer.header("Content-Security-Policy").is_some());
    }
}
