//! `cargo xtask bench`: builds the benchmarks and hands them the flags as they are.

use std::path::Path;
use std::process::{Command, ExitCode};

use crate::tools::cargo;

pub(crate) const MANIFEST: &str = "benches/Cargo.toml";

pub(crate) fn bench(root: &Path, flags: &[&str]) -> ExitCode {
    if !root.join(MANIFEST).exists() {
        eprintln!("xtask: there are no benchmarks: {MANIFEST} does not exist");
        return ExitCode::FAILURE;
    }
    match command(flags).current_dir(root).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: could not start cargo: {error}");
            ExitCode::FAILURE
        }
    }
}

pub(crate) fn command(flags: &[&str]) -> Command {
    let mut command = cargo(&["run", "--quiet", "--release", "--package", "orchflow-bench", "--"]);
    command.args(flags);
    command
}
