//! Inputs: from bytes to typed rows, each with its physical line, to the database.
//!
//! | module | from | to |
//! | --- | --- | --- |
//! | [`import`] | the inputs of a call | a batch, or why the call is refused |
//! | [`batch`] | the inputs of a call | every good row of them, judged beside the others |
//! | [`load`] | a batch | the database, all or nothing |
//! | [`kind`] | a row's fields, and the rows of a call | what they say: one file a kind |
//! | [`rows`] | the bytes of an input | its rows |
//! | [`input`] | the bytes of a file | the bytes of its text: unpacked, or refused |
//! | [`records`], [`array`] | text: CSV or lines, a JSON array | records and the lines they start on |
//! | [`fields`], `object` | a record of CSV, of JSON | fields |
//! | [`header`] | the first record | a kind of input and its columns |
//! | [`problem`] | | what can be wrong, and how it is said |
//! | [`blocks`] | the lines of a long file of polls | the same, parsed on several threads |
//! | [`interner`] | the ids of a call | their numbers |
//! | `sorter`, [`runs`] | chunks of polls | the polls of a call, sorted beside the parser |
//! | `dedup` | sorted polls | the last of each store and instant |
//! | `prefetch` | what an iterator gives | the same, made on a thread of its own |
//!
//! A poll passes through four shapes on its way in: its [`fields::Fields`], borrowed from the line; its
//! [`runs::PollRow`]; its store's key and a [`Poll`](crate::uptime::poll::Poll); the row in the database.
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

pub mod array;
pub mod batch;
pub mod blocks;
mod dedup;
pub mod fields;
pub mod header;
pub mod import;
pub mod input;
pub mod interner;
pub mod kind;
pub mod load;
mod object;
mod prefetch;
pub mod problem;
pub mod records;
pub mod rows;
pub mod runs;
mod sorter;
#[cfg(test)]
mod trickle;
