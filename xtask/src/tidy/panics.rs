//! Nothing unfinished is committed; and the core, which serves bytes from outside, panics only where it says
//! what must have been broken before.

use super::tree::{line_of, words};
use super::{Finding, Tree};

const UNFINISHED: &[&str] = &["todo!", "unimplemented!", "dbg!"];

/// The shortest sentence that says something: "an open ring has a tail".
const WORDS_MIN: usize = 3;

/// Such a message tells what happened, which is for an `Err` to tell; it does not say why it cannot happen.
const TELL_A_FAILURE: &[&str] = &["fail", "failed", "fails", "failure", "error", "unable", "could"];

pub(crate) fn find(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, rust) in tree.rust_files() {
        for word in UNFINISHED {
            for at in words(&rust.code, word) {
                findings.push(Finding::new(&file.path, line_of(&rust.code, at), format!("`{word}` is left"), "finish it, or take it out"));
            }
        }
        if !file.path.starts_with("core/src/") || file.is_test() {
            continue;
        }
        for (at, _) in rust.production.match_indices(".unwrap()") {
            let line = line_of(&rust.production, at);
            let fix = "return an error; where it cannot happen, use `.expect(\"...\")` with the reason";
            findings.push(Finding::new(&file.path, line, "`.unwrap()` panics without a word", fix));
        }
        for (at, call) in rust.production.match_indices(".expect(") {
            let line = line_of(&rust.production, at);
            if !states_an_invariant(&file.text[at + call.len()..]) && !has_comment(&rust.comments, line) {
                let fix = "say what always holds (\"the tail is never sealed\"), or put `// invariant: ...` beside it; return an error if it can happen";
                findings.push(Finding::new(&file.path, line, "`.expect` does not say why it cannot happen", fix));
            }
        }
    }
    findings
}

/// Whether what follows `.expect(` is a literal that reads as a reason.
fn states_an_invariant(after: &str) -> bool {
    let Some(message) = after.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next()) else {
        return false;
    };
    let words: Vec<String> = message.split_whitespace().map(str::to_lowercase).collect();
    words.len() >= WORDS_MIN && !words.iter().any(|word| TELL_A_FAILURE.contains(&word.as_str()))
}

/// Whether `// invariant:` stands on this line or on the one above.
fn has_comment(comments: &str, line: usize) -> bool {
    comments.lines().skip(line.saturating_sub(2)).take(2.min(line)).any(|comment| comment.contains("// invariant:"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn unfinished_code_is_found_everywhere_but_in_words() {
        let file = "//! todo!\nfn f() { todo!() }\nconst S: &str = \"dbg!(x)\";\n#[cfg(test)]\nmod tests { fn g() { dbg!(1); } }\n";
        assert_eq!(found(find, &[("benches/src/a.rs", file)]), ["benches/src/a.rs:2", "benches/src/a.rs:5"]);
    }

    #[test]
    fn unwrap_is_for_tests_and_for_other_packages() {
        let file = "/// x.unwrap()\nfn f() { x.unwrap(); }\n#[cfg(test)]\nmod tests { fn g() { x.unwrap(); } }\n";
        let files = [("core/src/a.rs", file), ("core/src/ring/models.rs", "x.unwrap()"), ("xtask/src/a.rs", "x.unwrap()")];
        assert_eq!(found(find, &files), ["core/src/a.rs:2"]);
    }

    #[test]
    fn expect_needs_a_reason() {
        let file = "a.expect(\"the tail is never sealed\");\nb.expect(\"spawn failed\");\n// invariant: the lock is held.\nc.expect(MESSAGE);\n\
            d.expect(\"read could not fail\");\ne\n    .expect(\n        \"a cursor never passes its log\",\n    );\n";
        assert_eq!(found(find, &[("core/src/a.rs", file)]), ["core/src/a.rs:2", "core/src/a.rs:5"]);
    }
}
