//! Answers: values that handlers return, and problems by RFC 9457.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::error::{Error, ErrorKind};
use crate::scratch::ScratchFile;

/// When a refused client may try again, in seconds.
const RETRY_AFTER_SECONDS: &str = "1";

/// The same where the disk is full or the database broken: someone must act first.
const MENDED_AFTER_SECONDS: &str = "30";

/// An answer: a status, header fields, and a body.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header fields without `Content-Length`, `Date` and `Connection`, which the server writes.
    pub headers: Vec<(&'static str, String)>,
    /// The whole body, shared: a report's CSV is not copied for each client that fetches it.
    pub body: Arc<Vec<u8>>,
    /// A file that is the body in its place: one that is too long for memory.
    pub file: Option<Arc<ScratchFile>>,
}

impl Response {
    /// An answer with a body of this media type.
    pub fn new(status: u16, media_type: &str, body: impl Into<Arc<Vec<u8>>>) -> Self {
        Self {
            status,
            headers: vec![
                ("Content-Type", media_type.to_owned()),
                ("Cache-Control", "no-store".to_owned()),
            ],
            body: body.into(),
            file: None,
        }
    }

    /// An answer in JSON, with a newline at its end for terminals.
    pub fn json(status: u16, value: &Value) -> Self {
        Self::new(status, "application/json", format!("{value}\n").into_bytes())
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Arc::default(),
            file: None,
        }
    }

    /// The same answer with one more header field.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same answer with a file as its body.
    #[must_use]
    pub fn with_file(mut self, file: ScratchFile) -> Self {
        self.file = Some(Arc::new(file));
        self
    }

    /// The length of its body.
    pub fn body_bytes(&self) -> u64 {
        let in_memory = self.body.len() as u64;
        self.file.as_ref().map_or(in_memory, |file| file.written())
    }

    /// A page.
    pub fn page(status: u16, html: maud::Markup) -> Self {
        let html = html.into_string().into_bytes();
        Self::new(status, "text/html; charset=utf-8", html).revalidated()
    }

    /// A redirect to another page, by GET.
    pub fn see_other(path: impl Into<String>) -> Self {
        Self::new(303, "text/plain; charset=utf-8", Vec::new()).with("Location", path)
    }

    /// The same answer for caches that must check its tag each time.
    #[must_use]
    pub fn revalidated(self) -> Self {
        self.cached("no-cache")
    }

    /// The same answer with another `Cache-Control`.
    #[must_use]
    pub fn cached(mut self, control: &str) -> Self {
        self.headers.retain(|(name, _)| *name != "Cache-Control");
        self.with("Cache-Control", control)
    }

    /// The value of the header field `name`, in this spelling.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.headers.iter();
        fields
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value.as_str())
    }

    /// A problem: the fault and the remedy.
    pub fn problem(status: u16, detail: &str) -> Self {
        Self::problem_with(status, detail, Map::new())
    }

    /// A problem with additional members.
    pub fn problem_with(status: u16, detail: &str, members: Map<String, Value>) -> Self {
        let mut problem = json!({"type": "about:blank", "title": title(status), "status": status, "detail": detail});
        if let Value::Object(problem) = &mut problem {
            problem.extend(members);
        }
        Self::new(status, "application/problem+json", format!("{problem}\n").into_bytes())
    }
}

impl From<Error> for Response {
    /// The one table from error kinds to statuses. Internal failures are logged, not shown.
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::Invalid => Self::problem(400, error.message()),
            ErrorKind::Forbidden => Self::problem(403, error.message()),
            ErrorKind::NotFound => Self::problem(404, error.message()),
            ErrorKind::Unavailable => Self::problem(503, error.message()).with("Retry-After", RETRY_AFTER_SECONDS),
            ErrorKind::NoSpace => Self::problem(507, error.message()).with("Retry-After", MENDED_AFTER_SECONDS),
            ErrorKind::Broken => {
                tracing::error!(%error, "the database cannot be used");
                Self::problem(503, error.message()).with("Retry-After", MENDED_AFTER_SECONDS)
            }
            ErrorKind::Failed => {
                tracing::error!(%error, "a request failed");
                Self::problem(500, "the server failed to answer; its log says why")
            }
        }
    }
}

/// Every status that the server answers with.
pub(super) const STATUSES: [u16; 25] = [
    200, 201, 202, 204, 303, 304, 400, 401, 403, 404, 405, 408, 413, 414, 415, 417, 421, 422, 429, 431, 500, 501, 503,
    505, 507,
];

/// The reason phrase of a status, which is also a problem's title.
pub(super) const fn title(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        303 => "See Other",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        410 => "Gone",
        408 => "Request Timeout",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        507 => "Insufficient Storage",
        505 => "HTTP Version Not Supported",
        _ => "Internal Server Error",
    }
}
