//! The same through the server: what its users wait for, and what they cost it.

mod echo;

use crate::report::Group;

/// The groups, in the order in which they are printed.
pub(super) const GROUPS: [Group; 1] = [echo::GROUP];
