//! Formatting and lints.

use crate::tools::{cargo, component};
use crate::work::{Outcome, Work};

pub(crate) fn fmt(work: &mut Work<'_>) -> Outcome {
    component(work, "fmt", "rustfmt")?;
    work.run(cargo(&["fmt", "--all", "--check"]))
}

pub(crate) fn clippy(work: &mut Work<'_>) -> Outcome {
    component(work, "clippy", "clippy")?;
    work.run(cargo(&["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"]))
}
