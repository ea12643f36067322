//! What came of operations.

use std::collections::VecDeque;
use std::time::Duration;

use orchflow_core::protocol::message::{Answer, Outcome, Results, SessionInfo};

use crate::event::code_and_signal;
use crate::session::ORCH_SESSION_ENDED;
use crate::sized::Growing;
use crate::values::{OrchBytes, OrchSize};

/// It was carried out.
pub const ORCH_OUTCOME_DONE: u32 = 0;
/// A program was started: `session`, and `pid` where that has a meaning.
pub const ORCH_OUTCOME_SPAWNED: u32 = 1;
/// What is known of a session: `info`.
pub const ORCH_OUTCOME_SESSION: u32 = 2;
/// The server's program answered `data`.
pub const ORCH_OUTCOME_HOST: u32 = 3;
/// It was not carried out: `code` and `message` say why.
pub const ORCH_OUTCOME_REFUSED: u32 = 4;

/// With ORCH_OUTCOME_REFUSED: the same may succeed later.
pub const ORCH_OUTCOME_RETRYABLE: u32 = 1;

/// What came of one operation.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OrchOutcome {
    /// Bytes of this struct: ORCH_INIT sets it.
    pub size: usize,
    /// The operation's place in its batch, counted from 0.
    pub at: u32,
    /// An ORCH_OUTCOME_ kind.
    pub kind: u32,
    /// ORCH_OUTCOME_RETRYABLE or 0.
    pub flags: u32,
    /// A process's number; 0 where there is none.
    pub pid: u32,
    /// A session's number.
    pub session: u64,
    /// What the server's program answered. Valid until the next call on this handle.
    pub data: OrchBytes,
    /// Why it was refused, by name, as "no_session". Valid forever.
    pub code: OrchBytes,
    /// The same for people: UTF-8. Valid until the next call on this handle.
    pub message: OrchBytes,
    /// What is known of a session. Valid until the next call on this handle.
    pub info: *const OrchSessionInfo,
}

// SAFETY: numbers and pointers.
unsafe impl Growing for OrchOutcome {
    const NAME: &'static str = "OrchOutcome";
}

/// What a server knows of a session.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OrchSessionInfo {
    /// Bytes of this struct, as the library knows it.
    pub size: usize,
    /// ORCH_SESSION_ENDED or 0.
    pub flags: u32,
    /// How many watch it.
    pub viewers: u32,
    /// Its number.
    pub session: u64,
    /// Bytes of output so far.
    pub output_end: u64,
    /// How long ago it was started, in nanoseconds.
    pub age_ns: u64,
    /// What it is called: UTF-8, perhaps empty. Valid as long as this struct.
    pub title: OrchBytes,
    /// The program, as it was asked for: UTF-8. Valid as long as this struct.
    pub program: OrchBytes,
    /// What the process returned; -1 where it was ended by a signal, nobody knows, or it runs.
    pub exit_code: i32,
    /// The system's number of the signal that ended it; 0 where none did.
    pub exit_signal: i32,
    /// The terminal's size.
    pub window: OrchSize,
}

impl From<&SessionInfo> for OrchSessionInfo {
    /// Points into `info`.
    fn from(info: &SessionInfo) -> OrchSessionInfo {
        let (exit_code, exit_signal) = info.status.map_or((-1, 0), code_and_signal);
        OrchSessionInfo {
            size: size_of::<OrchSessionInfo>(),
            flags: info.status.map_or(0, |_| ORCH_SESSION_ENDED),
            viewers: info.viewers,
            session: info.session,
            output_end: info.end,
            age_ns: u64::try_from(Duration::from_millis(info.age_ms).as_nanos()).unwrap_or(u64::MAX),
            title: info.title.as_bytes().into(),
            program: info.program.as_bytes().into(),
            exit_code,
            exit_signal,
            window: info.size.into(),
        }
    }
}

/// Outcomes that wait to be taken, and the one that was.
#[derive(Default)]
pub(crate) struct Outcomes {
    waiting: VecDeque<(u32, Outcome)>,
    /// What C points into.
    current: Option<Outcome>,
    info: Option<Box<OrchSessionInfo>>,
}

// SAFETY: the pointers in `info` lead into `current`, which goes where it goes.
unsafe impl Send for Outcomes {}

impl Outcomes {
    pub(crate) fn add(&mut self, results: &Results) {
        self.waiting.extend(results.outcomes());
    }

    /// The next one; what was lent of the one before is not any more.
    pub(crate) fn next(&mut self) -> Option<OrchOutcome> {
        let (at, outcome) = self.waiting.pop_front()?;
        self.info = None;
        let none = OrchOutcome {
            size: 0,
            at,
            kind: ORCH_OUTCOME_DONE,
            flags: 0,
            pid: 0,
            session: 0,
            data: OrchBytes::NONE,
            code: OrchBytes::NONE,
            message: OrchBytes::NONE,
            info: std::ptr::null(),
        };
        Some(match self.current.insert(outcome) {
            Ok(Some(Answer::Spawned { session, pid })) => {
                OrchOutcome { kind: ORCH_OUTCOME_SPAWNED, session: *session, pid: pid.unwrap_or(0), ..none }
            }
            Ok(Some(Answer::Session(info))) => {
                let lent: &OrchSessionInfo = self.info.insert(Box::new(OrchSessionInfo::from(&**info)));
                OrchOutcome { kind: ORCH_OUTCOME_SESSION, session: info.session, info: lent, ..none }
            }
            Ok(Some(Answer::Host(bytes))) => OrchOutcome { kind: ORCH_OUTCOME_HOST, data: (&bytes[..]).into(), ..none },
            Ok(_) => none,
            Err(fault) => OrchOutcome {
                kind: ORCH_OUTCOME_REFUSED,
                flags: if fault.code.is_retryable() { ORCH_OUTCOME_RETRYABLE } else { 0 },
                code: fault.code.as_str().as_bytes().into(),
                message: fault.message.as_bytes().into(),
                ..none
            },
        })
    }
}
