//! Why a message did not arrive, and whether it is tried again.

use crate::uptime::interval::Micros;

/// When a message that did not arrive is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// When the back-off says so.
    Later,
    /// Not before so much time has passed, as the receiver asked.
    After(Micros),
    /// Never: the receiver refuses this message itself.
    Never,
}

/// Why a message did not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A sentence for the operator, without a secret.
    pub reason: String,
    /// Whether it is tried again.
    pub again: Again,
}

impl Failure {
    /// Something that may pass, or that an operator can mend.
    pub fn later(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            again: Again::Later,
        }
    }

    /// The same message would be refused each time.
    pub fn never(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            again: Again::Never,
        }
    }
}
