//! `…_file`: secrets, each in a file of its own, which is read when the configuration is.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::section::Section;
use crate::error::Result;
use crate::notify::receiver::Hidden;

/// The longest secret, in bytes.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// The secret in the file that a key names, without the line end that editors add; none if the key is not there.
///
/// # Errors
/// When the file cannot be read, is empty or has more than a secret.
pub(super) fn read(table: &mut Section, key: &'static str) -> Result<Option<Hidden>> {
    let Some(path) = table.text(key)? else {
        return Ok(None);
    };
    let bytes = bytes(table, key, &path)?;
    let wrong = |reason: &str| Err(table.wrong(key, &format!("{path} {reason}")));
    let Ok(text) = String::from_utf8(bytes) else {
        return wrong("is no text (write the secret into it as one line)");
    };
    match text.trim_end_matches(['\r', '\n']) {
        "" => wrong("is empty (write the secret into it)"),
        text if text.contains(['\r', '\n', '\0']) => wrong("has several lines (write the secret alone into it)"),
        text => Ok(Some(Hidden::new(text))),
    }
}

/// What is in the file of a key.
///
/// # Errors
/// When it cannot be read, or is too long.
pub(super) fn bytes(table: &Section, key: &'static str, path: &str) -> Result<Vec<u8>> {
    let cannot = |error| {
        let reason = format!("{path} cannot be read (check the path and who may read it)");
        table.wrong(key, &reason).because(error)
    };
    let mut bytes = Vec::new();
    let file = File::open(Path::new(path)).map_err(cannot)?;
    file.take(SECRET_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(cannot)?;
    match bytes.len() as u64 > SECRET_BYTES_MAX {
        true => Err(table.wrong(key, &format!("{path} is longer than 64 KiB (is it the right file?)"))),
        false => Ok(bytes),
    }
}
