//! Commands that change files, each with what was there before and what it changes.

use crate::disk::{Files, files_of};
use crate::fleet;
use crate::harness::Home;
use crate::promise::{Change, Promises};
use crate::session::{COPY, PREFIX, exchange, home_with_backup, is_before};

/// A command, what was there before, and what it changes in a file.
pub(crate) struct Job {
    pub(crate) arguments: Vec<&'static str>,
    pub(crate) files: Files,
    /// The file that it changes.
    pub(crate) file: &'static str,
    pub(crate) promises: Promises,
}

impl Job {
    /// The promises once the command has ended with that status.
    pub(crate) fn promised(&self, is_done: bool) -> Promises {
        let mut promises = self.promises.clone();
        promises.changes[0].acknowledged = is_done.then_some(0);
        promises
    }
}

/// An import, a prune, a first import, a backup and a restore.
pub(crate) fn all() -> Vec<Job> {
    vec![import(), prune(), first_import(), backup(), restore()]
}

fn promises(base: Option<Vec<String>>, change: Change) -> Promises {
    Promises {
        base,
        changes: vec![change],
        ..Promises::default()
    }
}

fn import() -> Job {
    let home = fleet::home(9);
    let base = fleet::rows_of_home(&home);
    let lines = fleet::batch(0, 3000);
    let mut files = files_of(&home.path(""), PREFIX);
    files.insert("more.csv".to_owned(), fleet::csv(&lines).into_bytes());
    let change = Change {
        what: "the import".to_owned(),
        adds: fleet::rows(&lines),
        ..Change::default()
    };
    Job {
        arguments: vec!["import", "more.csv"],
        files,
        file: PREFIX,
        promises: promises(Some(base), change),
    }
}

fn prune() -> Job {
    let home = fleet::home(9);
    let base = fleet::rows_of_home(&home);
    let old = base.iter().filter(|row| is_before(row, "2023-01-23"));
    let change = Change {
        what: "forgetting".to_owned(),
        removes: old.cloned().collect(),
        ..Change::default()
    };
    Job {
        arguments: vec!["import", "--prune-before", "2023-01-23 00:00:00 UTC"],
        files: files_of(&home.path(""), PREFIX),
        file: PREFIX,
        promises: promises(Some(base), change),
    }
}

/// It makes the database.
pub(crate) fn first_import() -> Job {
    let home = fleet::home(9);
    let mut files = Files::new();
    for name in ["stores.csv", "timezones.csv", "hours.csv", "polls.csv"] {
        files.insert(name.to_owned(), home.read(name));
    }
    let change = Change {
        what: "the first import".to_owned(),
        adds: fleet::rows_of_home(&home),
        ..Change::default()
    };
    Job {
        arguments: vec![
            "import",
            "stores.csv",
            "timezones.csv",
            "hours.csv",
            "polls.csv",
        ],
        files,
        file: PREFIX,
        promises: promises(None, change),
    }
}

/// It takes the place of an earlier backup.
pub(crate) fn backup() -> Job {
    let (home, rows, copied) = home_with_backup();
    Job {
        arguments: vec!["backup", COPY],
        files: files_of_both(&home),
        file: COPY,
        promises: promises(Some(copied.clone()), exchange("the backup", &copied, &rows)),
    }
}

/// It takes the place of the database.
pub(crate) fn restore() -> Job {
    let (home, rows, copied) = home_with_backup();
    Job {
        arguments: vec!["restore", COPY],
        files: files_of_both(&home),
        file: PREFIX,
        promises: promises(Some(rows.clone()), exchange("the restore", &rows, &copied)),
    }
}

fn files_of_both(home: &Home) -> Files {
    // Both names have the same part.
    files_of(&home.path(""), PREFIX)
}
