//! A route: its scope, its request and its answer.
//!
//! [`super::routes`] is the only table of them; the router, the 405s and `/openapi.json` are derived from it.

use super::app::App;
use super::request::Request;
use super::response::Response;
use crate::error::Result;

/// Answers a request.
pub type Handler = fn(&mut App, &mut Request<'_>) -> Result<Response>;

/// The scope of a token that a route will need. Today there are no tokens and every route is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// No token.
    Public,
    /// A token that may send polls.
    Ingest,
    /// A token that may read the stores of some owners, or all.
    Read,
    /// A token that may read all stores and make reports.
    Report,
    /// A token that may do everything.
    Admin,
}

/// A field of the query.
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its type, as a JSON schema.
    pub schema: &'static str,
    /// Its meaning.
    pub about: &'static str,
    /// Whether it is required.
    pub required: bool,
}

/// The body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// None.
    Empty,
    /// A short form, described by this component.
    Form(&'static str),
    /// A few fields, as a JSON object or a form, described by this component; the query may have them, too.
    Fields(&'static str),
    /// A form with files, up to `--max-body`, described by this component.
    Files(&'static str),
    /// Rows in CSV or JSON, up to `--max-body`.
    Rows,
}

/// One line of the table. `{id}` in a path is one segment, or the part of one before a suffix.
pub struct Route {
    /// The method, upper case.
    pub method: &'static str,
    /// The pattern of the path.
    pub path: &'static str,
    /// Answers its requests.
    pub handler: Handler,
    /// Its scope.
    pub scope: Scope,
    /// Its name in the API's description.
    pub name: &'static str,
    /// Its effect, in one sentence.
    pub summary: &'static str,
    /// Its part of the API.
    pub tag: &'static str,
    /// The meaning of `{id}`; empty if the path has none.
    pub id: &'static str,
    /// The fields of the query, in groups that routes share.
    pub fields: &'static [&'static [Field]],
    /// The body of its requests.
    pub body: Body,
    /// The status of success.
    pub status: u16,
    /// The meaning of success.
    pub about: &'static str,
    /// The media types of success, each with its component; empty for a plain string.
    pub content: &'static [(&'static str, &'static str)],
    /// The statuses of its problems, which share one description.
    pub problems: &'static [u16],
    /// The statuses that it answers with a page, and their meanings.
    pub pages: &'static [(u16, &'static str)],
}

/// The parts of a path that a route's pattern leaves open, as sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Captured<'a> {
    /// The segment, or part of it, at `{id}`; empty if the pattern has none.
    pub id: &'a str,
    /// The segment at `{date}`; empty if the pattern has none.
    pub date: &'a str,
}

impl Route {
    /// A route in the public scope without parameters or body, which answers 200.
    pub const fn new(
        method: &'static str,
        tag: &'static str,
        path: &'static str,
        handler: Handler,
        name: &'static str,
        summary: &'static str,
    ) -> Self {
        Self {
            method,
            path,
            handler,
            scope: Scope::Public,
            name,
            summary,
            tag,
            id: "",
            fields: &[],
            body: Body::Empty,
            status: 200,
            about: "",
            content: &[],
            problems: &[],
            pages: &[],
        }
    }

    /// The same route with this scope.
    pub const fn needs(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// The same route with the meaning of its `{id}`.
    pub const fn id(mut self, about: &'static str) -> Self {
        self.id = about;
        self
    }

    /// The same route with fields of the query.
    pub const fn takes(mut self, fields: &'static [&'static [Field]]) -> Self {
        self.fields = fields;
        self
    }

    /// The same route with a body.
    pub const fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// The same route with its answer on success.
    pub const fn answers(
        mut self,
        status: u16,
        about: &'static str,
        content: &'static [(&'static str, &'static str)],
    ) -> Self {
        (self.status, self.about, self.content) = (status, about, content);
        self
    }

    /// The same route with the statuses of its problems.
    pub const fn problems(mut self, statuses: &'static [u16]) -> Self {
        self.problems = statuses;
        self
    }

    /// The same route with the statuses that it answers with a page.
    pub const fn pages(mut self, pages: &'static [(u16, &'static str)]) -> Self {
        self.pages = pages;
        self
    }

    /// The parts of `path` at `{id}` and `{date}`; none if the path does not match.
    pub fn captured<'a>(&self, path: &'a str) -> Option<Captured<'a>> {
        let Some((prefix, suffix)) = self.path.split_once("{id}") else {
            return (self.path == path).then_some(Captured::default());
        };
        let rest = path.strip_prefix(prefix)?;
        let (id, date) = match suffix.split_once("{date}") {
            None => (rest.strip_suffix(suffix)?, ""),
            Some((between, _)) => rest.split_once(between).filter(|(_, date)| !date.is_empty())?,
        };
        let is_segment = !id.is_empty() && !id.contains('/') && !date.contains('/');
        is_segment.then_some(Captured { id, date })
    }
}
