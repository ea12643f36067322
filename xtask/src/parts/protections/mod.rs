//! Every protection is needed: with any one of them taken away, a test fails that passes with it.
//!
//! All of them are built into one copy of the sources, each behind a switch (see [`crate::protections`]), so there is one
//! build and not one for each, and nothing is changed here.

mod copy;
mod strays;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::protections::{LIB, Protection, SWITCH, all};
use crate::run::{End, Streams, run};
use crate::tally::Tally;
use crate::tools::{build, cargo};
use crate::work::{Outcome, Stop, Work};
use strays::MARK;

pub(crate) const NEEDS: &[&str] = &["core/src/hub", "core/tests/scenarios"];

/// A test that has not ended after so long, and after [`HANG_FACTOR`] times as long as with the protection, hangs.
const HANG: Duration = Duration::from_secs(10);
const HANG_FACTOR: u32 = 10;

/// A storm may miss the one moment a protection is for. One that is not missed in so many runs is not needed.
const RUNS: usize = 10;

/// Tried at the same time: most of those that are noticed wait for what does not come.
const AT_ONCE: usize = 3;

/// Where each test program is.
type Programs = BTreeMap<String, String>;

/// A word for how tests ended, and how long that took.
type Tried = io::Result<(&'static str, Duration)>;

/// The word for a protection that is not missed.
const PASSES: &str = "passes";
/// The word for one whose absence shows in a test that does not end.
const HANGS: &str = "hangs";

/// The tests of a test program that a protection names.
type Tests = (&'static str, &'static str);

pub(crate) fn protections(work: &mut Work<'_>) -> Outcome {
    let all = all();
    let programs = built(work, &all)?;
    let mut times = BTreeMap::new();
    for protection in &all {
        let tests = (protection.program, protection.tests);
        if let Entry::Vacant(time) = times.entry(tests) {
            time.insert(pass(work, &programs, tests)?);
        }
    }
    let tried = try_all(work, &programs, &times, &all);
    let (mut survivors, mut hangs) = (Vec::new(), 0);
    for (number, outcome) in tried {
        let Protection { name, hazards, .. } = all[number];
        match outcome {
            Ok((word, took)) => work.log.push_str(&format!("{word:<7} {:>5.1} s without `{name}`\n", took.as_secs_f32())),
            Err(error) => return work.fail(format_args!("`{name}`: {error}")),
        }
        match outcome {
            Ok((PASSES, _)) => survivors.push(format!("{hazards:?} {name}")),
            Ok((HANGS, _)) => hangs += 1,
            _ => {}
        }
    }
    if !survivors.is_empty() {
        return work.fail(format_args!("no test notices that these are gone:\n    {}", survivors.join("\n    ")));
    }
    work.note = format!("each of {} is missed when it is gone, {hangs} by a hang", all.len());
    Ok(())
}

/// Builds the copy's test programs; answers where each is.
fn built(work: &mut Work<'_>, all: &[&Protection]) -> Result<Programs, Stop> {
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
fn pass(work: &mut Work<'_>, programs: &Programs, tests: Tests) -> Result<Duration, Stop> {
    let begin = Instant::now();
    let output = work.ask(command(programs, tests))?;
    if Tally::of_tests(&output).passed == 0 {
        return work.fail(format_args!("`{}` has no test `{}`", tests.0, tests.1));
    }
    Ok(begin.elapsed())
}

/// How the tests end without each protection, by its number, and how long that took.
fn try_all(work: &Work<'_>, programs: &Programs, times: &BTreeMap<Tests, Duration>, all: &[&Protection]) -> Vec<(usize, Tried)> {
    let next = AtomicUsize::new(0);
    let tried = Mutex::new(Vec::new());
    let one_after_the_other = || {
        while let Some((number, protection)) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|n| Some((n, all.get(n)?))) {
            let tests = (protection.program, protection.tests);
            let mut command = command(programs, tests);
            command.current_dir(work.root).env(SWITCH, number.to_string());
            // What fails here is meant to: proptest would write it down among the sources.
            command.env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "1");
            let outcome = without(&mut command, number, HANG.max(times[&tests] * HANG_FACTOR));
            tried.lock().unwrap_or_else(PoisonError::into_inner).push((number, outcome));
        }
    };
    thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(one_after_the_other))));
    let mut tried = tried.into_inner().unwrap_or_else(PoisonError::into_inner);
    tried.sort_unstable_by_key(|(number, _)| *number);
    tried
}

/// Runs `command` until it does not pass.
fn without(command: &mut Command, number: usize, limit: Duration) -> Tried {
    let mark = format!("{}.{number}", std::process::id());
    command.env(MARK, &mark);
    let begin = Instant::now();
    for _ in 0..RUNS {
        let is_enough = |line: &str| line.starts_with("test ") && line.trim_end().ends_with("FAILED");
        let ran = run(command, Streams::Together, Instant::now() + limit, is_enough);
        strays::end(&mark);
        match ran?.end {
            End::TimedOut => return Ok((HANGS, begin.elapsed())),
            end if end.is_success() => {}
            _ => return Ok(("fails", begin.elapsed())),
        }
    }
    Ok((PASSES, begin.elapsed()))
}

fn command(programs: &Programs, (program, tests): Tests) -> Command {
    let mut command = Command::new(programs.get(program).map_or(program, String::as_str));
    command.arg(tests);
    command
}
