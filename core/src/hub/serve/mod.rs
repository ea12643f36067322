//! Serving a hub's sessions to clients elsewhere: the driver of [`crate::peer`] and [`crate::host`].
//!
//! A [`Service`] holds what all connections share. For each connection its owner awaits [`Service::serve`] with a transport,
//! wherever its futures run; and once, [`Service::run`], which tells the connections what happens to sessions.
//!
//! One lock guards a service. It comes before every lock of the hub, and is never held while a transport is polled or a waker
//! called.

mod guarded;
mod link;
mod operations;
mod pool;
mod spawner;
mod table;
mod transport;
mod turns;

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use super::{Hub, Sleep};
use crate::host::{ConnectionId, Host, HostOptions, LaneId};
use crate::peer::server::{ServerPeer, World};
use crate::protocol::message::{ErrorCode, Goodbye, InstanceId};
use crate::protocol::token::Token;
use crate::pty::Command;
use crate::resilience::{BreakerState, Force};
use crate::session::{Event, SessionOptions};
use crate::time::Time;
use guarded::{Guarded, Wakers};
pub use link::Farewell;
use operations::Local;
pub use operations::Submitted;
use pool::Pool;
pub use table::Table;
pub use transport::{Framing, Transport};
use turns::Turns;

/// What a service is made of.
#[derive(Clone, Debug)]
pub struct ServiceOptions {
    /// Limits, and whose window counts.
    pub host: HostOptions,
    /// What runs in a session whose client names no program.
    pub command: Command,
    /// What sessions are like; their size is the client's choice.
    pub session: SessionOptions,
}

impl Default for ServiceOptions {
    fn default() -> Self {
        ServiceOptions { host: HostOptions::default(), command: Command::shell(), session: SessionOptions::default() }
    }
}

/// A server of one hub's sessions. Cheap to clone.
#[derive(Clone)]
pub struct Service {
    shared: Arc<Shared>,
}

/// A service that is not kept alive by this.
#[derive(Clone)]
pub struct WeakService {
    shared: Weak<Shared>,
}

impl WeakService {
    /// The service, if it is there still.
    pub fn upgrade(&self) -> Option<Service> {
        self.shared.upgrade().map(|shared| Service { shared })
    }
}

struct Shared {
    hub: Hub,
    state: Arc<Guarded<State>>,
}

/// What the lock guards.
struct State {
    host: Host,
    table: Table,
    links: BTreeMap<ConnectionId, Link>,
    connections: u64,
    /// No more connections: what each is told.
    closing: Option<Goodbye>,
    /// Wakes the task in [`Service::run`] when its deadline may have changed.
    runner: Option<Waker>,
    /// When that one will look by itself.
    armed: Option<Time>,
    /// Which of those who ask for a lot is heard.
    turns: Turns,
    /// Batches that were asked for within this process.
    locals: BTreeMap<u64, Local>,
    last_local: u64,
    /// What takes long is done here, and comes home to this state.
    pool: Pool,
    home: Weak<Guarded<State>>,
}

/// One connection, as others reach it.
struct Link {
    peer: ServerPeer,
    waker: Option<Waker>,
}

/// What a service counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceCounts {
    /// Connections at this moment, those that have not proved anything included.
    pub connections: usize,
    /// Of these, who is in.
    pub clients: usize,
    /// Connections that ever were.
    pub connections_total: u64,
    /// Sessions that can be watched.
    pub sessions: usize,
    /// Refusals by code.
    pub refusals: BTreeMap<ErrorCode, u64>,
    /// Whether programs are started now, or are not because the system failed at that again and again.
    pub spawn_breaker: BreakerState,
}

impl Service {
    /// Serves `hub`, which must [tell events](super::HubBuilder::events), to whoever holds `token`.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn new(hub: &Hub, token: Token, options: ServiceOptions) -> std::io::Result<Service> {
        let mut instance = [0; 16];
        fill_random(&mut instance)?;
        let mut host = Host::new(InstanceId::from_bytes(instance), token, options.host);
        host.metrics = Arc::clone(&hub.inner.core.metrics);
        let table = Table::new(hub.clone(), options.command, options.session);
        let state = Guarded::new(State {
            host,
            table,
            links: BTreeMap::new(),
            connections: 0,
            closing: None,
            runner: None,
            armed: None,
            turns: Turns::default(),
            locals: BTreeMap::new(),
            last_local: 0,
            pool: Pool::default(),
            home: Weak::new(),
        });
        state.lock().home = Arc::downgrade(&state);
        Ok(Service { shared: Arc::new(Shared { hub: hub.clone(), state }) })
    }

    /// Tells connections what happens to sessions, carries out operations, and lets go of sessions that ended long ago. Await it once,
    /// beside the connections; it does not end. It takes the hub's events: a host that wants them too has [`run_untold`](Service::run_untold).
    pub async fn run(&self) {
        let hub = &self.shared.hub;
        let mut event = Box::pin(hub.event());
        let listen = |cx: &mut Context<'_>, state: &mut State| {
            while let Poll::Ready(told) = event.as_mut().poll(cx) {
                state.handle_event(&told, hub.now());
                event.set(hub.event());
            }
        };
        self.run_with(listen).await;
    }

    /// The same for a host that takes the hub's events by itself, and [hands them over](Service::handle_event).
    pub async fn run_untold(&self) {
        self.run_with(|_, _| {}).await;
    }

    /// Something happened to a session of the hub, be it one of this service's or not.
    pub fn handle_event(&self, event: &Event) {
        self.shared.state.lock().handle_event(event, self.shared.hub.now());
    }

    async fn run_with(&self, mut listen: impl FnMut(&mut Context<'_>, &mut State)) {
        let hub = &self.shared.hub;
        let mut sleep: Option<Pin<Box<Sleep>>> = None;
        let mut wakers = Wakers::default();
        poll_fn(|cx| {
            let waker = wakers.of(cx.waker(), &self.shared.state);
            let cx = &mut Context::from_waker(waker);
            let mut state = self.shared.state.lock();
            listen(cx, &mut state);
            loop {
                state.forget_ended(hub.now());
                if state.turn(None, hub.now()) {
                    cx.waker().wake_by_ref(); // Others have their turn first.
                }
                state.runner = Some(waker.clone());
                state.armed = state.host.poll_timeout();
                sleep = state.armed.map(|at| Box::pin(hub.sleep_until(at)));
                match sleep.as_mut().map(|sleep| sleep.as_mut().poll(cx)) {
                    Some(Poll::Ready(())) => {}
                    _ => return Poll::<()>::Pending,
                }
            }
        })
        .await;
    }

    /// The same, for what the service itself keeps alive.
    pub fn downgrade(&self) -> WeakService {
        WeakService { shared: Arc::downgrade(&self.shared) }
    }

    /// Turns everybody away, now and from now on, and gives up every session. [`serve`](Service::serve) ends for each
    /// connection once it was told.
    pub fn shut_down(&self, message: &str) {
        let mut state = self.shared.state.lock();
        let (goodbye, now) = (Goodbye::with_retry(ErrorCode::ShuttingDown, message), self.shared.hub.now());
        state.host.close_operations(now);
        state.turn(None, now);
        for link in state.links.values_mut() {
            link.peer.say_goodbye(goodbye.clone());
            link.waker.take().into_iter().for_each(Waker::wake);
        }
        state.closing = Some(goodbye);
        state.table.clear();
    }

    /// What it counts.
    pub fn counts(&self) -> ServiceCounts {
        let state = self.shared.state.lock();
        ServiceCounts {
            connections: state.links.len(),
            clients: state.links.values().filter(|link| link.peer.client().is_some()).count(),
            connections_total: state.connections,
            sessions: state.host.sessions().count(),
            refusals: state.host.refusals().clone(),
            spawn_breaker: state.table.spawn_breaker(),
        }
    }

    /// Has programs started, or none, whatever the system says of it; with `None` the breaker decides again.
    pub fn force_spawn_breaker(&self, force: Option<Force>) {
        self.shared.state.lock().table.force_spawn_breaker(force);
    }
}

impl State {
    /// A connection was accepted.
    fn open(&mut self, authority: String, now: Time) -> ConnectionId {
        self.connections += 1;
        let id = ConnectionId(self.connections);
        let mut peer = ServerPeer::new(id, authority, now);
        if let Some(goodbye) = &self.closing {
            peer.say_goodbye(goodbye.clone());
        }
        self.links.insert(id, Link { peer, waker: None });
        id
    }

    /// Does something with a connection's machine that means nothing to the others.
    fn touch<R>(&mut self, id: ConnectionId, now: Time, touch: impl FnOnce(&mut ServerPeer, &mut World<'_>) -> R) -> Option<R> {
        let State { host, table, links, .. } = self;
        let link = links.get_mut(&id)?;
        Some(touch(&mut link.peer, &mut World { host, terminals: table, random: &mut random, now }))
    }

    /// Does something with a connection's machine, and tells the others what it means to them.
    fn with<R>(&mut self, id: ConnectionId, now: Time, touch: impl FnOnce(&mut ServerPeer, &mut World<'_>) -> R) -> Option<R> {
        let result = self.touch(id, now, touch)?;
        self.turn(Some(id), now);
        Some(result)
    }

    fn handle_event(&mut self, event: &Event, now: Time) {
        self.host.handle_event(event.session, &event.kind, &mut self.table, now);
        self.turn(None, now);
    }

    /// Hands notices over, and wakes whom they reach, but for `current`, who is awake.
    fn deliver(&mut self, current: Option<ConnectionId>, now: Time) {
        self.hand_over(current, now);
        let State { host, table, links, .. } = self;
        if let Some(link) = current.and_then(|id| links.get_mut(&id)) {
            link.peer.settle_in(&mut World { host, terminals: table, random: &mut random, now });
            self.hand_over(current, now); // Others are told that it is back.
        }
    }

    fn hand_over(&mut self, current: Option<ConnectionId>, now: Time) {
        let State { host, table, links, .. } = self;
        while let Some((LaneId { connection, stream }, notice)) = host.poll_notice() {
            let Some(link) = links.get_mut(&connection) else { continue };
            let mut world = World { host, terminals: table, random: &mut random, now };
            link.peer.handle_notice(stream, notice, &mut world);
            if Some(connection) != current {
                link.waker.take().into_iter().for_each(Waker::wake);
            }
        }
    }

    fn forget_ended(&mut self, now: Time) {
        for session in self.host.forget_ended(now) {
            self.table.let_go(session);
        }
    }

    /// `id` does not wait for a turn any longer, or has had it: somebody else's it is, who is woken.
    fn leave_turns(&mut self, id: ConnectionId) {
        if let Some(next) = self.turns.leave(id) {
            self.wake(next);
        }
    }

    fn wake(&mut self, id: ConnectionId) {
        self.links.get_mut(&id).and_then(|link| link.waker.take()).into_iter().for_each(Waker::wake);
    }

    fn wake_runner(&mut self) {
        self.runner.take().into_iter().for_each(Waker::wake);
    }
}

/// Fills `bytes` from the system's randomness. It was there when the service was made, so it is there still.
fn random(bytes: &mut [u8]) {
    fill_random(bytes).expect("invariant: the system's randomness does not run dry");
}

fn fill_random(mut bytes: &mut [u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let filled = rustix::io::retry_on_intr(|| rustix::rand::getrandom(&mut *bytes, rustix::rand::GetRandomFlags::empty()))?;
        bytes = &mut bytes[filled..];
    }
    Ok(())
}
