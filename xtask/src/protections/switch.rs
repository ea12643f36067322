//! Sources in which protections can be switched off: all are compiled in, and a variable says which one is not there.
//!
//! Where the code says `a && b` and `b` is protection 7, the switched source says
//! `a && (if crate::removed(7) { true } else { b })`. So one build serves every protection.

use std::ops::Range;

use super::Protection;

/// The variable that holds the number of the protection to go without.
pub(crate) const SWITCH: &str = "ORCHFLOW_REMOVED";

/// The function the switches ask, for the end of the crate's root file.
pub(crate) const ASKED: &str = r#"
/// Whether this protection is switched off.
pub(crate) fn removed(number: usize) -> bool {
    static REMOVED: std::sync::OnceLock<Option<usize>> = std::sync::OnceLock::new();
    *REMOVED.get_or_init(|| std::env::var("ORCHFLOW_REMOVED").ok()?.parse().ok()) == Some(number)
}
"#;

/// A place in a file, and the numbers of the protections there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Site {
    pub(crate) range: Range<usize>,
    pub(crate) numbers: Vec<usize>,
}

/// Where `protection` is in `text`: once, if all is well.
pub(crate) fn sites(text: &str, protection: &Protection) -> Vec<Range<usize>> {
    let (text, places) = squeezed(text);
    let (after, code) = (squeezed(protection.after).0, squeezed(protection.code).0);
    let both = format!("{after}{code}");
    text.match_indices(&both).map(|(at, _)| places[at + after.len()]..places[at + both.len() - 1] + 1).collect()
}

/// `text` with a switch at each site, which lie in order and apart.
pub(crate) fn switched(text: &str, sites: &[Site], all: &[&Protection]) -> String {
    let (mut result, mut done) = (String::new(), 0);
    for Site { range, numbers } in sites {
        let code = &text[range.clone()];
        let choices: String = numbers.iter().map(|&n| format!("if crate::removed({n}) {{ {} }} else ", all[n].removed)).collect();
        let choice = format!("{choices}{{ {code} }}");
        result.push_str(&text[done..range.start]);
        result.push_str(&if is_statement(code) { choice } else { format!("({choice})") });
        done = range.end;
    }
    result.push_str(&text[done..]);
    result
}

/// Whether `code` needs nothing after it to be followed by other statements.
fn is_statement(code: &str) -> bool {
    let is_branch = ["if ", "for ", "while ", "match "].iter().any(|word| code.starts_with(word));
    code.ends_with(';') || (is_branch && code.ends_with('}'))
}

/// `text` without white space, and where each byte of that was.
fn squeezed(text: &str) -> (String, Vec<usize>) {
    let kept = || text.char_indices().filter(|(_, c)| !c.is_whitespace());
    let places = kept().flat_map(|(at, c)| at..at + c.len_utf8()).collect();
    (kept().map(|(_, c)| c).collect(), places)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protection(after: &'static str, code: &'static str, removed: &'static str) -> Protection {
        Protection { hazards: &[1], name: "", file: "", after, code, removed, program: "", tests: "" }
    }

    fn check(text: &str, protection: &Protection, expected: &str) {
        let ranges = sites(text, protection);
        let sites: Vec<Site> = ranges.into_iter().map(|range| Site { range, numbers: vec![0] }).collect();
        assert_eq!(sites.len(), 1);
        assert_eq!(switched(text, &sites, &[protection]), expected);
    }

    #[test]
    fn expression_gets_a_switch_and_keeps_its_neighbours() {
        let text = "let x = a\n    && b();";
        check(text, &protection("x = a &&", "b()", "true"), "let x = a\n    && (if crate::removed(0) { true } else { b() });");
    }

    #[test]
    fn statement_gets_a_switch_that_needs_no_semicolon() {
        check("f();\ng();", &protection("f();", "g();", ""), "f();\nif crate::removed(0) {  } else { g(); }");
    }

    #[test]
    fn two_protections_in_one_place_have_a_switch_each() {
        let (one, other) = (protection("", "x", "y"), protection("", "x", "z"));
        let sites = [Site { range: 4..5, numbers: vec![0, 1] }];
        let expected = "a = (if crate::removed(0) { y } else if crate::removed(1) { z } else { x })";
        assert_eq!(switched("a = x", &sites, &[&one, &other]), expected);
    }

    #[test]
    fn every_place_is_found_however_the_lines_are_broken() {
        let protection = protection("after", "code(a, b)", "");
        assert_eq!(sites("after code(a, b); after\ncode(\n  a,b)", &protection), [6..16, 24..36]);
    }

    #[test]
    fn variable_is_the_one_that_is_asked() {
        assert!(ASKED.contains(SWITCH));
    }
}
