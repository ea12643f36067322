//! The server's side of one connection.
//!
//! It lets nobody in who has not proved to hold the token, carries out what the others ask as far as their role allows, and keeps
//! the books of each stream: what was sent, what was rendered, what may be sent now. What it knows of clients and
//! sessions is the [`Host`]'s and outlives it; when its link breaks, [`park`](ServerPeer::park) leaves its places there.

mod batches;
mod entrance;
mod lane;
mod missed;
mod packing;
mod requests;
mod streams;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::host::{ConnectionId, Host, LaneId, Notice, Parked, Terminals, explain};
use crate::limits::{BEFORE_PROOF_BYTES_MAX, FRAME_BEFORE_PROOF_MAX, INPUT_ACK_WAIT, PROOF_WAIT};
use crate::pack::Codec;
use crate::protocol::frame::{Frame, Frames, StreamId};
use crate::protocol::kind::Kind;
use crate::protocol::message::{ClientId, Credit, ErrorCode, Goodbye, Hello, Message, Refusal, ResumePoint};
use crate::protocol::negotiation::Agreed;
use crate::protocol::token::Role;
use crate::time::Time;
use entrance::Entrance;
use lane::Lane;
use packing::Packing;

/// What a call may use of the world around it.
pub struct World<'a> {
    /// What all connections share.
    pub host: &'a mut Host,
    /// The terminals.
    pub terminals: &'a mut dyn Terminals,
    /// Fills bytes from a cryptographic random source.
    pub random: &'a mut dyn FnMut(&mut [u8]),
    /// What time it is.
    pub now: Time,
}

impl World<'_> {
    fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.random)(&mut bytes);
        bytes
    }
}

/// One connection.
pub struct ServerPeer {
    id: ConnectionId,
    state: State,
    lanes: BTreeMap<StreamId, Lane>,
    packing: Packing,
    /// Who it was, also when it is over.
    known_as: Option<ClientId>,
    /// Streams that its client has come back for.
    returning: Vec<ResumePoint>,
    frames: VecDeque<Frame>,
    /// Bytes of `frames`.
    queued: usize,
    /// None of `frames` is in a hurry: they wait until then for one that is.
    unhurried: Option<Time>,
    /// Bytes of one message to the other side.
    message_max: usize,
    /// When anything was last received, and whether the other side was asked since.
    heard: Time,
    asked: bool,
    opened: Time,
    /// Bytes that came before the client was in.
    before_proof: usize,
    /// When it last asked for much at a time.
    much: Option<Time>,
}

enum State {
    /// Nobody knows yet who it is.
    Outside(Box<Entrance>),
    /// Somebody is in.
    Inside(Box<Guest>),
    /// The last frame is on its way, or has come.
    Over(ErrorCode),
}

/// Who is in, and what was agreed with them.
struct Guest {
    client: ClientId,
    role: Role,
    name: String,
    agreed: Agreed,
    /// How output is packed, where that was agreed on and the client is far enough away.
    codec: Option<Codec>,
    /// The largest frame the client takes, in bytes with the header.
    frame_max: usize,
    credit: Credit,
}

impl ServerPeer {
    /// A connection that was accepted now; `authority` is what the client dialled, as it was checked.
    pub fn new(id: ConnectionId, authority: String, now: Time) -> ServerPeer {
        ServerPeer {
            id,
            state: State::Outside(Box::new(Entrance::new(authority))),
            lanes: BTreeMap::new(),
            packing: Packing::new(),
            known_as: None,
            returning: Vec::new(),
            frames: VecDeque::new(),
            queued: 0,
            unhurried: None,
            message_max: FRAME_BEFORE_PROOF_MAX,
            heard: now,
            asked: false,
            opened: now,
            before_proof: 0,
            much: None,
        }
    }

    /// The largest frame the other side may send now, header included.
    pub fn frame_max(&self, host: &Host) -> usize {
        match self.state {
            State::Inside(_) => host.options.limits.frame as usize,
            _ => FRAME_BEFORE_PROOF_MAX,
        }
    }

    /// Who is in, if anybody is.
    pub fn client(&self) -> Option<ClientId> {
        if let State::Inside(guest) = &self.state { Some(guest.client) } else { None }
    }

    /// Whether nothing more is to be received: send what is left, and close.
    pub fn is_over(&self) -> bool {
        self.reason().is_some()
    }

    /// Why it is over, if it is: what one of the two sides said.
    pub fn reason(&self) -> Option<ErrorCode> {
        if let State::Over(code) = self.state { Some(code) } else { None }
    }

    // ---- What comes in ----

    /// A message has come, of one frame or several.
    pub fn handle_message(&mut self, message: Bytes, world: &mut World<'_>) {
        let mut rest = Frames::new(message, self.frame_max(world.host));
        while let Some(frame) = rest.next() {
            match frame {
                Ok(frame) => self.handle_frame(frame, world),
                Err(error) => return self.turn_away(ErrorCode::Malformed, error.to_string(), world),
            }
            if self.is_over() {
                return;
            }
            rest.set_frame_max(self.frame_max(world.host)); // A proof may be followed at once by larger ones.
        }
    }

    /// A frame has come.
    pub fn handle_frame(&mut self, frame: Frame, world: &mut World<'_>) {
        (self.heard, self.asked) = (world.now, false);
        let raw = matches!(self.state, State::Outside(_)).then(|| frame.to_bytes());
        if raw.is_some() {
            self.before_proof += frame.encoded_len();
            if self.before_proof > BEFORE_PROOF_BYTES_MAX {
                let message = format!("more than {BEFORE_PROOF_BYTES_MAX} bytes came before a proof: prove first");
                return self.turn_away(ErrorCode::Malformed, message, world);
            }
        }
        let (stream, number, body) = (frame.stream, frame.position, frame.body.clone());
        let name = Kind::from_code(frame.kind).map_or("", Kind::name);
        let message = match Message::decode(frame) {
            Ok(Some(message)) => message,
            Ok(None) => return, // Nonsense on purpose, or the future.
            Err(error) if raw.is_some() && !error.is_fatal() && name == Kind::Hello.name() && Hello::is_of_unknown_role(&body) => {
                // Not a bug of the other side's: the link is of another server, or a newer one.
                return self.turn_away(ErrorCode::Unauthorized, format!("{}: use this run's link", explain(&error)), world);
            }
            Err(error) if error.is_fatal() || raw.is_some() => return self.turn_away(error.code(), explain(&error), world),
            Err(error) => return self.refuse(stream, Refusal::new(number, error.code(), explain(&error)), world),
        };
        match (&self.state, raw) {
            (State::Outside(_), Some(raw)) => self.enter(message, name, raw, world),
            (State::Inside(_), _) => self.serve(stream, message, name, world),
            _ => {}
        }
    }

    /// Somebody else's doing concerns `lane`.
    pub fn handle_notice(&mut self, stream: StreamId, notice: Notice, world: &mut World<'_>) {
        if matches!(self.state, State::Inside(_)) {
            self.pass_on(stream, notice, world);
        }
    }

    /// Time has passed. Harmless when early.
    pub fn handle_timeout(&mut self, world: &mut World<'_>) {
        self.unhurried.take_if(|until| world.now >= *until);
        self.lanes.values_mut().for_each(|lane| lane.handle_timeout(world.now));
        match self.state {
            State::Outside(_) if world.now - self.opened >= PROOF_WAIT => {
                self.turn_away(ErrorCode::Timeout, format!("no proof within {PROOF_WAIT:?}: connect again"), world);
            }
            State::Inside(_) if world.now - self.heard >= 2 * world.host.ping() => {
                self.turn_away(ErrorCode::Timeout, "nothing was heard, nor an answer to a ping: come back".to_owned(), world);
            }
            State::Inside(_) if !self.asked && world.now - self.heard >= world.host.ping() => {
                self.asked = true;
                self.send(StreamId::CONNECTION, Message::Ping { echo: world.now.as_nanos() & crate::limits::NUMBER_MAX });
            }
            _ => {}
        }
    }

    /// When to come back, if nothing happens before.
    pub fn poll_timeout(&self, host: &Host) -> Option<Time> {
        let silence = match self.state {
            State::Outside(_) => Some(self.opened + PROOF_WAIT),
            State::Inside(_) => Some(self.heard + host.ping() * if self.asked { 2 } else { 1 }),
            State::Over(_) => None,
        };
        silence.into_iter().chain(self.unhurried).chain(self.lanes.values().filter_map(Lane::poll_timeout)).min()
    }

    // ---- What goes out ----

    /// The next frame to send, for transports that write each by itself.
    pub fn poll_frame(&mut self) -> Option<Frame> {
        if self.unhurried.is_some() {
            return None;
        }
        let frame = self.frames.pop_front()?;
        self.queued -= frame.encoded_len();
        Some(frame)
    }

    /// The next message to send: as many of the frames that wait as fit together, but no more than the other side takes.
    pub fn poll_message(&mut self) -> Option<Bytes> {
        let mut message = BytesMut::new();
        let fits = |message: &BytesMut, frame: &Frame, max| message.is_empty() || message.len() + frame.encoded_len() <= max;
        while self.frames.front().is_some_and(|frame| fits(&message, frame, self.message_max))
            && let Some(frame) = self.poll_frame()
        {
            frame.append_to(&mut message);
        }
        (!message.is_empty()).then(|| message.freeze())
    }

    /// Bytes that wait to be sent. Read no output while there are many.
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// The server ends, or turns the client away: says why, and that is the last frame.
    pub fn say_goodbye(&mut self, goodbye: Goodbye) {
        if !self.is_over() {
            self.state = State::Over(goodbye.code);
            self.send(StreamId::CONNECTION, Message::Goodbye(Box::new(goodbye)));
        }
    }

    /// The connection is gone. Places in sessions are kept for the client's return if its link `broke`, else given up.
    pub fn park(&mut self, broke: bool, world: &mut World<'_>) {
        let client = self.known_as;
        if let Some(client) = client.and_then(|client| world.host.clients.get_mut(client)) {
            // Places that it did not come back for. Younger ones it may still mean to: it was not here for long.
            let hold = Duration::from_millis(world.host.options.limits.hold_ms.into());
            for parked in client.unpark_old(hold, world.now) {
                world.terminals.forget(parked.session, parked.claim);
            }
        }
        self.packing = Packing::new();
        for (stream, lane) in std::mem::take(&mut self.lanes) {
            let id = LaneId { connection: self.id, stream };
            let claim = if broke { world.terminals.suspend(id) } else { None };
            world.terminals.shut(id);
            let window = world.host.session(lane.session).and_then(|known| known.window_of(id));
            if let (Some(claim), Some(client)) = (claim, client.and_then(|client| world.host.clients.get_mut(client))) {
                client.parked.push(Parked {
                    session: lane.session,
                    claim,
                    role: lane.role,
                    policy: lane.policy(),
                    window,
                    since: world.now,
                });
            }
            world.host.leave(lane.session, id, lane.sent(), world.terminals, world.now);
        }
        if let Some(client) = client {
            world.host.leave_client(client, self.id, world.now);
        }
    }

    // ---- Within ----

    fn lane_id(&self, stream: StreamId) -> LaneId {
        LaneId { connection: self.id, stream }
    }

    fn send(&mut self, stream: StreamId, message: Message) {
        self.push(message.into_frame(stream));
    }

    fn push(&mut self, frame: Frame) {
        self.unhurried = None;
        self.enqueue(frame);
    }

    /// Has `frame` wait for company, for a little while: nobody waits for it.
    fn push_unhurried(&mut self, frame: Frame, now: Time) {
        if self.frames.is_empty() {
            self.unhurried = Some(now + INPUT_ACK_WAIT);
        }
        self.enqueue(frame);
    }

    fn enqueue(&mut self, frame: Frame) {
        self.queued += frame.encoded_len();
        self.frames.push_back(frame);
    }

    fn refuse(&mut self, stream: StreamId, refusal: Refusal, world: &mut World<'_>) {
        world.host.count(refusal.code);
        self.send(stream, Message::Error(refusal));
    }

    /// Counts a reason, and says goodbye for it.
    pub fn turn_away(&mut self, code: ErrorCode, message: String, world: &mut World<'_>) {
        world.host.count(code);
        self.say_goodbye(Goodbye::with_retry(code, message));
    }
}
