//! Receivers: where messages go.

/// A receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Its name, by which alerts and digests call it.
    pub name: String,
}
