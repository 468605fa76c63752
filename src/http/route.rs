//! A route: its scope, its request and its answer.
//!
//! [`super::routes`] is the only table of them; the router, the 405s and `/openapi.json` are derived from it.

use std::collections::BTreeSet;

use super::app::App;
use super::field::Field;
use super::request::{Request, twice};
use super::response::Response;
use crate::access::Scope;
use crate::error::Result;

/// Answers a request.
pub type Handler = fn(&mut App, &mut Request<'_>) -> Result<Response>;

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
    /// The scope that it needs.
    pub scope: Scope,
    /// Whether it tells of all stores at once, so that a credential for some may not use it.
    pub of_all_stores: bool,
    /// Its name in the API's description.
    pub name: &'static str,
    /// Its effect, in one sentence.
    pub summary: &'static str,
    /// Its part of the API.
    pub tag: &'static str,
    /// Its `{id}`, if the path has one.
    pub id: Option<Field>,
    /// Its `{date}`, if the path has one.
    pub date: Option<Field>,
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
    /// Whether success has an `ETag`, so that a client that knows the answer gets 304.
    pub tagged: bool,
    /// The statuses of its problems that do not follow from the rest of the line.
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
            of_all_stores: false,
            name,
            summary,
            tag,
            id: None,
            date: None,
            fields: &[],
            body: Body::Empty,
            status: 200,
            about: "",
            content: &[],
            tagged: false,
            problems: &[],
            pages: &[],
        }
    }

    /// The same route with this scope.
    pub const fn needs(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// The same route, which tells of all stores at once.
    pub const fn of_all_stores(mut self) -> Self {
        self.of_all_stores = true;
        self
    }

    /// The same route with its `{id}`.
    pub const fn id(mut self, id: Field) -> Self {
        self.id = Some(id);
        self
    }

    /// The same route with its `{date}`.
    pub const fn date(mut self, date: Field) -> Self {
        self.date = Some(date);
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

    /// The same route, whose success has an `ETag`.
    pub const fn tagged(mut self) -> Self {
        self.tagged = true;
        self
    }

    /// The same route, whose success no cache may keep.
    pub const fn untagged(mut self) -> Self {
        self.tagged = false;
        self
    }

    /// The same route with the statuses of problems that do not follow from the rest of its line.
    pub const fn problems(mut self, statuses: &'static [u16]) -> Self {
        self.problems = statuses;
        self
    }

    /// The same route with the statuses that it answers with a page.
    pub const fn pages(mut self, pages: &'static [(u16, &'static str)]) -> Self {
        self.pages = pages;
        self
    }

    /// The fields of its query.
    pub fn query(&self) -> impl Iterator<Item = &'static Field> {
        self.fields.iter().copied().flatten()
    }

    /// Whether a request with these fields of the query is costly: it asks about another instant than the newest, or
    /// for a statement or a digest, and so reads days of polls for itself.
    pub fn is_costly(&self, mut has: impl FnMut(&str) -> bool) -> bool {
        let is_read = !self.writes() && self.scope == Scope::Read;
        is_read
            && self.query().any(|field| field.name == "as_of")
            && (has("as_of") || self.path.contains("/statements") || self.path.ends_with("/digest"))
    }

    /// Whether it changes something.
    pub fn writes(&self) -> bool {
        self.method != "GET"
    }

    /// Whether it is a page. Forms without a script send every field, so an empty one says nothing there.
    pub fn is_page(&self) -> bool {
        !self.writes() && self.content.iter().any(|(media_type, _)| *media_type == "text/html")
    }

    /// Checks the fields of a request's path and query.
    ///
    /// # Errors
    /// When a value is not one that the field takes, or the query has a field twice.
    pub fn check(&self, request: &Request<'_>) -> Result<()> {
        let path = [(self.id, &request.id), (self.date, &request.date)];
        for (field, value) in path.into_iter().filter_map(|(field, value)| Some((field?, value))) {
            field.check(value)?;
        }
        for field in self.query() {
            let mut values = request.query.iter().filter(|(name, _)| name == field.name);
            if let Some((_, value)) = values.next()
                && !(value.is_empty() && self.is_page())
            {
                field.check(value)?;
            }
            if values.next().is_some() {
                return Err(twice(field.name));
            }
        }
        Ok(())
    }

    /// The statuses of its problems, in order. `Allow`'s 405 and those of malformed requests belong to no route.
    pub fn refusals(&self) -> BTreeSet<u16> {
        let path = [self.id, self.date].into_iter().flatten();
        let fields: Vec<Field> = path.chain(self.query().copied()).collect();
        let has_query = self.query().next().is_some();
        let (takes_body, takes_files) = match self.body {
            Body::Empty => (false, false),
            Body::Form(_) | Body::Fields(_) => (true, false),
            Body::Files(_) | Body::Rows => (true, true),
        };
        let may_be_malformed = takes_body || has_query || fields.iter().any(|field| !field.takes_any_value());
        let rules: [(bool, &[u16]); 7] = [
            // A foreign host.
            (true, &[421]),
            // Another site's page, or any page while pages are read-only; a long body; a busy writer; a full disk.
            (self.writes(), &[403, 413, 503, 507]),
            // No token, one that may not, too many wrong ones; a database that cannot be read.
            (self.scope != Scope::Public, &[401, 403, 429, 503]),
            (may_be_malformed, &[400]),
            (fields.iter().any(Field::names_something), &[404]),
            (takes_files, &[415, 422]),
            (true, self.problems),
        ];
        let rules = rules.into_iter().filter(|(applies, _)| *applies);
        rules.flat_map(|(_, statuses)| statuses).copied().collect()
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
