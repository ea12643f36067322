//! The client's side: one machine that lives across connections.
//!
//! It dials, proves who it is to a server that has proved the same, and comes back after every break: output goes on at the
//! byte where it stopped, and input that was not settled is sent again under its numbers, so it is typed once. It keeps no
//! output: its host gets every byte in order, exactly once, or a gap by name.
//!
//! # The loop of a driver
//! Hand over only what came over the link dialled last. After every call take what [`poll_event`](ClientPeer::poll_event) and [`poll_frame`](ClientPeer::poll_frame) give until
//! nothing is left, and call [`handle_timeout`](ClientPeer::handle_timeout) at [`poll_timeout`](ClientPeer::poll_timeout).
//! ```
//! # use bytes::Bytes;
//! # use orchflow_core::protocol::{message::Spawn, token::{Role, Token}};
//! # use orchflow_core::{peer::client::{ClientOptions, ClientPeer, Event}, time::Time};
//! # let (mut now, mut random) = (Time::ZERO, |bytes: &mut [u8]| bytes.fill(7));
//! let pass = Token::from_bytes([7; 32]).pass(Role::Owner);
//! let mut client = ClientPeer::new(ClientOptions::new(pass, "127.0.0.1:7681"), 42);
//! let stream = client.spawn(Spawn::default())?; // Asked as soon as there is a server.
//!
//! while let Some(event) = client.poll_event() {
//!     match event {
//!         Event::Dial => client.handle_connected(&mut random, now), // Or `handle_broken`, where nobody answers.
//!         Event::HangUp => { /* Send the frames that wait, and close. */ }
//!         Event::Output { stream, offset, bytes, .. } => {
//!             // Show them, then say so.
//!             client.rendered(stream, offset + bytes.len() as u64);
//!         }
//!         _ => {}
//!     }
//! }
//! while let Some(frame) = client.poll_frame() {
//!     let message: Bytes = frame.to_bytes(); // Hello; send it, and hand over what comes back:
//! #   let answer = Bytes::new();
//!     client.handle_message(answer, now);
//! }
//! # assert!(client.poll_timeout().is_some());
//! # Ok::<(), orchflow_core::peer::client::AskError>(())
//! ```
//!
//! Deliberately absent: transports, clocks, randomness, and a file for who it is: a client that is started anew is a new one.

mod again;
mod batches;
mod entrance;
mod event;
mod lane;
mod outbox;
mod requests;
mod streams;
mod unpacking;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use crate::limits::{FRAME_BEFORE_PROOF_MAX, INPUT_KEPT_BYTES, NUMBER_MAX, PROOF_WAIT, RETRY_UNSEEN_MAX};
use crate::protocol::frame::{Frame, FrameError, Frames, StreamId};
use crate::protocol::kind::Kind;
use crate::protocol::message::{ClientId, ClientLimits, ErrorCode, Goodbye, InstanceId, Message, ServerLimits};
use crate::protocol::negotiation::{Features, VERSIONS, Versions};
use crate::protocol::token::{Pass, ResumeSecret, Role};
use crate::resilience::{Backoff, Schedule};
use crate::time::Time;
use again::Patience;
use batches::Batches;
use entrance::Call;
pub use event::{AskError, Breach, Event, InputError, Loss, Past, Welcomed};
use lane::{Lane, Phase};
use outbox::Outbox;
use requests::Request;
use unpacking::Unpacking;

/// What a client is like.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// What lets it in.
    pub pass: Pass,
    /// Where it dials: `host:port` in lower case with the port always there, or `unix`.
    pub authority: String,
    /// What other viewers call it.
    pub name: String,
    /// Software and version, for the server's logs.
    pub agent: String,
    /// What it can take.
    pub limits: ClientLimits,
    /// What it can do besides; nonsense is added to it.
    pub features: Features,
    /// The versions it speaks.
    pub versions: Versions,
    /// How it comes back.
    pub schedule: Schedule,
    /// Input kept per session until it is settled, in bytes.
    pub input_bytes_max: usize,
}

impl ClientOptions {
    /// A client with `pass` of the server at `authority`, and the limits of [`crate::limits`].
    pub fn new(pass: Pass, authority: impl Into<String>) -> ClientOptions {
        ClientOptions {
            pass,
            authority: authority.into(),
            name: String::new(),
            agent: concat!("orchflow/", env!("CARGO_PKG_VERSION")).into(),
            limits: ClientLimits::default(),
            features: Features::known(),
            versions: VERSIONS,
            schedule: Schedule::default(),
            input_bytes_max: INPUT_KEPT_BYTES,
        }
    }
}

/// A client.
pub struct ClientPeer {
    options: ClientOptions,
    state: State,
    /// Who it is to the server, once it was let in.
    known: Option<Identity>,
    /// What the server told it, or would most likely tell.
    limits: ServerLimits,
    backoff: Backoff,
    /// The last link ended because one side called the other broken.
    breached: bool,
    lanes: BTreeMap<StreamId, Lane>,
    unpacking: Unpacking,
    /// Streams this connection's Hello came back for.
    listed: BTreeSet<StreamId>,
    outboxes: BTreeMap<u64, Outbox>,
    /// Requests without an answer, by number.
    requests: BTreeMap<u64, Request>,
    last_number: u64,
    batches: Batches,
    patience: Patience,
    frames: VecDeque<Frame>,
    queued: usize,
    /// Pongs among `frames`.
    pongs: usize,
    events: VecDeque<Event>,
    heard: Time,
    asked: bool,
    /// When the host asked for a Pong, until it comes.
    pinged: Option<Time>,
}

enum State {
    /// No link; another try at this time.
    Waiting(Time),
    /// The host was told to dial.
    Dialling,
    /// Hello was sent.
    Called { since: Time, call: Box<Call> },
    /// The server has proved itself, and the client has too.
    Proved { since: Time, instance: InstanceId },
    /// The client is in.
    Open,
    /// It does not come back by itself.
    Over,
}

/// Who a client is to its server.
struct Identity {
    client: ClientId,
    secret: ResumeSecret,
    instance: InstanceId,
    role: Role,
    /// It is somebody else's by now: come back as a new one.
    replaced: bool,
}

impl ClientPeer {
    /// A client that dials at once. The `seed` decides how long it waits between tries; give each another.
    pub fn new(options: ClientOptions, seed: u64) -> ClientPeer {
        let backoff = Backoff::new(options.schedule, seed);
        ClientPeer {
            options,
            state: State::Dialling,
            known: None,
            limits: ServerLimits::default(),
            backoff,
            breached: false,
            lanes: BTreeMap::new(),
            unpacking: Unpacking::new(std::iter::empty()),
            listed: BTreeSet::new(),
            outboxes: BTreeMap::new(),
            requests: BTreeMap::new(),
            last_number: 0,
            batches: Batches::new(),
            patience: Patience::new(seed.rotate_left(32)), // Other waits than the link's.
            frames: VecDeque::new(),
            queued: 0,
            pongs: 0,
            events: VecDeque::from([Event::Dial]),
            heard: Time::ZERO,
            asked: false,
            pinged: None,
        }
    }

    /// Whether it is in.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// Whether it is out, and does not come back by itself.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Who it is, where it can come back as that.
    fn former(&self) -> Option<&Identity> {
        self.known.as_ref().filter(|known| !known.replaced)
    }

    /// Who it is to the server, once it was let in.
    pub fn client(&self) -> Option<ClientId> {
        self.known.as_ref().map(|known| known.client)
    }

    /// What it may do, once it was let in.
    pub fn role(&self) -> Option<Role> {
        self.known.as_ref().map(|known| known.role)
    }

    /// What the server can take.
    pub fn limits(&self) -> &ServerLimits {
        &self.limits
    }

    /// The largest frame the other side may send now, header included; for a [decoder](crate::protocol::frame::FrameDecoder)
    /// of a byte stream.
    pub fn frame_max(&self) -> usize {
        match self.state {
            State::Proved { .. } | State::Open => self.options.limits.frame as usize,
            _ => FRAME_BEFORE_PROOF_MAX,
        }
    }

    // ---- The link ----

    /// The transport is open. `random` fills bytes from a cryptographic random source.
    pub fn handle_connected(&mut self, random: &mut dyn FnMut(&mut [u8]), now: Time) {
        if let State::Dialling | State::Waiting(_) = self.state {
            self.clear_frames();
            (self.heard, self.asked) = (now, false);
            self.call(random, now);
        }
    }

    /// The transport broke or was closed, or could not be opened.
    pub fn handle_broken(&mut self, now: Time) {
        if self.is_linked() || matches!(self.state, State::Dialling) {
            self.lose(Loss::Broke, now);
        }
    }

    /// Dials now: the network is back, or somebody asked for it. A client that was over begins again; one that was replaced
    /// comes as a new one, for its old self is somewhere else.
    pub fn dial(&mut self) {
        if let State::Waiting(_) | State::Over = self.state {
            self.backoff.reset();
            self.state = State::Dialling;
            self.events.push_back(Event::Dial);
        }
    }

    /// Whether nobody looks: tries may then lie further apart. Once somebody looks again, it dials now.
    pub fn set_hidden(&mut self, hidden: bool) {
        self.backoff.set_max(if hidden { RETRY_UNSEEN_MAX } else { self.options.schedule.max });
        if let (State::Waiting(_), false) = (&self.state, hidden) {
            self.state = State::Dialling;
            self.events.push_back(Event::Dial);
        }
    }

    /// Says goodbye, for good: the server gives its places up. [`dial`](ClientPeer::dial) would come back.
    pub fn leave(&mut self, now: Time) {
        if !self.is_over() {
            self.lose(Loss::Left, now);
        }
    }

    // ---- What comes in ----

    /// A message has come, of one frame or several.
    pub fn handle_message(&mut self, message: Bytes, now: Time) {
        let mut rest = Frames::new(message, self.frame_max());
        while let Some(frame) = rest.next() {
            match frame {
                Ok(frame) => self.handle_frame(frame, now),
                Err(error) => return self.handle_garbage(error, now),
            }
            if !self.is_linked() {
                return;
            }
            rest.set_frame_max(self.frame_max());
        }
    }

    /// A frame has come.
    pub fn handle_frame(&mut self, frame: Frame, now: Time) {
        if !self.is_linked() {
            return; // It was on its way when the client hung up.
        }
        (self.heard, self.asked) = (now, false);
        let raw = matches!(self.state, State::Called { .. }).then(|| frame.to_bytes());
        let (stream, timestamp) = (frame.stream, frame.timestamp);
        let kind = Kind::from_code(frame.kind);
        let taken = match (Message::decode(frame), kind) {
            (Err(error), _) => Err(Breach::Message(error)),
            (Ok(Some(message)), Some(kind)) => match (&self.state, raw) {
                (State::Called { .. }, Some(raw)) => self.enter(message, &raw, now),
                _ => self.take(stream, kind, message, timestamp, now),
            },
            (Ok(_), _) => Ok(()), // Nonsense on purpose, or the future.
        };
        if let Err(breach) = taken {
            self.lose(Loss::Breach(breach), now);
        }
    }

    /// What came is no frame: the error of a [decoder](crate::protocol::frame::FrameDecoder).
    pub fn handle_garbage(&mut self, error: FrameError, now: Time) {
        if self.is_linked() {
            self.lose(Loss::Breach(Breach::Frame(error)), now);
        }
    }

    /// Time has passed. Harmless when early.
    pub fn handle_timeout(&mut self, now: Time) {
        match self.state {
            State::Waiting(until) if now >= until => {
                self.state = State::Dialling;
                self.events.push_back(Event::Dial);
            }
            State::Called { since, .. } | State::Proved { since, .. } if now - since >= PROOF_WAIT => self.lose(Loss::Slow, now),
            State::Open if now - self.heard >= 2 * self.ping_every() => self.lose(Loss::Silent, now),
            State::Open => {
                if !self.asked && now - self.heard >= self.ping_every() {
                    self.asked = true;
                    self.send_ping(now);
                }
                self.try_input_again(now);
                self.ask_due(now);
            }
            _ => {}
        }
    }

    /// When to come back, if nothing happens before.
    pub fn poll_timeout(&self) -> Option<Time> {
        match self.state {
            State::Waiting(until) => Some(until),
            State::Called { since, .. } | State::Proved { since, .. } => Some(since + PROOF_WAIT),
            State::Open => {
                let silence = self.heard + self.ping_every() * if self.asked { 2 } else { 1 };
                self.outboxes.values().filter_map(Outbox::poll_timeout).chain(self.patience.poll_timeout()).chain([silence]).min()
            }
            State::Dialling | State::Over => None,
        }
    }

    // ---- What goes out ----

    /// The next frame to send.
    pub fn poll_frame(&mut self) -> Option<Frame> {
        let frame = self.frames.pop_front()?;
        self.queued -= frame.encoded_len();
        self.pongs -= usize::from(frame.kind == Kind::Pong.code());
        Some(frame)
    }

    /// Bytes that wait to be sent.
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    // ---- Within ----

    /// Whether a transport is in use.
    fn is_linked(&self) -> bool {
        matches!(self.state, State::Called { .. } | State::Proved { .. } | State::Open)
    }

    fn ping_every(&self) -> Duration {
        // A server that wants to be asked all the time would have us do nothing else.
        Duration::from_millis(self.limits.ping_ms.into()).max(PING_LEAST)
    }

    fn push(&mut self, frame: Frame) {
        self.queued += frame.encoded_len();
        self.frames.push_back(frame);
    }

    fn send(&mut self, stream: StreamId, message: Message) {
        self.push(message.into_frame(stream));
    }

    fn send_ping(&mut self, now: Time) {
        self.send(StreamId::CONNECTION, Message::Ping { echo: now.as_nanos() & NUMBER_MAX });
    }

    /// Tells the host of the Pong it asked for.
    fn take_pong(&mut self, echo: u64, sent: Option<Time>, now: Time) {
        if let Some(since) = self.pinged.take_if(|since| since.as_nanos() & NUMBER_MAX == echo) {
            self.events.push_back(Event::Pong { after: now - since, sent });
        }
    }

    /// Answers a ping, unless the answers to many wait already: one that nobody fetches proves nothing.
    fn send_pong(&mut self, echo: u64) {
        if self.pongs < PONGS_MAX {
            self.pongs += 1;
            self.send(StreamId::CONNECTION, Message::Pong { echo });
        }
    }

    fn clear_frames(&mut self) {
        self.frames.clear();
        (self.queued, self.pongs) = (0, 0);
    }

    /// The link is over, for the reason `why`: hangs up where it is open still, and decides when to come back.
    fn lose(&mut self, why: Loss, now: Time) {
        let was_linked = self.is_linked();
        self.clear_frames();
        self.pinged = None;
        let farewell = match &why {
            Loss::Breach(breach) => Some(Goodbye::new(breach.code(), breach.to_string())),
            Loss::Left => Some(Goodbye::new(ErrorCode::Leaving, "")),
            _ => None,
        };
        if let Some(goodbye) = farewell.filter(|_| was_linked) {
            self.send(StreamId::CONNECTION, Message::Goodbye(Box::new(goodbye)));
        }
        if was_linked && why != Loss::Broke {
            self.events.push_back(Event::HangUp);
        }
        self.breached &= !self.backoff.is_stable(now);
        let again = self.comes_back(&why).map(|at_least| self.backoff.handle_down(now, at_least));
        self.state = again.map_or(State::Over, State::Waiting);
        if let (Loss::Goodbye(goodbye), Some(known)) = (&why, &mut self.known) {
            known.replaced |= goodbye.code == ErrorCode::Replaced;
        }
        self.events.push_back(Event::Lost { why, again });
        self.suspend_streams();
    }

    /// Whether, and after how long at least, to dial again.
    fn comes_back(&mut self, why: &Loss) -> Option<Duration> {
        let soon = Some(Duration::ZERO);
        match why {
            Loss::Broke | Loss::Silent | Loss::Slow => soon,
            Loss::Impostor | Loss::Left => None,
            Loss::Breach(Breach::Version(_)) => None,
            // A bug, perhaps of the moment: once more, but not for ever.
            Loss::Breach(_) => soon.filter(|_| !std::mem::replace(&mut self.breached, true)),
            Loss::Goodbye(goodbye) => match goodbye.code {
                ErrorCode::Version | ErrorCode::Unauthorized | ErrorCode::Replaced => None,
                ErrorCode::Malformed | ErrorCode::UnknownType | ErrorCode::Unexpected => {
                    soon.filter(|_| !std::mem::replace(&mut self.breached, true))
                }
                _ => Some(Duration::from_millis(goodbye.retry_ms.unwrap_or_default().into())),
            },
        }
    }
}

/// Answers to pings that may wait to be sent.
const PONGS_MAX: usize = 8;

/// A server cannot have its clients ask more often.
const PING_LEAST: Duration = Duration::from_millis(100);
