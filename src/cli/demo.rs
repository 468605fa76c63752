//! `demo`: a throw-away database, filled from the embedded seed data, served.

use std::fs;
use std::path::{Path, PathBuf};

use super::import::load_all;
use super::serve::{ServerOptions, serve};
use crate::db::connection::open_writer;
use crate::error::{Error, Result};
use crate::ingest::batch::Source;

/// The data of a small chain of restaurants, as `import` would read it from files.
const SEED: [(&str, &[u8]); 4] = [
    ("stores.csv", include_bytes!("../../seed/stores.csv")),
    ("timezones.csv", include_bytes!("../../seed/timezones.csv")),
    (
        "menu_hours.csv",
        include_bytes!("../../seed/menu_hours.csv"),
    ),
    (
        "store_status.csv",
        include_bytes!("../../seed/store_status.csv"),
    ),
];

/// What `demo` can be told.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    server: ServerOptions,
}

/// Serves the seed data until a signal asks it to stop; the database goes with it.
///
/// # Errors
/// As `serve`, and when no temporary folder can be made.
pub fn run(options: &Options) -> Result<()> {
    let folder = Folder::new()?;
    let file = folder.0.join("demo.db");
    let sources = SEED.map(|(name, bytes)| Source::new(name, bytes));
    load_all(&mut open_writer(&file)?, sources)?;
    serve(&file, &options.server, |address| {
        eprintln!(
            "\nA chain of restaurants is being watched. Look at it in a browser:\n\n  \
             http://{address}/\n\nOr in another terminal:\n\n  \
             curl -X POST http://{address}/trigger_report\n  \
             curl 'http://{address}/get_report?report_id=ID'\n  \
             curl http://{address}/api/reports\n\n\
             Ctrl-C stops the demo and forgets its database."
        );
    })
}

/// A folder that goes when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let folder =
            std::env::temp_dir().join(format!("store-monitor-demo-{}", uuid::Uuid::new_v4()));
        let failed = |folder: &Path, error| {
            Error::failed(format!("cannot make the folder {}", folder.display())).because(error)
        };
        fs::create_dir(&folder).map_err(|error: std::io::Error| failed(&folder, error))?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // It is in the system's temporary folder: what cannot be removed now goes with that.
        let _ = fs::remove_dir_all(&self.0);
    }
}
