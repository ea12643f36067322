//! The server's side: its machines, one for each connection, over a hub whose clock is moved by hand.

use std::collections::{BTreeMap, VecDeque};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use orchflow_core::host::{ConnectionId, Host, HostOptions, LaneId, Task, Terminals, Work};
use orchflow_core::hub::serve::{Framing, Table};
use orchflow_core::hub::{Hub, Output, Reader, Turn};
use orchflow_core::id::SessionId;
use orchflow_core::limits::{FRAME_MAX, READ_MAX};
use orchflow_core::peer::server::{ServerPeer, World};
use orchflow_core::protocol::frame::{FrameDecoder, Frames, StreamId};
use orchflow_core::protocol::kind::Kind;
use orchflow_core::protocol::message::{ErrorCode, InstanceId};
use orchflow_core::protocol::token::Token;
use orchflow_core::pty::scripted::ScriptedPtys;
use orchflow_core::time::Time;

use crate::dice::Dice;
use crate::shapes;

pub(crate) const AUTHORITY: &str = "127.0.0.1:7681";

/// How long work takes that is done elsewhere.
const WORK_TAKES: Duration = Duration::from_millis(7);

pub(crate) fn token() -> Token {
    Token::from_bytes([7; 32])
}

pub(crate) struct Server<T = Table> {
    pub(crate) hub: Hub,
    pub(crate) ptys: ScriptedPtys,
    pub(crate) host: Host,
    pub(crate) table: T,
    pub(crate) links: BTreeMap<ConnectionId, Link>,
    /// Bytes that were sent, and frames of output among them, by their codec.
    pub(crate) sent: usize,
    pub(crate) outputs: [usize; 4],
    connections: u64,
    dice: Dice,
    /// Operations whose work is done elsewhere, and when it comes home.
    works: VecDeque<(Time, Task, Work)>,
}

pub(crate) struct Link {
    pub(crate) peer: ServerPeer,
    framing: Framing,
    decoder: FrameDecoder,
}

/// Terminals, and the readers of those who watch them: a [`Table`], or one that looks on.
pub(crate) trait Offer: Terminals {
    fn reader(&mut self, lane: LaneId) -> Option<&mut Reader>;
    fn let_go(&mut self, session: SessionId);
}

impl Offer for Table {
    fn reader(&mut self, lane: LaneId) -> Option<&mut Reader> {
        Table::reader(self, lane)
    }

    fn let_go(&mut self, session: SessionId) {
        Table::let_go(self, session);
    }
}

/// What the machines may touch, from the parts of a server that they borrow.
macro_rules! world {
    ($server:ident, $random:ident) => {
        World { host: &mut $server.host, terminals: &mut $server.table, random: &mut $random, now: $server.hub.now() }
    };
}

impl<T: Offer> Server<T> {
    /// A server of `hub`, whose sessions `table` has.
    pub(crate) fn over(hub: Hub, ptys: ScriptedPtys, table: T, options: HostOptions, mut dice: Dice) -> Server<T> {
        let mut instance = [0; 16];
        dice.fill(&mut instance);
        let host = Host::new(InstanceId::from_bytes(instance), token(), options);
        Server { hub, ptys, host, table, links: BTreeMap::new(), sent: 0, outputs: [0; 4], connections: 0, dice, works: VecDeque::new() }
    }

    pub(crate) fn now(&self) -> Time {
        self.hub.now()
    }

    pub(crate) fn accept(&mut self, framing: Framing) -> ConnectionId {
        self.connections += 1;
        let id = ConnectionId(self.connections);
        let peer = ServerPeer::new(id, AUTHORITY.into(), self.now());
        self.links.insert(id, Link { peer, framing, decoder: FrameDecoder::new(4096) });
        id
    }

    pub(crate) fn receive(&mut self, id: ConnectionId, bytes: Bytes) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let mut dice = self.dice.clone();
        let mut random = |bytes: &mut [u8]| dice.fill(bytes);
        let mut world = world!(self, random);
        match link.framing {
            Framing::Messages => link.peer.handle_message(bytes, &mut world),
            Framing::Stream => {
                link.decoder.handle_bytes(&bytes);
                while !link.peer.is_over() {
                    link.decoder.set_frame_max(link.peer.frame_max(world.host));
                    match link.decoder.poll_frame() {
                        Ok(Some(frame)) => link.peer.handle_frame(frame, &mut world),
                        Ok(None) => break,
                        Err(error) => link.peer.turn_away(ErrorCode::Malformed, error.to_string(), &mut world),
                    }
                }
            }
        }
        self.dice = dice;
        self.deliver();
        self.settle_in(id);
    }

    fn settle_in(&mut self, id: ConnectionId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let mut random = |_: &mut [u8]| {};
        link.peer.settle_in(&mut world!(self, random));
        self.deliver();
    }

    /// The transport of `id` is gone.
    pub(crate) fn lose(&mut self, id: ConnectionId) {
        let Some(mut link) = self.links.remove(&id) else { return };
        let mut random = |_: &mut [u8]| {};
        let broke = !link.peer.is_over();
        link.peer.park(broke, &mut world!(self, random));
        self.deliver();
    }

    /// Everything that is due: terminals are read, their events told, output read for those who watch.
    pub(crate) fn turn(&mut self) {
        while self.hub.dispatch(usize::MAX).unwrap() == Turn::More {}
        let now = self.now();
        while let Some((_, task, work)) = self.works.pop_front_if(|(due, ..)| *due <= now) {
            self.host.handle_work(task, work(), now);
        }
        while let Some(event) = self.hub.next_event() {
            self.host.handle_event(event.session, &event.kind, &mut self.table, now);
            self.deliver();
        }
        let mut random = |_: &mut [u8]| {};
        for link in self.links.values_mut() {
            if link.peer.poll_timeout(&self.host).is_some_and(|at| at <= now) {
                link.peer.handle_timeout(&mut world!(self, random));
            }
        }
        for session in self.host.forget_ended(now) {
            self.table.let_go(session);
        }
        let ids: Vec<ConnectionId> = self.links.keys().copied().collect();
        ids.into_iter().for_each(|id| self.pump(id));
        self.deliver();
    }

    /// Reads output for the streams of `id` that want it, one read each, as a service does.
    fn pump(&mut self, id: ConnectionId) {
        let now = self.now();
        let mut cx = Context::from_waker(Waker::noop());
        let Some(link) = self.links.get_mut(&id) else { return };
        let streams: Vec<StreamId> = link.peer.streams().collect();
        for stream in streams {
            if link.peer.queued() < 2 * READ_MAX
                && let Some(reader) = self.table.reader(LaneId { connection: id, stream })
                && let wanted @ 1.. = link.peer.wants_output(stream, reader.session().range().end, now)
            {
                match reader.poll_read_some(&mut cx, wanted) {
                    Poll::Pending => {}
                    Poll::Ready(Output::Chunk { at, bytes }) => {
                        let mut random = |_: &mut [u8]| {};
                        link.peer.handle_output(stream, at, bytes, &mut world!(self, random));
                    }
                    Poll::Ready(Output::Gap { from, to }) => {
                        let mut random = |_: &mut [u8]| {};
                        link.peer.handle_gap(stream, from, to, &mut world!(self, random));
                    }
                    Poll::Ready(Output::Exit(exit)) => {
                        let mut random = |_: &mut [u8]| {};
                        link.peer.handle_exit(stream, exit, &mut world!(self, random));
                    }
                }
            }
        }
    }

    /// When the next work comes home.
    #[allow(dead_code, reason = "who goes on in ticks looks at each")]
    pub(crate) fn works_due(&self) -> Option<Time> {
        self.works.front().map(|(due, ..)| *due)
    }

    fn deliver(&mut self) {
        let (now, mut random) = (self.now(), |_: &mut [u8]| {});
        while self.host.run_operations(&mut self.table, now) {}
        self.works.extend(std::iter::from_fn(|| self.host.poll_work()).map(|(task, work)| (now + WORK_TAKES, task, work)));
        while let Some((lane, notice)) = self.host.poll_notice() {
            let Some(link) = self.links.get_mut(&lane.connection) else { continue };
            link.peer.handle_notice(lane.stream, notice, &mut world!(self, random));
        }
    }

    /// The next message of `id`, with output that has come meanwhile.
    pub(crate) fn send(&mut self, id: ConnectionId) -> Option<Bytes> {
        if self.links.get(&id)?.peer.queued() == 0 {
            self.pump(id);
            self.deliver();
        }
        let message = self.links.get_mut(&id)?.peer.poll_message().inspect(shapes::hold_all)?;
        self.sent += message.len();
        let outputs = Frames::new(message.clone(), FRAME_MAX).flatten().filter(|frame| frame.kind == Kind::Output.code());
        outputs.for_each(|frame| self.outputs[usize::from(frame.codec)] += 1);
        Some(message)
    }

    pub(crate) fn is_over(&self, id: ConnectionId) -> bool {
        self.links.get(&id).is_none_or(|link| link.peer.is_over())
    }
}
