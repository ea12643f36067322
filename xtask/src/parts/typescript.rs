//! The TypeScript client and the page that is built on it.

use std::fs;
use std::process::Command;

use crate::tools::{apt, build, cargo, tool};
use crate::work::{Outcome, Stop, Work};

/// What makes a folder one of ours.
pub(crate) const CLIENT: &str = "bindings/typescript/package-lock.json";
pub(crate) const PAGE: &str = "examples/server/page/package-lock.json";

/// What is run in the page, and how each tells that it is there.
const PROGRAMS: [(&str, &str); 3] = [("vim", "--version"), ("htop", "--version"), ("tmux", "-V")];

/// The oldest Node that the client runs on.
const NODE_OLDEST: u32 = 20;

/// The client's types, package and tests; and that the page is what its sources make, and small enough.
pub(crate) fn typescript(work: &mut Work<'_>) -> Outcome {
    node(work)?;
    install(work, CLIENT)?;
    for script in ["check", "build", "lint"] {
        work.run(npm(CLIENT, script))?;
    }
    work.test(npm(CLIENT, "test"))?;
    if work.exists(PAGE) {
        install(work, PAGE)?;
        work.run(npm(PAGE, "check"))?;
        let sizes = work.ask(npm(PAGE, "fresh"))?;
        work.note = sizes.lines().rfind(|line| line.contains("bytes compressed")).unwrap_or_default().to_owned();
    }
    Ok(())
}

/// The page in a real browser: against a server made for tests, and with programs that people use against the real one.
pub(crate) fn browser(work: &mut Work<'_>) -> Outcome {
    node(work)?;
    apt(work, "chromium", "chromium", "--version")?;
    for (program, version) in PROGRAMS {
        apt(work, program, program, version)?;
    }
    install(work, CLIENT)?;
    install(work, PAGE)?;
    // After the page is known to be there: it is part of the server.
    let built = build(work, cargo(&["build", "--release", "--package", "orchflow-server", "--message-format=json"]))?;
    let Some(server) = built.iter().find(|program| program.name == "orchflow-server") else {
        return work.fail("the build of orchflow-server made no program of that name");
    };
    let mut test = npm(PAGE, "test");
    test.env("ORCHFLOW_SERVER", &server.path);
    work.test(test)
}

/// Skips the part where Node is missing or too old.
fn node(work: &mut Work<'_>) -> Outcome {
    let missing =
        || Stop::Skipped(format!("Node {NODE_OLDEST} or newer with npm is not installed: see nodejs.org, or your system's packages"));
    if !work.has(tool("npm", &["--version"])) {
        return Err(missing());
    }
    let version = work.ask(tool("node", &["--version"])).map_err(|_| missing())?;
    if major(&version).is_some_and(|major| major >= NODE_OLDEST) { Ok(()) } else { Err(missing()) }
}

/// The number before the first dot of `v20.20.2`.
fn major(version: &str) -> Option<u32> {
    version.trim().trim_start_matches('v').split('.').next()?.parse().ok()
}

/// Installs exactly what the lock file names, unless that was done.
fn install(work: &mut Work<'_>, lock: &str) -> Outcome {
    let done = lock.replace("package-lock.json", "node_modules/.package-lock.json");
    let when = |path: &str| fs::metadata(work.root.join(path)).and_then(|file| file.modified()).ok();
    if when(&done).zip(when(lock)).is_some_and(|(done, lock)| done >= lock) {
        return Ok(());
    }
    work.run(command(lock, &["ci", "--no-audit", "--no-fund"]))
}

fn npm(lock: &str, script: &str) -> Command {
    command(lock, &["run", script])
}

fn command(lock: &str, args: &[&str]) -> Command {
    let folder = lock.strip_suffix("/package-lock.json").unwrap_or(lock);
    let mut npm = tool("npm", &["--prefix", folder]);
    // Without colours, summaries can be read by us too.
    npm.args(args).env("NO_COLOR", "1");
    npm
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_node_are_read() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("no"), None);
    }
}
