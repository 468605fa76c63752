//! The configuration file: TOML with the settings of commands, receivers, alert rules and digests.
//!
//! Each kind of table has a file here that reads it. A key that nothing reads is an error that names the nearest.

pub mod alert;
pub mod digest;
pub mod file;
pub mod receiver;
mod secret_file;
pub mod section;
mod source;

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use self::section::Section;
use crate::access::secret::is_same;
use crate::alerts::rule::Rule;
use crate::error::{Error, Result};
use crate::notify::receiver::{Receiver, Way};

/// The keys at the top of the file that are no flags.
pub const KEYS: [&str; 5] = ["receiver", "alert", "digest", "smtp", "public_url"];

/// Who is told what: the part of the configuration that a running server reads again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Messaging {
    /// `[[receiver]]`: where messages go.
    pub receivers: Vec<Receiver>,
    /// `[[alert]]`: when which of them is told.
    pub alerts: Vec<Rule>,
    /// `[[digest]]`: who gets which digest, and when.
    pub digests: Vec<digest::Schedule>,
    /// `public_url`: the address at which receivers reach the server, for links in messages; without a slash at the
    /// end.
    pub public_url: Option<String>,
}

impl Messaging {
    /// Takes its keys from the top table of the file.
    ///
    /// # Errors
    /// When a value is wrong, or an alert or digest names a receiver that is not there.
    pub fn read(top: &mut Section) -> Result<Self> {
        let (messaging, errors) = Self::read_all(top);
        errors.into_iter().next().map_or(Ok(messaging), Err)
    }

    /// The same as far as possible, and of each table the first thing that is wrong.
    pub fn read_all(top: &mut Section) -> (Self, Vec<Error>) {
        let mut errors = Vec::new();
        let mut messaging = Self::default();
        let server = ok(top.section("smtp"), &mut errors).flatten();
        let has_server = server.is_some();
        let server = server.and_then(|table| ok(receiver::read_mail_server(table), &mut errors));
        let server = server.map(Arc::new);
        for table in sections(top, "receiver", &mut errors) {
            // One of e-mail without its server is wrong for that reason alone.
            let receiver = receiver::read(table, server.as_ref(), has_server);
            messaging.receivers.extend(ok(receiver, &mut errors).flatten());
        }
        errors.extend(receiver::check_count(&messaging.receivers).err());
        let names = messaging.receivers.iter().map(|receiver| &receiver.name);
        refuse_twins("receivers", names, &mut errors);
        // A receiver whose table is wrong is missing for that reason alone.
        let all_are_known = errors.is_empty();
        let mut named = Vec::new();
        for table in sections(top, "alert", &mut errors) {
            let places = [table.place("to"), table.place("escalate_to")];
            if let Some(rule) = ok(alert::read(table), &mut errors) {
                let [to, escalate_to] = places;
                named.extend(rule.to.iter().map(|name| (to.clone(), name.clone())));
                named.extend(rule.escalate_to.iter().map(|name| (escalate_to.clone(), name.clone())));
                messaging.alerts.push(rule);
            }
        }
        let names = messaging.alerts.iter().map(|rule| &rule.name);
        refuse_twins("alert rules", names, &mut errors);
        for table in sections(top, "digest", &mut errors) {
            let to = table.place("to");
            if let Some(schedule) = ok(digest::read(table), &mut errors) {
                named.extend(schedule.to.iter().map(|name| (to.clone(), name.clone())));
                messaging.digests.push(schedule);
            }
        }
        let names = messaging.digests.iter().map(|digest| &digest.name);
        refuse_twins("digests", names, &mut errors);
        for (place, name) in named.into_iter().filter(|_| all_are_known) {
            if let Err(error) = messaging.receiver(&name) {
                errors.push(Error::invalid(format!("{place}: {}", error.message())));
            }
        }
        messaging.public_url = ok(public_url(top), &mut errors).flatten();
        (messaging, errors)
    }

    /// What is another in `now`, in a few words each.
    pub fn changes(&self, now: &Self) -> Vec<String> {
        let name = |rule: &Rule| rule.name.clone();
        let mut changes = changed("receiver", &self.receivers, &now.receivers, |receiver| {
            receiver.name.clone()
        });
        changes.extend(changed("alert", &self.alerts, &now.alerts, name));
        if self.digests != now.digests {
            changes.push(format!("digests: {} → {}", self.digests.len(), now.digests.len()));
        }
        if self.public_url != now.public_url {
            let told = |url: &Option<String>| url.clone().unwrap_or_else(|| "not set".to_owned());
            changes.push(format!(
                "public_url: {} → {}",
                told(&self.public_url),
                told(&now.public_url)
            ));
        }
        changes
    }

    /// The receiver that a caller of reports names, by its name or its URL; none unless it is a webhook.
    pub fn callback(&self, wanted: &str) -> Option<&Receiver> {
        self.receivers.iter().find(|receiver| match &receiver.way {
            Way::Webhook { address, .. } => receiver.name == wanted || is_same(address.url(), wanted),
            Way::Ntfy { .. } | Way::Email { .. } => false,
        })
    }

    /// The receiver of this name.
    ///
    /// # Errors
    /// When there is none: the message names the nearest.
    pub fn receiver(&self, name: &str) -> Result<&Receiver> {
        let found = self.receivers.iter().find(|receiver| receiver.name == name);
        found.ok_or_else(|| {
            let distance = |receiver: &&Receiver| strsim::damerau_levenshtein(&receiver.name, name);
            let remedy = match self.receivers.iter().min_by_key(distance) {
                Some(nearest) => format!("did you mean `{}`?", nearest.name),
                None => "add it as [[receiver]] to the configuration".to_owned(),
            };
            Error::invalid(format!("there is no receiver `{name}` ({remedy})"))
        })
    }
}

/// Which tables of one kind are new, gone or others than before.
/// Refuses two of one name: the keys of messages have it.
fn refuse_twins<'a>(what: &str, names: impl Iterator<Item = &'a String>, errors: &mut Vec<Error>) {
    let mut known = HashSet::new();
    for name in names.filter(|&name| !known.insert(name)) {
        errors.push(Error::invalid(format!("two {what} are called `{name}` (rename one)")));
    }
}

fn changed<T: PartialEq>(kind: &str, before: &[T], now: &[T], name: impl Fn(&T) -> String) -> Vec<String> {
    let find = |all: &[T], wanted: &str| all.iter().position(|one| name(one) == wanted);
    let mut changes = Vec::new();
    for one in now {
        match find(before, &name(one)).map(|place| &before[place]) {
            None => changes.push(format!("{kind} `{}` is new", name(one))),
            Some(before) if before != one => changes.push(format!("{kind} `{}` changed", name(one))),
            Some(_) => {}
        }
    }
    let gone = before.iter().filter(|one| find(now, &name(one)).is_none());
    changes.extend(gone.map(|one| format!("{kind} `{}` is gone", name(one))));
    changes
}

/// The tables of a key; an error is added to the others.
fn sections(top: &mut Section, key: &'static str, errors: &mut Vec<Error>) -> Vec<Section> {
    ok(top.sections(key), errors).unwrap_or_default()
}

/// The value of a result; an error is added to the others.
fn ok<T>(result: Result<T>, errors: &mut Vec<Error>) -> Option<T> {
    result.map_err(|error| errors.push(error)).ok()
}

fn public_url(top: &mut Section) -> Result<Option<String>> {
    let Some(url) = top.text("public_url")? else {
        return Ok(None);
    };
    let is_web = ["https://", "http://"].iter().any(|scheme| {
        url.strip_prefix(scheme)
            .is_some_and(|rest| !rest.trim_matches('/').is_empty())
    });
    let is_plain = url.chars().all(|char| char.is_ascii_graphic()) && !url.contains(['?', '#']);
    match is_web && is_plain {
        true => Ok(Some(url.trim_end_matches('/').to_owned())),
        false => Err(top.wrong("public_url", "is no address of a server (write https://shop.example)")),
    }
}

/// The messaging in force, shared by all threads of a server.
#[derive(Debug, Default)]
pub struct Live(RwLock<Arc<Messaging>>);

impl Live {
    /// What is in force now.
    pub fn get(&self) -> Arc<Messaging> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another in force.
    pub fn set(&self, messaging: Messaging) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(messaging);
    }
}
