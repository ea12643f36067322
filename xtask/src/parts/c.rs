//! The C ABI as C sees it: the header, and the tests in C and C++, as they are, under sanitizers and under valgrind.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::header::{HEADER, made};
use crate::tools::{apt, cargo, tool};
use crate::work::{Outcome, Work};

/// Where the tests lie.
const TESTS: &str = "bindings/c/tests";

/// The test that calls every function with NULL.
const NULLS: &str = "bindings/c/tests/nulls.c";

/// What everybody compiles with.
const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

// ---- The header ----

pub(crate) fn header(work: &mut Work<'_>) -> Outcome {
    let header = match made(work.root) {
        Ok(header) => header,
        Err(error) => return work.fail(error),
    };
    if fs::read_to_string(work.root.join(HEADER)).unwrap_or_default() != header {
        return work.fail(format_args!("{HEADER} is not what ffi/src says: `cargo xtask header` writes it anew"));
    }
    let nulls = fs::read_to_string(work.root.join(NULLS)).unwrap_or_default();
    let untested: Vec<_> = functions(&header).into_iter().filter(|function| !nulls.contains(&format!("{function}("))).collect();
    if !untested.is_empty() {
        return work.fail(format_args!("{NULLS} does not call: {}", untested.join(", ")));
    }
    let unsaid: Vec<_> = undocumented(&header);
    if !unsaid.is_empty() {
        return work.fail(format_args!("these do not say from which threads they may be called (@threads): {}", unsaid.join(", ")));
    }
    compiles(work)?;
    doxygen(work)
}

/// Alone, twice in one file, and in two units of one program, in each language it is for.
fn compiles(work: &mut Work<'_>) -> Outcome {
    let folder = folder(work)?;
    for (compiler, standard, extension) in [("cc", "c99", "c"), ("cc", "c11", "c"), ("c++", "c++17", "cpp")] {
        let unit = |name: &str, text: &str| {
            let path = folder.join(format!("{name}.{extension}"));
            fs::write(&path, text).map(|()| path)
        };
        let alone = "#include \"orchflow.h\"\nextern int other(void);\nint main(void) { return other(); }\n";
        let twice = "#include \"orchflow.h\"\n#include \"orchflow.h\"\nextern int other(void);\nint other(void) { return ORCH_OK; }\n";
        let (Ok(first), Ok(second)) = (unit("alone", alone), unit("twice", twice)) else {
            return work.fail(format_args!("{}: cannot be written", folder.display()));
        };
        let mut compile = tool(compiler, &[&format!("-std={standard}")]);
        compile.args(WARNINGS).arg("-Iinclude").args([first, second]).arg("-o").arg(folder.join("units"));
        work.run(compile)?;
    }
    Ok(())
}

/// Every function says its arguments and what it returns.
fn doxygen(work: &mut Work<'_>) -> Outcome {
    apt(work, "doxygen", "doxygen", "--version")?;
    let folder = folder(work)?;
    let rules = format!(
        "INPUT = {HEADER}\nOUTPUT_DIRECTORY = {}\nGENERATE_LATEX = NO\nHAVE_DOT = NO\nOPTIMIZE_OUTPUT_FOR_C = YES\nQUIET = YES\n\
         WARN_NO_PARAMDOC = YES\nWARN_AS_ERROR = FAIL_ON_WARNINGS\nALIASES += \"threads=@par Threads^^\"\n",
        folder.display()
    );
    let path = folder.join("Doxyfile");
    if let Err(error) = fs::write(&path, rules) {
        return work.fail(format_args!("{}: {error}", path.display()));
    }
    work.run(tool("doxygen", &[&path.display().to_string()]))
}

/// The names of the functions that a header declares.
fn functions(header: &str) -> BTreeSet<String> {
    let words = header.lines().filter(|line| !line.trim_start().starts_with(['*', '/']));
    let calls = words.flat_map(|line| line.split("orch_").skip(1)).filter_map(|rest| rest.split_once('(')).map(|(name, _)| name);
    let is_name = |name: &&str| name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    calls.filter(is_name).map(|name| format!("orch_{name}")).collect()
}

/// The functions whose comment does not say from which threads they may be called.
fn undocumented(header: &str) -> Vec<String> {
    let blocks = header.split("/**").skip(1).filter_map(|block| block.split_once("*/"));
    let silent = blocks.filter(|(comment, _)| !comment.contains("@threads"));
    silent.flat_map(|(_, code)| functions(code.split("/**").next().unwrap_or_default())).collect()
}

// ---- The tests ----

pub(crate) fn c(work: &mut Work<'_>) -> Outcome {
    apt(work, "valgrind", "valgrind", "--version")?;
    let library = library(work)?;
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

/// Builds the library with a call that panics, and gives it the name by which programs look for it; answers its folder.
fn library(work: &mut Work<'_>) -> Result<PathBuf, crate::work::Stop> {
    work.run(cargo(&["build", "--quiet", "--package", "orchflow-ffi", "--features", "panics"]))?;
    let folder = work.target_dir("debug");
    let soname = folder.join(SONAME);
    if !soname.exists()
        && let Err(error) = std::os::unix::fs::symlink("liborchflow.so", &soname)
    {
        return work.fail(format_args!("{}: {error}", soname.display()));
    }
    Ok(folder)
}

/// What programs that were linked to the library look for.
const SONAME: &str = concat!("liborchflow.so.", env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));

fn sources(work: &mut Work<'_>) -> Result<Vec<PathBuf>, crate::work::Stop> {
    let files = fs::read_dir(work.root.join(TESTS)).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut sources: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "c" || end == "cpp")).collect();
    sources.sort();
    if sources.is_empty() { work.fail(format_args!("there are no tests in {TESTS}")) } else { Ok(sources) }
}

fn compile(work: &mut Work<'_>, library: &Path, source: &Path, how: &How) -> Result<PathBuf, crate::work::Stop> {
    let name = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let folder = folder(work)?;
    let program = folder.join(format!("{name}-{}", if how.flags.is_empty() { "plain" } else { how.name }));
    if !how.under.is_empty() && program.exists() {
        return Ok(program); // It was just compiled.
    }
    let is_c = source.extension().is_some_and(|end| end == "c");
    let mut compile = if is_c { tool("cc", &["-std=c11"]) } else { tool("c++", &["-std=c++17"]) };
    if name.ends_with("_noexcept") {
        compile.args(["-DORCH_NO_EXCEPTIONS", "-fno-exceptions", "-fno-rtti"]);
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

/// Where what is compiled lies.
fn folder(work: &mut Work<'_>) -> Result<PathBuf, crate::work::Stop> {
    let folder = work.target_dir("c").join("programs");
    match fs::create_dir_all(&folder) {
        Ok(()) => Ok(folder),
        Err(error) => work.fail(format_args!("{}: {error}", folder.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "/**\n * Calls orch_no(). @threads Any.\n */\nOrchStatus orch_hub_new(const OrchHubOptions *options,\n OrchHub **out);\n\
        /**\n * Nothing.\n */\nvoid orch_hub_free(OrchHub *hub);\n";

    #[test]
    fn functions_are_found_and_words_in_comments_are_not() {
        assert_eq!(functions(TEXT).into_iter().collect::<Vec<_>>(), ["orch_hub_free", "orch_hub_new"]);
    }

    #[test]
    fn a_function_that_says_nothing_of_threads_is_found() {
        assert_eq!(undocumented(TEXT), ["orch_hub_free"]);
    }
}
