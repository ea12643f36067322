//! One batch: how far each of its operations has got, and what of that was told.

use std::collections::BTreeSet;

use super::{Asker, Operators, Resource};
use crate::batch::Class;
use crate::id::SessionId;
use crate::limits::{ANSWERS_BYTES_MAX, OPERATION_COST, SPAWN_COST};
use crate::protocol::message::{Answer, Batch, ErrorCode, Fault, Mode, Operation, Outcome, Refused, Results, SessionInfo};
use crate::protocol::token::Role;
use crate::time::Time;

/// A batch.
pub(super) struct Entry {
    /// Who asked first.
    pub(super) asker: Asker,
    /// What that one may do.
    pub(super) role: Role,
    pub(super) mode: Mode,
    pub(super) class: Class,
    pub(super) due: Option<Time>,
    /// Bytes of its operations.
    pub(super) bytes: usize,
    /// Operations that have not ended.
    pub(super) left: usize,
    /// Who is told.
    pub(super) askers: Vec<Asker>,
    slots: Vec<Slot>,
    /// Where each waits for the one before it: the first that has not ended.
    next: u32,
    has_refused: bool,
    kept_bytes: usize,
    /// What was told, for who asks again; and what was not.
    told: Results,
    fresh: Results,
}

/// One of its operations.
struct Slot {
    operation: Option<Operation>,
    resource: Option<Resource>,
    cost: u64,
    class: Class,
    state: State,
    /// Since when it could be carried out.
    since: Time,
}

/// How far it has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Others come first.
    Waiting,
    /// It is carried out in its turn.
    Ready,
    /// It is being carried out.
    Begun,
    /// It has begun, and cannot go on now.
    Blocked,
    /// It is over.
    Ended,
}

impl Entry {
    pub(super) fn new(asker: Asker, role: Role, batch: Batch, bytes: usize, due: Option<Time>) -> Entry {
        let slot = |operation| {
            let cost = cost_of(&operation);
            Slot { operation: Some(operation), resource: None, cost, class: batch.class, state: State::Waiting, since: Time::ZERO }
        };
        let slots: Vec<Slot> = batch.operations.into_iter().map(slot).collect();
        Entry {
            asker,
            role,
            mode: batch.mode,
            class: batch.class,
            due,
            bytes,
            left: slots.len(),
            askers: vec![asker],
            slots,
            next: 0,
            has_refused: false,
            kept_bytes: 0,
            told: Results::default(),
            fresh: Results::default(),
        }
    }

    fn slot(&mut self, at: u32) -> &mut Slot {
        &mut self.slots[at as usize]
    }

    /// What the operation works on, found out now.
    ///
    /// # Errors
    /// Where that cannot be found out.
    pub(super) fn resource(&mut self, at: u32, operators: &Operators) -> Result<Option<Resource>, Fault> {
        let slot = self.slot(at);
        match &slot.operation {
            Some(Operation::Host { name, body }) => (slot.resource, slot.cost) = operators.place(name, body, slot.cost)?,
            Some(operation) => slot.resource = session_of(operation).map(Resource::Session),
            None => {} // It has ended, with one before it.
        }
        Ok(slot.resource)
    }

    /// What it works on, as it was found out.
    pub(super) fn resource_of(&self, at: u32) -> Option<Resource> {
        self.slots[at as usize].resource
    }

    /// It is the first on what it works on, which something of `class` waits for. Answers whether it shall have its turn now.
    pub(super) fn ready(&mut self, at: u32, class: Class, now: Time) -> bool {
        let is_next = self.mode == Mode::Parallel || self.next == at;
        let slot = self.slot(at);
        let goes = is_next && slot.state == State::Waiting;
        if goes {
            (slot.state, slot.class, slot.since) = (State::Ready, slot.class.min(class), now);
        }
        goes
    }

    /// Something of `class` waits for it. Answers whether that is more urgent than it was.
    pub(super) fn hurry(&mut self, at: u32, class: Class) -> bool {
        let slot = self.slot(at);
        let is_hurried = slot.state == State::Ready && class < slot.class;
        slot.class = slot.class.min(class);
        is_hurried
    }

    /// How urgent it is, and what it costs.
    pub(super) fn urgency(&self, at: u32) -> (Class, u64) {
        let slot = &self.slots[at as usize];
        (slot.class, slot.cost)
    }

    /// It is carried out now, if it is its turn: it, what it costs, and since when it waited.
    pub(super) fn begin(&mut self, at: u32) -> Option<(Operation, u64, Time)> {
        let slot = self.slot(at);
        if slot.state != State::Ready {
            return None;
        }
        slot.state = State::Begun;
        Some((slot.operation.take()?, slot.cost, slot.since))
    }

    /// It cannot go on.
    pub(super) fn block(&mut self, at: u32, rest: Operation) {
        let slot = self.slot(at);
        (slot.state, slot.operation) = (State::Blocked, Some(rest));
    }

    /// Perhaps it can. Answers whether it could not.
    pub(super) fn unblock(&mut self, at: u32, now: Time) -> bool {
        let slot = self.slot(at);
        let was_blocked = slot.state == State::Blocked;
        if was_blocked {
            (slot.state, slot.since) = (State::Ready, now);
        }
        was_blocked
    }

    /// It ended. Answers what it worked on; `None` where it had ended before.
    pub(super) fn finish(&mut self, at: u32, outcome: Outcome) -> Option<Option<Resource>> {
        let slot = self.slot(at);
        if slot.state == State::Ended {
            return None;
        }
        (slot.state, slot.operation) = (State::Ended, None);
        let resource = slot.resource;
        let outcome = self.bounded(outcome);
        self.has_refused |= outcome.is_err();
        self.left -= 1;
        self.fresh.add(at, outcome);
        Some(resource)
    }

    /// An answer that is too long to be kept beside the others is not told.
    fn bounded(&mut self, outcome: Outcome) -> Outcome {
        let bytes = kept_bytes(&outcome);
        if outcome.is_ok() && self.kept_bytes + bytes > ANSWERS_BYTES_MAX {
            let message = "it was carried out; its answer is too much beside the others of its batch: ask for less at a time";
            return Err(Fault::new(ErrorCode::TooMany, message));
        }
        self.kept_bytes += bytes;
        outcome
    }

    /// Bytes of what came of its operations.
    pub(super) fn kept_bytes(&self) -> usize {
        self.kept_bytes
    }

    pub(super) fn has_ended(&self, at: u32) -> bool {
        self.slots[at as usize].state == State::Ended
    }

    pub(super) fn has_refused(&self) -> bool {
        self.has_refused
    }

    /// One has ended: where each waits for the one before it, which is next.
    pub(super) fn step(&mut self) -> Option<u32> {
        if self.mode == Mode::Parallel {
            return None;
        }
        while self.slots.get(self.next as usize).is_some_and(|slot| slot.state == State::Ended) {
            self.next += 1;
        }
        ((self.next as usize) < self.slots.len()).then_some(self.next)
    }

    /// What has not begun never will. Answers what was waited for.
    pub(super) fn end(&mut self, why: &Fault) -> BTreeSet<Resource> {
        let mut resources = BTreeSet::new();
        for at in 0..self.slots.len() as u32 {
            let slot = self.slot(at);
            if !matches!(slot.state, State::Waiting | State::Ready | State::Blocked) {
                continue;
            }
            let typed = slot.operation.as_ref().map_or(0, |rest| slot.cost.saturating_sub(cost_of(rest)));
            let fault = match typed {
                0 => why.clone(),
                _ => Fault::new(why.code, format!("{}, but for {typed} bytes that were typed", why.message)),
            };
            resources.extend(self.finish(at, Err(fault)).flatten());
        }
        resources
    }

    /// What was not told yet; it counts as told.
    pub(super) fn take_fresh(&mut self) -> Results {
        let fresh = std::mem::take(&mut self.fresh);
        self.told.extend(fresh.clone());
        fresh
    }

    /// All that was told.
    pub(super) fn so_far(&self) -> Results {
        self.told.clone()
    }
}

/// What carrying it out costs.
fn cost_of(operation: &Operation) -> u64 {
    match operation {
        Operation::Spawn(_) => SPAWN_COST,
        Operation::Input { bytes, .. } => OPERATION_COST + bytes.len() as u64,
        _ => OPERATION_COST,
    }
}

/// Bytes that it takes to remember what came of an operation.
fn kept_bytes(outcome: &Outcome) -> usize {
    match outcome {
        Ok(None) => size_of::<(u32, u32)>(),
        Ok(Some(Answer::Host(bytes))) => size_of::<Answer>() + bytes.len(),
        Ok(Some(Answer::Session(info))) => size_of::<Answer>() + size_of::<SessionInfo>() + info.title.len() + info.program.len(),
        Ok(Some(_)) => size_of::<Answer>(),
        Err(fault) => size_of::<Refused>() + fault.message.len(),
    }
}

/// Bytes that it takes while it waits.
pub(super) fn bytes_of(operation: &Operation) -> usize {
    let own = match operation {
        Operation::Spawn(spawn) => {
            let env = spawn.env.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, String::len));
            let texts = [&spawn.program, &spawn.cwd].into_iter().flatten().chain(&spawn.args).map(String::len);
            texts.chain(env).sum::<usize>() + spawn.title.len()
        }
        Operation::Input { bytes, .. } | Operation::Host { body: bytes, .. } => bytes.len(),
        Operation::Control { act: crate::protocol::message::Act::Title(title), .. } => title.len(),
        _ => 0,
    };
    own + size_of::<Slot>()
}

fn session_of(operation: &Operation) -> Option<SessionId> {
    match operation {
        Operation::Spawn(_) | Operation::Host { .. } => None,
        Operation::Input { session, .. }
        | Operation::Resize { session, .. }
        | Operation::Control { session, .. }
        | Operation::Close { session, .. }
        | Operation::Query { session } => Some(SessionId::from_raw(*session)),
    }
}
