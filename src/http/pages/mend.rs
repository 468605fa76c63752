//! Mending: the refused rows of an upload in an editable form, each fault beside its field.
//!
//! The files are kept, so corrected rows go in without a second upload. The next attempt reads all files again,
//! with the corrections in place: it is whole or not at all, and a correction is judged like any input.

use maud::{Markup, html};
use uuid::Uuid;

use super::layout::Frame;
use crate::error::{Error, Result};
use crate::ingest::fields::split_record;
use crate::ingest::rows::Correction;
use crate::ingest::source::SourceBadRow;

/// How many rows are shown at once; the others come after these.
pub const ROWS_SHOWN: usize = 40;

/// The form of bad rows; `upload` is the id of their files, `count` how many rows are bad, `good` how many are not.
pub fn form(frame: &Frame, upload: Uuid, count: u64, good: u64, told: &[SourceBadRow]) -> Markup {
    let shown = &told[..told.len().min(ROWS_SHOWN)];
    html! {
        form.mend action="/load/mend" method="post" aria-label="Correct the bad rows" {
            (frame.csrf())
            input type="hidden" name="upload" value=(upload);
            @if count > shown.len() as u64 {
                p { "These are the first " (shown.len()) "; the others come after them." }
            }
            @for (number, row) in shown.iter().enumerate() { (row_fields(number, row)) }
            p.actions {
                button.primary type="submit" { "Load with these corrections" } " "
                @if good > 0 {
                    button type="submit" name="on_bad_row" value="skip" { "Skip bad rows and load the rest" }
                }
            }
        }
    }
}

/// The fields of one bad row.
fn row_fields(number: usize, SourceBadRow { source, bad, columns }: &SourceBadRow) -> Markup {
    let fields = split_record(&bad.raw).filter(|fields| fields.len() == columns.len() && !columns.is_empty());
    let fault = format!("fault-{number}");
    let at_fault = |column: usize| match bad.field {
        Some(field) => field == column,
        None => bad
            .column
            .is_some_and(|name| columns[column].trim().eq_ignore_ascii_case(name)),
    };
    let is_placed = fields.is_some() && (0..columns.len()).any(at_fault);
    let named = |what: &dyn std::fmt::Display| format!("row.{number}.{what}");
    html! {
        fieldset.bad-row {
            legend { (source) ", line " (bad.line) }
            input type="hidden" name=(named(&"source")) value=(source);
            input type="hidden" name=(named(&"line")) value=(bad.line);
            @if !is_placed { p.fault id=(fault) { (bad.reason) } }
            @match &fields {
                Some(fields) => { div.fields { @for (column, text) in fields.iter().enumerate() {
                    @let id = format!("row-{number}-{column}");
                    @let wrong = is_placed && at_fault(column);
                    div.field.wrong[wrong] {
                        label for=(id) { (label_of(&columns[column], column)) }
                        input id=(id) type="text" name=(named(&column)) value=(text) autocomplete="off" spellcheck="false"
                            aria-invalid=[wrong.then_some("true")] aria-describedby=[wrong.then_some(&fault)];
                        @if wrong { p.fault id=(fault) { (bad.reason) } }
                    }
                } } }
                None => {
                    @let id = format!("row-{number}-whole");
                    div.field.wrong {
                        label for=(id) { "The whole row, with commas between its fields" }
                        input id=(id) type="text" name=(named(&"whole")) value=(String::from_utf8_lossy(&bad.raw))
                            autocomplete="off" spellcheck="false" aria-invalid="true" aria-describedby=(fault);
                    }
                }
            }
            p.check {
                @let id = format!("row-{number}-drop");
                input id=(id) type="checkbox" name=(named(&"drop")) value="yes";
                label for=(id) { "Leave this row out" }
            }
        }
    }
}

fn label_of(name: &str, column: usize) -> String {
    match name.trim() {
        "" => format!("column {}", column + 1),
        name => name.to_owned(),
    }
}

/// The corrections in a form's fields: the input, the line, the row.
///
/// # Errors
/// A line that is no number.
pub fn corrections(fields: &[(String, String)]) -> Result<Vec<(String, u64, Correction)>> {
    let mut corrections = Vec::new();
    for number in 0..ROWS_SHOWN {
        let prefix = format!("row.{number}.");
        let of_row = || {
            fields
                .iter()
                .filter_map(|(name, value)| Some((name.strip_prefix(&*prefix)?, value)))
        };
        let value = |wanted: &str| of_row().find(|(name, _)| *name == wanted).map(|(_, value)| value);
        let (Some(source), Some(line)) = (value("source"), value("line")) else {
            continue;
        };
        let line: u64 = line
            .parse()
            .map_err(|_| Error::invalid(format!("`{}` is not the number of a line", line.escape_debug())))?;
        let correction = if value("drop").is_some() {
            Correction::Drop
        } else if let Some(whole) = value("whole") {
            Correction::Row(whole.clone().into_bytes())
        } else {
            let mut texts: Vec<(usize, &str)> = of_row()
                .filter_map(|(name, value)| Some((name.parse().ok()?, value.as_str())))
                .collect();
            texts.sort_unstable_by_key(|&(column, _)| column);
            Correction::of(texts.into_iter().map(|(_, text)| text))
        };
        corrections.push((source.clone(), line, correction));
    }
    Ok(corrections)
}
