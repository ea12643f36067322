//! The tests in C and C++: as they are, under sanitizers, and under valgrind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Library, NO_EXCEPTIONS, WARNINGS, folder, library};
use crate::tools::{apt, tool};
use crate::work::{Outcome, Stop, Work};

/// Where they lie.
const TESTS: &str = "bindings/c/tests";

pub(in crate::parts) fn c(work: &mut Work<'_>) -> Outcome {
    apt(work, "valgrind", "valgrind", "--version")?;
    let library = library(work, Library::Panicking)?;
    for source in sources(work)? {
        for how in HOWS {
            let program = compile(work, &library, &source, how)?;
            run(work, &program, how)?;
        }
    }
    Ok(())
}

/// How a test is run.
struct How {
    name: &'static str,
    flags: &'static [&'static str],
    under: &'static [&'static str],
}

const HOWS: [&How; 3] = [
    &How { name: "plain", flags: &[], under: &[] },
    &How { name: "sanitized", flags: &["-fsanitize=address,undefined", "-fno-sanitize-recover=all"], under: &[] },
    &How {
        name: "valgrind",
        flags: &[],
        under: &[
            "valgrind",
            "--leak-check=full",
            // Only what nothing points to any more: the walk through /proc that all hubs share is kept.
            "--errors-for-leak-kinds=definite",
            "--show-leak-kinds=definite",
            "--track-fds=yes",
            "--child-silent-after-fork=yes",
            "--fair-sched=yes",
            "--error-exitcode=9",
        ],
    },
];

fn sources(work: &mut Work<'_>) -> Result<Vec<PathBuf>, Stop> {
    let files = fs::read_dir(work.root.join(TESTS)).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut sources: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "c" || end == "cpp")).collect();
    sources.sort();
    if sources.is_empty() { work.fail(format_args!("there are no tests in {TESTS}")) } else { Ok(sources) }
}

fn compile(work: &mut Work<'_>, library: &Path, source: &Path, how: &How) -> Result<PathBuf, Stop> {
    let name = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let folder = folder(work)?;
    let program = folder.join(format!("{name}-{}", if how.flags.is_empty() { "plain" } else { how.name }));
    if !how.under.is_empty() && program.exists() {
        return Ok(program); // It was just compiled.
    }
    let is_c = source.extension().is_some_and(|end| end == "c");
    let mut compile = if is_c { tool("cc", &["-std=c11"]) } else { tool("c++", &["-std=c++17"]) };
    if name.ends_with("_noexcept") {
        compile.args(NO_EXCEPTIONS);
    }
    compile.args(WARNINGS).args(["-g", "-D_GNU_SOURCE", "-DORCH_TEST_PANICS", "-Iinclude"]).args(how.flags).arg(source);
    compile.arg("-o").arg(&program).arg(format!("-L{}", library.display()));
    compile.args(["-lorchflow", "-lpthread", "-ldl"]).arg(format!("-Wl,-rpath,{}", library.display()));
    work.run(compile)?;
    Ok(program)
}

/// Runs a test program; each `ok` of it counts.
fn run(work: &mut Work<'_>, program: &Path, how: &How) -> Outcome {
    let mut command = match how.under.split_first() {
        Some((first, rest)) => {
            let mut command = tool(first, rest);
            command.arg(program);
            command
        }
        None => Command::new(program),
    };
    command.env("ASAN_OPTIONS", "detect_leaks=1");
    let said = work.listen(command)?;
    work.tally.passed += said.lines().filter(|line| line.starts_with("ok ")).count();
    // Valgrind tells what is open and does not call it an error.
    let left = said.split("Open file descriptor").skip(1).filter(|about| !about.contains("<inherited from parent>")).count();
    if left > 0 { work.fail(format_args!("{} descriptors are open at the end of {}", left, program.display())) } else { Ok(()) }
}
