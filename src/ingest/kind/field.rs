//! Fields: from the bytes of a field to its text, with notes on the row or the fault that refuses it.

use super::damage::Damage;
use crate::ingest::problem::{BadRow, Code, Notes, excerpt, is_control};

/// The longest store id, in characters.
pub const STORE_ID_CHARS_MAX: usize = 128;

/// Why a row is refused.
#[derive(Debug)]
pub struct Fault<'a> {
    /// The slot of the field at fault, if there is one.
    pub slot: Option<usize>,
    /// The value at fault, as written.
    pub value: &'a [u8],
    /// The code of the fault.
    pub code: Code,
    /// The fault in a sentence.
    pub reason: String,
}

impl<'a> Fault<'a> {
    /// A fault of the row as a whole.
    pub(in crate::ingest) fn whole(code: Code, reason: impl Into<String>) -> Self {
        Self {
            slot: None,
            value: b"",
            code,
            reason: reason.into(),
        }
    }

    /// A fault of the field in a slot.
    pub(in crate::ingest) fn of(slot: usize, value: &'a [u8], code: Code, reason: impl Into<String>) -> Self {
        Self {
            slot: Some(slot),
            value,
            code,
            reason: reason.into(),
        }
    }
}

/// The notes on one row, counted only once the row is accepted.
#[derive(Default)]
pub struct RowNotes(u128);

// Each code has a bit.
const _: () = assert!(Code::ALL.len() <= 128);

impl RowNotes {
    pub(in crate::ingest) fn add(&mut self, code: Code) {
        self.0 |= 1 << (code as u8);
    }

    pub(in crate::ingest) fn count_into(&self, notes: &mut Notes, line: u64) {
        if self.0 == 0 {
            return;
        }
        for &code in Code::ALL {
            if self.0 & (1 << (code as u8)) != 0 {
                notes.add(code, Some(line));
            }
        }
    }
}

/// A field as trimmed text without control characters.
pub(super) fn text<'a>(slot: usize, field: &'a [u8], notes: &mut RowNotes) -> Result<&'a str, Fault<'a>> {
    // Nearly every field is printable ASCII that needs no trimming.
    let is_plain = field
        .iter()
        .fold(true, |plain, &byte| plain & (b' '..0x7f).contains(&byte));
    let Ok(text) = std::str::from_utf8(field) else {
        let reason = "these bytes are not UTF-8 (save the file as UTF-8)";
        return Err(Fault::of(slot, field, Code::NotUtf8, reason));
    };
    let trimmed = if is_plain {
        text.trim_matches(' ')
    } else {
        text.trim_matches(is_space)
    };
    if trimmed.len() != text.len() {
        notes.add(Code::Trimmed);
    }
    if !is_plain && let Some(control) = trimmed.chars().find(|&c| is_control(c)) {
        let control = control.escape_unicode();
        let reason = format!("a control character, {control} (leave it out)");
        return Err(Fault::of(slot, field, Code::ControlChar, reason));
    }
    Ok(trimmed)
}

/// Whether a field is trimmed of this character: blanks of any kind, but not line ends.
fn is_space(character: char) -> bool {
    character == '\t' || (character.is_whitespace() && !is_control(character))
}

/// The id of the row's store; `as_written` takes an id that looks damaged.
pub(in crate::ingest) fn store_id<'a>(
    field: &'a [u8],
    as_written: bool,
    notes: &mut RowNotes,
) -> Result<&'a str, Fault<'a>> {
    let id = text(0, field, notes)?;
    if id.is_empty() {
        return Err(Fault::of(0, field, Code::StoreIdEmpty, "no store id"));
    }
    if !as_written && let Some(damage) = Damage::of(id) {
        return Err(damaged(field, damage));
    }
    if id.len() > STORE_ID_CHARS_MAX {
        let length = id.chars().count();
        if length > STORE_ID_CHARS_MAX {
            let reason = format!("a store id of {length} characters (at most {STORE_ID_CHARS_MAX})");
            return Err(Fault::of(0, field, Code::StoreIdLong, reason));
        }
    }
    Ok(id)
}

/// The refusal of a damaged id.
pub(in crate::ingest) fn damaged(field: &[u8], damage: Damage) -> Fault<'_> {
    let id = excerpt(field);
    let reason = match damage {
        Damage::Rounded => format!(
            "a spreadsheet rounded this store id to `{id}` (format the column as text before you paste or \
             export, or load it with --ids-as-written if this is the id)"
        ),
        Damage::Dressed => format!(
            "a spreadsheet or a query tool dressed this store id as `{id}` (export the column as plain text, \
             or load it with --ids-as-written if this is the id)"
        ),
        Damage::Missing => format!(
            "`{id}` stands for a missing or broken store id (export the column as text, or load it with \
             --ids-as-written if this is the id)"
        ),
    };
    Fault::of(0, field, Code::StoreIdDamaged, reason)
}

/// A bad row whose value contradicts an earlier row of the same call.
pub(super) fn conflict(line: u64, column: &'static str, value: &str, known: &str) -> BadRow {
    BadRow {
        line,
        column: Some(column),
        field: None,
        code: Code::Conflict,
        value: excerpt(value.as_bytes()),
        reason: format!(
            "another row gives the same store `{}` (keep one)",
            excerpt(known.as_bytes())
        ),
        raw: Vec::new(),
        store_id: None,
    }
}
