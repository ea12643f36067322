//! What is committed works on any machine: no paths of somebody's disk, no private package sources.

use super::tree::line_of;
use super::{Finding, Tree};

/// Where people and build machines keep their things. In halves, so as not to find itself.
const FOLDERS: &[&str] = &[concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/"), concat!("/Us", "ers/")];

/// Files that may name such a folder, each with the reason.
const EXAMPLES: &[(&str, &str)] = &[];

/// Files that say where packages come from, by the end of their path.
const SOURCES: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    ".cargo/config.toml",
    "package-lock.json",
    "package.json",
    ".npmrc",
    "pip.conf",
    "pyproject.toml",
    "uv.lock",
];

/// The public places, and ourselves.
const PUBLIC: &[&str] =
    &["github.com", "docs.rs", "crates.io", "registry.npmjs.org", "pypi.org", "files.pythonhosted.org", "opencollective.com"];

pub(crate) fn find(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        let text = &file.text;
        for (at, folder) in FOLDERS.iter().flat_map(|folder| text.match_indices(folder)) {
            let starts_a_path = !text[..at].ends_with(|c: char| c.is_alphanumeric() || "._-)}".contains(c));
            if starts_a_path && !EXAMPLES.iter().any(|(path, _)| *path == file.path) {
                let fix = "use a path from the repository, or one every machine has";
                findings.push(Finding::new(&file.path, line_of(text, at), format!("`{folder}` is a folder of one machine"), fix));
            }
        }
        if !SOURCES.iter().any(|name| file.path.ends_with(name)) {
            continue;
        }
        // npm's lock also says whom to thank for a package, wherever that is.
        let is_npm = file.path.ends_with("package-lock.json");
        let is_source = |at: usize| !is_npm || text[..at].rsplit('\n').next().is_some_and(|line| line.contains("\"resolved\""));
        for (at, scheme) in text.match_indices("://").filter(|(at, _)| is_source(*at)) {
            let rest = &text[at + scheme.len()..];
            let host = rest.split(|c: char| !c.is_alphanumeric() && !".-".contains(c)).next().unwrap_or_default();
            if !PUBLIC.iter().any(|public| host == *public || host.ends_with(&format!(".{public}"))) {
                let fix = "packages come from their public homes; keep a mirror in your own configuration";
                findings.push(Finding::new(&file.path, line_of(text, at), format!("`{host}` is no public source"), fix));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn path_of_a_machine_is_found() {
        let [root, home, ..] = FOLDERS else { panic!("no folders") };
        let text = format!("see `{root}x`\nfine: a{home}b and {{}}{home}c\ncd {home}me\n");
        assert_eq!(found(find, &[("docs/a.md", &text)]), ["docs/a.md:1", "docs/a.md:3"]);
    }

    #[test]
    fn private_source_is_found_only_where_packages_come_from() {
        let text = "a = \"https://github.com/x/y\"\nb = \"https://packages.example.com/simple\"\n";
        assert_eq!(found(find, &[("pyproject.toml", text), ("docs/a.md", text)]), ["pyproject.toml:2"]);
        let lock = "\"resolved\": \"https://npm.example.com/a.tgz\",\n\"url\": \"https://thanks.example.com\"\n";
        assert_eq!(found(find, &[("web/package-lock.json", lock)]), ["web/package-lock.json:1"]);
    }
}
