//! Inputs: from bytes to typed rows, each with its physical line, to the database.
//!
//! | module | from | to |
//! | --- | --- | --- |
//! | [`import`] | the inputs of a call | a batch, or a refusal |
//! | [`batch`] | the inputs of a call | all their good rows, judged together |
//! | [`source`] | | an input of a call, and what is said of it |
//! | [`load`] | a batch | the database, all or nothing |
//! | [`kind`] | a row's fields | typed rows; one file a kind |
//! | [`rows`] | the bytes of an input | its rows |
//! | [`input`] | the bytes of a file | its text, unpacked; other files are refused |
//! | [`archive`] | a source | its bytes; of a zip or spreadsheet, each member or sheet |
//! | `dump`, `sql` | the SQL that dumps a database | the text of its tables as CSV |
//! | `outfile` | the rows that `SELECT … INTO OUTFILE` writes | their text as CSV |
//! | `sheet`, `xlsx`, `ods` | a sheet of a spreadsheet | its text as CSV |
//! | [`records`], [`mod@array`] | text: CSV or lines, a JSON array | records and the lines they start on |
//! | [`fields`], `object` | a record of CSV, of JSON | fields |
//! | [`header`] | the first record | a kind of input and its columns |
//! | [`problem`] | | the codes of all that can be wrong, and their sentences |
//! | [`options`] | | how a caller wants rows to be read |
//! | [`machine_time`] | the machine's clock | which polls are in the future, and whether it can tell |
//! | [`blocks`] | the lines of a long file of polls | its rows, parsed on several threads |
//! | [`interner`] | the ids of a call | their numbers |
//! | `sorter`, [`runs`] | chunks of polls | the polls of a call, sorted beside the parser |
//! | `dedup` | sorted polls | the last of each store and instant |
//! | `prefetch` | an iterator | its items, made on another thread |
//!
//! A poll passes through four shapes on its way in: its [`fields::Fields`], borrowed from the line; its
//! [`runs::PollRow`]; its store's key and a [`Poll`](crate::uptime::poll::Poll); the row in the database.
//!
//! # Where the time of a long import goes
//! Parsing runs on all cores. Then SQLite inserts sorted rows on one core, which takes more than half of the time,
//! while another core merges the blocks ahead of it.
//!
//! Writing begins after the last row is read: one bad row refuses the whole call, and the write lock blocks
//! other writers.

pub mod archive;
pub mod array;
pub mod batch;
pub mod blocks;
mod dedup;
mod dump;
pub mod fields;
pub mod header;
pub mod import;
pub mod input;
pub mod interner;
pub mod kind;
pub mod load;
pub mod machine_time;
mod object;
mod ods;
pub mod options;
mod outfile;
mod prefetch;
pub mod problem;
pub mod records;
pub mod rows;
pub mod runs;
pub mod seed;
mod sheet;
mod sorter;
pub mod source;
mod sql;
#[cfg(test)]
mod trickle;
mod xlsx;
