//! That the gate catches what it is there for.
//!
//! Not the library is changed, which would be a build for each, but a copy of the baseline: a program built against a library that had one
//! more function, another parameter, or two fields the other way round, meets the library as it is. `abidiff` reads the copy into the same
//! graph of types that it makes of a library, and compares that with the real one, by the options of the gate: so what fails here is the
//! comparison that the gate makes, read backwards.

use std::fs;
use std::path::Path;

use super::{BASELINE, diff};
use crate::tools::tool;
use crate::work::{Outcome, Work};

/// Succeeds where `abidiff` finds a change, and not where it could not compare: bit 1 is an error, 2 a wrong use, 4 a change.
const FINDS: &str = "\"$@\"; code=$?; test $code -ge 4 && test $((code & 3)) -eq 0";

struct Break {
    what: &'static str,
    /// The part of the baseline that was another, from one text up to another.
    within: (&'static str, &'static str),
    made: fn(&str) -> String,
    /// What `abidiff` says of it.
    says: &'static str,
}

const BREAKS: [Break; 4] = [
    Break {
        what: "a symbol that is gone",
        within: ("<abi-corpus", "</abi-corpus>"),
        made: |text| text.replace("orch_hub_fd'", "orch_hub_handle_of_old'"),
        says: "1 Removed function",
    },
    Break {
        what: "a parameter of another type",
        within: ("<function-decl name='orch_hub_wait'", "</function-decl>"),
        made: |text| {
            let hub = text.split("<parameter type-id='").nth(1).and_then(|rest| rest.split('\'').next()).unwrap_or_default();
            let time = text.split("<parameter type-id='").nth(2).and_then(|rest| rest.split('\'').next()).unwrap_or_default();
            text.replace(&format!("'{time}' name='timeout_ns'"), &format!("'{hub}' name='timeout_ns'"))
        },
        says: "orch_hub_wait",
    },
    Break {
        what: "a parameter less",
        within: ("<function-decl name='orch_hub_dispatch'", "</function-decl>"),
        made: |text| text.lines().filter(|line| !line.contains("name='budget_bytes'")).map(|line| format!("{line}\n")).collect(),
        says: "orch_hub_dispatch",
    },
    Break {
        what: "two fields that changed places",
        within: ("<class-decl name='OrchSize'", "</class-decl>"),
        made: |text| text.replace("'cols'", "'x'").replace("'rows'", "'cols'").replace("'x'", "'rows'"),
        says: "offset changed from 0 to 16",
    },
];

pub(super) fn each_break_is_caught(work: &mut Work<'_>, library: &Path) -> Outcome {
    let baseline = fs::read_to_string(work.root.join(BASELINE)).unwrap_or_default();
    let copy = work.target_dir("abi").join("changed.abi");
    for broken in BREAKS {
        let Some(changed) = changed(&baseline, &broken).filter(|changed| *changed != baseline) else {
            return work.fail(format_args!("{BASELINE} has nothing any more to make {} of", broken.what));
        };
        if let Err(error) = fs::write(&copy, changed) {
            return work.fail(format_args!("{}: {error}", copy.display()));
        }
        let gate = diff(&copy, library);
        let mut finds = tool("sh", &["-c", FINDS, "sh"]);
        finds.arg(gate.get_program()).args(gate.get_args());
        let said = work.listen(finds)?;
        if !said.contains(broken.says) {
            return work.fail(format_args!("{} is not told: nothing says `{}`", broken.what, broken.says));
        }
        work.tally.passed += 1;
    }
    a_new_function_passes(work, &baseline, &copy, library)
}

/// The other way round: the library has what the baseline did not know.
fn a_new_function_passes(work: &mut Work<'_>, baseline: &str, copy: &Path, library: &Path) -> Outcome {
    let decl = "<function-decl name='orch_hub_fd'";
    let older = baseline.split_once(decl).and_then(|(before, rest)| Some(format!("{before}{}", rest.split_once("</function-decl>")?.1)));
    let older = older.unwrap_or_default();
    let older: String =
        older.lines().filter(|line| !line.contains("<elf-symbol name='orch_hub_fd'")).map(|line| format!("{line}\n")).collect();
    if let Err(error) = fs::write(copy, older) {
        return work.fail(format_args!("{}: {error}", copy.display()));
    }
    work.run(diff(copy, library))?;
    work.tally.passed += 1;
    Ok(())
}

fn changed(baseline: &str, broken: &Break) -> Option<String> {
    let (from, to) = broken.within;
    let start = baseline.find(from)?;
    let end = start + baseline[start..].find(to)?;
    Some(format!("{}{}{}", &baseline[..start], (broken.made)(&baseline[start..end]), &baseline[end..]))
}
