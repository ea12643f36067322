//! A hash map of the standard library is walked in another order in every process, so a simulation could not play a seed again.

use super::tree::{line_of, words};
use super::{Finding, Tree};

/// Where nothing is simulated: the kernel's processes come in no order anyway.
const KERNEL: &str = "core/src/pty/unix/";

pub(crate) fn find(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, rust) in tree.rust_files() {
        if !file.path.starts_with("core/src/") || file.path.starts_with(KERNEL) {
            continue;
        }
        for name in ["HashMap", "HashSet"] {
            for at in words(&rust.production, name) {
                let fix = "take a BTreeMap or a BTreeSet: they have an order".to_owned();
                findings.push(Finding::new(&file.path, line_of(&rust.production, at), format!("`{name}` in what is simulated"), fix));
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
    fn core_keeps_its_things_in_an_order() {
        let file = "use std::collections::HashMap;\n#[cfg(test)]\nmod tests {\n    use std::collections::HashSet;\n}\n";
        let files = [("core/src/host/mod.rs", file), ("core/src/pty/unix/census.rs", file), ("examples/term.rs", file)];
        assert_eq!(found(find, &files), ["core/src/host/mod.rs:1"]);
    }
}
