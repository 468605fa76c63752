//! CSV fields by RFC 4180.

use std::borrow::Cow;

use memchr::{memchr, memchr3};

/// Whether a text must be quoted.
pub(super) fn is_quoted(text: &str) -> bool {
    let text = text.as_bytes();
    memchr3(b',', b'"', b'\n', text).is_some() || memchr(b'\r', text).is_some()
}

/// A text as a field, quoted only where RFC 4180 requires it.
///
/// A text such as `=1+1` is a legal id and stays as it is: spreadsheets must import the column as text.
pub(super) fn field(text: &str) -> Cow<'_, str> {
    match is_quoted(text) {
        true => format!("\"{}\"", text.replace('"', "\"\"")).into(),
        false => text.into(),
    }
}
