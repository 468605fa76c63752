//! The outcome of a form of `/load`: what was loaded, or why nothing was.

use std::sync::Arc;

use maud::{Markup, html};
use uuid::Uuid;

use super::layout::Frame;
use super::mend;
use crate::db::fit::Fit;
use crate::ingest::load::Summary;
use crate::ingest::source::{Refusal, SourceBadRow, SourceNote};

/// What became of a form.
#[derive(Debug)]
pub enum Loaded {
    /// It has no file.
    NoFile,
    /// Its files are not kept any more.
    Gone,
    /// Its rows are in the database.
    Done(Summary, Arc<Fit>),
    /// Nothing was written; with the id of the files, if they are kept for corrections.
    Refused {
        /// Why.
        refusal: Refusal,
        /// The id of the files.
        upload: Option<Uuid>,
    },
}

impl Loaded {
    /// The outcome as a section of the page.
    pub fn shown(&self, frame: &Frame) -> Markup {
        outcome(self, frame)
    }
}

fn outcome(loaded: &Loaded, frame: &Frame) -> Markup {
    let count = |rows: u64| counted(frame, rows);
    html! {
        section.card.outcome role="status" {
            @match loaded {
                Loaded::Done(summary, fit) => { (done(summary, fit, frame)) }
                Loaded::Refused { refusal, upload } => {
                    h2 { "Nothing was loaded" }
                    @match refusal {
                        Refusal::Rows { count: rows, good, told } => {
                            p {
                                (count(*rows)) @if *rows == 1 { " row is" } @else { " rows are" } " bad, "
                                (count(*good)) @if *good == 1 { " is" } @else { " are" } " good. "
                                @if upload.is_some() { "Correct the bad ones here; the files need not be sent again." }
                                @else { "Correct the files and load them again." }
                            }
                            @match upload {
                                Some(upload) => { (mend::form(frame, *upload, *rows, *good, told)) }
                                None => { (list(told)) }
                            }
                        }
                        Refusal::File { source, file } => { p { (file.in_file(source)) } }
                        Refusal::Store { source, bad } => { p { (bad.in_file(source)) } }
                        Refusal::Failed(error) => { p { (error.message()) } }
                    }
                }
                Loaded::NoFile => { h2 { "Nothing was loaded" } p { "No file was chosen." } }
                Loaded::Gone => {
                    h2 { "Nothing was loaded" }
                    p { "These files are not here any more: they are kept for an hour. Choose them again below." }
                }
            }
        }
    }
}

fn done(summary: &Summary, fit: &Fit, frame: &Frame) -> Markup {
    let count = |rows: u64| counted(frame, rows);
    html! {
        h2 { "Loaded" }
        p.big { (count(summary.accepted)) " " small { "new rows" } }
        p {
            (count(summary.replaced)) " updated, " (count(summary.removed)) " removed, "
            (count(summary.unchanged)) " duplicates, " (count(summary.rejected)) " refused."
        }
        @for sentence in fit.sentences() { p.warning { (sentence) "." } }
        @if !summary.notes.is_empty() {
            p { "Unusual rows that were accepted:" }
            ul { @for SourceNote { source, note } in &summary.notes {
                li {
                    (source) ": " (note.code.meaning()) " "
                    @if !note.names.is_empty() { "(" (note.names.join(", ")) ") " }
                    span.aside {
                        (count(note.count)) @if note.count == 1 { " time" } @else { " times" }
                        @if let Some(line) = note.line { ", first on line " (line) }
                    }
                }
            } }
        }
        @if !summary.bad_rows.is_empty() {
            p { "Refused rows" @if summary.rejected > summary.bad_rows.len() as u64 { ", the first " (summary.bad_rows.len()) } ":" }
            (list(&summary.bad_rows))
        }
        p { a.primary href=(frame.link("/")) { "Look at the fleet" } }
    }
}

/// Bad rows as sentences, which fit a phone.
fn list(bad_rows: &[SourceBadRow]) -> Markup {
    html! {
        ol.bad-rows { @for row in bad_rows {
            li { (row.bad.in_file(&row.source)) " " code { (String::from_utf8_lossy(&row.bad.raw)) } }
        } }
    }
}

fn counted(frame: &Frame, rows: u64) -> String {
    frame.locale().count(usize::try_from(rows).unwrap_or(usize::MAX))
}
