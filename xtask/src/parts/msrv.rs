//! The oldest Rust we promise to support builds everything.

use crate::tools::{cargo, tool};
use crate::work::{Outcome, Work};

/// The promise. To move it is a change users see: say so in the changelog.
const RUST: &str = "1.95";

pub(crate) fn msrv(work: &mut Work<'_>) -> Outcome {
    let metadata = work.ask(cargo(&["metadata", "--no-deps", "--format-version=1"]))?;
    let metadata: serde_json::Value = match serde_json::from_str(&metadata) {
        Ok(metadata) => metadata,
        Err(error) => return work.fail(error),
    };
    for package in metadata["packages"].as_array().into_iter().flatten() {
        if package["rust_version"] != RUST {
            return work.fail(format_args!("package {} declares rust-version {}, not {RUST}", package["name"], package["rust_version"]));
        }
    }
    let current = work.ask(tool("rustc", &["--version"]))?;
    if current.starts_with(&format!("rustc {RUST}.")) {
        return work.run(cargo(&["check", "--workspace"]));
    }
    let oldest = format!("{RUST}.0");
    if !work.has(tool("rustup", &["run", &oldest, "cargo", "--version"])) {
        work.note = format!("with {}; to try the oldest: rustup toolchain install {oldest} --profile minimal", current.trim());
        return work.run(cargo(&["check", "--workspace"]));
    }
    let mut check = tool("rustup", &["run", &oldest, "cargo", "check", "--workspace"]);
    check.env("CARGO_TARGET_DIR", work.target_dir("msrv"));
    work.run(check)
}
