//! Operations, singly or many at a time, and what came of them.
//!
//! The same types are used by those who talk to a server and by those who have one in their own process.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::super::names::named;
use super::session::{Act, SessionInfo, Spawn};
use super::{ErrorCode, in_header};
use crate::batch::Class;
use crate::size::Size;

/// Carry these out.
///
/// On one session, or whatever else they share, operations are carried out in the order in which they were asked for, in one batch
/// or several; what has nothing in common is not waited for, unless the [mode](Batch::mode) says so.
///
/// A client that comes back repeats a Batch without its last Results, under the same number: each operation is carried out
/// once, and what came of all of them is told again.
///
/// # Examples
/// ```
/// # use orchflow_core::{batch::Class, protocol::message::{Act, Batch, Mode, Operation}, pty::{Signal, Target}};
/// let stop = Act::Signal { name: Signal::Interrupt, to: Target::Foreground };
/// let batch = Batch {
///     mode: Mode::StopOnError,
///     class: Class::Interactive,
///     within_ms: Some(500),
///     key: Some("deploy-42/stop".into()),
///     ..Batch::new([
///         Operation::Control { session: 7, act: stop },
///         Operation::Input { session: 7, bytes: "make clean\r".into(), urgent: false },
///     ])
/// };
/// # assert_eq!(batch.operations.len(), 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The request's number; in the header.
    #[serde(skip)]
    pub number: u64,
    /// What tells it from others, whoever sends it and however often: it is carried out once, and everybody who asks gets its results. At most
    /// [`BATCH_KEY_BYTES_MAX`](crate::limits::BATCH_KEY_BYTES_MAX) bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What its operations wait for.
    #[serde(default)]
    pub mode: Mode,
    /// How urgent it is.
    #[serde(default)]
    pub class: Class,
    /// Milliseconds after which what has not begun is not begun any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_ms: Option<u32>,
    /// These; at most [`OPERATIONS_MAX`](crate::limits::OPERATIONS_MAX).
    pub operations: Vec<Operation>,
}

impl Batch {
    /// These, as soon as may be.
    pub fn new(operations: impl IntoIterator<Item = Operation>) -> Batch {
        Batch { operations: operations.into_iter().collect(), ..Batch::default() }
    }
}

named! {
    /// What the operations of a batch wait for.
    #[derive(Default)]
    pub enum Mode {
        /// Only for those before them on the same thing.
        #[default]
        Parallel = "parallel",
        /// Each for the one before it, however that ended.
        Ordered = "ordered",
        /// Each for the one before it; after one that was refused, none is carried out.
        StopOnError = "stop_on_error",
    }
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Operation {
    /// Start a program that nobody watches yet: [`Answer::Spawned`].
    Spawn(Box<Spawn>),
    /// Type. It is done when the terminal has accepted all of it.
    Input {
        /// Into which session.
        session: u64,
        /// The bytes.
        #[serde(with = "crate::protocol::blob")]
        bytes: Bytes,
        /// Whether this is an interrupt key.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        urgent: bool,
    },
    /// Make a terminal this size, whatever the windows of those who watch it.
    Resize {
        /// Which session's.
        session: u64,
        /// The size.
        size: Size,
    },
    /// Clear, reset, name or signal a session.
    Control {
        /// Which.
        session: u64,
        /// What.
        #[serde(rename = "do")]
        act: Act,
    },
    /// End a session: hang up, terminate, kill. It is done when that has begun.
    Close {
        /// Which.
        session: u64,
        /// Patience after each step, in milliseconds; 0 kills at once.
        #[serde(default = "super::session::grace_ms")]
        grace_ms: u32,
    },
    /// Tell what is known of a session: [`Answer::Session`].
    Query {
        /// Which.
        session: u64,
    },
    /// One that the server's own program has added: [`Answer::Host`].
    Host {
        /// What it is called.
        name: String,
        /// What it needs to know, as the two agree on.
        #[serde(with = "crate::protocol::blob")]
        body: Bytes,
    },
}

/// What came of some operations: of each once, as they end, until [`more`](Results::more) is false.
///
/// Neighbours of which there is nothing to say but that they were carried out, or refused for the same reason, are told together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Results {
    /// The batch's number; in the header.
    #[serde(skip)]
    pub number: u64,
    /// Whether some have not ended; a flag of the frame.
    #[serde(skip)]
    pub more: bool,
    /// Carried out: from one place in the batch, counted from 0, to another, both included.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub done: Vec<(u32, u32)>,
    /// Carried out, with an answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answered>,
    /// Refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Refused>,
}

/// What one operation answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// Its place in the batch.
    pub at: u32,
    /// The answer.
    pub answer: Answer,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Answer {
    /// To [`Operation::Spawn`].
    Spawned {
        /// The session's number.
        session: u64,
        /// The process's number on its machine, where that has a meaning.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pid: Option<u32>,
    },
    /// To [`Operation::Query`].
    Session(Box<SessionInfo>),
    /// To [`Operation::Host`], as the two agree on.
    Host(#[serde(with = "crate::protocol::blob")] Bytes),
}

/// Operations that were not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The first one's place in the batch.
    pub from: u32,
    /// The last one's.
    pub to: u32,
    /// Why.
    pub code: ErrorCode,
    /// The same for people.
    pub message: String,
    /// Whether the same may succeed later.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retryable: bool,
}

/// What came of one operation: an answer, where it has one, or why it was refused.
pub type Outcome = Result<Option<Answer>, Fault>;

/// Why an operation was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// By name.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
}

impl Fault {
    /// A reason.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Fault {
        Fault { code, message: message.into() }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Fault {}

impl Results {
    /// Adds what came of the operation `at` this place.
    pub fn add(&mut self, at: u32, outcome: Outcome) {
        match outcome {
            Ok(None) => match self.done.last_mut() {
                Some((_, to)) if at.checked_sub(1) == Some(*to) => *to = at,
                _ => self.done.push((at, at)),
            },
            Ok(Some(answer)) => self.answers.push(Answered { at, answer }),
            Err(Fault { code, message }) => match self.refused.last_mut() {
                Some(last) if at.checked_sub(1) == Some(last.to) && last.code == code && last.message == message => last.to = at,
                _ => self.refused.push(Refused { from: at, to: at, code, message, retryable: code.is_retryable() }),
            },
        }
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: Results) {
        self.done.extend(other.done);
        self.answers.extend(other.answers);
        self.refused.extend(other.refused);
    }

    /// Whether nothing is told.
    pub fn is_empty(&self) -> bool {
        self.done.is_empty() && self.answers.is_empty() && self.refused.is_empty()
    }

    /// How many operations are told of, if each place is within a batch of `count` and the ends of each range are the right way
    /// round.
    pub fn count_within(&self, count: usize) -> Option<usize> {
        let ranges = self.done.iter().copied().chain(self.refused.iter().map(|refused| (refused.from, refused.to)));
        let ranges = ranges.chain(self.answers.iter().map(|answered| (answered.at, answered.at)));
        ranges.map(|(from, to)| (from <= to && (to as usize) < count).then(|| (to - from) as usize + 1)).sum()
    }

    /// Each operation's place and what came of it: those carried out, those with an answer, those refused.
    ///
    /// # Examples
    /// ```
    /// # use orchflow_core::protocol::message::{ErrorCode, Fault, Results};
    /// let mut results = Results::default();
    /// results.add(0, Ok(None));
    /// results.add(1, Ok(None));
    /// results.add(2, Err(Fault::new(ErrorCode::NoSession, "there is no session 9")));
    /// assert_eq!(results.done, [(0, 1)]);
    /// assert_eq!(results.outcomes().filter(|(_, outcome)| outcome.is_ok()).count(), 2);
    /// ```
    pub fn outcomes(&self) -> impl Iterator<Item = (u32, Outcome)> {
        let done = self.done.iter().flat_map(|(from, to)| (*from..=*to).map(|at| (at, Ok(None))));
        let answers = self.answers.iter().map(|answered| (answered.at, Ok(Some(answered.answer.clone()))));
        let refused = self
            .refused
            .iter()
            .flat_map(|refused| (refused.from..=refused.to).map(|at| (at, Err(Fault::new(refused.code, refused.message.clone())))));
        done.chain(answers).chain(refused)
    }
}

in_header!(Batch.number, Results.number);
