//! The same through the server: what its users wait for, and what they cost it.

mod connections;
mod crowd;
mod echo;
mod flood;
pub(super) mod terminado;

use crate::report::Group;

/// The groups, in the order in which they are printed.
pub(super) const GROUPS: [Group; 5] = [echo::GROUP, flood::GROUP, connections::IDLE, connections::RATE, crowd::GROUP];
