//! Sends over HTTP: to webhooks and to ntfy.
//!
//! No redirect is followed, and no proxy of the environment is used: only the address is connected to that was judged.
//! Of the answer nothing but its status is of interest; its body is not read, however long it is.

use std::fmt::Display;
use std::io::ErrorKind;
use std::time::Duration;

use chrono::DateTime;
use ureq::config::Config;
use ureq::http::{HeaderMap, Request, StatusCode, Uri};
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error};

use super::authorities::Authorities;
use super::failure::{Again, Failure};
use super::payload;
use super::reach;
use super::receiver::{Hidden, WebAddress};
use crate::clock::machine_us;
use crate::db::outbox::Message;
use crate::uptime::interval::{Micros, SECOND};

/// How long a connection may take, with TLS.
const CONNECTED_WITHIN: Duration = Duration::from_secs(10);

/// How long a receiver over HTTP may take in all.
const ANSWERED_WITHIN: Duration = Duration::from_secs(15);

/// How many addresses of a name are tried: those that the client has room for.
const ADDRESSES_TRIED: usize = 16;

/// The longest head of an answer.
const ANSWER_HEAD_BYTES_MAX: usize = 16 << 10;

/// Statuses that say that the operator must mend something, or that it passes; all else of 4xx is about the message
/// itself, which would be refused each time.
const MENDED: [StatusCode; 6] = [
    StatusCode::UNAUTHORIZED,
    StatusCode::FORBIDDEN,
    StatusCode::NOT_FOUND,
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::TOO_EARLY,
    StatusCode::TOO_MANY_REQUESTS,
];

/// Sends a message to a webhook.
///
/// # Errors
/// When it did not arrive, as far as anybody knows.
pub fn to_webhook(
    address: &WebAddress,
    key: Option<&Hidden>,
    allow_private: bool,
    message: &Message,
    at: Micros,
) -> Result<(), Failure> {
    let body = payload::webhook(message, at);
    let timestamp = machine_us() / SECOND;
    let mut headers = vec![
        ("Content-Type", "application/json".to_owned()),
        ("Idempotency-Key", payload::header_key(&message.key)),
        ("X-Store-Monitor-Timestamp", timestamp.to_string()),
    ];
    let signature = key.and_then(|key| payload::signature(key, timestamp, &body));
    headers.extend(signature.map(|signature| ("X-Store-Monitor-Signature", signature)));
    post(address, allow_private, &headers, &body)
}

/// Sends a message to a topic of ntfy.
///
/// # Errors
/// When it did not arrive, as far as anybody knows.
pub fn to_ntfy(
    address: &WebAddress,
    token: Option<&Hidden>,
    allow_private: bool,
    message: &Message,
) -> Result<(), Failure> {
    let mut headers = payload::ntfy_headers(message);
    headers.push(("Content-Type", "text/plain; charset=utf-8".to_owned()));
    headers.extend(token.map(|token| ("Authorization", format!("Bearer {}", token.reveal()))));
    post(address, allow_private, &headers, payload::ntfy_text(message).as_bytes())
}

fn post(address: &WebAddress, allow_private: bool, headers: &[(&str, String)], body: &[u8]) -> Result<(), Failure> {
    let mut request = Request::post(address.url());
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request
        .body(body)
        .map_err(|_| Failure::later("its address or its secret cannot stand in a request (correct it)"))?;
    let answer = agent(address.authorities.as_ref(), allow_private)
        .run(request)
        .map_err(|error| told(address, error))?;
    match failure_of(answer.status(), answer.headers(), machine_us()) {
        None => Ok(()),
        Some(failure) => Err(failure),
    }
}

/// A client for one request: a connection that is kept would not be judged again.
fn agent(authorities: Option<&Authorities>, allow_private: bool) -> Agent {
    let trusted = authorities.map_or(RootCerts::WebPki, |own| RootCerts::new_with_certs(&own.certificates()));
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(trusted)
        .build();
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent(concat!("store-monitor/", env!("CARGO_PKG_VERSION")))
        .max_idle_connections(0)
        .max_response_header_size(ANSWER_HEAD_BYTES_MAX)
        .timeout_connect(Some(CONNECTED_WITHIN))
        .timeout_global(Some(ANSWERED_WITHIN))
        .tls_config(tls)
        .build();
    Agent::with_parts(config, DefaultConnector::default(), Judge { allow_private })
}

/// Resolves names to those of their addresses that may be connected to.
#[derive(Debug)]
struct Judge {
    allow_private: bool,
}

impl Resolver for Judge {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().unwrap_or_default();
        let port = uri.port_u16().unwrap_or(match uri.scheme_str() {
            Some("http") => 80,
            _ => 443,
        });
        let other = |reason: String| Error::Other(reason.into());
        let found = reach::resolve(host, port).map_err(|failure| other(failure.reason))?;
        let allowed = reach::allowed(host, found, self.allow_private);
        let allowed = allowed.map_err(|refused| other(refused.to_string()))?;
        let mut addresses = self.empty();
        for address in allowed.into_iter().take(ADDRESSES_TRIED) {
            addresses.push(address);
        }
        Ok(addresses)
    }
}

/// An error of the client in a sentence. None of them shows the whole address, which may be a secret.
fn told(address: &WebAddress, error: Error) -> Failure {
    let host = &address.host;
    Failure::later(match error {
        Error::Other(reason) => reason.to_string(),
        Error::Timeout(what) => format!("{host} did not answer in time ({what})"),
        // What TLS finds wrong comes as such data.
        Error::Io(error) if error.kind() == ErrorKind::InvalidData => distrusted(host, &error),
        Error::Io(error) => format!("{host} cannot be reached: {error}"),
        Error::Rustls(error) => distrusted(host, &error),
        Error::Tls(error) => distrusted(host, &error),
        Error::ConnectionFailed => format!("{host} cannot be reached"),
        Error::LargeResponseHeader(..) => format!("the answer of {host} has too long a head"),
        Error::Protocol(_) | Error::Http(_) | Error::BodyStalled => format!("{host} does not answer in HTTP"),
        _ => format!("nothing can be sent to {host}"),
    })
}

fn distrusted(host: &str, error: &dyn Display) -> String {
    format!("{host} has no TLS that can be trusted: {error} (ca_file names the authorities of your own network)")
}

/// What a status says; none if the message arrived.
fn failure_of(status: StatusCode, headers: &HeaderMap, now: Micros) -> Option<Failure> {
    if status.is_success() {
        return None;
    }
    let code = status.as_u16();
    let reason = match status.canonical_reason() {
        Some(reason) => format!("the answer was {code} {reason}"),
        None => format!("the answer was {code}"),
    };
    if status.is_redirection() {
        return Some(Failure::later(format!(
            "{reason}, which is not followed (write the address that it leads to)"
        )));
    }
    if status.is_client_error() && !MENDED.contains(&status) {
        return Some(Failure::never(reason));
    }
    let asked = headers.get("Retry-After").and_then(|value| value.to_str().ok());
    let again = match asked.and_then(|asked| wait(asked, now)) {
        Some(wait) => Again::After(wait),
        None => Again::Later,
    };
    Some(Failure { reason, again })
}

/// How long `Retry-After` asks to wait: seconds, or until a date.
fn wait(asked: &str, now: Micros) -> Option<Micros> {
    let asked = asked.trim();
    if let Ok(seconds) = asked.parse::<u32>() {
        return Some(Micros::from(seconds) * SECOND);
    }
    let until = DateTime::parse_from_rfc2822(asked).ok()?;
    Some((until.timestamp_micros() - now).max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: u16, retry_after: Option<&str>) -> Option<Again> {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            headers.insert("Retry-After", value.parse().unwrap());
        }
        let now = 1_700_000_000 * SECOND;
        failure_of(StatusCode::from_u16(status).unwrap(), &headers, now).map(|failure| failure.again)
    }

    #[test]
    fn what_an_operator_can_mend_or_what_passes_is_tried_again() {
        for status in [200, 201, 202, 204] {
            assert_eq!(failure(status, None), None, "{status}");
        }
        for status in [
            301, 302, 307, 308, 401, 403, 404, 408, 425, 429, 500, 502, 503, 504, 599,
        ] {
            assert_eq!(failure(status, None), Some(Again::Later), "{status}");
        }
        for status in [400, 405, 410, 411, 413, 415, 422, 451, 499] {
            assert_eq!(failure(status, None), Some(Again::Never), "{status}");
        }
    }

    #[test]
    fn a_receiver_says_when_to_try_again_in_seconds_or_by_a_date() {
        assert_eq!(failure(429, Some("120")), Some(Again::After(120 * SECOND)));
        let date = Some("Tue, 14 Nov 2023 22:13:50 GMT");
        assert_eq!(failure(503, date), Some(Again::After(30 * SECOND)));
        assert_eq!(
            failure(503, Some("Fri, 14 Nov 2003 22:13:50 GMT")),
            Some(Again::After(0))
        );
        for nonsense in ["", "soon", "-5", "1e9", "99999999999999"] {
            assert_eq!(failure(503, Some(nonsense)), Some(Again::Later), "{nonsense}");
        }
    }
}
