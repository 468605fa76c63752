//! Inputs: from bytes to typed rows, each with its physical line, to the database.
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
//! | [`elements`] | the text of a JSON array | its elements and the lines they start on |
//! | [`object`] | a JSON object | fields |
//! | [`json`] | a reader of JSON, a line or an element a row | typed rows |
//! | [`parser`] | a reader of CSV, or of either | all of the above in one |
//! | [`interner`] | the ids of a call | their numbers |
//! | [`runs`] | the polls of a call | the same polls, sorted |
//! | [`last_in`] | sorted polls | those that stand |
//! | [`blocks`] | the lines of a long file of polls | the same, parsed on several threads |
//! | `ahead` | what an iterator gives | the same, made on a thread of its own |
//! | [`batch`] | the inputs of a call | every good row of them, judged beside the others |
//! | [`load`] | a batch | the database, all or nothing |
//!
//! It must never know HTTP, terminals or the clock. Everything above `runs` in the table knows
//! neither SQLite nor threads, and looks at one row at a time.

mod ahead;
pub mod batch;
pub mod blocks;
pub mod elements;
pub mod fields;
pub mod header;
pub mod input;
pub mod interner;
pub mod json;
pub mod last_in;
pub mod load;
pub mod object;
pub mod parser;
pub mod problem;
pub mod records;
pub mod row;
pub mod runs;
#[cfg(test)]
mod trickle;
pub mod zone_alias;
