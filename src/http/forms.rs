//! Forms: every form of a page is read and checked here, before its handler sees it.
//!
//! A form carries a token that no other site can know. The router calls [`take`] for each form; one with files is read
//! by its handler, which calls [`take_first`] before it takes a file.

use std::io::Read;

use super::multipart::Form;
use super::request::Request;
use super::route::{Body, Route};
use super::visitor::Visitor;
use crate::error::{Error, Result};

/// The field of every form with the token of its page.
pub const FIELD: &str = "csrf";

/// The longest form without files.
const FORM_BYTES_MAX: u64 = 1 << 20;

/// The longest value of the field, in bytes.
const TOKEN_BYTES_MAX: u64 = 256;

/// Whether a route answers the form of a page.
pub fn is_form(route: &Route) -> bool {
    route.writes() && route.tag == "pages"
}

/// Reads the form of a request to `route`, if it is one without files, and checks it.
///
/// # Errors
/// When the page of another site may have sent it, or the body ends early.
pub fn take(route: &Route, visitor: &Visitor, request: &mut Request<'_>) -> Result<()> {
    if !is_form(route) || matches!(route.body, Body::Files(_)) {
        return Ok(());
    }
    let mut bytes = Vec::new();
    let read = (&mut *request.body).take(FORM_BYTES_MAX).read_to_end(&mut bytes);
    read.map_err(|error| Error::invalid("the form broke off").because(error))?;
    let mut fields = parse(&bytes);
    let carried = fields.iter().find(|(name, _)| name == FIELD);
    visitor.check_form(carried.map(|(_, value)| value.as_str()), is_from_browser(request))?;
    fields.retain(|(name, _)| name != FIELD);
    request.form = fields;
    Ok(())
}

/// The fields of a form without files, decoded, in order.
pub fn parse(bytes: &[u8]) -> Vec<(String, String)> {
    let fields = form_urlencoded::parse(bytes);
    fields
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

/// Checks the first field of a form with files, if the form needs a token.
///
/// # Errors
/// When the page of another site may have sent it, or the body ends early.
pub fn take_first(visitor: &Visitor, is_from_browser: bool, form: &mut Form<'_>) -> Result<()> {
    if visitor.check_form(None, is_from_browser).is_ok() {
        return Ok(());
    }
    let mut carried = String::new();
    if let Some(part) = form.next_part()?
        && part.name == FIELD
        && part.file_name.is_none()
    {
        let read = form.take(TOKEN_BYTES_MAX).read_to_string(&mut carried);
        read.map_err(|error| Error::invalid("the form broke off").because(error))?;
    }
    visitor.check_form(Some(&carried), is_from_browser)
}

/// Whether a browser sent a request: a program sends neither field.
pub fn is_from_browser(request: &Request<'_>) -> bool {
    request.header("Sec-Fetch-Site").is_some() || request.header("Origin").is_some()
}
