//! Requests: the decoded parts that handlers see.

use std::io::Read;

use crate::error::{Error, Result};

/// A request, decoded.
pub struct Request<'a> {
    /// The method, upper case.
    pub method: String,
    /// The path as sent, percent-encoded, without the query.
    pub path: String,
    /// The decoded fields of the query, in order.
    pub query: Vec<(String, String)>,
    /// The decoded fields of a page's form, in order; its token was checked and is left out.
    pub form: Vec<(String, String)>,
    /// The decoded value of the route's `{id}`; empty if the path has none.
    pub id: String,
    /// The decoded value of the route's `{date}`; empty if the path has none.
    pub date: String,
    /// The header fields, in order.
    pub headers: Vec<(String, String)>,
    /// The length of the body, if the client declared it.
    pub body_bytes: Option<u64>,
    /// The body as sent.
    pub body: &'a mut (dyn Read + Send),
}

impl<'a> Request<'a> {
    /// A request for `target`, a path with an optional query.
    pub fn new(method: &str, target: &str, body: &'a mut (dyn Read + Send)) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let fields = form_urlencoded::parse(query.as_bytes());
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: fields
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
            form: Vec::new(),
            id: String::new(),
            date: String::new(),
            headers: Vec::new(),
            body_bytes: None,
            body,
        }
    }

    /// The value of the header field `name`, in any case; the first one of several.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.headers.iter();
        fields
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    /// The form's field `name`, the first of several; empty if it is missing.
    pub fn form_field(&self, name: &str) -> &str {
        let found = self.form.iter().find(|(field, _)| field == name);
        found.map_or("", |(_, value)| value)
    }

    /// The query's field `name`; none if it is missing or empty.
    ///
    /// # Errors
    /// When the query has it twice.
    pub fn field(&self, name: &str) -> Result<Option<&str>> {
        let mut values = self.query.iter().filter(|(field, _)| field == name);
        let value = values
            .next()
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty());
        match values.next() {
            Some(_) => Err(twice(name)),
            None => Ok(value),
        }
    }
}

/// The refusal of a query that has a field twice.
pub(super) fn twice(name: &str) -> Error {
    Error::invalid(format!("the query names {name} twice (give it once)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        let mut body = std::io::empty();
        let target = "/a?as_of=2026-11-01T00%3A00%3A00Z&x=1+2&x=3&y=";
        let request = Request::new("GET", target, &mut body);
        assert_eq!(request.path, "/a");
        assert_eq!(request.field("as_of").expect("once"), Some("2026-11-01T00:00:00Z"));
        assert_eq!(request.field("y").expect("once"), None);
        assert!(request.field("x").is_err());
    }
}
