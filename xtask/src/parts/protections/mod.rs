//! Every protection is needed: with any one of them taken away, a test fails that passes with it.
//!
//! All of them are built into one copy of the sources, each behind a switch (see [`crate::protections`]), so there is one
//! build and not one for each, and nothing is changed here.

mod copy;
mod strays;

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::protections::{LIB, Protection, SWITCH, all};
use crate::run::End;
use crate::tally::Tally;
use crate::tools::{build, cargo};
use crate::work::{Outcome, Stop, Work};
use strays::MARK;

pub(crate) const NEEDS: &[&str] = &["core/src/hub", "core/tests/scenarios"];

/// A test that has not ended after so long, and after [`HANG_FACTOR`] times as long as with the protection, hangs.
const HANG: Duration = Duration::from_secs(10);
const HANG_FACTOR: u32 = 10;

/// A storm may miss the one moment a protection is for. One that is not missed in so many runs is not needed.
const RUNS: usize = 3;

/// The tests of a test program that a protection names.
type Tests = (&'static str, &'static str);

pub(crate) fn protections(work: &mut Work<'_>) -> Outcome {
    let all = all();
    let programs = built(work, &all)?;
    let mut times = BTreeMap::new();
    for protection in &all {
        let tests = (protection.program, protection.tests);
        if !times.contains_key(&tests) {
            times.insert(tests, pass(work, &programs, tests)?);
        }
    }
    let mut survivors = Vec::new();
    for (number, protection) in all.iter().enumerate() {
        let limit = HANG.max(times[&(protection.program, protection.tests)] * HANG_FACTOR);
        if !is_noticed(work, &programs, number, protection, limit)? {
            survivors.push(format!("{:?} {}", protection.hazards, protection.name));
        }
        if work.is_late() {
            return work.fail(format_args!("out of time at `{}`", protection.name));
        }
    }
    if !survivors.is_empty() {
        return work.fail(format_args!("no test notices that these are gone:\n    {}", survivors.join("\n    ")));
    }
    work.note = format!("each of {} is missed when it is gone", all.len());
    Ok(())
}

/// Builds the copy's test programs; answers where each is.
fn built(work: &mut Work<'_>, all: &[&Protection]) -> Result<BTreeMap<String, String>, Stop> {
    let folder = work.target_dir("protections");
    let manifest = copy::make(work, &folder.join("tree"), all)?;
    let mut command = cargo(&["test", "--package", "orchflow-core", "--no-run", "--message-format=json", "--manifest-path"]);
    command.arg(manifest).env("CARGO_TARGET_DIR", folder.join("build")).env("CARGO_PROFILE_DEV_DEBUG", "0");
    command.arg("--lib").env("CARGO_INCREMENTAL", "1");
    let mut names: Vec<&str> = all.iter().map(|protection| protection.program).filter(|program| *program != LIB).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        command.args(["--test", name]);
    }
    let programs = build(work, command)?;
    let name = |name: String| if name == "orchflow_core" { LIB.to_owned() } else { name };
    Ok(programs.into_iter().map(|program| (name(program.name), program.path)).collect())
}

/// Runs `tests` with every protection in place, which must pass; answers how long they take.
fn pass(work: &mut Work<'_>, programs: &BTreeMap<String, String>, tests: Tests) -> Result<Duration, Stop> {
    let begin = Instant::now();
    let output = work.ask(command(programs, tests))?;
    if Tally::of_tests(&output).passed == 0 {
        return work.fail(format_args!("`{}` has no test `{}`", tests.0, tests.1));
    }
    Ok(begin.elapsed())
}

/// Whether a test fails, or hangs, without protection `number`.
fn is_noticed(
    work: &mut Work<'_>,
    programs: &BTreeMap<String, String>,
    number: usize,
    protection: &Protection,
    limit: Duration,
) -> Result<bool, Stop> {
    for _ in 0..RUNS {
        let begin = Instant::now();
        let mut command = command(programs, (protection.program, protection.tests));
        command.env(SWITCH, number.to_string());
        let end = work.end_of(command, limit, |line| line.starts_with("test ") && line.trim_end().ends_with("FAILED"))?;
        strays::end(std::process::id());
        let word = match end {
            End::TimedOut => "hangs",
            ref end if end.is_success() => "passes",
            _ => "fails",
        };
        work.log.push_str(&format!("== {word} in {:.1} s without `{}`\n", begin.elapsed().as_secs_f32(), protection.name));
        if word != "passes" {
            return Ok(true);
        }
    }
    Ok(false)
}

fn command(programs: &BTreeMap<String, String>, (program, tests): Tests) -> Command {
    let mut command = Command::new(programs.get(program).map_or(program, String::as_str));
    command.arg(tests).env(MARK, std::process::id().to_string());
    command
}
