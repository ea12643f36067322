//! `cargo xtask test`: runs the parts in order, tells each in a line, and ends with the sum.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::parts::{PARTS, Part};
use crate::tally::Tally;
use crate::work::{Outcome, Stop, Work};

/// Asks a part for as much as it ever does, not for the little that finds most of what a change broke.
const FULL: &str = "--full";

pub(crate) fn test(root: &Path, args: &[&str]) -> ExitCode {
    let full = args.contains(&FULL);
    let names: Vec<&str> = args.iter().copied().filter(|arg| *arg != FULL).collect();
    let chosen: Vec<&Part> = PARTS.iter().filter(|part| names.is_empty() || names.contains(&part.name)).collect();
    if let Some(unknown) = names.iter().find(|name| PARTS.iter().all(|part| part.name != **name)) {
        eprintln!("xtask: no part `{unknown}`; `cargo xtask help` lists them");
        return ExitCode::from(2);
    }
    let mut sum = Tally::default();
    for part in chosen {
        if part.has_material(root) {
            sum += report(part, root, full);
        } else if !names.is_empty() {
            println!("{:<11} skipped  there is no {} yet", part.name, part.needs.join(" or "));
            sum.skipped += 1;
        }
    }
    println!("{sum}");
    if sum.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one part and prints its line, after it the log if it failed.
fn report(part: &Part, root: &Path, full: bool) -> Tally {
    print!("{:<11} ", part.name);
    let _ = io::stdout().flush(); // So that one sees what takes its time.
    let start = Instant::now();
    let mut work = Work::new(root, Duration::from_secs(60 * part.minutes_max), full);
    let outcome = (part.run)(&mut work);
    let seconds = start.elapsed().as_secs_f32();
    let (word, note) = match &outcome {
        Ok(()) => ("passed", work.note.clone()),
        Err(Stop::Failed) => ("FAILED", work.note.clone()),
        Err(Stop::Skipped(why)) => ("skipped", why.clone()),
    };
    let tally = counted(work.tally, &outcome);
    let tests = if work.tally.is_empty() { String::new() } else { format!("{tally}  ") };
    println!("{}", format!("{word:<8} {seconds:>6.1} s  {tests}{note}").trim_end());
    if matches!(outcome, Err(Stop::Failed)) {
        println!("{}", work.log.trim_end());
        println!("---- {} failed; alone: cargo xtask test {}", part.name, part.name);
    }
    tally
}

/// The tests of a part, or the part itself as one where it has none to count. A part that failed for
/// another reason than a test counts as one failure.
fn counted(tests: Tally, outcome: &Outcome) -> Tally {
    let mut tally = tests;
    match outcome {
        Ok(()) if tests.is_empty() => tally.passed = 1,
        Ok(()) => {}
        Err(Stop::Failed) => tally.failed = tests.failed.max(1),
        Err(Stop::Skipped(_)) => tally.skipped += 1,
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_counts_its_tests_or_itself() {
        let tests = Tally { passed: 5, failed: 0, skipped: 0 };
        assert_eq!(counted(Tally::default(), &Ok(())).passed, 1);
        assert_eq!(counted(tests, &Ok(())), tests);
    }

    #[test]
    fn failure_without_a_failed_test_still_counts() {
        let tests = Tally { passed: 5, failed: 0, skipped: 0 };
        assert_eq!(counted(tests, &Err(Stop::Failed)), Tally { passed: 5, failed: 1, skipped: 0 });
        assert_eq!(counted(Tally { failed: 3, ..tests }, &Err(Stop::Failed)).failed, 3);
    }
}
