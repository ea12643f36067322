//! The core's modules stand in layers, and each uses only those below.

use super::tree::{File, line_of, words};
use super::{Finding, Tree};

/// From the ground up. Modules of one layer do not know each other; where one needs another, it stands a row higher.
const LAYERS: &[&[&str]] = &[
    &["limits", "time", "id"],
    &["size", "metrics", "resilience"],
    &["ring", "input", "batch", "pack"],
    &["flow"],
    &["pty", "screen", "diff", "text", "watch"],
    &["session", "state"],
    &["protocol"],
    &["host"],
    &["peer"],
    &["runtime"],
    &["hub"],
];

const TABLE: &str = "the table of layers in xtask/src/tidy/layers.rs";

pub(crate) fn find(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, rust) in tree.rust_files() {
        let Some(place) = Place::of(file) else {
            continue; // Not the core, or its front page, which shows them all.
        };
        let Some(own) = layer(place.module) else {
            findings.push(Finding::new(
                &file.path,
                0,
                format!("module `{}` has no layer", place.module),
                format!("give it one in {TABLE}"),
            ));
            continue;
        };
        if file.is_test() {
            continue;
        }
        let code = &rust.production;
        for (at, name) in named(code) {
            let what = match layer(name) {
                _ if name == place.module => continue,
                Some(other) if other < own => continue,
                Some(other) if other == own => format!("`{}` uses `{name}` beside it", place.module),
                Some(_) => format!("`{}` uses `{name}` above it", place.module),
                None => format!("`crate::{name}` names no layer"),
            };
            let fix = format!("import from a module below `{}`, or turn the dependency round; see {TABLE}", place.module);
            findings.push(Finding::new(&file.path, line_of(code, at), what, fix));
        }
        for at in climbs(code, place.depth) {
            findings.push(Finding::new(&file.path, line_of(code, at), "`super` leads out of the module", "write the path from `crate::`"));
        }
    }
    findings
}

/// Where a file stands in the core.
struct Place<'a> {
    /// The module at the top that it belongs to.
    module: &'a str,
    /// How many modules lie between it and the crate's root, itself included.
    depth: usize,
}

impl<'a> Place<'a> {
    fn of(file: &'a File) -> Option<Self> {
        let path = file.path.strip_prefix("core/src/")?.strip_suffix(".rs")?;
        let path = path.strip_suffix("/mod").unwrap_or(path);
        if path == "lib" {
            return None;
        }
        Some(Place { module: path.split('/').next()?, depth: path.split('/').count() })
    }
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The first names after each `crate::`, with where they stand; all of them in `crate::{a, b::c}`.
fn named(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for at in words(code, "crate::") {
        let start = at + "crate::".len();
        if !code[start..].starts_with('{') {
            found.extend(name(&code[start..]).map(|name| (at, name)));
            continue;
        }
        let mut depth = 0;
        let mut expected = true;
        for (offset, c) in code[start..].char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' => expected |= depth == 1,
                _ if c.is_whitespace() => {}
                _ if expected => {
                    found.extend(name(&code[start + offset..]).map(|name| (start + offset, name)));
                    expected = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    found
}

/// Where a chain of `super::` reaches the crate's root from a file this deep.
fn climbs(code: &str, depth: usize) -> impl Iterator<Item = usize> {
    let chain = "super::".repeat(depth);
    let all: Vec<usize> = words(code, &chain).filter(|at| !code[..*at].ends_with("super::")).collect();
    all.into_iter()
}

fn name(code: &str) -> Option<&str> {
    let end = code.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(code.len());
    (end > 0).then_some(&code[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn path_upwards_or_sideways_is_found_where_it_stands() {
        let pty = "//! Terminals.\nuse crate::size::Size;\nuse crate::session::Session;\nfn f() { crate::text::g(); }\n";
        assert_eq!(found(find, &[("core/src/pty/mod.rs", pty)]), ["core/src/pty/mod.rs:3", "core/src/pty/mod.rs:4"]);
    }

    #[test]
    fn groups_are_looked_into() {
        let ring = "use crate::{\n    id::{SessionId, hub},\n    hub::Hub,\n    ring::Ring,\n};\n";
        assert_eq!(found(find, &[("core/src/ring/mod.rs", ring)]), ["core/src/ring/mod.rs:3"]);
    }

    #[test]
    fn tests_and_documentation_may_look_up() {
        let ring = "//! For [`crate::hub`].\n#[cfg(test)]\nmod tests {\n    use crate::hub::Hub;\n}\n";
        assert_eq!(found(find, &[("core/src/ring/mod.rs", ring), ("core/src/ring/models.rs", "use crate::hub::Hub;")]), [""; 0]);
    }

    #[test]
    fn module_without_a_layer_is_found() {
        assert_eq!(found(find, &[("core/src/utils.rs", ""), ("core/src/lib.rs", "pub mod utils;")]), ["core/src/utils.rs:0"]);
    }

    #[test]
    fn supers_do_not_lead_out() {
        let unix = "use super::Pty;\nuse super::super::hub::Hub;\n";
        assert_eq!(found(find, &[("core/src/pty/unix.rs", unix)]), ["core/src/pty/unix.rs:2"]);
    }
}
