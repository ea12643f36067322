//! The C header: up to date, whole, and good for every language it is for.

use std::collections::BTreeSet;
use std::fs;

use super::{NO_EXCEPTIONS, WARNINGS, folder};
use crate::header::{HEADER, made};
use crate::tools::{apt, tool};
use crate::work::{Outcome, Work};

/// The test that calls every function with NULL.
const NULLS: &str = "bindings/c/tests/nulls.c";

pub(in crate::parts) fn header(work: &mut Work<'_>) -> Outcome {
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

/// Alone, twice in one file, and in two units of one program, in each language it is for; and so the C++ wrapper.
fn compiles(work: &mut Work<'_>) -> Outcome {
    let folder = folder(work)?;
    let in_c = [("cc", "c99", "c"), ("cc", "c11", "c"), ("c++", "c++17", "cpp")].map(|how| (how, "orchflow.h", &[][..]));
    let in_cpp = [&[][..], NO_EXCEPTIONS].map(|flags| (("c++", "c++17", "cpp"), "orchflow.hpp", flags));
    for ((compiler, standard, extension), header, flags) in in_c.into_iter().chain(in_cpp) {
        let unit = |name: &str, text: &str| {
            let path = folder.join(format!("{name}.{extension}"));
            fs::write(&path, text).map(|()| path)
        };
        let include = format!("#include \"{header}\"\n");
        let alone = format!("{include}extern int other(void);\nint main(void) {{ return other(); }}\n");
        let twice = format!("{include}{include}extern int other(void);\nint other(void) {{ return ORCH_OK; }}\n");
        let (Ok(first), Ok(second)) = (unit("alone", &alone), unit("twice", &twice)) else {
            return work.fail(format_args!("{}: cannot be written", folder.display()));
        };
        let mut compile = tool(compiler, &[&format!("-std={standard}")]);
        compile.args(WARNINGS).args(flags).arg("-Iinclude").args([first, second]).arg("-o").arg(folder.join("units"));
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
