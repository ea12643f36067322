//! What was asked for: how much of it, and how it is printed.

use crate::report::Format;

/// How to run.
pub(crate) struct Plan {
    /// Fewer and shorter blocks; the same lines.
    pub(crate) quick: bool,
    /// Only the groups with a line that begins so.
    pub(crate) only: Option<String>,
    /// Fetch the peers first.
    pub(crate) install_peers: bool,
    pub(crate) format: Format,
}

impl Plan {
    /// One of two amounts.
    pub(crate) fn pick<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }

    /// Whether a line is asked for.
    pub(crate) fn wants(&self, line: &str) -> bool {
        self.only.as_ref().is_none_or(|prefix| line.starts_with(prefix.as_str()))
    }
}
