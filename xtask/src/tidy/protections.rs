//! The list of protections cannot go stale: each is where it says, its test program exists, and every hazard has one.

use super::{Finding, Tree};
use crate::protections::{HAZARDS, LIB, Protection, all, sites};

/// Where the list is.
const LIST: &str = "xtask/src/protections";

pub(crate) fn find(tree: &Tree) -> Vec<Finding> {
    if tree.file("core/src/lib.rs").is_none() { Vec::new() } else { look(tree, &all()) }
}

fn look(tree: &Tree, all: &[&Protection]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = all.iter().filter_map(|protection| misplaced(tree, protection)).collect();
    for (hazard, what) in HAZARDS {
        if !all.iter().any(|protection| protection.hazards.contains(hazard)) {
            let what = format!("nothing protects against hazard {hazard}: {what}");
            findings.push(Finding::new(LIST, 0, what, "name a protection, and the test that fails without it"));
        }
    }
    findings
}

fn misplaced(tree: &Tree, protection: &Protection) -> Option<Finding> {
    let Protection { name, file, program, .. } = protection;
    let found = |what: String, fix| Some(Finding::new(*file, 0, what, fix));
    let known = |hazard| HAZARDS.iter().any(|(number, _)| *number == hazard);
    if let Some(hazard) = protection.hazards.iter().find(|hazard| !known(**hazard)) {
        return found(format!("`{name}` protects against hazard {hazard}, which there is not"), "name one of HAZARDS");
    }
    let Some(text) = tree.file(file).map(|file| &file.text) else {
        return found(format!("`{name}` should be here, and there is no such file"), "say where it is now");
    };
    let places = sites(text, protection).len();
    if places != 1 {
        let fix = "say what it looks like now, and `cargo xtask test protections`";
        return found(format!("`{name}` is in {places} places of the file, not in one"), fix);
    }
    let is_there = ["core/tests/{}.rs", "core/tests/{}/main.rs"].iter().any(|path| tree.file(&path.replace("{}", program)).is_some());
    if *program != LIB && !is_there {
        return found(format!("the test program `{program}` of `{name}` does not exist"), "name a file of core/tests");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROTECTION: Protection = Protection {
        hazards: &[1],
        name: "the guard",
        file: "core/src/a.rs",
        after: "if",
        code: "guard()",
        removed: "true",
        program: LIB,
        tests: "",
    };

    fn found(file: &str, protection: &Protection) -> Vec<String> {
        let findings = look(&Tree::of(&[("core/src/a.rs", file)]), &[protection]);
        findings.into_iter().filter(|finding| finding.path != LIST).map(|finding| finding.what).collect()
    }

    #[test]
    fn protection_that_is_gone_or_there_twice_is_found() {
        assert!(found("if guard() {}", &PROTECTION).is_empty());
        assert_eq!(found("if other() {}", &PROTECTION), ["`the guard` is in 0 places of the file, not in one"]);
        assert_eq!(found("if guard() {}\nif guard() {}", &PROTECTION), ["`the guard` is in 2 places of the file, not in one"]);
    }

    #[test]
    fn hazard_and_test_program_must_exist() {
        assert_eq!(found("if guard()", &Protection { hazards: &[99], ..PROTECTION }).len(), 1);
        assert_eq!(found("if guard()", &Protection { program: "none", ..PROTECTION }).len(), 1);
    }

    #[test]
    fn hazard_without_a_protection_is_found() {
        let findings = look(&Tree::of(&[("core/src/a.rs", "if guard()")]), &[&PROTECTION]);
        assert_eq!(findings.len(), HAZARDS.len() - 1);
    }
}
