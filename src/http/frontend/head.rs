//! Heads: finds the end of a head, checks it, and selects the fields for the handler.
//!
//! Pure: takes bytes, returns a verdict. httparse knows the grammar; this file has the stricter rules that RFC 9110
//! and 9112 allow.

use std::fmt::Write;
use std::ops::Range;

use super::refusal::Refusal;
use super::target;

/// The longest head, with the request line and the empty line at its end.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// The longest request line, without its end.
pub const LINE_BYTES_MAX: usize = 8 * 1024;
/// The most fields of a head.
pub const FIELDS_MAX: usize = 100;
/// How many empty lines before a request line are skipped: old clients send one after a body.
const EMPTY_LINES_MAX: usize = 2;

/// The methods that HTTP and PATCH's RFC define; CONNECT is refused with its target.
const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT",
];

/// Fields about connection and framing, which only the frontend reads.
const OWN: [&str; 11] = [
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Expect",
    "TE",
    "Trailer",
    "Upgrade",
    "Keep-Alive",
    "Proxy-Connection",
    "HTTP2-Settings",
];

/// Fields with one value, with the refusal of a second one: two programs in a row may each believe another one.
const SINGLE: [(&str, &str); 9] = {
    macro_rules! single {
        ($($name:literal),*) => { [$(($name, concat!($name, " is there twice (send one)"))),*] };
    }
    single!(
        "Authorization",
        "Content-Encoding",
        "Content-Type",
        "Cookie",
        "Idempotency-Key",
        "Origin",
        "Sec-Fetch-Dest",
        "Sec-Fetch-Mode",
        "Sec-Fetch-Site"
    )
};

/// How a body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// By its length in bytes; zero if the head gives none.
    Length(u64),
    /// In chunks.
    Chunked,
}

/// A valid head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// A method of HTTP.
    pub method: &'static str,
    /// Path and query, or `*`.
    pub target: String,
    /// Whether the client uses 1.1, not 1.0.
    pub is_1_1: bool,
    /// How its body is framed.
    pub framing: Framing,
    /// Whether the connection may serve another request.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
    /// The handler's fields: ASCII, the host first, without those about connection and framing.
    pub fields: Vec<(String, String)>,
}

/// Finds the end of a head in bytes that arrive in pieces.
#[derive(Debug, Default)]
pub struct Scanner {
    /// The start of the head, after empty lines.
    start: usize,
    /// The end of the bytes already searched.
    seen: usize,
    line_start: usize,
    lines: usize,
    empty_lines: usize,
}

impl Scanner {
    /// Searches the new bytes of `input`, which begins with all earlier ones; returns the range of the head once it is
    /// complete.
    ///
    /// # Errors
    /// 400, 414 or 431, as soon as no good head is possible.
    pub fn scan(&mut self, input: &[u8]) -> Result<Option<Range<usize>>, Refusal> {
        while let Some(&byte) = input.get(self.seen) {
            let at = self.seen;
            self.seen += 1;
            let after_cr = at > 0 && input[at - 1] == b'\r';
            match byte {
                b'\n' if !after_cr => return Err(Refusal::malformed("a line must end in CR LF")),
                b'\n' if self.line_start + 1 < at => {
                    self.lines += 1;
                    self.line_start = self.seen;
                }
                b'\n' if self.lines > 0 => return Ok(Some(self.start..self.seen)),
                b'\n' => {
                    self.empty_lines += 1;
                    if self.empty_lines > EMPTY_LINES_MAX {
                        return Err(Refusal::malformed("the request line is missing"));
                    }
                    (self.start, self.line_start) = (self.seen, self.seen);
                    continue;
                }
                _ if after_cr => {
                    return Err(Refusal::malformed("CR must be followed by LF"));
                }
                b'\r' | b'\t' => {}
                _ if byte.is_ascii_control() => {
                    return Err(Refusal::malformed("a head must have no control characters"));
                }
                _ => {}
            }
            if self.lines == 0 && byte != b'\r' && at - self.start >= LINE_BYTES_MAX {
                return Err(Refusal::LONG_LINE);
            }
            if self.seen - self.start >= HEAD_BYTES_MAX || self.lines > FIELDS_MAX + 1 {
                return Err(Refusal::LONG_HEAD);
            }
        }
        Ok(None)
    }
}

/// Checks a complete head, from its request line to the empty line.
///
/// # Errors
/// 400, 417, 431, 501 or 505.
pub fn judge(head: &[u8]) -> Result<Head, Refusal> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(head) {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::LONG_HEAD),
        Err(httparse::Error::Version) if names_a_version(head) => return Err(Refusal::VERSION),
        Err(httparse::Error::HeaderName | httparse::Error::HeaderValue) => {
            return Err(Refusal::malformed(
                "a header field is not `name: value` on one line, with no space before the colon",
            ));
        }
        _ => {
            return Err(Refusal::malformed(
                "the request line is not METHOD, target and HTTP/1.1 with one space between each",
            ));
        }
    }
    let (Some(method), Some(text), Some(minor)) = (request.method, request.path, request.version) else {
        return Err(Refusal::malformed("the request line is not whole"));
    };
    let method = METHODS.into_iter().find(|known| *known == method);
    let method = method.ok_or(Refusal::METHOD)?;
    let target = target::read(method, text)?;
    let is_1_1 = minor == 1;

    let mut connection = ConnectionFields::default();
    for field in request.headers.iter() {
        connection.note(field.name, field.value.trim_ascii());
    }
    let host = connection.host(is_1_1)?;
    let framing = connection.framing(is_1_1)?;
    for (name, twice) in SINGLE {
        let same = request
            .headers
            .iter()
            .filter(|field| field.name.eq_ignore_ascii_case(name));
        if same.count() > 1 {
            return Err(Refusal::malformed(twice));
        }
    }
    if method == "TRACE" && framing != Framing::Length(0) {
        return Err(Refusal::malformed("TRACE must have no body"));
    }
    if connection.expects_something_else && is_1_1 {
        return Err(Refusal::EXPECTATION);
    }

    // A target that begins with its query means the root.
    let slash = if target.path.starts_with('?') { "/" } else { "" };
    let host = target.host.or(host);
    let host = host.map(|host| ("Host".to_owned(), host.to_owned()));
    let others = request.headers.iter();
    let others = others.filter(|field| !is_own(field.name));
    let others = others.map(|field| (field.name.to_owned(), ascii(field.value.trim_ascii())));
    let fields = host.into_iter().chain(others).collect();
    Ok(Head {
        method,
        target: format!("{slash}{}", target.path),
        is_1_1,
        framing,
        keep_alive: !connection.close && (is_1_1 || connection.keep_alive),
        expects_continue: connection.expects_continue && is_1_1,
        fields,
    })
}

/// Whether the request line is well-formed except for an unsupported version.
fn names_a_version(head: &[u8]) -> bool {
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or(head);
    let mut words = line.split(|&byte| byte == b' ');
    match (words.nth(2), words.next()) {
        (Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor]), None) => {
            major.is_ascii_digit() && minor.is_ascii_digit()
        }
        _ => false,
    }
}

fn is_own(name: &str) -> bool {
    OWN.iter().any(|own| name.eq_ignore_ascii_case(own))
}

/// A value in ASCII: all other bytes are percent-encoded.
fn ascii(value: &[u8]) -> String {
    let mut text = String::with_capacity(value.len());
    for &byte in value {
        if byte.is_ascii() {
            text.push(byte.into());
        } else {
            // Writing to memory cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// The fields about connection and framing.
#[derive(Default)]
struct ConnectionFields<'a> {
    hosts: usize,
    host: &'a [u8],
    lengths: usize,
    length: &'a [u8],
    codings: usize,
    coding: &'a [u8],
    close: bool,
    keep_alive: bool,
    expects_continue: bool,
    expects_something_else: bool,
}

impl<'a> ConnectionFields<'a> {
    fn note(&mut self, name: &str, value: &'a [u8]) {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("Host") {
            (self.hosts, self.host) = (self.hosts + 1, value);
        } else if is("Content-Length") {
            (self.lengths, self.length) = (self.lengths + 1, value);
        } else if is("Transfer-Encoding") {
            (self.codings, self.coding) = (self.codings + 1, value);
        } else if is("Connection") {
            for token in value.split(|&byte| byte == b',') {
                let token = token.trim_ascii();
                self.close |= token.eq_ignore_ascii_case(b"close");
                self.keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
            }
        } else if is("Expect") {
            if value.eq_ignore_ascii_case(b"100-continue") {
                self.expects_continue = true;
            } else {
                self.expects_something_else = true;
            }
        }
    }

    /// The host; none only if a 1.0 request omits it.
    fn host(&self, is_1_1: bool) -> Result<Option<&'a str>, Refusal> {
        match (self.hosts, std::str::from_utf8(self.host)) {
            (0, _) if is_1_1 => Err(Refusal::malformed("Host is missing (HTTP/1.1 needs one)")),
            (0, _) => Ok(None),
            (1, Ok(host)) if target::is_authority(host) => Ok(Some(host)),
            (1, _) => Err(Refusal::malformed("Host is not a host with an optional port")),
            _ => Err(Refusal::malformed("Host is there twice (send one)")),
        }
    }

    fn framing(&self, is_1_1: bool) -> Result<Framing, Refusal> {
        match (self.codings, self.lengths) {
            (0, 0) => Ok(Framing::Length(0)),
            (0, 1) => length(self.length).map(Framing::Length),
            (0, _) => Err(Refusal::malformed("Content-Length is there twice (send one)")),
            (_, 0) if !is_1_1 => Err(Refusal::malformed("HTTP/1.0 has no Transfer-Encoding")),
            (1, 0) => coding(self.coding),
            (_, 0) => Err(Refusal::malformed("Transfer-Encoding is there twice (send one)")),
            _ => Err(Refusal::malformed(
                "Content-Length and Transfer-Encoding contradict each other (send one of them)",
            )),
        }
    }
}

/// A length in decimal digits. Leading zeros are legal, but some programs read them as octal: refused.
fn length(value: &[u8]) -> Result<u64, Refusal> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let plain = value.len() == 1 || value.first() != Some(&b'0');
    let number = std::str::from_utf8(value).ok().filter(|_| digits && plain);
    let number = number.and_then(|number| number.parse().ok());
    number.ok_or(Refusal::malformed(
        "Content-Length is not a number of bytes in plain digits",
    ))
}

/// Only `chunked` alone is accepted; an unknown coding, alone or before it, gets 501.
fn coding(value: &[u8]) -> Result<Framing, Refusal> {
    let is_chunked = |coding: &&[u8]| coding.eq_ignore_ascii_case(b"chunked");
    if is_chunked(&value) {
        return Ok(Framing::Chunked);
    }
    let tokens: Vec<_> = value.split(|&byte| byte == b',').collect();
    let tokens: Vec<_> = tokens.iter().map(|token| token.trim_ascii()).collect();
    let chunked = tokens.iter().filter(|token| is_chunked(token)).count();
    let legal = |token: &&[u8]| !token.is_empty() && token.iter().all(|&byte| is_token(byte));
    let last = tokens.len() == 1 || tokens.last().is_some_and(is_chunked);
    if tokens.iter().all(legal) && chunked < 2 && last {
        return Err(Refusal::CODING);
    }
    Err(Refusal::malformed("Transfer-Encoding must be chunked and nothing else"))
}

/// Whether a token may contain this byte.
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &str) -> Result<Head, u16> {
        let scanned = Scanner::default().scan(input.as_bytes());
        let range = scanned.map_err(|refused| refused.status)?;
        let head = &input.as_bytes()[range.expect("a whole head")];
        judge(head).map_err(|refused| refused.status)
    }

    #[test]
    fn fields_are_normalised() {
        let head = read("\r\nPOST http://other:81?a HTTP/1.1\r\nhOST: me\r\nX-A:\t b \r\nX-\u{e9}: no\r\n\r\n");
        assert_eq!(head, Err(400), "a name is a token");
        let head = read(
            "\r\nPOST http://other:81?a HTTP/1.1\r\nhOST: me\r\nX-A:\t b \r\nX-B: \u{e9}\r\nTE: trailers\r\n\
             Connection: close, TE\r\nExpect: 100-Continue\r\nContent-Length: 7\r\n\r\n",
        )
        .expect("a good head");
        let expected = [("Host", "other:81"), ("X-A", "b"), ("X-B", "%C3%A9")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(head.fields, expected);
        assert_eq!(head.target, "/?a");
        assert_eq!(head.framing, Framing::Length(7));
        assert!(head.expects_continue && !head.keep_alive);
    }

    #[test]
    fn a_connection_is_kept_as_the_version_has_it() {
        for (version, connection, kept) in [
            ("1.1", "x", true),
            ("1.1", "Close", false),
            ("1.1", "keep-alive, close", false),
            ("1.0", "x", false),
            ("1.0", "Keep-Alive", true),
        ] {
            let text = format!("GET / HTTP/{version}\r\nHost: x\r\nConnection: {connection}\r\n\r\n");
            assert_eq!(read(&text).expect("good").keep_alive, kept, "{text}");
        }
    }

    #[test]
    fn a_head_has_bounds() {
        let line = |bytes: usize| {
            let path = "a".repeat(bytes - "GET / HTTP/1.1".len());
            format!("GET /{path} HTTP/1.1\r\nHost: x\r\n\r\n")
        };
        assert!(read(&line(LINE_BYTES_MAX)).is_ok());
        assert_eq!(read(&line(LINE_BYTES_MAX + 1)), Err(414));
        let fields = |count: usize| {
            let fields = "A: b\r\n".repeat(count - 1);
            format!("GET / HTTP/1.1\r\nHost: x\r\n{fields}\r\n")
        };
        assert!(read(&fields(FIELDS_MAX)).is_ok());
        assert_eq!(read(&fields(FIELDS_MAX + 1)), Err(431));
        let head = |bytes: usize| {
            let rest = "GET / HTTP/1.1\r\nHost: x\r\nA: \r\n\r\n".len();
            let value = "b".repeat(bytes - rest);
            format!("GET / HTTP/1.1\r\nHost: x\r\nA: {value}\r\n\r\n")
        };
        assert!(read(&head(HEAD_BYTES_MAX)).is_ok());
        assert_eq!(read(&head(HEAD_BYTES_MAX + 1)), Err(431));
    }

    #[test]
    fn a_head_that_comes_byte_by_byte_is_the_same_head() {
        let text = "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\nrest";
        let mut scanner = Scanner::default();
        let found = (0..text.len()).find_map(|length| scanner.scan(&text.as_bytes()[..length]).expect("good"));
        assert_eq!(found, Some(2..text.len() - 4));
    }
}
