//! The top level is the first thing one sees of the project, so a new name there is a decision.

use std::collections::BTreeSet;

use super::{Finding, Tree};

const TOP: &[&str] = &[
    ".cargo",
    ".ci",
    ".editorconfig",
    ".gitattributes",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "benches",
    "bindings",
    "core",
    "deny.toml",
    "docs",
    "examples",
    "ffi",
    "fuzz",
    "include",
    "rustfmt.toml",
    "xtask",
];

pub(crate) fn find(tree: &Tree) -> Vec<Finding> {
    let names: BTreeSet<&str> = tree.files.iter().filter_map(|file| file.path.split('/').next()).collect();
    let fix = "move it into the folder it belongs to, or add it to xtask/src/tidy/house.rs";
    names.into_iter().filter(|name| !TOP.contains(name)).map(|name| Finding::new(name, 0, "does not belong at the top", fix)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn new_name_at_the_top_is_found_once() {
        assert_eq!(
            found(find, &[("core/src/lib.rs", ""), ("utils/a.rs", ""), ("utils/b.rs", ""), ("notes.txt", "")]),
            ["notes.txt:0", "utils:0"]
        );
    }
}
