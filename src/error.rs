//! The one error type: a kind to branch on, and a sentence that names the place and the remedy.
//!
//! `main` maps kinds to exit codes, and `http` maps them to statuses.

use std::error::Error as StdError;
use std::fmt;
use std::io;

/// The kind of an error: the only part that callers may branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Wrong usage or bad input.
    Invalid,
    /// The caller may not do this.
    Forbidden,
    /// The thing named does not exist.
    NotFound,
    /// A queue is full or the database is locked; the same call may succeed later.
    Unavailable,
    /// The disk is full; the same call may succeed once there is room.
    NoSpace,
    /// The database is damaged or missing, or its disk fails: someone must mend it before a call succeeds.
    Broken,
    /// The machine or the program failed.
    Failed,
}

/// An error: a kind to branch on, a sentence to read, and the cause below it, if any.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Wrong usage or bad input; `message` names the place and the remedy.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// The caller may not do this; `message` says why, and the remedy.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Forbidden, message)
    }

    /// The thing that `message` names does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// Busy for now; `message` says with what.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// The disk is full; `message` names the folder.
    pub fn no_space(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NoSpace, message)
    }

    /// The database or its disk is broken; `message` says how, and the remedy.
    pub fn broken(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Broken, message)
    }

    /// The same error with another kind, where its place makes it one.
    #[must_use]
    pub fn of_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// The machine or the program failed; `message` names the task.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Failed, message)
    }

    /// A copy of `other` for another receiver, without its cause.
    pub fn again(other: &Self) -> Self {
        Self::new(other.kind, other.message.clone())
    }

    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// The same error with a cause. A full disk makes it [`ErrorKind::NoSpace`], wherever it was met, and temporary
    /// files of others that take all room make it [`ErrorKind::Unavailable`].
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let source = source.into();
        if is_caused_by(&*source, &[io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded]) {
            self.kind = ErrorKind::NoSpace;
        }
        if is_caused_by(&*source, &[io::ErrorKind::ResourceBusy]) {
            self.kind = ErrorKind::Unavailable;
            "too many temporary bytes wait at the moment (try again in a second)".clone_into(&mut self.message);
        }
        self.source = Some(source);
        self
    }

    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The sentence without its causes: HTTP clients see only this.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// Whether one of these kinds is among the causes.
fn is_caused_by(error: &(dyn StdError + 'static), kinds: &[io::ErrorKind]) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| kinds.contains(&error.kind()))
        {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The names that are most like `wanted`, the most alike first: those that contain it, then those that few letters part
/// from it. At most `count`, for the remedy of an error.
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>, count: usize) -> Vec<&'a str> {
    let wanted = wanted.to_lowercase();
    let rank = |name: &str| {
        let name = name.to_lowercase();
        let is_part = !wanted.is_empty() && (name.contains(&wanted) || wanted.contains(&name));
        (!is_part, distance(&wanted, &name))
    };
    let mut ranked: Vec<_> = names.into_iter().map(|name| (rank(name), name)).collect();
    ranked.sort_unstable();
    ranked.dedup();
    ranked.into_iter().take(count).map(|(_, name)| name).collect()
}

/// How many letters must be added, dropped or replaced to make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (line, letter) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

impl fmt::Display for Error {
    /// The sentence, then every cause after a colon.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_names_contain_the_word_or_differ_by_few_letters() {
        let names = ["Rivera Hospitality", "Harbor Street", "Bright Fork", "Golden Wok"];
        assert_eq!(nearest("rivera", names, 1), ["Rivera Hospitality"]);
        assert_eq!(nearest("Golden Work", names, 1), ["Golden Wok"]);
        assert_eq!(nearest("zzz", names, 3).len(), 3);
        assert_eq!(nearest("x", [], 3), [""; 0]);
        assert_eq!((distance("", "abc"), distance("kitten", "sitting")), (3, 3));
    }
}
