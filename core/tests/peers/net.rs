//! Users, a server, and the links between them; and all that happens to links.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use orchflow_core::host::{ConnectionId, HostOptions};
use orchflow_core::hub::Hub;
use orchflow_core::hub::serve::{Framing, Table};
use orchflow_core::protocol::frame::{Frame, StreamId};
use orchflow_core::protocol::kind::Kind;
use orchflow_core::protocol::message::{ErrorCode, Goodbye};
use orchflow_core::protocol::negotiation::grease_frame;
use orchflow_core::pty::scripted::ScriptedPtys;
use orchflow_core::pty::{Command, PtyBackend};
use orchflow_core::session::SessionOptions;
use orchflow_core::time::Time;

use crate::dice::Dice;
use crate::server::Server;
use crate::shapes;
use crate::user::User;

/// Bytes that fit on the way to a user before the server must wait.
const PIPE_BYTES: usize = 256 << 10;

impl Server {
    pub(crate) fn new(ptys: ScriptedPtys, options: HostOptions, dice: Dice) -> Server {
        Server::with(Arc::new(ptys.clone()), ptys, options, dice)
    }

    /// One whose terminals come from `backend`, which has those of `ptys`.
    pub(crate) fn with(backend: Arc<dyn PtyBackend>, ptys: ScriptedPtys, options: HostOptions, dice: Dice) -> Server {
        let hub = Hub::builder().backend(backend).events().manual_clock().hosted().unwrap();
        let table = Table::new(hub.clone(), Command::new(""), SessionOptions::default());
        Server::over(hub, ptys, table, options, dice)
    }

    pub(crate) fn refusals(&self, code: ErrorCode) -> u64 {
        self.host.refusals().get(&code).copied().unwrap_or_default()
    }
}

/// What is cut when, once in so many occasions each.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cuts {
    /// Anywhere, with whatever is on its way.
    pub(crate) anywhere: usize,
    /// Right after input has reached the server, before it is acknowledged.
    pub(crate) after_input: usize,
    /// Right after output was read for the user, before it is sent.
    pub(crate) after_read: usize,
    /// While the two find out about each other.
    pub(crate) in_handshake: usize,
    /// How long nobody answers after a cut.
    pub(crate) outage: Duration,
    /// So many of each.
    pub(crate) left: [usize; 4],
}

/// Before one in so many messages of the server's comes a frame that a later version may have, so that no client forgets how to
/// skip it.
const NONSENSE_EVERY: usize = 8;

pub(crate) struct Net {
    pub(crate) server: Server,
    pub(crate) users: Vec<User>,
    wires: Vec<Wire>,
    pub(crate) framing: Framing,
    /// How far time moves at once.
    pub(crate) tick: Duration,
    pub(crate) latency: Duration,
    pub(crate) cuts: Cuts,
    /// How often each was cut, in their order: anywhere, input, read, handshake.
    pub(crate) cut: [usize; 4],
    /// When each link was accepted.
    pub(crate) accepted: Vec<Time>,
    /// Nobody answers before.
    pub(crate) down_until: Time,
    /// Bytes a user takes per tick.
    pub(crate) speed: usize,
    pub(crate) dice: Dice,
    /// Frames of a later version that were slipped in among the server's, and what decides where: dice of their own.
    pub(crate) slipped_in: usize,
    nonsense: Dice,
}

/// A link from a user to the server.
struct Wire {
    user: usize,
    id: ConnectionId,
    up: VecDeque<(Time, Bytes)>,
    down: VecDeque<(Time, Bytes)>,
    /// The user does not use it any longer; the server has not noticed.
    is_cut: bool,
    /// The server notices at this time.
    noticed: Time,
    /// Nothing arrives any longer.
    is_mute: bool,
}

impl Net {
    pub(crate) fn new(ptys: ScriptedPtys, framing: Framing, seed: u64) -> Net {
        Net::with(ptys, framing, HostOptions::default(), seed)
    }

    pub(crate) fn with(ptys: ScriptedPtys, framing: Framing, options: HostOptions, seed: u64) -> Net {
        let mut dice = Dice::new(seed);
        let server = Server::new(ptys, options, Dice::new(dice.next()));
        Net {
            server,
            users: Vec::new(),
            wires: Vec::new(),
            framing,
            tick: Duration::from_millis(1),
            latency: Duration::from_millis(2),
            cuts: Cuts::default(),
            cut: [0; 4],
            accepted: Vec::new(),
            down_until: Time::ZERO,
            speed: usize::MAX,
            dice,
            slipped_in: 0,
            nonsense: Dice::new(!seed),
        }
    }

    pub(crate) fn join(&mut self, user: User) -> usize {
        self.users.push(user);
        self.users.len() - 1
    }

    pub(crate) fn now(&self) -> Time {
        self.server.now()
    }

    /// Plays on until `done`.
    pub(crate) fn until(&mut self, what: &str, mut done: impl FnMut(&mut Net) -> bool) {
        for _ in 0..STEPS_MAX {
            if done(self) {
                return;
            }
            self.step();
        }
        let users: Vec<_> = self.users.iter().map(|user| (user.client.is_open(), &user.losses, &user.told)).collect();
        panic!("still no {what} after {STEPS_MAX} steps; cuts {:?}, users {users:?}", self.cut);
    }

    /// Plays on for so long.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now() + time;
        while self.now() < end {
            self.step();
        }
    }

    pub(crate) fn step(&mut self) {
        self.server.hub.advance(self.tick);
        self.bring_up();
        self.server.turn();
        for at in 0..self.wires.len() {
            let waits = self.server.links.get(&self.wires[at].id).is_some_and(|link| link.peer.queued() > 0);
            if waits && !self.wires[at].is_cut && self.falls(self.cuts.after_read, 2) {
                self.cut(at);
            }
        }
        self.bring_down();
        for user in 0..self.users.len() {
            self.drive(user);
        }
        self.look_at_links();
        self.wires.retain(|wire| self.server.links.contains_key(&wire.id) || !wire.is_cut);
    }

    /// Whether a cut falls now, of the given kind.
    fn falls(&mut self, one_in: usize, kind: usize) -> bool {
        let falls = one_in > 0 && self.cuts.left[kind] > 0 && self.dice.one_in(one_in);
        if falls {
            self.cuts.left[kind] -= 1;
            self.cut[kind] += 1;
        }
        falls
    }

    /// Users' bytes reach the server.
    fn bring_up(&mut self) {
        let now = self.now();
        for at in 0..self.wires.len() {
            while let Some((_, bytes)) = self.wires[at].up.pop_front_if(|(due, _)| *due <= now) {
                if self.wires[at].is_mute {
                    continue;
                }
                let has_input = bytes.first().is_some_and(|kind| *kind == Kind::Input.code());
                self.server.receive(self.wires[at].id, bytes);
                if has_input && !self.wires[at].is_cut && self.falls(self.cuts.after_input, 1) {
                    self.wires[at].down.clear();
                    self.cut(at);
                }
            }
        }
    }

    /// The server's bytes are sent, and reach users.
    fn bring_down(&mut self) {
        let (now, due) = (self.now(), self.now() + self.latency);
        for at in 0..self.wires.len() {
            let wire = &mut self.wires[at];
            while !wire.is_cut && wire.down.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() < PIPE_BYTES {
                let Some(message) = self.server.send(wire.id) else { break };
                if self.nonsense.one_in(NONSENSE_EVERY) {
                    let stream = StreamId::new(self.nonsense.below(4) as u16);
                    let nonsense = Frame { stream, ..grease_frame(self.nonsense.next()) };
                    wire.down.push_back((due, nonsense.to_bytes()));
                    self.slipped_in += 1;
                }
                wire.down.push_back((due, message));
            }
            let mut taken = 0;
            while taken < self.speed
                && let Some((_, bytes)) = self.wires[at].down.pop_front_if(|(due, _)| *due <= now)
            {
                taken += bytes.len();
                if !self.wires[at].is_mute {
                    self.hand_over(at, bytes);
                }
            }
        }
    }

    /// Bytes reach the user; in pieces, where they are a stream.
    fn hand_over(&mut self, at: usize, mut bytes: Bytes) {
        let now = self.now();
        let user = &mut self.users[self.wires[at].user];
        if self.framing == Framing::Messages {
            user.client.handle_message(bytes, now);
            return user.look();
        }
        while !bytes.is_empty() {
            let piece = 1 + self.dice.below(bytes.len());
            user.decoder.handle_bytes(&bytes.split_to(piece));
            loop {
                user.decoder.set_frame_max(user.client.frame_max());
                match user.decoder.poll_frame() {
                    Ok(Some(frame)) => user.client.handle_frame(frame, now),
                    Ok(None) => break,
                    Err(error) => return user.client.handle_garbage(error, now),
                }
            }
            user.look();
        }
    }

    /// A user's machine gets what is due, and gives what it has.
    fn drive(&mut self, at: usize) {
        let now = self.now();
        self.hang_up(at);
        let user = &mut self.users[at];
        if user.is_due(now) {
            user.client.handle_timeout(now);
        }
        user.look();
        if std::mem::take(&mut user.dials) {
            self.dial(at);
        }
        if self.users[at].client.queued() == 0 {
            return self.hang_up(at);
        }
        let wire = self.wires.iter().position(|wire| wire.user == at && !wire.is_cut);
        let mut message = BytesMut::new();
        while let Some(frame) = self.users[at].client.poll_frame().inspect(shapes::hold) {
            frame.append_to(&mut message);
            if message.len() >= 16 << 10 || self.users[at].client.queued() == 0 || self.dice.one_in(3) {
                let Some(wire) = wire else { continue };
                let bytes = message.split().freeze();
                self.wires[wire].up.push_back((now + self.latency, bytes));
            }
        }
        if let Some(wire) = wire
            && !message.is_empty()
        {
            self.wires[wire].up.push_back((now + self.latency, message.freeze()));
        }
        self.hang_up(at);
    }

    fn dial(&mut self, at: usize) {
        let now = self.now();
        if now < self.down_until {
            return self.users[at].client.handle_broken(now);
        }
        let id = self.server.accept(self.framing);
        self.accepted.push(now);
        self.wires.push(Wire {
            user: at,
            id,
            up: VecDeque::new(),
            down: VecDeque::new(),
            is_cut: false,
            noticed: Time::MAX,
            is_mute: false,
        });
        let mut dice = Dice::new(self.dice.next());
        self.users[at].decoder = orchflow_core::protocol::frame::FrameDecoder::new(4096);
        self.users[at].client.handle_connected(&mut |bytes| dice.fill(bytes), now);
    }

    fn hang_up(&mut self, at: usize) {
        self.users[at].look();
        if std::mem::take(&mut self.users[at].hung_up)
            && let Some(wire) = self.wires.iter().position(|wire| wire.user == at && !wire.is_cut)
        {
            let mut message = BytesMut::new();
            while let Some(frame) = self.users[at].client.poll_frame().inspect(shapes::hold) {
                frame.append_to(&mut message);
            }
            let now = self.now();
            self.wires[wire].up.push_back((now, message.freeze()));
            self.flush_and_close(wire);
        }
    }

    /// The user has hung up: what it said last arrives, and then the end.
    fn flush_and_close(&mut self, at: usize) {
        let id = self.wires[at].id;
        for (_, bytes) in std::mem::take(&mut self.wires[at].up) {
            self.server.receive(id, bytes);
        }
        self.server.lose(id);
        self.wires.remove(at);
    }

    /// Cuts fall, breaks are noticed, and links that are over are closed.
    fn look_at_links(&mut self) {
        let now = self.now();
        for at in (0..self.wires.len()).rev() {
            let wire = &self.wires[at];
            if wire.is_cut {
                if wire.noticed <= now {
                    let id = wire.id;
                    self.server.lose(id);
                }
                continue;
            }
            let is_open = self.users[wire.user].client.is_open();
            let (kind, one_in) = if is_open { (0, self.cuts.anywhere) } else { (3, self.cuts.in_handshake) };
            if self.falls(one_in, kind) {
                self.cut(at);
                continue;
            }
            let wire = &self.wires[at];
            if self.server.is_over(wire.id) && wire.down.is_empty() {
                let (id, user) = (wire.id, wire.user);
                self.server.lose(id);
                self.wires.remove(at);
                self.users[user].client.handle_broken(now);
            }
        }
    }

    /// Cuts a link. Of what is on its way up some arrives, the last of it perhaps in part; of what is on its way down nothing more
    /// does, or some. The server notices at once, or only later.
    pub(crate) fn cut(&mut self, at: usize) {
        let now = self.now();
        let id = self.wires[at].id;
        let arrives = self.dice.below(self.wires[at].up.len() + 1);
        let up: Vec<Bytes> = self.wires[at].up.drain(..).map(|(_, bytes)| bytes).collect();
        for (number, bytes) in up.into_iter().enumerate() {
            if number < arrives {
                self.server.receive(id, bytes);
            } else if self.framing == Framing::Stream {
                let part = self.dice.below(bytes.len());
                self.server.receive(id, bytes.slice(..part));
                break;
            }
        }
        let arrives = self.dice.below(self.wires[at].down.len() + 1);
        let down: Vec<Bytes> = self.wires[at].down.drain(..).map(|(_, bytes)| bytes).collect();
        for (number, bytes) in down.into_iter().enumerate() {
            if number < arrives {
                self.hand_over(at, bytes);
            } else if self.framing == Framing::Stream {
                let part = self.dice.below(bytes.len());
                self.hand_over(at, bytes.slice(..part));
                break;
            }
        }
        let late = Duration::from_millis(if self.dice.one_in(2) { 0 } else { 1 + self.dice.below(40_000) as u64 });
        self.down_until = self.down_until.max(now + self.cuts.outage);
        let wire = &mut self.wires[at];
        (wire.is_cut, wire.noticed) = (true, now + late);
        self.users[self.wires[at].user].client.handle_broken(now);
    }

    /// Cuts the link of one user now.
    pub(crate) fn cut_user(&mut self, user: usize) {
        let at = self.wires.iter().position(|wire| wire.user == user && !wire.is_cut).expect("a link to cut");
        self.cut(at);
    }

    /// Cuts it so that nothing that was on its way to the server arrives.
    pub(crate) fn cut_users_words(&mut self, user: usize) {
        let mut message = BytesMut::new();
        while let Some(frame) = self.users[user].client.poll_frame().inspect(shapes::hold) {
            frame.append_to(&mut message);
        }
        self.wires.iter_mut().filter(|wire| wire.user == user).for_each(|wire| wire.up.clear());
        self.cut_user(user);
    }

    /// Cuts it so that nothing that was on its way to the user arrives.
    pub(crate) fn cut_user_unheard(&mut self, user: usize) {
        self.wires.iter_mut().filter(|wire| wire.user == user).for_each(|wire| wire.down.clear());
        self.cut_user(user);
    }

    /// Has the user lose its link without the server's noticing. Returns which it was.
    pub(crate) fn copy_link(&mut self, user: usize) -> ConnectionId {
        let now = self.now();
        let wire = self.wires.iter_mut().find(|wire| wire.user == user && !wire.is_cut).expect("a link to copy");
        (wire.is_cut, wire.noticed) = (true, Time::MAX);
        let id = wire.id;
        self.users[user].client.handle_broken(now);
        id
    }

    /// For what reason a link is over, if it is.
    pub(crate) fn last_words(&self, id: ConnectionId) -> Option<ErrorCode> {
        self.server.links.get(&id).and_then(|link| link.peer.reason())
    }

    /// Has the server say goodbye to the user.
    pub(crate) fn say_goodbye(&mut self, user: usize, goodbye: Goodbye) {
        let wire = self.wires.iter().find(|wire| wire.user == user && !wire.is_cut).expect("a link to end");
        self.server.links.get_mut(&wire.id).expect("its end").peer.say_goodbye(goodbye);
    }

    /// From now on the user's link carries nothing, and nobody is told.
    pub(crate) fn mute(&mut self, user: usize) {
        self.wires.iter_mut().filter(|wire| wire.user == user).for_each(|wire| wire.is_mute = true);
    }

    /// Whether the server has let the user in on its present link.
    pub(crate) fn user_is_known(&self, user: usize) -> bool {
        let wire = self.wires.iter().find(|wire| wire.user == user && !wire.is_cut);
        wire.and_then(|wire| self.server.links.get(&wire.id)).is_some_and(|link| link.peer.client().is_some())
    }

    /// Another server begins, which knows nobody.
    pub(crate) fn restart(&mut self, ptys: ScriptedPtys) {
        let now = self.now();
        self.server = Server::new(ptys, HostOptions::default(), Dice::new(self.dice.next()));
        self.server.hub.advance(now - Time::ZERO);
        for wire in std::mem::take(&mut self.wires).into_iter().filter(|wire| !wire.is_cut) {
            self.users[wire.user].client.handle_broken(now);
        }
    }

    /// Spawns `program` for `user`, and waits until it runs.
    pub(crate) fn spawn(&mut self, user: usize, program: &str) -> StreamId {
        let spawn = orchflow_core::protocol::message::Spawn { program: Some(program.into()), ..Default::default() };
        let stream = self.users[user].client.spawn(spawn).unwrap();
        self.users[user].screens.remove(&stream); // Of one before.
        self.until("session", |net| net.users[user].screens.get(&stream).is_some_and(|screen| screen.spawned.is_some()));
        stream
    }
}

/// An hour of ticks and more: nothing takes so long.
const STEPS_MAX: usize = 4_000_000;
