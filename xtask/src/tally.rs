//! How many passed, failed and were skipped, and how to read that from a test binary's summary.

use std::fmt;
use std::ops::AddAssign;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

impl Tally {
    /// Adds up the summary lines in the output of `cargo test`, one per test binary.
    pub(crate) fn of_tests(output: &str) -> Tally {
        let mut sum = Tally::default();
        for line in output.lines() {
            if let Some(summary) = line.trim_start().strip_prefix("test result: ") {
                sum += Tally { passed: number(summary, "passed"), failed: number(summary, "failed"), skipped: number(summary, "ignored") };
            }
        }
        sum
    }

    /// The summary line in the output of vitest: `Tests  1 failed | 28 passed (29)`.
    pub(crate) fn of_vitest(output: &str) -> Tally {
        let summary = output.lines().filter_map(|line| line.trim_start().strip_prefix("Tests ")).next_back().unwrap_or_default();
        Tally { passed: number(summary, "passed"), failed: number(summary, "failed"), skipped: number(summary, "skipped") }
    }

    pub(crate) fn is_empty(self) -> bool {
        self == Tally::default()
    }
}

/// The number before `word` in `ok. 3 passed; 0 failed; 1 ignored; ...`.
fn number(summary: &str, word: &str) -> usize {
    let mut before = "";
    for token in summary.split_whitespace() {
        if token.trim_end_matches(';') == word {
            return before.parse().unwrap_or(0);
        }
        before = token;
    }
    0
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// The last line of `cargo xtask test`, which others parse.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_of_several_binaries_add_up() {
        let output = "running 3 tests\n\
            test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
            noise: 9 passed\n\
            test result: FAILED. 4 passed; 3 failed; 0 ignored; 0 measured; 7 filtered out; finished in 0.00s\n";
        assert_eq!(Tally::of_tests(output), Tally { passed: 6, failed: 3, skipped: 1 });
    }

    #[test]
    fn vitest_is_understood() {
        let output = " Test Files  1 failed (1)\n      Tests  1 failed | 28 passed | 2 skipped (31)\n   Start at  03:06:31\n";
        assert_eq!(Tally::of_vitest(output), Tally { passed: 28, failed: 1, skipped: 2 });
        assert!(Tally::of_vitest("no summary").is_empty());
    }

    #[test]
    fn the_last_line_names_skips_only_when_there_are_some() {
        assert_eq!(Tally { passed: 12, failed: 0, skipped: 0 }.to_string(), "12 passed, 0 failed");
        assert_eq!(Tally { passed: 1, failed: 2, skipped: 3 }.to_string(), "1 passed, 2 failed, 3 skipped");
    }
}
