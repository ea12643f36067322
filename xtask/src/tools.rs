//! The tools the parts call, and how to come by those that are not everywhere.

use std::process::Command;

use serde_json::Value;

use crate::work::{Outcome, Stop, Work};

pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args);
    command
}

/// `program` with `args`.
pub(crate) fn tool(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    command
}

/// Installs `package` unless `program` answers to the question for its version; where we may not, skips the part and says what to install.
pub(crate) fn apt(work: &mut Work<'_>, program: &str, package: &str, version: &str) -> Outcome {
    if work.has(tool(program, &[version])) { Ok(()) } else { install(work, program, package) }
}

/// The same for a library that pkg-config knows as `name`.
pub(crate) fn apt_library(work: &mut Work<'_>, name: &str, package: &str) -> Outcome {
    apt(work, "pkg-config", "pkg-config", "--version")?;
    if work.has(tool("pkg-config", &["--exists", name])) { Ok(()) } else { install(work, name, package) }
}

fn install(work: &mut Work<'_>, what: &str, package: &str) -> Outcome {
    if !is_root() || !work.has(tool("apt-get", &["--version"])) {
        return Err(Stop::Skipped(format!("{what} is not installed: apt-get install {package}")));
    }
    let mut install = tool("apt-get", &["install", "--yes", "--no-install-recommends", package]);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    work.run(install)
}

/// A Python that has what the file of `requirements` names, in an environment of its own, made anew where they have changed; answers its path.
pub(crate) fn python(work: &mut Work<'_>, requirements: &str) -> Result<String, Stop> {
    let wanted = std::fs::read(work.root.join(requirements)).unwrap_or_default();
    let folder = work.target_dir("python");
    let (mark, program) = (folder.join("installed"), folder.join("bin/python3").display().to_string());
    if std::fs::read(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(program);
    }
    apt(work, "python3", "python3-venv", "--version")?;
    let path = folder.display().to_string();
    if work.run(tool("python3", &["-m", "venv", "--clear", &path])).is_err() {
        return work.fail("no environment for Python could be made: apt-get install python3-venv");
    }
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", requirements];
    if work.run(tool(&program, &pip)).is_err() {
        return work.fail(format_args!("pip could not fetch what {requirements} names: is there a network?"));
    }
    match std::fs::write(&mark, wanted) {
        Ok(()) => Ok(program),
        Err(error) => work.fail(format_args!("{}: {error}", mark.display())),
    }
}

/// Adds a component of the toolchain unless it is there. Failing to is a failure: the core parts never skip.
pub(crate) fn component(work: &mut Work<'_>, subcommand: &str, component: &str) -> Outcome {
    if work.has(cargo(&[subcommand, "--version"])) { Ok(()) } else { work.run(tool("rustup", &["component", "add", component])) }
}

/// A program cargo has built.
pub(crate) struct Built {
    pub(crate) name: String,
    pub(crate) path: String,
}

/// Builds with `command`, which must ask for JSON messages, and returns the programs in the order they were built.
pub(crate) fn build(work: &mut Work<'_>, command: Command) -> Result<Vec<Built>, Stop> {
    let messages = work.ask(command)?;
    Ok(messages.lines().filter_map(|line| built(&serde_json::from_str(line).ok()?)).collect())
}

fn built(message: &Value) -> Option<Built> {
    let path = message.get("executable")?.as_str()?.to_owned();
    let name = message.get("target")?.get("name")?.as_str()?.to_owned();
    Some(Built { name, path })
}

#[cfg(unix)]
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_about_programs_name_one() {
        let message = serde_json::json!({ "reason": "compiler-artifact", "executable": "/t/leaks-1", "target": { "name": "leaks" } });
        let program = built(&message).expect("a program");
        assert_eq!((program.name.as_str(), program.path.as_str()), ("leaks", "/t/leaks-1"));
        assert!(built(&serde_json::json!({ "executable": null, "target": { "name": "core" } })).is_none());
    }
}
