//! The examples, built as users would, and run: each `embed_*` must reach its end by itself.

use std::process::Command;
use std::time::Duration;

use crate::tools::{build, cargo, tool};
use crate::work::{Outcome, Work};

/// An example that has not ended by then hangs.
const RUN_MAX: Duration = Duration::from_secs(60);
/// Drives the example `term` through a terminal of its own; its argument is the built program.
const DRIVER: &str = "examples/drive_term.py";

pub(crate) fn examples(work: &mut Work<'_>) -> Outcome {
    let command = cargo(&["build", "--release", "--package", "orchflow-examples", "--examples", "--message-format=json"]);
    let built = build(work, command)?;
    let mut ran = Vec::new();
    for example in built.iter().filter(|example| example.name.starts_with("embed_")) {
        work.run_within(Command::new(&example.path), RUN_MAX)?;
        ran.push(example.name.as_str());
    }
    if work.exists(DRIVER) {
        let Some(term) = built.iter().find(|example| example.name == "term") else {
            return work.fail(format_args!("{DRIVER} is there, but the example `term` is not"));
        };
        work.run_within(tool("python3", &[DRIVER, &term.path]), RUN_MAX)?;
        ran.push("term");
    }
    work.note = format!("{} built, ran {}", built.len(), ran.join(", "));
    Ok(())
}
