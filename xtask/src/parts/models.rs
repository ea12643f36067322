//! The ring's loom models, and the proof that they would notice: each mutant, an ordering weakened by name,
//! must make one of them fail.

use std::process::Command;
use std::time::Duration;

use crate::tools::{build, cargo};
use crate::work::{Outcome, Stop, Work};

pub(crate) const MODELS: &[&str] = &["core/src/ring/models.rs", "core/src/ring/models"];
pub(crate) const NEEDS: &[&str] = &["core/src/ring/models.rs", "core/src/ring/models", "core/tests/loom.rs"];

/// The models inside core's own test program.
const FILTER: &str = "ring::models::";
/// The test that prints `mutant <name>` for each mutant there is.
const PRINT: &str = "ring::models::print_mutants";
/// The variable by which a mutant is switched on.
const SWITCH: &str = "ORCHFLOW_MUTANT";
/// A mutant no model has noticed by then has survived.
const MUTANT_MAX: Duration = Duration::from_secs(120);

pub(crate) fn loom(work: &mut Work<'_>) -> Outcome {
    if MODELS.iter().any(|path| work.exists(path)) {
        let command = loomed(work, &["--lib", FILTER]);
        work.test(command)?;
    }
    if work.exists("core/tests/loom.rs") {
        let command = loomed(work, &["--test", "loom"]);
        work.test(command)?;
    }
    if work.tally.is_empty() { work.fail("no model ran") } else { Ok(()) }
}

pub(crate) fn mutants(work: &mut Work<'_>) -> Outcome {
    let command = loomed(work, &["--lib", "--no-run", "--message-format=json"]);
    let Some(program) = build(work, command)?.pop() else {
        return work.fail("cargo built no test program");
    };
    let mut print = Command::new(&program.path);
    print.args([PRINT, "--exact", "--nocapture"]);
    let names = named(&work.ask(print)?);
    if names.is_empty() {
        return work.fail(format_args!("`{PRINT}` printed no line `mutant <name>`"));
    }
    let mut survivors = Vec::new();
    for name in &names {
        if !is_caught(work, &program.path, name)? {
            survivors.push(name.as_str());
        }
        if work.is_late() {
            return work.fail(format_args!("out of time at mutant {name}"));
        }
    }
    if !survivors.is_empty() {
        return work.fail(format_args!("no model notices: {}", survivors.join(", ")));
    }
    work.note = format!("{} mutants caught", names.len());
    Ok(())
}

/// Whether a model fails under the mutant. The first failure is enough.
fn is_caught(work: &mut Work<'_>, program: &str, name: &str) -> Result<bool, Stop> {
    let mut command = Command::new(program);
    command.args([FILTER, "--skip", PRINT, "--test-threads", "2"]).env(SWITCH, name);
    work.fails(command, MUTANT_MAX, |line| line.starts_with("test ") && line.trim_end().ends_with("FAILED"))
}

/// `cargo test` of core with loom's atomics. Built with optimisation: loom tries very many orders.
fn loomed(work: &Work<'_>, args: &[&str]) -> Command {
    let mut command = cargo(&["test", "--release", "--package", "orchflow-core"]);
    command.args(args).env("RUSTFLAGS", "--cfg orchflow_loom").env("CARGO_TARGET_DIR", work.target_dir("loom"));
    command
}

/// The names in the lines `mutant <name>`, wherever the test harness put its own words on the line.
fn named(output: &str) -> Vec<String> {
    let names = output.lines().filter_map(|line| line.split_once("mutant "));
    let mut names: Vec<String> =
        names.filter(|(before, _)| before.is_empty() || before.ends_with("... ")).map(|(_, name)| name.trim().to_owned()).collect();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_also_from_behind_the_harness() {
        let output = "\nrunning 1 test\ntest ring::models::print_mutants ... mutant publish_relaxed\nmutant pin_relaxed\nok\n";
        assert_eq!(named(output), ["publish_relaxed", "pin_relaxed"]);
    }
}
