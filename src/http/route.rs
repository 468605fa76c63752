//! A route: who may ask, what it takes and what it answers.
//!
//! The table of [`super::routes`] is the one place that names them; the router, the 405s and `/openapi.json` are
//! made of it.

use super::app::App;
use super::request::Request;
use super::response::Response;
use crate::error::Result;

/// Makes the answer to a request.
pub type Handler = fn(&mut App, &mut Request<'_>) -> Result<Response>;

/// Who may ask, once there are tokens. Until then every route is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everyone.
    Public,
    /// A token that may send polls.
    Ingest,
    /// A token that may look, at some owners' stores or at all.
    Read,
    /// A token that may look at all and make reports.
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
    /// Whether the route needs it.
    pub required: bool,
}

/// The body that a route takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// None.
    Empty,
    /// A short form; the component that describes it.
    Form(&'static str),
    /// A form with files, as long as `--max-body` allows; the component that describes it.
    Files(&'static str),
    /// Rows in CSV or JSON, as long as `--max-body` allows.
    Rows,
}

/// One line of the table. `{id}` in a path stands for one segment, or the part of one before a suffix.
pub struct Route {
    /// The method, upper case.
    pub method: &'static str,
    /// The pattern of the path.
    pub path: &'static str,
    /// Makes the answer.
    pub handler: Handler,
    /// Who may ask.
    pub scope: Scope,
    /// Its name in the API's description.
    pub name: &'static str,
    /// Its effect, in one sentence.
    pub summary: &'static str,
    /// The part of the API it belongs to.
    pub tag: &'static str,
    /// The meaning of `{id}`; empty where the path has none.
    pub id: &'static str,
    /// The fields of the query, in groups that routes share.
    pub fields: &'static [&'static [Field]],
    /// The body that it takes.
    pub body: Body,
    /// The status of success.
    pub status: u16,
    /// What success means.
    pub about: &'static str,
    /// The media types of success, each with the component that describes it; empty for a plain string.
    pub content: &'static [(&'static str, &'static str)],
    /// The statuses of its problems, which are all described alike.
    pub problems: &'static [u16],
    /// The statuses that it answers with a page, and what each means.
    pub pages: &'static [(u16, &'static str)],
}

impl Route {
    /// A route that is open to all, takes nothing and answers 200.
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

    /// The same route for holders of a token with this scope.
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

    /// The same route with the answer to a request that succeeds.
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

    /// The part of `path` that stands for `{id}`; empty where the pattern has none, none where it does not fit.
    pub fn captured<'a>(&self, path: &'a str) -> Option<&'a str> {
        let Some((prefix, suffix)) = self.path.split_once("{id}") else {
            return (self.path == path).then_some("");
        };
        let id = path.strip_prefix(prefix)?.strip_suffix(suffix)?;
        (!id.is_empty() && !id.contains('/')).then_some(id)
    }
}
