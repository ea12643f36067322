//! A file past 500 lines usually holds a second idea; past 600 it needs a reason.

use super::{Finding, Tree};

const LINES_MAX: usize = 600;

/// Files that may be longer, each with the reason.
const LONGER: &[(&str, &str)] =
    &[("include/orchflow.hpp", "one header to include, or to copy, with a class for each handle of the C header")];

const KINDS: &[&str] = &[".rs", ".ts", ".js", ".py", ".pyi", ".c", ".cpp", ".hpp"];

pub(crate) fn find(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| KINDS.iter().any(|kind| file.path.ends_with(kind))) {
        let lines = file.text.lines().count();
        if lines > LINES_MAX && !LONGER.iter().any(|(path, _)| *path == file.path) {
            let fix = "split it where the second idea starts, or give a reason in xtask/src/tidy/length.rs";
            findings.push(Finding::new(&file.path, lines, format!("{lines} lines"), fix));
        }
    }
    for (path, _) in LONGER {
        if tree.file(path).is_none_or(|file| file.text.lines().count() <= LINES_MAX) {
            findings.push(Finding::new(*path, 0, "needs no exception any more", "take it out of xtask/src/tidy/length.rs"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn line_too_many_is_found() {
        let (enough, too_much) = ("x\n".repeat(LINES_MAX), "x\n".repeat(LINES_MAX + 1));
        let excused = LONGER.iter().map(|(path, _)| (*path, too_much.as_str()));
        let files: Vec<_> = [("a.rs", enough.as_str()), ("b.py", &too_much), ("c.json", &too_much)].into_iter().chain(excused).collect();
        assert_eq!(found(find, &files), ["b.py:601"]);
        assert_eq!(found(find, &[]).len(), LONGER.len(), "an excuse that nobody needs is found");
    }
}
