//! Requests: what handlers may see of them, already decoded.
//!
//! It must never know sockets or routes.

use crate::error::{Error, Result};

/// A request, decoded.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method, upper case.
    pub method: String,
    /// The path, percent-decoded, without the query.
    pub path: String,
    /// The query's fields in their order, decoded.
    pub query: Vec<(String, String)>,
    /// What the route's `{id}` stood for; empty where it has none.
    pub id: String,
}

impl Request {
    /// A request for `target`, a path with an optional query.
    pub fn new(method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let owned = |(name, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)| {
            (name.into_owned(), value.into_owned())
        };
        Self {
            method: method.to_owned(),
            path: percent_encoding::percent_decode_str(path)
                .decode_utf8_lossy()
                .into_owned(),
            query: form_urlencoded::parse(query.as_bytes())
                .map(owned)
                .collect(),
            id: String::new(),
        }
    }

    /// The query's field called `name`; none where it is missing or empty.
    ///
    /// # Errors
    /// When it is there twice: which one was meant?
    pub fn field(&self, name: &str) -> Result<Option<&str>> {
        let mut values = self.query.iter().filter(|(field, _)| field == name);
        let value = values
            .next()
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty());
        match values.next() {
            Some(_) => Err(Error::invalid(format!(
                "the query names {name} twice (give it once)"
            ))),
            None => Ok(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_queries_are_decoded() {
        let request = Request::new("GET", "/a%20b?as_of=2026-11-01T00%3A00%3A00Z&x=1+2&x=3&y=");
        assert_eq!(request.path, "/a b");
        assert_eq!(
            request.field("as_of").expect("once"),
            Some("2026-11-01T00:00:00Z")
        );
        assert_eq!(request.field("y").expect("once"), None);
        assert!(request.field("x").is_err());
    }
}
