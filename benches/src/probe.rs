//! Measurements that need a process of their own: this binary starts itself once more and reads one number.
//!
//! What the parent allocated before, and the threads it has, would otherwise be in the figure.

use std::io;
use std::mem::ManuallyDrop;
use std::process::Command;
use std::time::Duration;

use crate::engine::Idle;
use crate::threads;
use crate::{child, memory};

/// The name under which `main` hands its arguments to [`answer`].
pub(crate) const PROBE: &str = "probe";

/// What a fresh process can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// Resident bytes of a process with one hub.
    BaseBytes,
    /// Resident bytes that each further silent session adds, when there are so many.
    SessionBytes(usize),
    /// How often a second the threads of a hub with so many silent sessions run.
    WakeUps(usize),
}

/// How long the threads are watched.
const WATCHED: Duration = Duration::from_secs(5);

impl Question {
    fn to_args(self) -> [String; 2] {
        let (name, sessions) = match self {
            Question::BaseBytes => ("base-bytes", 0),
            Question::SessionBytes(sessions) => ("session-bytes", sessions),
            Question::WakeUps(sessions) => ("wake-ups", sessions),
        };
        [name.to_owned(), sessions.to_string()]
    }

    fn from_args(args: &[String]) -> Option<Question> {
        let sessions = args.get(1)?.parse().ok()?;
        match args.first()?.as_str() {
            "base-bytes" => Some(Question::BaseBytes),
            "session-bytes" => Some(Question::SessionBytes(sessions)),
            "wake-ups" => Some(Question::WakeUps(sessions)),
            _ => None,
        }
    }
}

/// Asks a fresh process.
pub(crate) fn ask(question: Question) -> io::Result<f64> {
    let output = Command::new(child::program()?).arg(PROBE).args(question.to_args()).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    said.trim().parse().map_err(|_| io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

/// Answers, in the fresh process.
pub(crate) fn answer(args: &[String]) -> io::Result<()> {
    let question = Question::from_args(args).ok_or_else(|| io::Error::other("no such question"))?;
    let number = match question {
        Question::BaseBytes => base_bytes()?,
        Question::SessionBytes(sessions) => session_bytes(sessions)?,
        Question::WakeUps(sessions) => wake_ups(sessions)?,
    };
    println!("{number}");
    Ok(())
}

fn base_bytes() -> io::Result<f64> {
    let _idle = left_open(Idle::hosted()?);
    Ok(memory::resident_bytes()? as f64)
}

/// One session more at first: what is needed once is not what each costs.
fn session_bytes(sessions: usize) -> io::Result<f64> {
    let mut idle = left_open(Idle::hosted()?);
    idle.grow(1)?;
    let before = memory::resident_bytes()?;
    idle.grow(sessions)?;
    Ok((memory::resident_bytes()? as f64 - before as f64) / sessions as f64)
}

fn wake_ups(sessions: usize) -> io::Result<f64> {
    let mut idle = left_open(Idle::threaded()?);
    idle.grow(sessions)?;
    threads::settle()?;
    let before = threads::runs_of_others()?;
    std::thread::sleep(WATCHED);
    Ok((threads::runs_of_others()? - before) as f64 / WATCHED.as_secs_f64())
}

/// Closing is another line's business; when this process ends, the kernel hangs up on all programs at once.
fn left_open(idle: Idle) -> ManuallyDrop<Idle> {
    ManuallyDrop::new(idle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_survives_the_command_line() {
        for question in [Question::BaseBytes, Question::SessionBytes(1000), Question::WakeUps(7)] {
            assert_eq!(Question::from_args(&question.to_args()), Some(question));
        }
    }
}
