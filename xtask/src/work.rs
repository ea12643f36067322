//! What a part works with: the tree, the time it has, and a log that is shown only if it fails.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::run::{End, Ran, Streams, run};
use crate::tally::Tally;

/// How a part ended, unless it passed.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The log says why.
    Failed,
    /// It could not be run here, and this is what to do about it.
    Skipped(String),
}

pub(crate) type Outcome = Result<(), Stop>;

pub(crate) struct Work<'a> {
    pub(crate) root: &'a Path,
    /// As much is asked for as a part ever does.
    pub(crate) full: bool,
    until: Instant,
    pub(crate) log: String,
    /// The tests inside the part, where it has any to count.
    pub(crate) tally: Tally,
    /// A few words for the part's line.
    pub(crate) note: String,
}

impl<'a> Work<'a> {
    pub(crate) fn new(root: &'a Path, limit: Duration, full: bool) -> Self {
        Work { root, full, until: Instant::now() + limit, log: String::new(), tally: Tally::default(), note: String::new() }
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// A build folder of its own for code compiled with other flags, so that nothing is built twice in turns.
    pub(crate) fn target_dir(&self, name: &str) -> PathBuf {
        let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
        self.root.join(target).join(name)
    }

    /// Runs `command`, which must succeed.
    pub(crate) fn run(&mut self, command: Command) -> Outcome {
        let ran = self.start(command, Streams::Together, self.until, |_| false)?;
        self.must_succeed(&ran)
    }

    /// Runs `command`, which must succeed within `limit`.
    pub(crate) fn run_within(&mut self, command: Command, limit: Duration) -> Outcome {
        let ran = self.start(command, Streams::Together, self.until.min(Instant::now() + limit), |_| false)?;
        self.must_succeed(&ran)
    }

    /// Runs `command`, which must succeed, and returns its standard output.
    pub(crate) fn ask(&mut self, command: Command) -> Result<String, Stop> {
        let ran = self.start(command, Streams::Apart, self.until, |_| false)?;
        if !ran.end.is_success() {
            self.log.push_str(&ran.output); // What it could not do, it may have said there.
        }
        self.must_succeed(&ran)?;
        Ok(ran.output)
    }

    /// Runs `command`, which must succeed, and returns all it said.
    pub(crate) fn listen(&mut self, command: Command) -> Result<String, Stop> {
        let ran = self.start(command, Streams::Together, self.until, |_| false)?;
        self.must_succeed(&ran)?;
        Ok(ran.output)
    }

    /// Runs tests, which must pass, and counts them.
    pub(crate) fn test(&mut self, command: Command) -> Outcome {
        let ran = self.start(command, Streams::Together, self.until, |_| false)?;
        self.tally += Tally::of_tests(&ran.output);
        self.must_succeed(&ran)
    }

    /// Whether `command` fails within `limit`; ends it at the first line that `shows` so.
    pub(crate) fn fails(&mut self, command: Command, limit: Duration, shows: fn(&str) -> bool) -> Result<bool, Stop> {
        let until = self.until.min(Instant::now() + limit);
        let ran = self.start(command, Streams::Together, until, shows)?;
        Ok(ran.end != End::TimedOut && !ran.end.is_success())
    }

    /// Whether a tool can be started at all.
    pub(crate) fn has(&mut self, mut command: Command) -> bool {
        command.current_dir(self.root);
        run(&command, Streams::Together, self.until, |_| false).is_ok_and(|ran| ran.end.is_success())
    }

    /// Fails the part, for this reason.
    pub(crate) fn fail<T>(&mut self, why: impl std::fmt::Display) -> Result<T, Stop> {
        let _ = writeln!(self.log, "{why}");
        Err(Stop::Failed)
    }

    pub(crate) fn is_late(&self) -> bool {
        Instant::now() >= self.until
    }

    fn start(&mut self, mut command: Command, streams: Streams, until: Instant, enough: impl FnMut(&str) -> bool) -> Result<Ran, Stop> {
        command.current_dir(self.root);
        let _ = writeln!(self.log, "$ {}", shown(&command));
        match run(&command, streams, until, enough) {
            Ok(ran) => {
                let output = if streams == Streams::Together { &ran.output } else { &ran.errors };
                self.log.push_str(output);
                Ok(ran)
            }
            Err(error) => self.fail(format_args!("could not run it: {error}")),
        }
    }

    fn must_succeed(&mut self, ran: &Ran) -> Outcome {
        match ran.end {
            End::Exited(status) if status.success() => Ok(()),
            End::Exited(status) => self.fail(status),
            End::Stopped => Err(Stop::Failed),
            End::TimedOut => self.fail("stopped at its time limit"),
        }
    }
}

/// The command as one could type it.
fn shown(command: &Command) -> String {
    let mut words: Vec<String> = Vec::new();
    for (name, value) in command.get_envs() {
        words.push(format!("{}={:?}", name.display(), value.unwrap_or_default()));
    }
    let program = Path::new(command.get_program());
    let is_cargo = program.file_name().is_some_and(|name| name == "cargo"); // Known to be on everyone's path.
    words.push(if is_cargo { "cargo".to_owned() } else { program.display().to_string() });
    words.extend(command.get_args().map(|arg| arg.display().to_string()));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_command_are_logged_for_repeating() {
        let mut command = Command::new("sh");
        command.args(["-c", "true"]).env("RUSTFLAGS", "--cfg x");
        assert_eq!(shown(&command), "RUSTFLAGS=\"--cfg x\" sh -c true");
        assert_eq!(shown(&Command::new("/opt/rust/bin/cargo")), "cargo");
        assert_eq!(shown(&Command::new("target/debug/leaks")), "target/debug/leaks");
    }
}
