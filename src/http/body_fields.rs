//! The fields of a short body: a JSON object, or a form.

use serde_json::Value;

use super::field::unknown;
use super::request::Request;
use crate::error::{Error, Result};

/// Takes the fields of a body to those of the query; `example` is a body for the message that refuses another one.
///
/// # Errors
/// When the body is neither a form nor a JSON object of texts, lists of texts, `true` and `false`.
pub(super) fn take(request: &mut Request<'_>, example: &str) -> Result<()> {
    let mut body = Vec::new();
    // The frontend bounds its length.
    let read = request.body.read_to_end(&mut body);
    read.map_err(|error| Error::invalid("the body cannot be read").because(error))?;
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(());
    }
    let kind = request.header("Content-Type").unwrap_or_default().to_ascii_lowercase();
    if kind.starts_with("application/x-www-form-urlencoded") && !body.trim_ascii_start().starts_with(b"{") {
        let fields = form_urlencoded::parse(&body);
        let fields = fields.map(|(name, value)| (name.into_owned(), value.into_owned()));
        request.query.extend(fields.collect::<Vec<_>>());
        return Ok(());
    }
    let Ok(Value::Object(object)) = serde_json::from_slice(&body) else {
        return Err(Error::invalid(format!(
            "the body is no JSON object (send {example}, or the fields in the query)"
        )));
    };
    for (name, value) in object {
        match value {
            Value::Null => {}
            Value::String(text) => request.query.push((name, text)),
            Value::Bool(flag) => request.query.push((name, flag.to_string())),
            Value::Array(list) => {
                for one in list {
                    let Value::String(text) = one else {
                        return Err(unknown(&name, &one.to_string(), "a list of texts"));
                    };
                    request.query.push((name.clone(), text));
                }
            }
            other => return Err(unknown(&name, &other.to_string(), "a text")),
        }
    }
    Ok(())
}

/// Refuses a field that is none of `known`.
///
/// # Errors
/// When there is one.
pub(super) fn refuse_others(request: &Request<'_>, known: &[&str]) -> Result<()> {
    match request.query.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        Some((name, _)) => Err(unknown("field", name, &known.join(", "))),
        None => Ok(()),
    }
}

/// Refuses a field without a value: a token whose `expires` came out empty by accident would never expire.
///
/// # Errors
/// When there is one.
pub(super) fn refuse_empty(request: &Request<'_>) -> Result<()> {
    match request.query.iter().find(|(_, value)| value.is_empty()) {
        Some((name, _)) => Err(Error::invalid(format!(
            "`{name}` is empty (give a value or leave it out)"
        ))),
        None => Ok(()),
    }
}
