//! What runs on JavaScript: the TypeScript client, and the page of the server in a browser.

use std::process::Command;

use crate::tally::Tally;
use crate::tools::{apt, tool};
use crate::work::{Outcome, Stop, Work};

pub(crate) const CLIENT: &str = "bindings/typescript";
pub(crate) const PAGE: &str = "examples/server/page";

/// Types, tests, the build, and whether others could use the package as it is described.
pub(crate) fn client(work: &mut Work<'_>) -> Outcome {
    install(work, CLIENT)?;
    for script in ["check", "build", "lint"] {
        work.run(npm(work, CLIENT, &["run", "--silent", script]))?;
    }
    vitest(work, CLIENT)
}

/// Types, whether the committed bundle is what the sources give, and the page in Debian's Chromium.
pub(crate) fn page(work: &mut Work<'_>) -> Outcome {
    install(work, CLIENT)?; // The page is made of it.
    install(work, PAGE)?;
    apt(work, "chromium", "chromium")?;
    for script in ["check", "fresh"] {
        work.run(npm(work, PAGE, &["run", "--silent", script]))?;
    }
    vitest(work, PAGE)
}

/// Installs what the lock file names, and nothing else.
fn install(work: &mut Work<'_>, folder: &str) -> Outcome {
    if !work.has(tool("npm", &["--version"])) {
        return Err(Stop::Skipped("Node.js is not installed: https://nodejs.org, version 20 or newer".into()));
    }
    work.run(npm(work, folder, &["ci", "--no-audit", "--no-fund", "--loglevel=error"]))
}

fn vitest(work: &mut Work<'_>, folder: &str) -> Outcome {
    let output = work.ask(npm(work, folder, &["test", "--silent"]));
    let Ok(output) = output else { return Err(Stop::Failed) };
    let tally = Tally::of_vitest(&output);
    work.tally += tally;
    if tally.is_empty() { work.fail("vitest ran no test") } else { Ok(()) }
}

fn npm(work: &Work<'_>, folder: &str, args: &[&str]) -> Command {
    let mut command = tool("npm", &["--prefix"]);
    command.arg(work.root.join(folder)).args(args).env("NO_COLOR", "1");
    command
}
