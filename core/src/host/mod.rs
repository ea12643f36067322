//! What all connections of one server share: who its clients are, which sessions there are, and what was typed into them.
//!
//! A [`Host`] is told what happened and what time it is. It owns no descriptor and reads no clock; what it needs of terminals it
//! asks through [`Terminals`], which a driver implements over real sessions and a test over pretended ones. What
//! one connection's doing means to the others becomes [notices](Host::poll_notice) to them.
//!
//! Deliberately absent: connections. Each has a machine of its own, in [`crate::peer`].

mod acts;
mod clients;
mod inputs;
mod notice;
mod operations;
mod sessions;
mod terminals;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub(crate) use acts::explain;
pub use clients::{Client, Clients, Parked};
pub use inputs::{Arrival, Inbox, Settled};
pub use notice::Notice;
pub(crate) use operations::work;
pub use operations::{Asker, Next, Operations, Operator, Operators, Owner, Resource, Run, Task, Work};
pub use sessions::{Known, SizePolicy, Watcher};
pub use terminals::{Started, Terminals};

use crate::id::SessionId;
use crate::limits::{ENDED_KEPT, PACK_FROM};
use crate::metrics::{Hop, Metrics};
use crate::protocol::frame::StreamId;
use crate::protocol::message::{Batch, ClientId, ErrorCode, Exited, Fault, Input, InstanceId, Results, ServerLimits};
use crate::protocol::token::{Role, Token};
use crate::session::EventKind;
use crate::time::Time;
use bytes::Bytes;

/// One connection of this run of the server; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// One stream of one connection: somebody who watches a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId {
    /// The connection.
    pub connection: ConnectionId,
    /// Its stream.
    pub stream: StreamId,
}

/// What a server may choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostOptions {
    /// What clients are told of its limits, and held to.
    pub limits: ServerLimits,
    /// Whose window decides a terminal's size.
    pub sizes: SizePolicy,
    /// How long a session that has ended can still be watched, after the last who did so left.
    pub ended_kept: Duration,
    /// Round trip of the handshake, and of output since, from which a client's output is packed; `Duration::MAX`: never.
    pub pack_from: Duration,
    /// Software and version, for the other side's logs.
    pub agent: String,
}

impl Default for HostOptions {
    fn default() -> Self {
        HostOptions {
            limits: ServerLimits::default(),
            sizes: SizePolicy::default(),
            ended_kept: ENDED_KEPT,
            pack_from: PACK_FROM,
            agent: concat!("orchflow/", env!("CARGO_PKG_VERSION")).into(),
        }
    }
}

/// The state that connections share.
pub struct Host {
    /// This run of the server.
    pub instance: InstanceId,
    /// Its secret.
    pub token: Token,
    /// What it was told to be like.
    pub options: HostOptions,
    /// Who has been here.
    pub clients: Clients,
    sessions: BTreeMap<SessionId, Known>,
    notices: VecDeque<(LaneId, Notice)>,
    /// Operations of all of them.
    operations: Operations,
    /// What is to be done elsewhere.
    works: VecDeque<(Task, Work)>,
    /// What came of operations that were asked for within this process.
    local: VecDeque<(u64, Results)>,
    refusals: BTreeMap<ErrorCode, u64>,
    /// Shared once by each context that output is packed with.
    pub(crate) packers: Arc<()>,
    /// What is counted of the ways of input and output.
    pub metrics: Arc<Metrics>,
}

impl Host {
    /// A server's, with no client and no session.
    pub fn new(instance: InstanceId, token: Token, options: HostOptions) -> Host {
        Host {
            instance,
            token,
            options,
            clients: Clients::default(),
            sessions: BTreeMap::new(),
            notices: VecDeque::new(),
            operations: Operations::default(),
            works: VecDeque::new(),
            local: VecDeque::new(),
            refusals: BTreeMap::new(),
            packers: Arc::default(),
            metrics: Arc::default(),
        }
    }

    // ---- Sessions ----

    /// A session was started.
    pub fn add(&mut self, session: SessionId, known: Known) {
        self.sessions.insert(session, known);
    }

    /// What is known of a session.
    pub fn session(&self, session: SessionId) -> Option<&Known> {
        self.sessions.get(&session)
    }

    /// The same, to be changed.
    pub fn session_mut(&mut self, session: SessionId) -> Option<&mut Known> {
        self.sessions.get_mut(&session)
    }

    /// All of them, oldest first.
    pub fn sessions(&self) -> impl Iterator<Item = (SessionId, &Known)> {
        self.sessions.iter().map(|(id, known)| (*id, known))
    }

    /// Forgets sessions that ended long ago and that nobody watches; returns them, for the driver to let go.
    pub fn forget_ended(&mut self, now: Time) -> Vec<SessionId> {
        let kept = self.options.ended_kept;
        let over = |known: &Known| known.unwanted_since().is_some_and(|since| now - since >= kept);
        let gone: Vec<SessionId> = self.sessions.iter().filter(|(_, known)| over(known)).map(|(id, _)| *id).collect();
        for session in &gone {
            self.sessions.remove(session);
        }
        gone
    }

    /// When [`forget_ended`](Host::forget_ended) or [`run_operations`](Host::run_operations) is due next.
    pub fn poll_timeout(&self) -> Option<Time> {
        let forgetting = self.sessions.values().filter_map(Known::unwanted_since).min().map(|since| since + self.options.ended_kept);
        forgetting.into_iter().chain(self.operations.poll_timeout()).min()
    }

    /// Something happened to a session: those who watch it are told.
    pub fn handle_event(&mut self, session: SessionId, event: &EventKind, terminals: &mut dyn Terminals, now: Time) {
        match *event {
            EventKind::InputReady => {
                self.settle_all(session, terminals, now);
                self.operations.wake(session, now);
            }
            EventKind::InputDropped { from, to } => {
                let Some(known) = self.sessions.get_mut(&session) else { return };
                let dropped = known.inputs.dropped(from, to);
                for (client, dropped) in dropped {
                    self.tell_client(session, client, &Notice::InputDropped(dropped));
                }
            }
            EventKind::Resized { number, size } => {
                let Some(known) = self.sessions.get_mut(&session) else { return };
                known.size = size;
                self.tell(session, &Notice::Resized { number, size });
            }
            EventKind::ProcessExited(status) => {
                let offset = terminals.range(session).end;
                if let Some(known) = self.sessions.get_mut(&session) {
                    (known.status, known.exited) = (Some(status), Some(Exited { offset, status }));
                }
                self.tell(session, &Notice::ProcessExited { offset, status });
            }
            EventKind::Exit(exit) => {
                if let Some(known) = self.sessions.get_mut(&session) {
                    (known.status, known.ended) = (Some(exit.status), Some(now));
                }
                self.settle_all(session, terminals, now);
                self.operations.wake(session, now);
            }
            EventKind::Output | EventKind::ViewerDemoted => {}
        }
    }

    // ---- Input ----

    /// Input of `client` to `session` has come: takes it, and hands it over if there is room.
    pub fn arrive(&mut self, session: SessionId, client: ClientId, input: &Input, terminals: &mut dyn Terminals, now: Time) -> Arrival {
        let Some(known) = self.sessions.get_mut(&session) else { return Arrival::Void };
        let arrival = known.inputs.of(client).arrive(input, self.options.limits.input, now);
        if arrival == Arrival::New {
            self.settle(session, client, terminals, now);
        }
        arrival
    }

    /// A session has room again, or never will: everybody's input is handed over.
    fn settle_all(&mut self, session: SessionId, terminals: &mut dyn Terminals, now: Time) {
        let waiting = self.sessions.get(&session).map(|known| known.inputs.waiting()).unwrap_or_default();
        for client in waiting {
            self.settle(session, client, terminals, now);
        }
    }

    fn settle(&mut self, session: SessionId, client: ClientId, terminals: &mut dyn Terminals, now: Time) {
        while let Some(known) = self.sessions.get_mut(&session)
            && let since = known.inputs.waits_since(client)
            && let Some(settled) = known.inputs.settle(client, |bytes, urgent| terminals.write(session, bytes, urgent))
        {
            if let Some(since) = since.filter(|_| settled.refused.is_none()) {
                self.metrics.hop(Hop::Accept, now - since);
            }
            self.tell_client(session, client, &Notice::Settled(settled));
        }
    }

    /// `connection` is gone, and `client` with it unless it has come on another. Whoever left longest ago may be forgotten for it.
    pub fn leave_client(&mut self, client: ClientId, connection: ConnectionId, now: Time) {
        if let Some(forgotten) = self.clients.leave(client, connection, now) {
            self.operations.forget_client(forgotten);
        }
    }

    // ---- Operations ----

    /// Somebody in this `role` asks for a batch: carry it out by [`run_operations`](Host::run_operations).
    ///
    /// # Errors
    /// Why nothing of it will be.
    pub fn submit(&mut self, asker: Asker, role: Role, batch: Batch, now: Time) -> Result<(), Fault> {
        self.operations.submit(asker, role, batch, now)
    }

    /// Begins no more of the batch that `owner` asked for under this number.
    pub fn cancel(&mut self, owner: Owner, number: u64, now: Time) {
        self.operations.cancel(owner, number, now);
    }

    /// Ends all operations that have not begun, and takes no more: the sessions are about to go.
    pub fn close_operations(&mut self, now: Time) {
        self.operations.close(now);
    }

    /// What this host adds to what can be asked for.
    pub fn operators(&mut self) -> &mut Operators {
        &mut self.operations.operators
    }

    /// When [`run_operations`](Host::run_operations) is due next, if nothing happens before.
    pub fn operations_due(&self) -> Option<Time> {
        self.operations.poll_timeout()
    }

    /// Work that takes long: have another thread do it, and [say](Host::handle_work) what came of it.
    pub fn poll_work(&mut self) -> Option<(Task, Work)> {
        self.works.pop_front()
    }

    /// The work for `task` is done.
    pub fn handle_work(&mut self, task: Task, result: Result<Bytes, Fault>, now: Time) {
        self.operations.finish(task, operations::answer(result), now);
    }

    /// What came of operations that [`Owner::Local`] has asked for, and under which number.
    pub fn poll_local(&mut self) -> Option<(u64, Results)> {
        self.pass_on_results();
        self.local.pop_front()
    }

    fn pass_on_results(&mut self) {
        while let Some((asker, results)) = self.operations.poll_told() {
            match asker.connection {
                Some(connection) => {
                    let lane = LaneId { connection, stream: StreamId::CONNECTION };
                    self.notices.push_back((lane, Notice::Results(Box::new(results))));
                }
                None => self.local.push_back((asker.number, results)),
            }
        }
    }

    // ---- Notices ----

    /// Somebody watches no longer, who was sent output up to `sent`.
    pub fn leave(&mut self, session: SessionId, lane: LaneId, sent: u64, terminals: &mut dyn Terminals, now: Time) {
        let Some(known) = self.sessions.get_mut(&session) else { return };
        known.leave(lane, sent, now);
        self.fit(session, terminals);
        self.tell(session, &Notice::Viewers);
    }

    /// Somebody at `lane` types: where the latest window counts, it is that one now.
    pub fn note_typing(&mut self, session: SessionId, lane: LaneId, terminals: &mut dyn Terminals) {
        if self.sessions.get_mut(&session).is_some_and(|known| known.take_turn(lane)) {
            self.fit(session, terminals);
        }
    }

    /// The windows of those who are there decide the size.
    pub fn fit(&mut self, session: SessionId, terminals: &mut dyn Terminals) {
        let Some(known) = self.sessions.get(&session) else { return };
        if let Some(size) = known.wanted(self.options.sizes).filter(|size| *size != known.size) {
            // Refused where the session has ended; its size is of no importance then.
            let _ended = terminals.resize(session, size);
        }
    }

    /// Tells one lane; on stream 0, a connection.
    pub fn notify(&mut self, lane: LaneId, notice: Notice) {
        self.notices.push_back((lane, notice));
    }

    /// Tells everybody who watches `session`.
    pub fn tell(&mut self, session: SessionId, notice: &Notice) {
        let Some(known) = self.sessions.get(&session) else { return };
        self.notices.extend(known.watchers().iter().map(|watcher| (watcher.lane, notice.clone())));
    }

    /// Tells everybody who watches `session` but `lane`, if that is one.
    pub fn tell_but(&mut self, session: SessionId, lane: Option<LaneId>, notice: &Notice) {
        let Some(known) = self.sessions.get(&session) else { return };
        let others = known.watchers().iter().filter(|watcher| Some(watcher.lane) != lane);
        self.notices.extend(others.map(|watcher| (watcher.lane, notice.clone())));
    }

    fn tell_client(&mut self, session: SessionId, client: ClientId, notice: &Notice) {
        let Some(known) = self.sessions.get(&session) else { return };
        let lanes = known.watchers().iter().filter(|watcher| watcher.client == client);
        self.notices.extend(lanes.map(|watcher| (watcher.lane, notice.clone())));
    }

    /// The next notice for somebody: hand it to that connection's machine.
    pub fn poll_notice(&mut self) -> Option<(LaneId, Notice)> {
        self.pass_on_results();
        self.notices.pop_front()
    }

    /// Silence after which a peer is asked whether it is still there.
    pub fn ping(&self) -> Duration {
        Duration::from_millis(self.options.limits.ping_ms.into())
    }

    // ---- Counters ----

    /// A request, some input or a connection was refused.
    pub fn count(&mut self, code: ErrorCode) {
        *self.refusals.entry(code).or_default() += 1;
    }

    /// How often each refusal was given.
    pub fn refusals(&self) -> &BTreeMap<ErrorCode, u64> {
        &self.refusals
    }
}
