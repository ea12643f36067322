//! The file that says what programs were built against, as `abidw` reads it from debug information.

use std::fs;
use std::path::{Path, PathBuf};

use super::BASELINE;
use crate::tools::{cargo, tool};
use crate::work::{Outcome, Stop, Work};

/// What has nothing to do with the ABI: lines of sources, this machine's folders, and the libraries of one system.
const OPTIONS: [&str; 4] = ["--no-show-locs", "--no-corpus-path", "--no-comp-dir-path", "--no-elf-needed"];

/// Builds the library with what its types look like; only our own crate has that, so no type of another can get into the file.
pub(super) fn library(work: &mut Work<'_>) -> Result<PathBuf, Stop> {
    build(work)?;
    Ok(work.target_dir("abi").join("liborchflow.so"))
}

/// Answers what the compiler says, which includes the libraries that the static one needs: to ask for them alone would be another build.
pub(in crate::parts) fn build(work: &mut Work<'_>) -> Result<String, Stop> {
    let ask = ["--", "--print", "native-static-libs"];
    let mut build = cargo(&["rustc", "--profile", "abi", "--package", "orchflow-ffi", "--lib"]);
    build.args(ask);
    work.listen(build)
}

pub(super) fn write(work: &mut Work<'_>) -> Outcome {
    let library = library(work)?;
    let text = read(work, &library)?;
    match fs::write(work.root.join(BASELINE), text) {
        Ok(()) => Ok(()),
        Err(error) => work.fail(format_args!("{BASELINE}: {error}")),
    }
}

fn read(work: &mut Work<'_>, library: &Path) -> Result<String, Stop> {
    let mut dump = tool("abidw", &OPTIONS);
    dump.arg(library);
    Ok(without_units(&work.ask(dump)?))
}

/// Leaves out units without types, which are those of Rust's library, and of ours the number that another compiler would give it.
fn without_units(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let is_unit = line.trim_start().starts_with("<abi-instr ");
        if is_unit && lines.next_if(|next| next.trim() == "</abi-instr>").is_some() {
            continue;
        }
        match line.split_once("/@/").and_then(|(path, rest)| Some((path, rest.split_once('\'')?.1))) {
            Some((path, rest)) if is_unit => kept.push_str(&format!("{path}'{rest}")),
            _ => kept.push_str(line),
        }
        kept.push('\n');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_units_with_types_stay_and_lose_their_number() {
        let text = "<a>\n  <abi-instr path='std/lib.rs/@/std.1-cgu.0' language='x'>\n  </abi-instr>\n  \
            <abi-instr path='ffi/src/lib.rs/@/orchflow.2-cgu.0' language='x'>\n    <type/>\n  </abi-instr>\n</a>\n";
        assert_eq!(without_units(text), "<a>\n  <abi-instr path='ffi/src/lib.rs' language='x'>\n    <type/>\n  </abi-instr>\n</a>\n");
    }
}
