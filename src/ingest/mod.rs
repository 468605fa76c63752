//! Reading input files: from bytes to typed rows, each with its physical line.
//!
//! | module | from | to |
//! | --- | --- | --- |
//! | [`input`] | the bytes of a file | the bytes of its text: unpacked, or refused |
//! | [`records`] | text | records and the lines they start on |
//! | [`fields`] | a record | fields |
//! | [`header`] | the first record | a kind of input and its columns |
//! | [`row`] | any other record | a typed row, or one reason why not |
//! | [`zone_alias`] | | the zone names that are only other names |
//! | [`problem`] | | what can be wrong, and how it is said |
//! | [`parser`] | a reader | all of the above in one |
//!
//! It must never know SQLite, HTTP, threads or the clock, nor look from one row to another.

pub mod fields;
pub mod header;
pub mod input;
pub mod parser;
pub mod problem;
pub mod records;
pub mod row;
pub mod zone_alias;
