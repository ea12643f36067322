//! `cargo xtask bench`: builds the benchmarks and the server they measure, and hands them the flags as they are.

use std::path::Path;
use std::process::{Command, ExitCode};

use crate::tools::cargo;

pub(crate) const MANIFEST: &str = "benches/Cargo.toml";

pub(crate) fn bench(root: &Path, flags: &[&str]) -> ExitCode {
    if !root.join(MANIFEST).exists() {
        eprintln!("xtask: there are no benchmarks: {MANIFEST} does not exist");
        return ExitCode::FAILURE;
    }
    for mut command in [server(), command(flags)] {
        match command.current_dir(root).status() {
            Ok(status) if status.success() => {}
            Ok(_) => return ExitCode::FAILURE,
            Err(error) => {
                eprintln!("xtask: could not start cargo: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// Builds the server, which the benchmarks look for beside themselves.
pub(crate) fn server() -> Command {
    cargo(&["build", "--quiet", "--release", "--package", "orchflow-server"])
}

/// Builds the benchmarks and runs them.
pub(crate) fn command(flags: &[&str]) -> Command {
    let mut command = cargo(&["run", "--quiet", "--release", "--package", "orchflow-bench", "--"]);
    command.args(flags);
    command
}
