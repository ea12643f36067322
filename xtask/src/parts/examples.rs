//! The examples, built as users would, and run: `operations` and each `embed_*` must reach their ends by themselves, `term` and `attach` are driven, and so is
//! the client in Python, in an environment of its own.

use std::process::Command;
use std::time::Duration;

use crate::tools::{build, cargo, python, tool};
use crate::work::{Outcome, Work};

/// An example that has not ended by then hangs.
const RUN_MAX: Duration = Duration::from_secs(60);
/// Drives `term`, or `attach` and a server, through a terminal of its own; its arguments are the built programs.
const DRIVER: &str = "examples/drive_term.py";
/// Drives a client that a stranger wrote from the specification; its argument is the server.
const STRANGER: &str = "examples/drive_raw_client.py";
/// It ends by itself before.
const STRANGER_MAX: Duration = Duration::from_secs(130);

pub(crate) fn examples(work: &mut Work<'_>) -> Outcome {
    let command = cargo(&["build", "--release", "--package", "orchflow-examples", "--examples", "--message-format=json"]);
    let built = build(work, command)?;
    let mut ran = Vec::new();
    for example in built.iter().filter(|example| example.name.starts_with("embed_") || example.name == "operations") {
        work.run_within(Command::new(&example.path), RUN_MAX)?;
        ran.push(example.name.as_str());
    }
    let server = cargo(&["build", "--release", "--package", "orchflow-server", "--message-format=json"]);
    let server = build(work, server)?;
    let program = |name: &str| built.iter().chain(&server).find(|program| program.name == name);
    let (Some(term), Some(attach), Some(server)) = (program("term"), program("attach"), program("orchflow-server")) else {
        return work.fail(format_args!("`term`, `attach` or the server was not built"));
    };
    work.run_within(tool("python3", &[DRIVER, &term.path]), RUN_MAX)?;
    work.run_within(tool("python3", &[DRIVER, &attach.path, &server.path]), RUN_MAX)?;
    let python = python(work, "examples/requirements.txt")?;
    work.run_within(tool(&python, &[STRANGER, &server.path]), STRANGER_MAX)?;
    ran.extend(["term", "attach", "python_raw_client"]);
    work.note = format!("{} built, ran {}", built.len(), ran.join(", "));
    Ok(())
}
