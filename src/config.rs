//! The configuration file: TOML with the settings of commands, receivers, alert rules and digests.
//!
//! Each kind of table has a file here that reads it. A key that nothing reads is an error that names the nearest.

pub mod alert;
pub mod digest;
pub mod receiver;
pub mod section;

use std::sync::{Arc, PoisonError, RwLock};

use self::section::Section;
use crate::alerts::rule::Rule;
use crate::error::{Error, Result};
use crate::notify::receiver::Receiver;

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
        let receivers = top.sections("receiver")?.into_iter().map(receiver::read);
        let alerts = top.sections("alert")?.into_iter().map(alert::read);
        let digests = top.sections("digest")?.into_iter().map(digest::read);
        let messaging = Self {
            receivers: receivers.collect::<Result<_>>()?,
            alerts: alerts.collect::<Result<_>>()?,
            digests: digests.collect::<Result<_>>()?,
            public_url: top.text("public_url")?.map(|url| url.trim_end_matches('/').to_owned()),
        };
        let alerts = messaging.alerts.iter().flat_map(Rule::receivers);
        let digests = messaging.digests.iter().flat_map(|digest| digest.to.iter());
        for name in alerts.chain(digests) {
            messaging.receiver(name)?;
        }
        Ok(messaging)
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
