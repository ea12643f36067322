//! The tests that cargo finds by itself.

use crate::tools::cargo;
use crate::work::{Outcome, Work};

pub(crate) fn unit(work: &mut Work<'_>) -> Outcome {
    work.test(cargo(&["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"]))
}

pub(crate) fn doctest(work: &mut Work<'_>) -> Outcome {
    work.test(cargo(&["test", "--workspace", "--doc", "--no-fail-fast"]))
}

/// The same tests as in `unit`, which make a million inputs where the optimiser was at work; and of packed output, without the codec that the
/// benchmarks bring into a build of all packages.
pub(crate) fn mutations(work: &mut Work<'_>) -> Outcome {
    work.test(cargo(&["test", "--release", "--package", "orchflow-core", "--test", "peers", "--", "golden::", "packing::"]))
}

/// The same tests as in `unit`, which start more where the optimiser was at work.
pub(crate) fn spawns(work: &mut Work<'_>) -> Outcome {
    work.test(cargo(&["test", "--release", "--package", "orchflow-core", "--test", "spawning", "--", "--nocapture"]))
}
