//! `demo`: serves a temporary database of the embedded seed data.

use super::import::load_all;
use super::serve::{ServerOptions, serve};
use crate::db::connection::open_writer;
use crate::error::{Error, Result};
use crate::ingest::source::Source;

/// The files of a small chain of restaurants.
const SEED: [(&str, &[u8]); 4] = [
    ("stores.csv", include_bytes!("../../seed/stores.csv")),
    ("timezones.csv", include_bytes!("../../seed/timezones.csv")),
    ("menu_hours.csv", include_bytes!("../../seed/menu_hours.csv")),
    ("store_status.csv", include_bytes!("../../seed/store_status.csv")),
];

/// The options of `demo`.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    server: ServerOptions,
}

/// Serves the seed data until a signal stops it, then removes the database.
///
/// # Errors
/// Those of `serve`, and when no temporary folder can be made.
pub fn run(options: &Options) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("store-monitor-demo-").tempdir();
    let folder = folder.map_err(|error| Error::failed("no temporary folder can be made").because(error))?;
    let file = folder.path().join("demo.db");
    let sources = SEED.map(|(name, bytes)| Source::new(name, bytes));
    load_all(&mut open_writer(&file)?, sources)?;
    serve(&file, &options.server, |address| {
        eprintln!(
            "\nA chain of 63 restaurants. Open it in a browser:\n\n  \
             http://{address}/\n\nOr in another terminal:\n\n  \
             curl -X POST http://{address}/trigger_report\n  \
             curl 'http://{address}/get_report?report_id=ID'\n  \
             curl http://{address}/api/reports\n\n\
             Ctrl-C stops the demo and removes its database."
        );
    })
}
