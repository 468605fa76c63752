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
//! | [`array`] | the text of a JSON array | its elements and the lines they start on |
//! | [`object`] | a JSON object | fields |
//! | [`json`] | a reader of JSON, a line or an element a row | typed rows |
//! | [`parser`] | a reader of CSV, or of either | all of the above in one |
//! | [`interner`] | the ids of a call | their numbers |
//! | [`runs`] | the polls of a call | the same polls, sorted |
//! | [`last_in`] | sorted polls | those that stand |
//! | [`blocks`] | the lines of a long file of polls | the same, parsed on several threads |
//! | `sorter` | chunks of polls | `runs`, sorted beside the parser |
//! | `overlap` | the weekly hours of a store | the first row that overlaps another |
//! | `ahead` | what an iterator gives | the same, made on a thread of its own |
//! | [`batch`] | the inputs of a call | every good row of them, judged beside the others |
//! | [`load`] | a batch | the database, all or nothing |
//!
//! It must never know HTTP, terminals or the clock. Everything above `runs` in the table knows
//! neither SQLite nor threads, and looks at one row at a time.
//!
//! # Where the time of a long import goes
//! Of 2.4 million polls with decimal ids, 132 MB, in nanoseconds of one core a poll, as `perf record`
//! counts them on a busy machine. Parsing, on all cores:
//!
//! | parsing | ns a poll |
//! | --- | --- |
//! | an id's place in its thread's list | 49 |
//! | lines and fields: three searches and what is between them | 30 |
//! | a field's characters, its status, its row | 53 |
//! | the timestamp | 13 |
//! | sorting a block | 11 |
//! | reading, cutting into blocks, taking them back | 16 |
//!
//! Writing is SQLite's, on one core, while another merges the blocks (42) a little ahead of it:
//!
//! | writing | ns a poll |
//! | --- | --- |
//! | the statement's steps: values, `NOT NULL`, `STRICT`, the record | 62 |
//! | the tree: finding the last page, adding to it, splitting it when it is full | 75 |
//! | binding three values | 17 |
//! | taking what was merged | 12 |
//! | the pager | 15 |
//!
//! The floor of parsing is one `memchr` over the bytes, 1.5 ns a poll: all else is deciding what each
//! byte means. The floor of writing is a bare insert of sorted rows, and all but the twelve are that:
//! where SQLite copies the finished table from another file, cell by cell and without a look at a value,
//! it takes 155.
//!
//! Writing begins when the last row is read: a bad row refuses the whole call, and the write lock keeps others
//! waiting.

mod ahead;
pub mod array;
pub mod batch;
pub mod blocks;

pub mod fields;
pub mod header;
pub mod input;
pub mod interner;
pub mod json;
pub mod last_in;
pub mod load;
pub mod object;
mod overlap;
pub mod parser;
pub mod problem;
pub mod records;
pub mod row;
pub mod runs;
mod sorter;
#[cfg(test)]
mod trickle;
pub mod zone_alias;
