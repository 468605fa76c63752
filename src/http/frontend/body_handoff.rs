//! BodyHandoff bodies: long bodies of replies on their way from a handler to the frontend, which share memory.
//!
//! A body that goes over an upstream connection is copied into that socket and out of it again, which is
//! half of what a long download costs. So the handler leaves a long one here and sends the head alone,
//! with a field that says which it is. It must never know whose a body is, or what it says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The field of a reply from within that names its body.
pub const FIELD: &str = "Frontend-Body";

/// How long a body is worth it.
pub const BODY_BYTES_MIN: usize = 64 * 1024;

/// What handlers have left and the frontend has not taken yet.
#[derive(Debug, Default)]
pub struct BodyHandoff(Mutex<Bodies>);

#[derive(Debug, Default)]
struct Bodies {
    next: u64,
    left: HashMap<u64, Arc<Vec<u8>>>,
}

impl BodyHandoff {
    /// Leaves a body; returns what names it.
    pub fn leave(&self, body: Arc<Vec<u8>>) -> u64 {
        let mut bodies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = bodies.next;
        bodies.next += 1;
        bodies.left.insert(name, body);
        name
    }

    /// Takes the body of this name; none where it was taken before.
    pub fn take(&self, name: u64) -> Option<Arc<Vec<u8>>> {
        let mut bodies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bodies.left.remove(&name)
    }
}
