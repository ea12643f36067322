//! The protections against the hazards of terminals: where each is in the code, and which test fails without it.
//!
//! `cargo xtask test protections` takes them away one by one and demands that failure. `tidy` holds the list itself: each
//! entry is where it says, and every hazard has one.

mod ending;
mod exactness;
mod host;
mod input;
mod memory;
mod operations;
mod packing;
mod readers;
mod starting;
mod switch;
mod turns;
mod wakers;

pub(crate) use switch::{ASKED, SWITCH, Site, sites, switched};

/// One protection.
pub(crate) struct Protection {
    /// The hazards it is for, by their numbers in [`HAZARDS`].
    pub(crate) hazards: &'static [u8],
    /// What it does, in a few words.
    pub(crate) name: &'static str,
    /// Where it is.
    pub(crate) file: &'static str,
    /// What stands right before it: enough that the two together occur once. White space is of no meaning, here as below.
    pub(crate) after: &'static str,
    /// The protection: an expression, statements, or what a block holds.
    pub(crate) code: &'static str,
    /// What stands there once it is taken away.
    pub(crate) removed: &'static str,
    /// The test program that notices: a file of `core/tests` without its ending, or [`LIB`].
    pub(crate) program: &'static str,
    /// The tests of it to run: those whose name contains this.
    pub(crate) tests: &'static str,
}

/// The core's own test program.
pub(crate) const LIB: &str = "lib";

/// What goes wrong with terminals where nobody sees to it that it does not.
#[rustfmt::skip]
pub(crate) const HAZARDS: &[(u8, &str)] = &[
    (1, "the tail is lost when the program exits"),
    (2, "the bytes that wait are counted by FIONREAD, which hides some"),
    (3, "an orphan holds the terminal open"),
    (4, "a paste into an echo locks both up"),
    (5, "a long line is cut in canonical mode"),
    (6, "a raw reader that stalls stalls others, or costs processor time"),
    (7, "a fork in a host with threads, or of great size"),
    (8, "descriptors are inherited"),
    (9, "the size comes after the program"),
    (10, "floods keep keystrokes waiting"),
    (11, "what was left unread is never announced again"),
    (12, "a slow reader loses bytes, or memory grows for it"),
    (13, "slices keep memory alive"),
    (14, "the host collects our children, or ignores their ends"),
    (15, "the host forks"),
    (16, "foreign code that we call panics, calls back, or drops the engine"),
    (17, "the system has no terminal or descriptor left"),
    (22, "clocks jump, timers spin"),
    (23, "signals interrupt system calls"),
    (24, "a link breaks, and output is lost, doubled or held up for it"),
    (25, "a link breaks, and input is lost or applied twice"),
    (26, "an operation is carried out twice, out of its order, or for another server"),
    (27, "packed output comes out as something else, takes memory without bound, or tells what is secret"),
];

/// The protections, by what they are about.
pub(crate) const GROUPS: &[&[Protection]] = &[
    ending::LIST,
    input::LIST,
    starting::LIST,
    turns::LIST,
    readers::LIST,
    memory::LIST,
    host::LIST,
    wakers::LIST,
    operations::LIST,
    packing::LIST,
    exactness::LIST,
];

/// All of them. The place here is the number by which one is switched.
pub(crate) fn all() -> Vec<&'static Protection> {
    GROUPS.iter().copied().flatten().collect()
}
