//! What a program did to the files of a folder and sent to its clients, in order, as strace recorded it.
//!
//! Every call has two places: the line where it began, and the line where it returned. In between it may have
//! happened or not. A name of a file is the one that it had at that moment.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The system calls that change files or names, make changes durable, or speak to clients.
const CALLS: &str = "openat,open,creat,write,pwrite64,writev,pwritev,pwritev2,sendto,sendmsg,ftruncate,\
    truncate,fallocate,fsync,fdatasync,sync_file_range,syncfs,sync,rename,renameat,renameat2,link,linkat,\
    unlink,unlinkat,copy_file_range,sendfile,exit_group";

/// One thing that the program did.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    /// A file was opened: created if it was missing and `create` is set, emptied if `truncate` is set.
    Open {
        name: String,
        create: bool,
        truncate: bool,
    },
    /// Bytes were written.
    Write {
        name: String,
        offset: u64,
        bytes: Vec<u8>,
    },
    /// Bytes were copied from a file to another within the system.
    Copy {
        from: String,
        from_offset: u64,
        name: String,
        offset: u64,
        bytes: u64,
    },
    /// A file got a length.
    Truncate { name: String, bytes: u64 },
    /// A file, or the folder where `name` is empty, was synced.
    Sync { name: String },
    /// A name went over to another file.
    Rename { from: String, to: String },
    /// A file got one more name.
    Link { from: String, to: String },
    /// A name went away.
    Unlink { name: String },
    /// The first bytes of a reply went to the client with this port.
    Reply { port: u16, head: Vec<u8> },
    /// The program ended.
    Exit { code: i32 },
}

/// A deed, with the lines at which its call began and returned.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) begun: usize,
    pub(crate) returned: usize,
    pub(crate) deed: Deed,
}

/// Whether strace is there; says so where it is not.
pub(crate) fn can_trace(what: &str) -> bool {
    let found = Command::new("strace").arg("-V").output().is_ok();
    if !found {
        println!("SKIPPED: {what}: there is no strace (apt-get install strace)");
    }
    found
}

/// The same command, recorded into `record`. Its process is the child, as without a recorder.
pub(crate) fn recorded(command: &Command, record: &Path) -> Command {
    let record = record.display().to_string();
    let calls = format!("trace={CALLS}");
    traced(
        command,
        &["-xx", "-yy", "-s", "100000000", "-e", &calls, "-o", &record],
    )
}

/// The same command, under strace with these options.
pub(crate) fn traced(command: &Command, options: &[&str]) -> Command {
    let mut traced = Command::new("strace");
    // The tracer is a grandchild: signals reach the program itself.
    traced.args(["-D", "-f", "-q"]).args(options);
    traced.arg("--").arg(command.get_program());
    traced.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => traced.env(name, value),
            None => traced.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        traced.current_dir(folder);
    }
    traced
}

/// What happened to files of `folder`, whose names begin with `prefix`, and on connections.
pub(crate) fn read(record: &[u8], folder: &Path, prefix: &str) -> Vec<Event> {
    let mut reader = Reader {
        folder: folder.canonicalize().expect("the folder"),
        prefix: prefix.to_owned(),
        cursors: HashMap::new(),
    };
    let mut begun: HashMap<&str, (usize, String)> = HashMap::new();
    let mut events = Vec::new();
    let text = std::str::from_utf8(record).expect("strace writes ASCII");
    for (line, text) in text.lines().enumerate() {
        let Some((process, rest)) = text.split_once(' ') else {
            continue;
        };
        let rest = rest.trim_start();
        if rest.starts_with("+++") || rest.starts_with("---") {
            continue;
        }
        if let Some(start) = rest.strip_suffix("<unfinished ...>") {
            begun.insert(process, (line, start.to_owned()));
            continue;
        }
        let (from, call) = match rest.strip_prefix("<... ") {
            Some(resumed) => {
                let (_, after) = resumed.split_once(" resumed>").expect("a resumed call");
                let (from, start) = begun.remove(process).expect("a call that began");
                (from, start + after)
            }
            None => (line, rest.to_owned()),
        };
        reader.call(&call, |deed| {
            events.push(Event {
                begun: from,
                returned: line,
                deed,
            });
        });
    }
    // A call that never returned may have happened.
    for (_, (from, call)) in begun {
        reader.call(&format!("{} = 0", call.trim_end()), |deed| {
            events.push(Event {
                begun: from,
                returned: usize::MAX,
                deed,
            });
        });
    }
    events.sort_by_key(|event| event.begun);
    events
}

struct Reader {
    folder: PathBuf,
    prefix: String,
    /// The place in a file at which `write` goes on, by descriptor.
    cursors: HashMap<i64, u64>,
}

impl Reader {
    /// Turns one whole call into its deed, if it concerns us.
    fn call(&mut self, call: &str, mut found: impl FnMut(Deed)) {
        let Some((name, rest)) = call.split_once('(') else {
            return;
        };
        let (arguments, result) = match rest.rfind(" = ") {
            Some(at) => (
                rest[..at].trim_end().trim_end_matches(')').trim_end(),
                rest[at + 3..].trim(),
            ),
            None => (rest, "0"),
        };
        let done: i64 = leading(result);
        if done < 0 || (result.starts_with('?') && name != "exit_group") {
            return;
        }
        match name {
            "exit_group" => found(Deed::Exit {
                code: i32::try_from(leading(arguments)).expect("an exit code"),
            }),
            "open" | "openat" | "creat" => {
                self.cursors.insert(done, 0);
                if let Some(name) = bracketed(result).and_then(|path| self.ours(&path)) {
                    let has = |flag| arguments.contains(flag);
                    found(Deed::Open {
                        name,
                        create: has("O_CREAT") && !has("O_TMPFILE"),
                        truncate: has("O_TRUNC"),
                    });
                }
            }
            "sendto" | "sendmsg" | "write" | "writev" if arguments.contains("<TCP") => {
                let port = bracketed(arguments).and_then(|link| {
                    let peer = link.rsplit("->").next()?.rsplit(':').next()?;
                    peer.trim_end_matches(']').parse().ok()
                });
                let head = strings(arguments);
                if let Some(port) = port.filter(|_| head.starts_with(b"HTTP/1.1 ")) {
                    found(Deed::Reply { port, head });
                }
            }
            "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2" => {
                let Some(file) = bracketed(arguments).and_then(|path| self.ours(&path)) else {
                    return;
                };
                let mut bytes = strings(arguments);
                let written = usize::try_from(done).expect("a length");
                assert!(bytes.len() >= written, "{} of {written}", bytes.len());
                bytes.truncate(written);
                let offset = if name.starts_with('p') {
                    last_number(arguments, usize::from(name == "pwritev2"))
                } else {
                    let cursor = self.cursors.entry(leading(arguments)).or_default();
                    *cursor += written as u64;
                    *cursor - written as u64
                };
                found(Deed::Write {
                    name: file,
                    offset,
                    bytes,
                });
            }
            "copy_file_range" | "sendfile" => {
                let mut sides = descriptors(arguments);
                if name == "sendfile" {
                    sides.reverse();
                }
                let [(from, source), (to, target)] = &sides[..] else {
                    return;
                };
                let bytes = u64::try_from(done).expect("a length");
                let mut advance = |descriptor: i64| {
                    let cursor = self.cursors.entry(descriptor).or_default();
                    *cursor += bytes;
                    *cursor - bytes
                };
                let (from_offset, offset) = (advance(*from), advance(*to));
                if let (Some(from), Some(name)) = (self.ours(source), self.ours(target)) {
                    found(Deed::Copy {
                        from,
                        from_offset,
                        name,
                        offset,
                        bytes,
                    });
                }
            }
            "ftruncate" | "truncate" | "fallocate" => {
                let path = match name {
                    "truncate" => Some(text(strings(arguments))),
                    _ => bracketed(arguments),
                };
                if let Some(file) = path.and_then(|path| self.ours(&path)) {
                    // A reserve is never read: its length is all that counts.
                    let bytes = last_number(arguments, 0);
                    found(Deed::Truncate { name: file, bytes });
                }
            }
            "fsync" | "fdatasync" => {
                let Some(path) = bracketed(arguments) else {
                    return;
                };
                if Path::new(&path) == self.folder {
                    found(Deed::Sync {
                        name: String::new(),
                    });
                } else if let Some(name) = self.ours(&path) {
                    found(Deed::Sync { name });
                }
            }
            "rename" | "renameat" | "renameat2" | "link" | "linkat" => {
                let paths: Vec<Vec<u8>> = quoted(arguments);
                let [from, to] = [0, 1].map(|at| self.ours(&text(paths[at].clone())));
                match (from, to) {
                    (Some(from), Some(to)) if name.starts_with("rename") => {
                        found(Deed::Rename { from, to });
                    }
                    (Some(from), Some(to)) => found(Deed::Link { from, to }),
                    (Some(name), None) if call.starts_with("rename") => {
                        found(Deed::Unlink { name });
                    }
                    (None, Some(name)) => panic!("{name} came from elsewhere: {call}"),
                    _ => {}
                }
            }
            "unlink" | "unlinkat" => {
                if let Some(name) = self.ours(&text(strings(arguments))) {
                    found(Deed::Unlink { name });
                }
            }
            _ => {}
        }
    }

    /// The name of a file that is in the folder, and neither nameless nor shared memory.
    fn ours(&self, path: &str) -> Option<String> {
        let whole = self.folder.join(path.trim_start_matches("./"));
        let name = whole.file_name()?.to_str()?;
        let here = whole.parent()?.canonicalize().ok()? == self.folder;
        let kept = here && name.contains(&self.prefix) && !name.ends_with("-shm");
        (kept && !name.contains(" (deleted)")).then(|| name.to_owned())
    }
}

/// The number at the beginning.
fn leading(text: &str) -> i64 {
    let end = text.find(|c: char| c != '-' && !c.is_ascii_digit());
    text[..end.unwrap_or(text.len())].parse().unwrap_or(0)
}

/// The number at the end, or `skip` numbers before it.
fn last_number(arguments: &str, skip: usize) -> u64 {
    let mut numbers = arguments.rsplit(", ").skip(skip);
    let number = numbers.next().expect("a number");
    number.parse().unwrap_or_else(|_| panic!("{number}"))
}

/// The path between the first angle brackets.
fn bracketed(text: &str) -> Option<String> {
    descriptors(text).into_iter().next().map(|(_, path)| path)
}

/// The descriptors with their paths or connections.
fn descriptors(arguments: &str) -> Vec<(i64, String)> {
    let mut found = Vec::new();
    let mut rest = arguments;
    while let Some(at) = rest.find('<') {
        let digits = rest[..at].rfind(|c: char| !c.is_ascii_digit());
        let number = leading(&rest[digits.map_or(0, |at| at + 1)..at]);
        rest = &rest[at + 1..];
        // A connection has an arrow in it.
        let end = rest.replace("->", "~~").find('>').unwrap_or(rest.len());
        found.push((number, text(unescaped(&rest[..end]))));
        rest = &rest[end..];
        if found.len() == 2 {
            break;
        }
    }
    found
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

/// All strings of a call, one after the other.
fn strings(arguments: &str) -> Vec<u8> {
    quoted(arguments).concat()
}

fn quoted(arguments: &str) -> Vec<Vec<u8>> {
    let parts = arguments.split('"').skip(1).step_by(2);
    parts.map(unescaped).collect()
}

/// Bytes from `\x41\x42`; others stand for themselves.
fn unescaped(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        _ => panic!("{} is no digit", char::from(byte)),
    };
    let mut bytes = Vec::with_capacity(text.len() / 4);
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        if let (b'\\', [b'x', high, low, after @ ..]) = (first, more) {
            bytes.push((digit(*high) << 4) | digit(*low));
            rest = after;
        } else {
            bytes.push(*first);
            rest = more;
        }
    }
    bytes
}
