//! The C ABI does not change under programs that are built: symbols, parameters, and the places of fields.
//!
//! `ffi/abi/orchflow.abi` says what they were built against. New functions pass. A field that is appended to a struct with a size fails
//! too: then `cargo xtask abi` takes the ABI as it is, in the same commit, while what `bindings/c/tests/layout.c` says of older fields must
//! still hold. There is no file of exceptions: one was seen to hide two fields that had changed places.

mod baseline;
mod demonstration;
mod layout;

pub(super) use baseline::build;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use crate::tools::{apt, tool};
use crate::work::{Outcome, Work};

/// What programs were built against.
pub(crate) const BASELINE: &str = "ffi/abi/orchflow.abi";

/// For a first build of the library.
const WRITE_MAX: Duration = Duration::from_secs(1200);

pub(super) fn abi(work: &mut Work<'_>) -> Outcome {
    tools(work)?;
    let library = baseline::library(work)?;
    work.run(diff(Path::new(BASELINE), &library))?;
    demonstration::each_break_is_caught(work, &library)?;
    layout::holds(work)?;
    work.tally.passed += 1;
    Ok(())
}

/// `cargo xtask abi`: takes the ABI as it is for the one to keep.
pub(crate) fn write(root: &Path) -> ExitCode {
    let mut work = Work::new(root, WRITE_MAX, true);
    let written = tools(&mut work).and_then(|()| layout::write(&mut work)).and_then(|()| baseline::write(&mut work));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => {
            eprintln!("{}xtask: the ABI was not written: {stop:?}", work.log);
            ExitCode::FAILURE
        }
    }
}

fn tools(work: &mut Work<'_>) -> Outcome {
    apt(work, "abidiff", "abigail-tools", "--version")
}

/// Compares what was with what is; functions may be added.
fn diff(was: &Path, is: &Path) -> Command {
    let mut diff = tool("abidiff", &["--no-added-syms"]);
    diff.args([was, is]);
    diff
}
