//! Runs one command to its end, to a time limit, or to a line that says enough.

use std::io::{self, BufRead, BufReader};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::guard::guarded;

/// How long to listen after the end for output that a process left behind holds back.
const DRAIN_MAX: Duration = Duration::from_secs(1);

/// What became of a command.
pub(crate) struct Ran {
    pub(crate) end: End,
    /// Standard output, and between its lines standard error unless [`Streams::Apart`].
    pub(crate) output: String,
    /// Standard error, when apart.
    pub(crate) errors: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Exited(ExitStatus),
    /// It was stopped at the limit.
    TimedOut,
    /// It was stopped at a line the caller had waited for.
    Stopped,
}

impl End {
    pub(crate) fn is_success(&self) -> bool {
        matches!(self, End::Exited(status) if status.success())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streams {
    Together,
    Apart,
}

enum Event {
    Output(String),
    Error(String),
    Exited(io::Result<ExitStatus>),
}

/// Runs `command`, which ends at the latest at `until`, and with it all that it started. `enough` sees
/// each line of output, and ends the command by answering true.
pub(crate) fn run(command: &Command, streams: Streams, until: Instant, mut enough: impl FnMut(&str) -> bool) -> io::Result<Ran> {
    let mut ran = Ran { end: End::TimedOut, output: String::new(), errors: String::new() };
    let (events, inbox) = mpsc::channel();
    let mut guard = guarded(command);
    match streams {
        Streams::Together => {
            let (reader, writer) = io::pipe()?;
            guard.stdout(writer.try_clone()?).stderr(writer);
            forward(reader, events.clone(), Event::Output);
        }
        Streams::Apart => {
            let ((out_reader, out), (error_reader, errors)) = (io::pipe()?, io::pipe()?);
            guard.stdout(out).stderr(errors);
            forward(out_reader, events.clone(), Event::Output);
            forward(error_reader, events.clone(), Event::Error);
        }
    }
    let mut child = guard.spawn()?;
    // The guard ends its group when this goes, at the latest when we return.
    let leash = child.stdin.take();
    guard.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()); // Closes our ends of the pipes.
    let exits = events;
    thread::spawn(move || exits.send(Event::Exited(child.wait())));

    let mut until = until;
    loop {
        match inbox.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Event::Output(line)) => {
                ran.output.push_str(&line);
                if enough(&line) {
                    ran.end = End::Stopped;
                    break;
                }
            }
            Ok(Event::Error(line)) => ran.errors.push_str(&line),
            Ok(Event::Exited(status)) => {
                ran.end = End::Exited(status?);
                until = Instant::now() + DRAIN_MAX;
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    drop(leash);
    Ok(ran)
}

fn forward(pipe: io::PipeReader, to: Sender<Event>, event: fn(String) -> Event) {
    thread::spawn(move || {
        let mut lines = BufReader::new(pipe);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            if to.send(event(String::from_utf8_lossy(&line).into_owned())).is_err() {
                return;
            }
            line.clear();
        }
    });
}
