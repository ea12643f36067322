//! One run, and what broke in it.

use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::plan::Plan;
use crate::sim::{Outcome, Sim};

/// What was found.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    what: String,
    place: String,
}

impl Broken {
    /// Whether `other` is the same fault, with other numbers in it perhaps.
    pub(crate) fn is_like(&self, other: &Broken) -> bool {
        self.place == other.place
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What has no law's name is a panic of the machines themselves.
        let law = if self.what.contains("law ") { "" } else { "law 6: a panic: " };
        write!(f, "{law}{} ({})", self.what, self.place)
    }
}

thread_local! {
    static LAST: RefCell<Option<Broken>> = const { RefCell::new(None) };
}

/// Has panics remembered, not printed: they are how a law says that it is broken.
pub(crate) fn silence_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let what = panic.payload_as_str().unwrap_or("a panic without words").to_owned();
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        LAST.set(Some(Broken { what, place }));
    }));
}

/// Plays `plan`.
pub(crate) fn run(plan: &Plan, events_max: usize, tells: bool) -> Result<Outcome, Broken> {
    let played = catch_unwind(AssertUnwindSafe(|| Sim::play(plan, events_max, tells)));
    played.map_err(|_| LAST.take().unwrap_or_else(|| Broken { what: "a panic".into(), place: String::new() }))
}
