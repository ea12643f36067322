//! What may be depended on, by cargo-deny. Without it, `tidy` still holds the licences and the runtimes.

use crate::tools::{cargo, tool};
use crate::work::{Outcome, Stop, Work};

pub(crate) fn deny(work: &mut Work<'_>) -> Outcome {
    if !work.has(tool("cargo-deny", &["--version"])) {
        let why = "cargo-deny is not installed: cargo install --locked cargo-deny (`tidy` has checked licences and runtimes)";
        return Err(Stop::Skipped(why.into()));
    }
    work.run(cargo(&["deny", "--workspace", "--all-features", "check", "licenses", "bans", "sources"]))
}
