//! Names for things that come and go. An id is never reused within its hub, so a late event of an old
//! session cannot be taken for a new one's.

use std::fmt;

/// One terminal session of one hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(u64);

impl SessionId {
    /// The id with this number; hubs count from 1.
    pub const fn from_raw(number: u64) -> Self {
        SessionId(number)
    }

    /// The number, for logs and for other languages.
    pub const fn as_raw(self) -> u64 {
        self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {}", self.0)
    }
}
