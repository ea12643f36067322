//! Batches of operations: which of them is carried out next, and what came of each.
//!
//! [`submit`](Operations::submit) takes a batch; [`next`](Operations::next) says what to carry out, [`finish`](Operations::finish) and its
//! sisters what came of it, and [`poll_told`](Operations::poll_told) what to tell whom. On one thing that operations work on, they are carried out
//! in the order in which they were submitted; otherwise a [`Scheduler`] decides, by class and by whose they are.
//!
//! Deliberately absent: how operations are carried out. That is for the [`Host`](super::Host).

mod entry;
mod known;
mod line;
mod operator;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::ConnectionId;
use crate::batch::{Class, Scheduler};
use crate::id::SessionId;
use crate::limits::{ASKERS_MAX, BATCH_KEY_BYTES_MAX, BATCHES_MAX, OPERATION_BYTES_MAX, OPERATIONS_MAX};
use crate::protocol::message::{Batch, ClientId, ErrorCode, Fault, Mode, Operation, Outcome, Results};
use crate::protocol::token::Role;
use crate::time::Time;
use entry::Entry;
use known::{Known, fingerprint};
use line::Lines;
pub(super) use operator::answer;
pub(crate) use operator::work;
pub use operator::{Operator, Operators, Run, Work};

/// Whose operations they are: each has an equal share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// The program that has the host in its own process.
    Local,
    /// A client.
    Client(ClientId),
}

/// Who is told what came of a batch, and under which number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker {
    /// Who.
    pub owner: Owner,
    /// The number of its request.
    pub number: u64,
    /// On which connection, where it is no local one.
    pub connection: Option<ConnectionId>,
}

/// One operation: a batch, and the place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Task {
    batch: u64,
    at: u32,
}

/// What operations share, so that one waits for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// A session.
    Session(SessionId),
    /// Something of the host's own: one of its operators' and the number that this one gave it.
    Host(u32, u64),
}

/// An operation to carry out now.
#[derive(Debug)]
pub struct Next {
    /// Which.
    pub task: Task,
    /// It.
    pub operation: Operation,
    /// What its owner may do.
    pub role: Role,
    /// Whose it is.
    pub owner: Owner,
    /// What it costs.
    pub cost: u64,
    /// How urgent its batch is.
    pub class: Class,
    /// Since when it waited for its turn.
    pub since: Time,
}

/// The batches of a host.
#[derive(Default)]
pub struct Operations {
    /// What the host has added.
    pub operators: Operators,
    scheduler: Scheduler<Owner, Task>,
    batches: BTreeMap<u64, Entry>,
    last: u64,
    lines: Lines,
    /// Those that can be asked for again.
    known: Known,
    /// When time is up for which.
    due: BTreeSet<(Time, u64)>,
    /// Of whom how much is not done.
    open: BTreeMap<Owner, Open>,
    /// Batches of which something is to be told.
    fresh: BTreeSet<u64>,
    told: VecDeque<(Asker, Results)>,
    is_closed: bool,
}

/// What of one owner is not done.
#[derive(Clone, Copy, Debug, Default)]
struct Open {
    batches: usize,
    bytes: usize,
}

impl Operations {
    /// Takes a batch of somebody with this `role`, or says what came so far of the same one. Nothing of it is carried out yet.
    ///
    /// # Errors
    /// Why nothing of it ever will be.
    pub fn submit(&mut self, asker: Asker, role: Role, batch: Batch, now: Time) -> Result<(), Fault> {
        if let Some(id) = self.known.numbered(asker.owner, asker.number)? {
            return self.ask_again(id, asker);
        }
        let print = batch.key.as_ref().map(|_| fingerprint(&batch));
        if let Some((id, same)) = batch.key.as_deref().and_then(|key| self.known.keyed(key, print.as_ref())) {
            let entry = self.batches.get(&id).filter(|_| same);
            let entry = entry.ok_or_else(|| Fault::new(ErrorCode::KeyInUse, "another batch has this key: take one of its own for each"))?;
            if role.at_most(entry.role) != entry.role {
                return Err(Fault::new(ErrorCode::Forbidden, "somebody who may do more has asked for this: connect with that link"));
            }
            self.ask_again(id, asker)?;
            self.known.number(asker, id);
            return Ok(());
        }
        let bytes = self.check(asker.owner, &batch)?;
        self.last += 1;
        let id = self.last;
        let open = self.open.entry(asker.owner).or_default();
        open.batches += 1;
        open.bytes += bytes;
        self.known.number(asker, id);
        if let (Some(key), Some(print)) = (batch.key.clone(), print) {
            self.known.key(key, print, id);
        }
        let due = batch.within_ms.map(|within| now + std::time::Duration::from_millis(within.into()));
        self.due.extend(due.map(|due| (due, id)));
        let count = batch.operations.len() as u32;
        self.batches.insert(id, Entry::new(asker, role, batch, bytes, due));
        for at in 0..count {
            self.queue(Task { batch: id, at }, now);
        }
        Ok(())
    }

    fn check(&self, owner: Owner, batch: &Batch) -> Result<usize, Fault> {
        let refuse = |code, message: String| Err(Fault::new(code, message));
        if self.is_closed {
            return refuse(ErrorCode::ShuttingDown, "the server ends: ask the next one".into());
        }
        let count = batch.operations.len();
        if count == 0 || count > OPERATIONS_MAX {
            return refuse(ErrorCode::BadRequest, format!("a batch has 1 to {OPERATIONS_MAX} operations, and this one {count}: split it"));
        }
        if batch.key.as_ref().is_some_and(|key| key.is_empty() || key.len() > BATCH_KEY_BYTES_MAX) {
            return refuse(ErrorCode::BadRequest, format!("a key has 1 to {BATCH_KEY_BYTES_MAX} bytes: take a hash of it"));
        }
        if batch.within_ms == Some(0) {
            return refuse(ErrorCode::Expired, "its time was over before it came: give it longer".into());
        }
        let open = self.open.get(&owner).copied().unwrap_or_default();
        if open.batches >= BATCHES_MAX {
            return refuse(ErrorCode::TooMany, format!("{BATCHES_MAX} batches are not done: wait for one"));
        }
        let bytes = batch.operations.iter().map(entry::bytes_of).sum::<usize>();
        if open.bytes + bytes > OPERATION_BYTES_MAX {
            let message = format!("{OPERATION_BYTES_MAX} bytes of operations may wait, and {} do: wait for some", open.bytes);
            return refuse(ErrorCode::Overloaded, message);
        }
        Ok(bytes)
    }

    /// Somebody asks for a batch that is there: tells what is known, and the rest when it is.
    fn ask_again(&mut self, id: u64, asker: Asker) -> Result<(), Fault> {
        if self.fresh.remove(&id) {
            self.tell(id);
        }
        let Some(entry) = self.batches.get_mut(&id) else { return Ok(()) };
        let same = |other: &Asker| (other.owner, other.number) == (asker.owner, asker.number);
        entry.askers.retain(|other| !same(other));
        if entry.askers.len() >= ASKERS_MAX {
            return Err(Fault::new(ErrorCode::TooMany, format!("{ASKERS_MAX} wait for this batch: ask when it is done")));
        }
        self.told.push_back((asker, Results { number: asker.number, more: entry.left > 0, ..entry.so_far() }));
        if entry.left > 0 {
            entry.askers.push(asker);
        }
        Ok(())
    }

    /// Calls off what has not begun of the batch that `owner` asked for under this number.
    pub fn cancel(&mut self, owner: Owner, number: u64, now: Time) {
        if let Ok(Some(id)) = self.known.numbered(owner, number) {
            self.end(id, &Fault::new(ErrorCode::Cancelled, "it was called off before it began"), now);
        }
    }

    /// No more is carried out.
    pub fn close(&mut self, now: Time) {
        let why = Fault::new(ErrorCode::ShuttingDown, "the server ends");
        let open: Vec<u64> = self.batches.iter().filter(|(_, entry)| entry.left > 0).map(|(id, _)| *id).collect();
        open.into_iter().for_each(|id| self.end(id, &why, now));
        self.is_closed = true;
    }

    /// A client will not come back: what it could ask for again is forgotten.
    pub fn forget_client(&mut self, client: ClientId) {
        for id in self.known.forget(client) {
            self.let_go(id);
        }
    }

    // ---- Carrying out ----

    /// What to carry out next; say what came of it.
    pub fn next(&mut self, now: Time) -> Option<Next> {
        loop {
            let task = self.scheduler.pop(now)?;
            let Some(entry) = self.batches.get_mut(&task.batch) else { continue };
            // It may have been called off, or hurried and begun by another entry of the queue.
            if let Some((operation, cost, since)) = entry.begin(task.at) {
                let (role, owner, class) = (entry.role, entry.asker.owner, entry.class);
                return Some(Next { task, operation, role, owner, cost, class, since });
            }
        }
    }

    /// Whether nothing can be carried out now.
    pub fn is_idle(&self) -> bool {
        self.scheduler.is_empty()
    }

    /// It ended.
    pub fn finish(&mut self, task: Task, outcome: Outcome, now: Time) {
        let Some(entry) = self.batches.get_mut(&task.batch) else { return };
        let Some(resource) = entry.finish(task.at, outcome) else { return };
        let refused_all = entry.mode == Mode::StopOnError && entry.has_refused();
        self.fresh.insert(task.batch);
        self.advance(resource, now);
        if refused_all {
            self.end(task.batch, &Fault::new(ErrorCode::Skipped, "one before it was refused"), now);
        } else if let Some(at) = self.batches.get_mut(&task.batch).and_then(Entry::step) {
            self.start(Task { batch: task.batch, at }, now);
        }
    }

    /// It cannot go on before [`wake`](Operations::wake) is called for its session; this is what is left to do.
    pub fn block(&mut self, task: Task, rest: Operation) {
        if let Some(entry) = self.batches.get_mut(&task.batch) {
            entry.block(task.at, rest);
        }
    }

    /// Something of `session` has changed, for which operations may have waited.
    pub fn wake(&mut self, session: SessionId, now: Time) {
        if let Some(task) = self.lines.first(Resource::Session(session))
            && self.batches.get_mut(&task.batch).is_some_and(|entry| entry.unblock(task.at, now))
        {
            self.schedule(task, now);
        }
    }

    /// Time has passed. Harmless when early.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some((_, id)) = self.due.first().copied().filter(|(due, _)| *due <= now) {
            self.due.pop_first();
            self.end(id, &Fault::new(ErrorCode::Expired, "its time was over before it began: give it longer"), now);
        }
    }

    /// When to come back, if nothing happens before.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.due.first().map(|(due, _)| *due)
    }

    /// The next to be told what came of a batch.
    pub fn poll_told(&mut self) -> Option<(Asker, Results)> {
        while self.told.is_empty()
            && let Some(id) = self.fresh.pop_first()
        {
            self.tell(id);
        }
        self.told.pop_front()
    }

    // ---- Within ----

    /// Has `task` wait for its turn on what it works on.
    fn queue(&mut self, task: Task, now: Time) {
        let Operations { operators, batches, lines, .. } = self;
        let Some(entry) = batches.get_mut(&task.batch) else { return };
        let resource = match entry.resource(task.at, operators) {
            Ok(resource) => resource,
            Err(fault) => return self.finish(task, Err(fault), now),
        };
        let is_first = resource.is_none_or(|resource| lines.join(resource, task, entry.class));
        if is_first {
            self.start(task, now);
        } else if let Some((first, class)) = resource.and_then(|resource| self.lines.hurried(resource)) {
            // Whoever is before it is waited for by something more urgent.
            if self.batches.get_mut(&first.batch).is_some_and(|entry| entry.hurry(first.at, class)) {
                self.schedule(first, now);
            }
        }
    }

    /// Has `task` carried out in its turn, if it is the first on what it works on and its batch has come to it.
    fn start(&mut self, task: Task, now: Time) {
        let Some(entry) = self.batches.get_mut(&task.batch) else { return };
        let class = match entry.resource_of(task.at) {
            None => entry.class,
            Some(resource) => match self.lines.hurried(resource) {
                Some((first, class)) if first == task => class,
                _ => return,
            },
        };
        if entry.ready(task.at, class, now) {
            self.schedule(task, now);
        }
    }

    fn schedule(&mut self, task: Task, now: Time) {
        let Some(entry) = self.batches.get(&task.batch) else { return };
        let (class, cost) = entry.urgency(task.at);
        self.scheduler.push(class, entry.asker.owner, cost, task, now);
    }

    /// The first on `resource` has ended.
    fn advance(&mut self, resource: Option<Resource>, now: Time) {
        let Some(resource) = resource else { return };
        let ended = |task: Task| self.batches.get(&task.batch).is_none_or(|entry| entry.has_ended(task.at));
        if let Some(next) = self.lines.advance(resource, ended) {
            self.start(next, now);
        }
    }

    /// What has not begun of a batch is not carried out.
    fn end(&mut self, id: u64, why: &Fault, now: Time) {
        let Some(entry) = self.batches.get_mut(&id).filter(|entry| entry.left > 0) else { return };
        let resources = entry.end(why);
        self.fresh.insert(id);
        for resource in resources {
            self.advance(Some(resource), now);
        }
    }

    fn tell(&mut self, id: u64) {
        let Some(entry) = self.batches.get_mut(&id) else { return };
        let is_over = entry.left == 0;
        let results = entry.take_fresh();
        if !results.is_empty() {
            let told = entry.askers.iter().map(|asker| (*asker, Results { number: asker.number, more: !is_over, ..results.clone() }));
            self.told.extend(told);
        }
        if !is_over {
            return;
        }
        entry.askers = Vec::new();
        let (owner, bytes, kept) = (entry.asker.owner, entry.bytes, entry.kept_bytes());
        if let Some(due) = entry.due {
            self.due.remove(&(due, id));
        }
        if let Some(open) = self.open.get_mut(&owner) {
            open.batches -= 1;
            open.bytes -= bytes;
            if open.batches == 0 {
                self.open.remove(&owner);
            }
        }
        for forgotten in self.known.done(id, kept) {
            self.let_go(forgotten);
        }
    }

    /// Nobody can ask for a batch any more; what is not done of it goes on.
    fn let_go(&mut self, id: u64) {
        if self.batches.get(&id).is_some_and(|entry| entry.left == 0) {
            self.batches.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests;
