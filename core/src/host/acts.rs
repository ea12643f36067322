//! What can be done to sessions, whoever asks for it: over a stream of one's own, or as an operation.

use std::time::Duration;

use super::operations::{Next, Run, Work, answer};
use super::{Host, Known, LaneId, Notice, Owner, Terminals};
use crate::id::SessionId;
use crate::limits::{QUANTUM_COST, TITLE_CHARS_MAX};
use crate::protocol::label;
use crate::protocol::message::{Act, Answer, ErrorCode, Fault, Operation, Outcome, SessionInfo, Spawn};
use crate::protocol::token::Role;
use crate::session::WriteError;
use crate::time::Time;

/// How far an operation has got.
enum Progress {
    Ended(Outcome),
    /// It waits for its session; this is left.
    Waits(Operation),
    Works(Work),
}

impl From<Outcome> for Progress {
    fn from(outcome: Outcome) -> Self {
        Progress::Ended(outcome)
    }
}

impl Host {
    // ---- Operations ----

    /// Carries out what is next, until as much was done as is at a time. Answers whether there is more: come back at once, after others had
    /// their turn.
    pub fn run_operations(&mut self, terminals: &mut dyn Terminals, now: Time) -> bool {
        self.operations.handle_timeout(now);
        let mut done = 0;
        while done < QUANTUM_COST {
            let Some(Next { task, operation, role, owner, cost, class, since }) = self.operations.next(now) else { return false };
            done += cost;
            self.metrics.waited(class.urgency(), now - since);
            match self.carry_out(operation, role, owner, terminals, now) {
                Progress::Ended(outcome) => self.operations.finish(task, outcome, now),
                Progress::Waits(rest) => self.operations.block(task, rest),
                Progress::Works(work) => self.works.push_back((task, work)),
            }
        }
        !self.operations.is_idle()
    }

    fn carry_out(&mut self, operation: Operation, role: Role, owner: Owner, terminals: &mut dyn Terminals, now: Time) -> Progress {
        match operation {
            Operation::Spawn(spawn) => self.spawn_unwatched(&spawn, role, terminals, now).into(),
            Operation::Input { session, bytes, urgent } => {
                match self.type_in(SessionId::from_raw(session), &bytes, urgent, role, owner, terminals) {
                    Ok(accepted) if accepted < bytes.len() => {
                        Progress::Waits(Operation::Input { session, bytes: bytes.slice(accepted..), urgent })
                    }
                    Ok(_) => {
                        if urgent {
                            self.tell(SessionId::from_raw(session), &Notice::Interrupted);
                        }
                        Ok(None).into()
                    }
                    Err(fault) => Err(fault).into(),
                }
            }
            Operation::Resize { session, size } => {
                let session = self.open_to(session, role.types(), "change sizes", Role::Writer);
                session.and_then(|session| terminals.resize(session, size).map_err(|error| refused(&error))).map(|_| None).into()
            }
            Operation::Control { session, act } => {
                let session = self.open_to(session, role.types(), "change sessions", Role::Writer);
                session.and_then(|session| self.control(session, act, None, terminals)).map(|()| None).into()
            }
            Operation::Close { session, grace_ms } => {
                let session = self.open_to(session, role.owns(), "end sessions", Role::Owner);
                session.map(|session| terminals.close(session, Duration::from_millis(grace_ms.into()))).map(|()| None).into()
            }
            Operation::Query { session } => {
                let session = self.open_to(session, role.watches(), "watch sessions", Role::Viewer);
                session.map(|session| self.info(session, terminals, now).map(|info| Answer::Session(Box::new(info)))).into()
            }
            Operation::Host { name, body } => match self.operations.operators.run(&name, body, role) {
                Ok(Run::Done(result)) => answer(result).into(),
                Ok(Run::Work(work)) => Progress::Works(work),
                Err(fault) => Err(fault).into(),
            },
        }
    }

    /// The session of this number, for somebody who may do `what` to it.
    fn open_to(&self, number: u64, may: bool, what: &str, needed: Role) -> Result<SessionId, Fault> {
        if !may {
            return Err(forbidden(what, needed));
        }
        let session = SessionId::from_raw(number);
        self.sessions.get(&session).map(|_| session).ok_or_else(|| no_session(number))
    }

    fn spawn_unwatched(&mut self, spawn: &Spawn, role: Role, terminals: &mut dyn Terminals, now: Time) -> Outcome {
        if !role.owns() {
            return Err(forbidden("start programs", Role::Owner));
        }
        let (session, pid) = self.spawn(spawn, terminals, now)?;
        Ok(Some(Answer::Spawned { session: session.as_raw(), pid }))
    }

    /// Types; answers how much was accepted, which is less where there is no room now.
    fn type_in(
        &mut self,
        session: SessionId,
        bytes: &[u8],
        urgent: bool,
        role: Role,
        owner: Owner,
        terminals: &mut dyn Terminals,
    ) -> Result<usize, Fault> {
        if !role.types() {
            return Err(forbidden("type", Role::Writer));
        }
        let known = self.sessions.get_mut(&session).ok_or_else(|| no_session(session.as_raw()))?;
        // What it typed on a stream before, and waits there for room, comes first.
        if matches!(owner, Owner::Client(client) if known.inputs.waits_since(client).is_some()) {
            return Ok(0);
        }
        let mut accepted = 0;
        while accepted < bytes.len() {
            match terminals.write(session, &bytes[accepted..], urgent) {
                Ok(count) => {
                    accepted += count;
                    known.inputs.pass(count);
                }
                Err(WriteError::Full { .. } | WriteError::EventsUntaken { .. }) => break,
                Err(error) => return Err(refused(&error)),
            }
        }
        Ok(accepted)
    }

    // ---- What streams ask for, too ----

    /// Starts a program; answers its session, and its process where that has a number.
    ///
    /// # Errors
    /// Why it was not started.
    pub fn spawn(&mut self, spawn: &Spawn, terminals: &mut dyn Terminals, now: Time) -> Result<(SessionId, Option<u32>), Fault> {
        let size = spawn.size.unwrap_or_default();
        let started = terminals.spawn(spawn, size).map_err(|refusal| Fault::new(refusal.code, refusal.message))?;
        let (program, title) = (label::clean(&started.program, TITLE_CHARS_MAX), label::clean(&spawn.title, TITLE_CHARS_MAX));
        let mut known = Known::new(program, title, size, now);
        known.secret = spawn.secret;
        self.add(started.session, known);
        Ok((started.session, started.pid))
    }

    /// Clears, resets, names or signals a session for somebody at `lane`; everybody else who watches is told.
    ///
    /// # Errors
    /// Why nothing was done.
    pub fn control(&mut self, session: SessionId, act: Act, lane: Option<LaneId>, terminals: &mut dyn Terminals) -> Result<(), Fault> {
        let told = match act {
            Act::Signal { name, to } => return terminals.signal(session, name, to).map_err(|error| refused(&error)),
            Act::Title(title) => {
                let title = label::clean(&title, TITLE_CHARS_MAX);
                if let Some(known) = self.sessions.get_mut(&session) {
                    known.title.clone_from(&title);
                }
                Act::Title(title)
            }
            Act::Clear => {
                let end = terminals.range(session).end;
                if let Some(known) = self.sessions.get_mut(&session) {
                    known.cleared = end;
                }
                Act::Clear
            }
            Act::Reset => Act::Reset,
        };
        self.tell_but(session, lane, &Notice::Control(told));
        Ok(())
    }

    /// What is told of a session.
    pub fn info(&self, session: SessionId, terminals: &dyn Terminals, now: Time) -> Option<SessionInfo> {
        let known = self.sessions.get(&session)?;
        Some(SessionInfo {
            session: session.as_raw(),
            title: known.title.clone(),
            program: known.program.clone(),
            size: known.size,
            age_ms: u64::try_from((now - known.started).as_millis()).unwrap_or(u64::MAX).min(crate::limits::NUMBER_MAX),
            end: terminals.range(session).end,
            viewers: u32::try_from(known.watchers().len()).unwrap_or(u32::MAX),
            status: known.status,
        })
    }
}

fn forbidden(what: &str, needed: Role) -> Fault {
    Fault::new(ErrorCode::Forbidden, format!("to {what} one must be {needed}: connect with that link"))
}

fn no_session(number: u64) -> Fault {
    Fault::new(ErrorCode::NoSession, format!("there is no session {number}: List tells which there are"))
}

fn refused(error: &WriteError) -> Fault {
    let code = match error {
        WriteError::LineTooLong { .. } => ErrorCode::LineTooLong,
        WriteError::Closed | WriteError::Forked => ErrorCode::Ended,
        _ => ErrorCode::System,
    };
    Fault::new(code, explain(error))
}

/// An error with its sources, for people.
pub(crate) fn explain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
