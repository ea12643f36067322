//! The parts of `cargo xtask test`, in the order they run: cheap ones first.

mod abi;
mod bench;
mod c;
mod deny;
mod docs;
mod examples;
mod fuzz;
mod install;
mod links;
mod models;
mod msrv;
mod protections;
mod sim;
mod style;
mod tests;
mod tidy;
mod typescript;
mod unsafety;

use std::path::Path;

pub(crate) use abi::write as write_abi;

use crate::bench::MANIFEST as BENCHES;
use crate::work::{Outcome, Work};

pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// The part has something to do once any of these exists; always, where the list is empty.
    pub(crate) needs: &'static [&'static str],
    pub(crate) minutes_max: u64,
    pub(crate) run: fn(&mut Work<'_>) -> Outcome,
}

impl Part {
    pub(crate) fn has_material(&self, root: &Path) -> bool {
        self.needs.is_empty() || self.needs.iter().any(|path| root.join(path).exists())
    }
}

/// Enough for what is not built cold; nothing here may hang for ever.
const MINUTES: u64 = 10;
/// For a first build of everything on two slow cores.
const MINUTES_COLD: u64 = 20;
/// For loom, which tries every order of events.
const MINUTES_MODELS: u64 = 60;
/// For a first build of everything under a sanitizer, and all executions of every fuzz target.
const MINUTES_FUZZ: u64 = 60;

#[rustfmt::skip] // A table is read by its columns.
pub(crate) const PARTS: &[Part] = &[
    Part { name: "fmt", about: "the code is formatted", needs: &[], minutes_max: MINUTES, run: style::fmt },
    Part { name: "tidy", about: "the laws of the house: layers, runtimes, unsafe, files, licences", needs: &[], minutes_max: MINUTES, run: tidy::tidy },
    Part { name: "clippy", about: "no warnings from the compiler or clippy, all features", needs: &[], minutes_max: MINUTES_COLD, run: style::clippy },
    Part { name: "docs", about: "the documentation builds, and its links lead somewhere", needs: &[], minutes_max: MINUTES, run: docs::docs },
    Part { name: "unit", about: "the tests of every package", needs: &[], minutes_max: MINUTES_COLD, run: tests::unit },
    Part { name: "doctest", about: "the examples in the documentation", needs: &[], minutes_max: MINUTES, run: tests::doctest },
    Part { name: "spawns", about: "ten thousand programs start beside threads that allocate", needs: &["core/tests/spawning.rs"], minutes_max: MINUTES_COLD, run: tests::spawns },
    Part { name: "mutations", about: "a million damaged frames, for the decoders and both ends of a connection", needs: &["core/tests/peers/golden.rs"], minutes_max: MINUTES_COLD, run: tests::mutations },
    Part { name: "sim", about: "a thousand seeds of the simulation break no law, ten thousand in full", needs: &["core/tests/sim"], minutes_max: MINUTES_COLD, run: sim::sim },
    Part { name: "loom", about: "the ring's models, in every order of events", needs: models::NEEDS, minutes_max: MINUTES_MODELS, run: models::loom },
    Part { name: "mutants", about: "each weakened ordering is caught by a model", needs: models::MODELS, minutes_max: MINUTES_MODELS, run: models::mutants },
    Part { name: "protections", about: "each protection against a hazard is missed by a test when it is gone", needs: protections::NEEDS, minutes_max: MINUTES_COLD, run: protections::protections },
    Part { name: "asan", about: "the ring's tests under AddressSanitizer (nightly)", needs: &["core/src/ring"], minutes_max: MINUTES_COLD, run: unsafety::asan },
    Part { name: "valgrind", about: "no leak and no bad access in the spawner, the ring and the lives of sessions", needs: &["core/tests/leaks.rs"], minutes_max: MINUTES, run: unsafety::valgrind },
    Part { name: "fuzz", about: "a short while of each fuzz target (nightly, cargo-fuzz)", needs: &[fuzz::MANIFEST], minutes_max: MINUTES_FUZZ, run: fuzz::fuzz },
    Part { name: "header", about: "the C header is up to date, compiles alone and documents every function", needs: &["include/orchflow.h"], minutes_max: MINUTES, run: c::header },
    Part { name: "c", about: "the tests in C and C++, as they are, under sanitizers and under valgrind", needs: &["bindings/c/tests"], minutes_max: MINUTES_COLD, run: c::c },
    Part { name: "c_examples", about: "the examples in C and C++ build, and do what they are for", needs: &["bindings/c/examples"], minutes_max: MINUTES_COLD, run: c::c_examples },
    Part { name: "install", about: "the library installs, can be moved, and is found by pkg-config, CMake and Meson", needs: &["bindings/c/CMakeLists.txt"], minutes_max: MINUTES_COLD, run: install::install },
    Part { name: "abi", about: "programs that were built before still run: symbols, parameters, fields", needs: &[abi::BASELINE], minutes_max: MINUTES_COLD, run: abi::abi },
    Part { name: "examples", about: "the examples build and run to their end", needs: &["examples/Cargo.toml"], minutes_max: MINUTES_COLD, run: examples::examples },
    Part { name: "typescript", about: "the client for browsers and Node: types, tests, package; and the page's bundle is fresh", needs: &[typescript::CLIENT], minutes_max: MINUTES, run: typescript::typescript },
    Part { name: "browser", about: "the page in Chromium, against a server made for tests and, with vim, htop and tmux, the real one", needs: &[typescript::PAGE], minutes_max: MINUTES_COLD, run: typescript::browser },
    Part { name: "bench", about: "the benchmarks run and print what they promise", needs: &[BENCHES], minutes_max: MINUTES_COLD, run: bench::bench },
    Part { name: "msrv", about: "the oldest Rust we support builds it", needs: &[], minutes_max: MINUTES, run: msrv::msrv },
    Part { name: "deny", about: "licences and bans, by cargo-deny where it is installed", needs: &["deny.toml"], minutes_max: MINUTES, run: deny::deny },
];
