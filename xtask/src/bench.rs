//! `cargo xtask bench`: builds the benchmarks and what they measure, and hands them the flags as they are.

use std::path::Path;
use std::process::{Command, ExitCode};

use crate::tools::{cargo, tool};

pub(crate) const MANIFEST: &str = "benches/Cargo.toml";

pub(crate) fn bench(root: &Path, flags: &[&str]) -> ExitCode {
    if !root.join(MANIFEST).exists() {
        eprintln!("xtask: there are no benchmarks: {MANIFEST} does not exist");
        return ExitCode::FAILURE;
    }
    for mut command in [server(), library(), in_c(root), command(flags)] {
        match command.current_dir(root).status() {
            Ok(status) if status.success() => {}
            Ok(_) => return ExitCode::FAILURE,
            Err(error) => {
                eprintln!("xtask: could not start {}: {error}", command.get_program().display());
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

/// Builds the library that C programs use.
pub(crate) fn library() -> Command {
    cargo(&["build", "--quiet", "--release", "--package", "orchflow-ffi"])
}

/// Builds the benchmark that is in C, beside the others.
pub(crate) fn in_c(root: &Path) -> Command {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let folder = root.join(target).join("release");
    let mut compile = tool("cc", &["-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Iinclude", "benches/c/bench.c"]);
    compile.arg("-o").arg(folder.join("orchflow-bench-c"));
    // By its path, so that neither a link by its version nor a variable is needed to run it.
    compile.arg(folder.join("liborchflow.a")).args(["-lutil", "-lpthread", "-ldl", "-lm", "-lgcc_s"]);
    compile
}

/// Builds the benchmarks and runs them.
pub(crate) fn command(flags: &[&str]) -> Command {
    let mut command = cargo(&["run", "--quiet", "--release", "--package", "orchflow-bench", "--"]);
    command.args(flags);
    command
}
