//! A server, a client, and the link between them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use orchflow_core::host::{ConnectionId, HostOptions, LaneId};
use orchflow_core::hub::Hub;
use orchflow_core::hub::serve::{Framing, Table};
use orchflow_core::peer::client::{ClientOptions, ClientPeer, Event};
use orchflow_core::protocol::frame::StreamId;
use orchflow_core::protocol::message::{Credit, Spawn};
use orchflow_core::protocol::negotiation::Features;
use orchflow_core::protocol::token::Role;
use orchflow_core::pty::Command;
use orchflow_core::pty::scripted::{Script, ScriptedPtys, flood_byte};
use orchflow_core::session::SessionOptions;
use orchflow_core::time::Time;

use crate::dice::Dice;
use crate::server::{AUTHORITY, Server, token};

/// What is typed, and echoed: no flood says it.
const KEY: &str = "#";

/// A link, from the server to the client. The way up is as long, and never full.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) bytes_per_second: u64,
    /// How long a byte is on its way, from one end to the other.
    pub(crate) delay: Duration,
    /// Bytes that its buffers take before the server has to wait.
    pub(crate) buffer: usize,
}

impl Link {
    pub(crate) fn takes(&self, bytes: usize) -> Duration {
        Duration::from_nanos(bytes as u64 * 1_000_000_000 / self.bytes_per_second)
    }
}

/// What things were like at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) at: Time,
    /// Bytes sent that the server does not know to be rendered.
    pub(crate) under_way: usize,
    /// How long what is sent now waits before it is on its way.
    pub(crate) queue: Duration,
    /// Bytes in the sessions' logs that are not sent yet.
    pub(crate) unsent: u64,
}

/// A key, and when its echo came back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Echo {
    pub(crate) stream: StreamId,
    pub(crate) typed: Time,
    pub(crate) took: Duration,
}

/// What the client was shown on one stream.
#[derive(Default)]
pub(crate) struct Shown {
    /// Bytes of a flood.
    pub(crate) flooded: u64,
    /// Keys whose echo has not come.
    keys: VecDeque<Time>,
}

pub(crate) struct Model {
    link: Link,
    server: Server,
    id: ConnectionId,
    client: ClientPeer,
    /// What is on its way down, and when it arrives; when the last of it has left the buffers; and its bytes.
    down: VecDeque<(Time, Bytes)>,
    free: Time,
    under_way: usize,
    /// What is on its way up, and when it arrives; and bytes rendered by then.
    up: VecDeque<(Time, Bytes, usize)>,
    rendered: usize,
    pub(crate) shown: BTreeMap<StreamId, Shown>,
    pub(crate) samples: Vec<Sample>,
    pub(crate) echoes: Vec<Echo>,
    /// Each message: when it was sent, and its bytes.
    pub(crate) batches: Vec<(Time, usize)>,
}

/// The moments at which samples are taken.
const SAMPLED: Duration = Duration::from_millis(5);

impl Model {
    /// A client that was let in; what it may start is `flood`, of so many bytes, and `cat`.
    pub(crate) fn new(link: Link, credit: u32, flood: u64) -> Model {
        let ptys = ScriptedPtys::new().with("flood", Script::new().wait_gate("go").flood(flood).hang()).with("cat", Script::new().hang());
        let backend = std::sync::Arc::new(ptys.clone());
        let hub = Hub::builder().backend(backend).events().manual_clock().hosted().expect("a hub");
        let table = Table::new(hub.clone(), Command::new(""), SessionOptions::default());
        let mut server = Server::over(hub, ptys, table, HostOptions::default(), Dice::new(1));
        let mut options = ClientOptions::new(token().pass(Role::Owner), AUTHORITY);
        options.limits.credit = Credit::new(credit);
        options.features = Features::known().without_codecs(); // The link carries as many bytes as the program says.
        let id = server.accept(Framing::Messages);
        let mut model = Model {
            link,
            id,
            client: ClientPeer::new(options, 1),
            down: VecDeque::new(),
            free: server.now(),
            under_way: 0,
            up: VecDeque::new(),
            rendered: 0,
            shown: BTreeMap::new(),
            samples: Vec::new(),
            echoes: Vec::new(),
            batches: Vec::new(),
            server,
        };
        model.settle();
        model
    }

    pub(crate) fn now(&self) -> Time {
        self.server.now()
    }

    /// Starts `program`, and waits until that is known.
    pub(crate) fn spawn(&mut self, program: &str) -> StreamId {
        let spawn = Spawn { program: Some(program.into()), ..Spawn::default() };
        let stream = self.client.spawn(spawn).expect("room for a request");
        self.pass(self.link.delay * 8 + Duration::from_secs(1));
        assert!(self.shown.contains_key(&stream), "it was not started");
        stream
    }

    /// Lets the flood begin; what was before is not told of.
    pub(crate) fn begin(&mut self) {
        self.server.ptys.release("go");
        self.samples.clear();
        self.echoes.clear();
        self.batches.clear();
        self.settle();
    }

    pub(crate) fn type_key(&mut self, stream: StreamId) {
        let now = self.now();
        self.client.write(stream, KEY).expect("room for a key");
        self.shown.get_mut(&stream).expect("a stream that is open").keys.push_back(now);
        self.settle();
    }

    /// Lets so much time go by.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now() + time;
        while let Some(next) = self.next().filter(|next| *next <= end) {
            self.go_to(next);
        }
        self.go_to(end);
    }

    fn go_to(&mut self, next: Time) {
        self.server.hub.advance(next - self.now());
        self.settle();
        let due = self.samples.last().is_none_or(|last| next >= last.at + SAMPLED);
        if due {
            self.sample();
        }
    }

    fn sample(&mut self) {
        let (at, id) = (self.now(), self.id);
        let unsent = |stream: &StreamId| {
            let reader = self.server.table.reader(LaneId { connection: id, stream: *stream });
            reader.map_or(0, |reader| reader.session().range().end - reader.offset())
        };
        let unsent = self.shown.keys().map(unsent).sum();
        let queue = self.free.max(at) - at;
        self.samples.push(Sample { at, under_way: self.under_way, queue, unsent });
    }

    /// When something happens next by itself, or there is something to see.
    fn next(&self) -> Option<Time> {
        let ways = [self.down.front().map(|(at, _)| *at), self.up.front().map(|(at, ..)| *at)];
        let link = self.server.links.get(&self.id).and_then(|link| link.peer.poll_timeout(&self.server.host));
        let sees = self.samples.last().map(|last| last.at + SAMPLED);
        // The buffers have room again once they are less than full.
        let room = (self.queued() >= self.link.buffer).then(|| self.now() + self.link.takes(self.queued() - self.link.buffer + 1));
        let next = ways.into_iter().chain([link, self.client.poll_timeout(), self.server.hub.poll_timeout(), sees, room]).flatten().min();
        next.map(|at| at.max(self.now() + Duration::from_nanos(1)))
    }

    fn queued(&self) -> usize {
        let wait = self.free.max(self.now()) - self.now();
        (wait.as_nanos() * u128::from(self.link.bytes_per_second) / 1_000_000_000) as usize
    }

    /// Lets everything happen that happens now.
    fn settle(&mut self) {
        loop {
            let now = self.now();
            while let Some((_, bytes, rendered)) = self.up.pop_front_if(|(at, ..)| *at <= now) {
                self.server.receive(self.id, bytes);
                self.under_way -= rendered;
            }
            self.server.turn();
            let mut is_busy = false;
            while self.queued() < self.link.buffer
                && let Some(message) = self.server.send(self.id)
            {
                is_busy = true;
                self.free = self.free.max(now) + self.link.takes(message.len());
                self.under_way += message.len();
                self.batches.push((now, message.len()));
                self.down.push_back((self.free + self.link.delay, message));
            }
            while let Some((_, message)) = self.down.pop_front_if(|(at, _)| *at <= now) {
                is_busy = true;
                self.rendered += message.len();
                self.client.handle_message(message, now);
                self.look();
            }
            if self.client.poll_timeout().is_some_and(|at| at <= now) {
                self.client.handle_timeout(now);
            }
            self.look();
            let mut message = BytesMut::new();
            while let Some(frame) = self.client.poll_frame() {
                frame.append_to(&mut message);
            }
            if !message.is_empty() {
                is_busy = true;
                self.up.push_back((now + self.link.delay, message.freeze(), std::mem::take(&mut self.rendered)));
            }
            if !is_busy {
                return;
            }
        }
    }

    fn look(&mut self) {
        let now = self.now();
        while let Some(event) = self.client.poll_event() {
            match event {
                Event::Dial => {
                    let mut dice = Dice::new(2);
                    self.client.handle_connected(&mut |bytes| dice.fill(bytes), now);
                }
                Event::Spawned { stream, .. } => drop(self.shown.insert(stream, Shown::default())),
                Event::Output { stream, offset, bytes, .. } => {
                    let shown = self.shown.get_mut(&stream).expect("a stream that is open");
                    for byte in &bytes {
                        if *byte == KEY.as_bytes()[0] {
                            let typed = shown.keys.pop_front().expect("an echo of something typed");
                            self.echoes.push(Echo { stream, typed, took: now - typed });
                        } else {
                            assert_eq!(*byte, flood_byte(shown.flooded), "output is lost, doubled or out of order");
                            shown.flooded += 1;
                        }
                    }
                    self.client.rendered(stream, offset + bytes.len() as u64);
                }
                Event::Gap { .. } | Event::Lost { .. } => panic!("{event:?}"),
                _ => {}
            }
        }
    }
}
