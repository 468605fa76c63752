//! The digest for people: one set of words, as plain text, as HTML for mails, and beside them facts for programs.
//!
//! [`told`] holds the words, which only say what a number carries. [`text`], [`html`] and the page set them.

mod compose;
pub mod facts;
pub mod html;
mod sections;
pub mod text;
pub mod told;
mod words;
