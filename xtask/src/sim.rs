//! `cargo xtask sim`: builds the simulation with the optimiser at work, and hands it the arguments as they are.

use std::path::Path;
use std::process::{Command, ExitCode};

use crate::tools::cargo;

pub(crate) fn sim(root: &Path, args: &[&str]) -> ExitCode {
    match command(args).current_dir(root).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: could not start cargo: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Builds the simulation and runs it.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = cargo(&["test", "--quiet", "--release", "--package", "orchflow-core", "--test", "sim", "--"]);
    command.args(args);
    command
}
