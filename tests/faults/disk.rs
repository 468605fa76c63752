//! A disk that loses power: what may be on it after each moment of a record.
//!
//! What was synced is there. Each other write may be there, missing, or torn at sectors of 512 bytes. A name that
//! came, went or changed is durable once its folder is synced; before that it may be so or not.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::random::Random;
use crate::trace::{Deed, Event};

/// What a disk writes as a whole.
const SECTOR: u64 = 512;

/// The files of a folder, by name.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// Whether syncs do what they say; without them nothing is certain, and the harness must notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syncs {
    Kept,
    Ignored,
}

/// One change of a file's bytes.
#[derive(Clone, Debug)]
enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    Truncate { bytes: u64 },
}

/// One change of the folder.
#[derive(Clone, Debug)]
enum Naming {
    Add { name: String, file: usize },
    Move { from: String, to: String },
    Remove { name: String },
}

#[derive(Clone, Debug, Default)]
struct File {
    durable: Vec<u8>,
    /// Changes since the last sync, each with the line at which its call returned.
    pending: Vec<(usize, Change)>,
}

/// The disk at one moment of a record.
pub(crate) struct Disk {
    syncs: Syncs,
    files: Vec<File>,
    /// The folder as the program sees it, and as it is for certain on the disk.
    names: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    pending: Vec<(usize, Naming)>,
}

impl Disk {
    /// A disk with these files, all durable.
    pub(crate) fn new(files: &Files, syncs: Syncs) -> Self {
        let mut disk = Self {
            syncs,
            files: Vec::new(),
            names: BTreeMap::new(),
            durable: BTreeMap::new(),
            pending: Vec::new(),
        };
        for (name, bytes) in files {
            disk.durable.insert(name.clone(), disk.files.len());
            disk.files.push(File {
                durable: bytes.clone(),
                pending: Vec::new(),
            });
        }
        disk.names = disk.durable.clone();
        disk
    }

    /// Takes the next event of the record: a sync when it returned, all else when it began.
    pub(crate) fn take(&mut self, event: &Event) {
        let line = event.returned;
        match &event.deed {
            Deed::Open {
                name,
                create,
                truncate,
            } => {
                if *create && !self.names.contains_key(name) {
                    let file = self.files.len();
                    self.files.push(File::default());
                    self.rename(
                        line,
                        Naming::Add {
                            name: name.clone(),
                            file,
                        },
                    );
                }
                if *truncate {
                    self.change(name, line, Change::Truncate { bytes: 0 });
                }
            }
            Deed::Write {
                name,
                offset,
                bytes,
            } => {
                let (offset, bytes) = (*offset, bytes.clone());
                self.change(name, line, Change::Write { offset, bytes });
            }
            Deed::Copy {
                from,
                from_offset,
                name,
                offset,
                bytes,
            } => {
                let source = self.names.get(from).expect("a file to copy");
                let whole = self.files[*source].now();
                let range = index(*from_offset)..index(from_offset + bytes);
                let (offset, bytes) = (*offset, whole[range].to_vec());
                self.change(name, line, Change::Write { offset, bytes });
            }
            Deed::Truncate { name, bytes } => {
                self.change(name, line, Change::Truncate { bytes: *bytes });
            }
            Deed::Sync { .. } if self.syncs == Syncs::Ignored => {}
            Deed::Sync { name } if name.is_empty() => self.sync_folder(event.begun),
            Deed::Sync { name } => {
                if let Some(&file) = self.names.get(name) {
                    self.files[file].sync(event.begun);
                }
            }
            Deed::Rename { from, to } => self.rename(
                line,
                Naming::Move {
                    from: from.clone(),
                    to: to.clone(),
                },
            ),
            Deed::Link { from, to } => {
                let file = self.names[from];
                self.rename(
                    line,
                    Naming::Add {
                        name: to.clone(),
                        file,
                    },
                );
            }
            Deed::Unlink { name } => self.rename(line, Naming::Remove { name: name.clone() }),
            Deed::Reply { .. } | Deed::Exit { .. } => {}
        }
    }

    fn change(&mut self, name: &str, line: usize, change: Change) {
        // A file that has no name cannot be found after a power cut.
        if let Some(&file) = self.names.get(name) {
            self.files[file].pending.push((line, change));
        }
    }

    fn rename(&mut self, line: usize, naming: Naming) {
        apply_naming(&mut self.names, &naming);
        self.pending.push((line, naming));
    }

    fn sync_folder(&mut self, begun: usize) {
        let (done, rest) = split(std::mem::take(&mut self.pending), begun);
        self.pending = rest;
        for naming in done {
            apply_naming(&mut self.durable, &naming);
        }
    }

    /// One of the states in which a power cut may leave the disk now.
    pub(crate) fn after_a_cut(&self, random: &mut Random) -> Files {
        let luck = Luck::any(random);
        let mut names = self.durable.clone();
        for at in 0..self.pending.len() {
            if luck.keeps(random, at, self.pending.len()) {
                apply_naming(&mut names, &self.pending[at].1);
            }
        }
        let mut files = Files::new();
        for (name, file) in names {
            let file = &self.files[file];
            let luck = Luck::any(random);
            let mut bytes = file.durable.clone();
            for (at, (_, change)) in file.pending.iter().enumerate() {
                if luck.keeps(random, at, file.pending.len()) {
                    apply(&mut bytes, change, None);
                } else if luck.tears(random) {
                    apply(&mut bytes, change, Some(random));
                }
            }
            files.insert(name, bytes);
        }
        files
    }
}

impl File {
    fn sync(&mut self, begun: usize) {
        let (done, rest) = split(std::mem::take(&mut self.pending), begun);
        self.pending = rest;
        for change in done {
            apply(&mut self.durable, &change, None);
        }
    }

    fn now(&self) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for (_, change) in &self.pending {
            apply(&mut bytes, change, None);
        }
        bytes
    }
}

/// What returned before a line, and the rest.
fn split<T>(pending: Vec<(usize, T)>, line: usize) -> (Vec<T>, Vec<(usize, T)>) {
    let (done, rest): (Vec<_>, Vec<_>) = pending
        .into_iter()
        .partition(|(returned, _)| *returned < line);
    (done.into_iter().map(|(_, change)| change).collect(), rest)
}

/// Which of the changes that were not synced survive.
enum Luck {
    All,
    None,
    /// The first ones, up to this share in 1024; the next may be torn.
    First(u64),
    /// Each by itself, with this chance in 1024.
    Each(u64),
}

impl Luck {
    fn any(random: &mut Random) -> Self {
        match random.below(8) {
            0 => Self::All,
            1 => Self::None,
            2..5 => Self::First(random.below(1025)),
            5 => Self::Each(32),
            6 => Self::Each(992),
            _ => Self::Each(512),
        }
    }

    fn keeps(&self, random: &mut Random, at: usize, of: usize) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::First(share) => (at as u64) * 1024 < share * of as u64,
            Self::Each(chance) => random.below(1024) < *chance,
        }
    }

    fn tears(&self, random: &mut Random) -> bool {
        match self {
            Self::All | Self::None => false,
            Self::First(_) | Self::Each(_) => random.below(4) == 0,
        }
    }
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("a place in memory")
}

/// Applies a change; with `torn`, only some of its sectors.
fn apply(file: &mut Vec<u8>, change: &Change, torn: Option<&mut Random>) {
    match (change, torn) {
        (Change::Truncate { bytes }, None) => file.resize(index(*bytes), 0),
        (Change::Truncate { .. }, Some(_)) => {}
        (Change::Write { offset, bytes }, None) => put(file, *offset, bytes),
        (Change::Write { offset, bytes }, Some(random)) => {
            let end = offset + bytes.len() as u64;
            let mut from = *offset;
            while from < end {
                let to = (from / SECTOR + 1) * SECTOR;
                let to = to.min(end);
                if random.below(2) == 0 {
                    put(file, from, &bytes[index(from - offset)..index(to - offset)]);
                }
                from = to;
            }
        }
    }
}

fn put(file: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let (from, to) = (index(offset), index(offset) + bytes.len());
    if file.len() < to {
        file.resize(to, 0);
    }
    file[from..to].copy_from_slice(bytes);
}

fn apply_naming(names: &mut BTreeMap<String, usize>, naming: &Naming) {
    match naming {
        Naming::Add { name, file } => {
            names.insert(name.clone(), *file);
        }
        Naming::Move { from, to } => {
            if let Some(file) = names.remove(from) {
                names.insert(to.clone(), file);
            }
        }
        Naming::Remove { name } => {
            names.remove(name);
        }
    }
}

/// The order in which a disk takes the events of a record, each with its line: a sync when it returned.
pub(crate) fn timeline(events: &[Event]) -> Vec<(usize, &Event)> {
    let line = |event: &Event| match event.deed {
        Deed::Sync { .. } => event.returned,
        _ => event.begun,
    };
    let mut timeline: Vec<_> = events.iter().map(|event| (line(event), event)).collect();
    timeline.sort_by_key(|(line, _)| *line);
    timeline
}

/// The files of a folder whose names have `prefix` in them, without shared memory.
pub(crate) fn files_of(folder: &Path, prefix: &str) -> Files {
    let mut files = Files::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        if path.is_file() && name.contains(prefix) && !name.ends_with("-shm") {
            files.insert(name.into_owned(), fs::read(&path).expect("a file"));
        }
    }
    files
}

/// Puts a state into a folder, in place of what it had.
pub(crate) fn lay_out(files: &Files, folder: &Path) {
    for entry in fs::read_dir(folder).expect("a folder") {
        fs::remove_file(entry.expect("an entry").path()).expect("a file");
    }
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).expect(name);
    }
}
