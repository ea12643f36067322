//! Every package inherits what is the same for all, and the workspace keeps its lints on.

use super::{Finding, Tree};

/// What each package of the workspace takes from it.
const INHERITED: &[&str] = &[
    "version.workspace = true",
    "edition.workspace = true",
    "rust-version.workspace = true",
    "license.workspace = true",
    "workspace = true",
];

/// What the root must say, and why.
const WORKSPACE: &[(&str, &str)] = &[
    ("missing_docs = ", "every public item is documented; clippy runs with -D warnings"),
    ("undocumented_unsafe_blocks = \"deny\"", "every unsafe block has its SAFETY comment"),
    ("unsafe_op_in_unsafe_fn = \"deny\"", "an unsafe function is no licence for its whole body"),
    ("license = \"MIT OR Apache-2.0\"", "users choose"),
];

/// Files that make the repository usable by others.
const PRESENT: &[&str] = &["Cargo.lock", "LICENSE-MIT", "LICENSE-APACHE"];

pub(crate) fn find(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with("/Cargo.toml")) {
        let lines: Vec<&str> = file.text.lines().map(str::trim).collect();
        // A package outside the workspace (a fuzz target's) has nothing to inherit from.
        if !lines.contains(&"[package]") || lines.contains(&"[workspace]") {
            continue;
        }
        for expected in INHERITED.iter().filter(|expected| !lines.contains(expected)) {
            let below = if *expected == "workspace = true" { "[lints]" } else { "[package]" };
            findings.push(Finding::new(&file.path, 0, format!("no `{expected}` under {below}"), "inherit it from the workspace"));
        }
    }
    let root = tree.file("Cargo.toml").map_or("", |file| file.text.as_str());
    for (line, why) in WORKSPACE.iter().filter(|(line, _)| !root.contains(line)) {
        findings.push(Finding::new("Cargo.toml", 0, format!("no `{line}`"), format!("put it back: {why}")));
    }
    for path in PRESENT.iter().filter(|path| tree.file(path).is_none()) {
        findings.push(Finding::new(*path, 0, "is missing", "commit it"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    const ROOT: &str = "[workspace.package]\nlicense = \"MIT OR Apache-2.0\"\n[workspace.lints.rust]\nmissing_docs = \"warn\"\n\
        unsafe_op_in_unsafe_fn = \"deny\"\n[workspace.lints.clippy]\nundocumented_unsafe_blocks = \"deny\"\n";

    fn check(root: &str, package: &str) -> Vec<String> {
        found(find, &[("Cargo.toml", root), ("a/Cargo.toml", package), ("Cargo.lock", ""), ("LICENSE-MIT", ""), ("LICENSE-APACHE", "")])
    }

    #[test]
    fn package_with_a_version_or_lints_of_its_own_is_found() {
        let package = format!("[package]\n{}\n[lints]\n", INHERITED.join("\n"));
        assert_eq!(check(ROOT, &package), [""; 0]);
        assert_eq!(check(ROOT, &package.replace("version.workspace = true\nedition", "version = \"1\"\nedition")), ["a/Cargo.toml:0"]);
        assert_eq!(check(ROOT, &package.replace("\nworkspace = true", "")), ["a/Cargo.toml:0"]);
        assert_eq!(check(ROOT, "[package]\n[workspace]\n"), [""; 0]);
    }

    #[test]
    fn lint_taken_out_is_found() {
        assert_eq!(check(&ROOT.replace("missing_docs", "# missing"), ""), ["Cargo.toml:0"]);
    }

    #[test]
    fn missing_licence_is_found() {
        assert_eq!(found(find, &[("Cargo.toml", ROOT), ("Cargo.lock", ""), ("LICENSE-MIT", "")]), ["LICENSE-APACHE:0"]);
    }
}
