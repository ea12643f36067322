//! A sleep hides an order nobody has thought about. The core never sleeps; a test does only to make trouble.

use super::tree::{line_of, words};
use super::{Finding, Tree};

/// The comment that makes a sleep in a test legitimate, on its line or the one above.
const EXCUSE: &str = "// Provokes:";

pub(crate) fn find(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, rust) in tree.rust_files() {
        let all_tests = file.is_test();
        for at in words(&rust.code, "thread::sleep") {
            let line = line_of(&rust.code, at);
            let in_test = all_tests || rust.production[at..].starts_with(' ');
            if in_test && !is_excused(&rust.comments, line) {
                let fix = format!("wait for the event, or use virtual time; a sleep that makes trouble says so: `{EXCUSE} ...`");
                findings.push(Finding::new(&file.path, line, "a test sleeps", fix));
            } else if !in_test && file.path.starts_with("core/src/") {
                findings.push(Finding::new(
                    &file.path,
                    line,
                    "the core sleeps",
                    "return the time to come back at; waiting is the driver's",
                ));
            }
        }
    }
    findings
}

fn is_excused(comments: &str, line: usize) -> bool {
    comments.lines().skip(line.saturating_sub(2)).take(2.min(line)).any(|comment| comment.trim_start().starts_with(EXCUSE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn sleep_in_a_test_needs_its_excuse() {
        let file = "std::thread::sleep(D); // Provokes: a write into the gap.\n// Provokes: a late reader.\nthread::sleep(D);\n\nthread::sleep(D); // To be sure.\n";
        assert_eq!(found(find, &[("core/tests/exit.rs", file)]), ["core/tests/exit.rs:5"]);
    }

    #[test]
    fn core_has_no_excuse_and_programs_need_none() {
        let file = "// Provokes: nothing.\nthread::sleep(D);\n";
        assert_eq!(found(find, &[("core/src/hub/mod.rs", file), ("benches/src/main.rs", file)]), ["core/src/hub/mod.rs:2"]);
        let file = "#[cfg(test)]\nmod tests {\n    fn f() { thread::sleep(D) }\n}\n";
        assert_eq!(found(find, &[("benches/src/main.rs", file)]), ["benches/src/main.rs:3"]);
    }
}
