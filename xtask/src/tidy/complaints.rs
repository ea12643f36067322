//! The page of complaints cannot go stale: each names tests, and each of those is where the page says.

use super::{Finding, Tree};

const PAGE: &str = "docs/complaints.md";

pub(crate) fn find(tree: &Tree) -> Vec<Finding> {
    let Some(page) = tree.file(PAGE) else { return Vec::new() };
    let mut findings = Vec::new();
    let mut found = |line: usize, what: String, fix: &str| findings.push(Finding::new(PAGE, line + 1, what, fix));
    let mut is_body = false;
    for (line, text) in page.text.lines().enumerate() {
        let tests: Vec<(&str, &str)> = text.split('`').skip(1).step_by(2).filter_map(|quoted| quoted.split_once("::")).collect();
        if is_body && text.starts_with('|') && tests.is_empty() {
            found(line, "no test is named for this complaint".to_owned(), "name one as `file::test`, or write it");
        }
        for (file, test) in tests {
            match tree.file(file) {
                None => found(line, format!("there is no file {file}"), "say where the test is now"),
                Some(found_file) if !has_test(&found_file.text, test) => {
                    found(line, format!("{file} has no test `{test}`"), "say what it is called now, or write it");
                }
                Some(_) => {}
            }
        }
        is_body = text.starts_with("|---") || is_body && text.starts_with('|');
    }
    findings
}

/// Whether `text` has a test called so: in Rust a function with the attribute, or one that a list of scenarios names too; in TypeScript a
/// title.
fn has_test(text: &str, test: &str) -> bool {
    if text.contains(&format!("(\"{test}\"")) {
        return true;
    }
    let Some(at) = text.find(&format!("fn {test}(")) else { return false };
    let before = text[..at].trim_end().trim_end_matches("async").trim_end();
    before.ends_with("test]") || text.matches(test).count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    const TESTS: (&str, &str) = (
        "a/b.rs",
        "scenarios! { both: played; }\n#[test]\nfn one() {}\n#[tokio::test]\nasync fn two() {}\nfn helper() {}\nfn played() {}\n",
    );
    const TITLES: (&str, &str) = ("c.test.ts", "test(\"says what it does\", () => {});\n");

    fn judged(row: &str) -> Vec<String> {
        found(find, &[TESTS, TITLES, (PAGE, &format!("# Page\n\n| complaint | test |\n|---|---|\n{row}\n\nText.\n"))])
    }

    #[test]
    fn tests_of_every_kind_are_found_where_they_are() {
        assert!(judged("| lost | `a/b.rs::one` `a/b.rs::two` `a/b.rs::played` |").is_empty());
        assert!(judged("| lost | `c.test.ts::says what it does` |").is_empty());
    }

    #[test]
    fn test_that_is_gone_and_complaint_without_one_are_found() {
        for row in ["`a/b.rs::three`", "`a/b.rs::helper`", "`gone.rs::one`", "`c.test.ts::says`", "`code`", "soon"] {
            assert_eq!(judged(&format!("| lost | {row} |")), ["docs/complaints.md:5"], "{row}");
        }
    }
}
