//! Both ends of a connection, joined by a network that lives in memory: it is slow, cut at the worst moments, and plays the same
//! again from its seed. Time is virtual; the terminals are the real hub's, with scripts inside.

#[path = "../wire/cddl.rs"]
#[allow(dead_code, reason = "the page is held to the rules elsewhere")]
mod cddl;
mod cuts;
mod dice;
mod golden;
mod hops;
mod mutations;
mod net;
mod operations;
mod overload;
mod packing;
mod policies;
mod refusals;
mod returns;
mod rig;
mod server;
mod service;
mod shapes;
mod storm;
mod user;
mod viewers;
