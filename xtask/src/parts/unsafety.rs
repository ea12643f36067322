//! The few unsafe blocks under tools that see what tests cannot: AddressSanitizer and valgrind.
//!
//! Deliberately absent: ThreadSanitizer. Without an instrumented standard library it reports races that are not
//! there; the loom models stand in for it.

use std::process::Command;

use crate::tools::{apt, build, cargo, tool};
use crate::work::{Outcome, Stop, Work};

/// What valgrind answers when it found an error; a failed test has another code.
const FOUND: &str = "--error-exitcode=9";

pub(crate) fn asan(work: &mut Work<'_>) -> Outcome {
    if !work.has(tool("rustup", &["run", "nightly", "cargo", "--version"])) {
        return Err(Stop::Skipped("there is no nightly toolchain: rustup toolchain install nightly --profile minimal".into()));
    }
    let Some(target) = sanitized_target() else {
        return Err(Stop::Skipped("AddressSanitizer is used on Linux only".into()));
    };
    let mut command =
        tool("rustup", &["run", "nightly", "cargo", "test", "--package", "orchflow-core", "--lib", "--target", target, "ring"]);
    command.env("RUSTFLAGS", "-Zsanitizer=address").env("CARGO_TARGET_DIR", work.target_dir("asan"));
    work.test(command)
}

pub(crate) fn valgrind(work: &mut Work<'_>) -> Outcome {
    apt(work, "valgrind", "valgrind", "--version")?;
    under_valgrind(work, &["--test", "leaks"], "leaks", &[])?;
    under_valgrind(work, &["--lib"], "orchflow_core", &["--exact", SPAWNER, STRESS])
}

/// The one test that goes through every unsafe call of the spawner without a pidfd, which valgrind 3.19 does not know.
const SPAWNER: &str = "pty::unix::spawn::tests::program_gets_its_arguments_its_environment_and_its_folder";

/// One writer and 32 readers of the ring. Valgrind runs one thread at a time, in turns that it chooses fairly here.
const STRESS: &str = "ring::tests::stress::what_is_read_and_what_is_missed_add_up_for_everyone";
/// An eighth of what it does natively, and still more than a hundred evictions.
const STRESS_BYTES: (&str, &str) = ("ORCHFLOW_STRESS_BYTES", "8388608");

/// Builds core's test program `name` and runs its tests `only`, or all.
fn under_valgrind(work: &mut Work<'_>, target: &[&str], name: &str, only: &[&str]) -> Outcome {
    let mut command = cargo(&["test", "--package", "orchflow-core", "--no-run", "--message-format=json"]);
    command.args(target);
    let Some(program) = build(work, command)?.into_iter().find(|program| program.name == name) else {
        return work.fail(format_args!("cargo built no test program `{name}`"));
    };
    let before = work.tally.passed;
    let mut check = Command::new("valgrind");
    // Only what nothing points to any more: the test harness keeps its own threads' blocks to the end.
    check.args(["--quiet", "--leak-check=full", "--errors-for-leak-kinds=definite", "--show-leak-kinds=definite", FOUND]);
    // A child is another program, and what it inherits between fork and exec is not its own leak.
    check.args(["--trace-children=no", "--child-silent-after-fork=yes", "--fair-sched=yes"]);
    check.env(STRESS_BYTES.0, STRESS_BYTES.1);
    check.arg(&program.path).args(only).arg("--test-threads=1");
    work.test(check)?;
    if work.tally.passed == before { work.fail(format_args!("`{name}` ran no test")) } else { Ok(()) }
}

/// A target named to cargo, even if it is the host's, keeps build scripts out of the sanitizer.
fn sanitized_target() -> Option<&'static str> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Some("x86_64-unknown-linux-gnu"),
        ("linux", "aarch64") => Some("aarch64-unknown-linux-gnu"),
        _ => None,
    }
}
