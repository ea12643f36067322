//! The laws of the house: what prose claims of the tree, held by a check.
//!
//! Each law looks at the whole [`Tree`] and returns findings that say where, what, and what to do. A law's
//! exceptions stand in a table beside it, each with its reason.

mod complaints;
mod house;
mod layers;
mod length;
mod licence;
mod machine;
mod manifests;
mod mask;
mod opening;
mod order;
mod panics;
mod protections;
mod runtimes;
mod sleeps;
mod tree;
mod unsafe_code;

use std::fmt;

pub(crate) use tree::{Tree, listed};

pub(crate) struct Law {
    /// The law in a sentence.
    pub(crate) name: &'static str,
    pub(crate) find: fn(&Tree) -> Vec<Finding>,
}

pub(crate) const LAWS: &[Law] = &[
    Law { name: "the core depends on no runtime", find: runtimes::find },
    Law { name: "a layer uses only those below it", find: layers::find },
    Law { name: "a file holds one idea, in at most 600 lines", find: length::find },
    Law { name: "nothing unfinished is committed, and the core panics only with a sentence", find: panics::find },
    Law { name: "unsafe code lives in its two files", find: unsafe_code::find },
    Law { name: "packages inherit version, licence and lints, and the lints are on", find: manifests::find },
    Law { name: "the core and the tests never sleep, except to provoke", find: sleeps::find },
    Law { name: "what is simulated has an order", find: order::find },
    Law { name: "each protection on the list is in the code, and every hazard has one", find: protections::find },
    Law { name: "each complaint we answer names tests, and they exist", find: complaints::find },
    Law { name: "no file knows the machine it was written on", find: machine::find },
    Law { name: "a source file says first what it is for", find: opening::find },
    Law { name: "the top level holds only what everyone must see", find: house::find },
    Law { name: "dependencies have licences we accept", find: licence::find },
];

/// A broken law: where, what, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) path: String,
    /// Counted from 1; 0 means the whole file.
    pub(crate) line: usize,
    pub(crate) what: String,
    pub(crate) fix: String,
}

impl Finding {
    pub(crate) fn new(path: impl Into<String>, line: usize, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Finding { path: path.into(), line, what: what.into(), fix: fix.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "{}: {}\n    fix: {}", self.path, self.what, self.fix)
        } else {
            write!(f, "{}:{}: {}\n    fix: {}", self.path, self.line, self.what, self.fix)
        }
    }
}

/// `path:line` of each finding of a law in a tree of these files: how the laws' tests speak.
#[cfg(test)]
fn found(find: fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)]) -> Vec<String> {
    find(&Tree::of(files)).iter().map(|finding| format!("{}:{}", finding.path, finding.line)).collect()
}
