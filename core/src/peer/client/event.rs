//! What a client's machine tells its host: events, why links end, and what could not be asked.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::limits::REQUESTS_MAX;
use crate::pack::UnpackError;
use crate::protocol::frame::{FrameError, StreamId};
use crate::protocol::kind::Kind;
use crate::protocol::message::{
    Act, Attached, ClientId, Detached, Ended, ErrorCode, Exited, Gap, Goodbye, InputDropped, InputRefused, InstanceId, MessageError,
    Refusal, Resized, Results, Sessions, Spawned, Viewers,
};
use crate::protocol::negotiation::{NoCommonVersion, Versions};
use crate::protocol::token::Role;
use crate::time::Time;

/// Something happened. Take them all after every call: [`ClientPeer::poll_event`](super::ClientPeer::poll_event).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    // ---- The link ----
    /// Open a transport to the server now, and say how that went:
    /// [`handle_connected`](super::ClientPeer::handle_connected) or [`handle_broken`](super::ClientPeer::handle_broken).
    Dial,
    /// Send the frames that wait, then close the transport.
    HangUp,
    /// The client is in, and goes on where it was.
    Welcome(Welcomed),
    /// It is out. Streams stay; what comes on them goes on after the next Welcome.
    Lost {
        /// Why.
        why: Loss,
        /// When it dials again; `None`: not by itself.
        again: Option<Time>,
    },

    /// The server has answered a [`ping`](super::ClientPeer::ping).
    Pong {
        /// How long that took.
        after: Duration,
        /// When it answered, by its clock, where that was agreed on.
        sent: Option<Time>,
    },

    // ---- Sessions ----
    /// A session was started, and its output follows from offset 0.
    Spawned {
        /// On which stream.
        stream: StreamId,
        /// What the server says of it.
        spawned: Spawned,
    },
    /// Output of a session follows, at first or again after a break.
    Attached {
        /// On which stream.
        stream: StreamId,
        /// What the server says of it.
        attached: Attached,
    },
    /// Nothing more comes on the stream: it was asked for, or the reason is given.
    Detached {
        /// Which stream.
        stream: StreamId,
        /// Why, where nobody asked.
        detached: Detached,
    },
    /// Sessions there are: some of them, where `more` says so.
    Sessions(Sessions),
    /// What came of operations: of each once, as they end, until `more` is false.
    Results(Box<Results>),
    /// A request was carried out.
    Done {
        /// Its number.
        number: u64,
    },
    /// A request was refused.
    Refused {
        /// On which stream it was asked; it is free again, where the request was to spawn or attach.
        stream: StreamId,
        /// Which, and why.
        refusal: Refusal,
    },
    /// The link broke before the answer came. It **may or may not** have been carried out; it is not asked again.
    Unanswered {
        /// On which stream it was asked; it is free again, where the request was to spawn.
        stream: StreamId,
        /// Its number.
        number: u64,
    },
    /// Who watches.
    Viewers {
        /// On which stream.
        stream: StreamId,
        /// These.
        viewers: Viewers,
    },
    /// Somebody cleared, reset or named the session.
    Control {
        /// On which stream.
        stream: StreamId,
        /// What was done.
        act: Act,
    },

    // ---- Output ----
    /// Bytes the terminal wrote, right behind the last. Say when they are rendered:
    /// [`rendered`](super::ClientPeer::rendered).
    Output {
        /// On which stream.
        stream: StreamId,
        /// Offset of the first of them.
        offset: u64,
        /// The bytes.
        bytes: Bytes,
        /// Whether others may have seen them before: do not answer queries in them.
        replay: bool,
        /// When the server read them, by its clock, where that was agreed on.
        sent: Option<Time>,
    },
    /// Output that will not come. Say when it was seen to, as with output.
    Gap {
        /// On which stream.
        stream: StreamId,
        /// Which bytes, and why.
        gap: Gap,
    },
    /// The terminal has this size now.
    Resized {
        /// On which stream.
        stream: StreamId,
        /// Which, and whose request it settles.
        resized: Resized,
    },
    /// The process ended; output may still come.
    ProcessExited {
        /// On which stream.
        stream: StreamId,
        /// How.
        exited: Exited,
    },
    /// The end, after the last byte. The stream is free again.
    Exit {
        /// On which stream.
        stream: StreamId,
        /// How it ended.
        ended: Ended,
    },

    // ---- Input ----
    /// The terminal has accepted input up to here.
    Settled {
        /// On which stream.
        stream: StreamId,
        /// The last piece, as [`write`](super::ClientPeer::write) numbered it.
        sequence: u64,
    },
    /// Input was not taken. It and all that was written after it is given up.
    InputRefused {
        /// On which stream.
        stream: StreamId,
        /// From which piece on, and why.
        refused: InputRefused,
        /// The last piece given up.
        to: u64,
    },
    /// Input that was accepted will never reach the program.
    InputDropped {
        /// On which stream.
        stream: StreamId,
        /// Which.
        dropped: InputDropped,
    },
    /// The server does not know the client any longer, or the session is gone. These pieces **may or may not** have reached the
    /// program; they are given up.
    InputUncertain {
        /// Whose input it was.
        session: u64,
        /// The first piece.
        from: u64,
        /// The last.
        to: u64,
    },
}

/// How the client was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcomed {
    /// Who it is.
    pub client: ClientId,
    /// The run of the server.
    pub instance: InstanceId,
    /// What it may do.
    pub role: Role,
    /// What became of what it had.
    pub past: Past,
}

/// What became of a client's streams and input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Past {
    /// It had none: this is the first time.
    None,
    /// The server knows it; everything goes on.
    Resumed,
    /// The same server knows it no longer: streams are asked for again, and input that was not settled is given up.
    Forgotten,
    /// The server was started anew, and the sessions are gone: each stream is told as detached.
    Restarted,
}

/// Why a link ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loss {
    /// The transport broke, or could not be opened.
    Broke,
    /// Nothing was heard for twice the time after which one asks.
    Silent,
    /// The server did not let the client in, nor turned it away, in time.
    Slow,
    /// The server said goodbye.
    Goodbye(Goodbye),
    /// The server does not speak the protocol.
    Breach(Breach),
    /// Whoever listens there does not hold the pass: a stranger, or the token is another since a restart.
    Impostor,
    /// The client left of its own will.
    Left,
}

/// What a server did that the protocol does not allow. One of both sides has a bug.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Breach {
    /// Bytes that are no frame.
    Frame(FrameError),
    /// A frame that is no message.
    Message(MessageError),
    /// A message that does not belong here.
    Unexpected {
        /// Its type.
        kind: Kind,
        /// On which stream.
        stream: StreamId,
    },
    /// It chose a version that was not offered.
    Version(NoCommonVersion),
    /// It claims a feature that was not offered.
    Features,
    /// Output, a gap, the end or a beginning stands elsewhere than right behind what came: bytes are missing or doubled.
    Offset {
        /// The type of frame.
        kind: Kind,
        /// On which stream.
        stream: StreamId,
        /// Where it had to stand.
        expected: u64,
        /// Where it stands.
        found: u64,
    },
    /// Packed output goes on from a context that is not there.
    Context {
        /// On which stream.
        stream: StreamId,
    },
    /// Packed output cannot be unpacked.
    Packed {
        /// On which stream.
        stream: StreamId,
        /// What is wrong with it.
        source: UnpackError,
    },
    /// It acknowledged input that was not sent.
    Sequence {
        /// On which stream.
        stream: StreamId,
        /// The last that was sent.
        sent: u64,
        /// What it acknowledged.
        found: u64,
    },
}

impl Breach {
    pub(super) fn version(ours: Versions, chosen: u16) -> Breach {
        let theirs = Versions::new(chosen, chosen).unwrap_or(ours);
        Breach::Version(NoCommonVersion { ours, theirs })
    }

    /// What to tell the server.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Breach::Frame(_) => ErrorCode::Malformed,
            Breach::Message(error) => match error.code() {
                ErrorCode::UnknownType => ErrorCode::UnknownType,
                _ => ErrorCode::Malformed,
            },
            Breach::Context { .. } | Breach::Packed { .. } => ErrorCode::Malformed,
            Breach::Version(_) => ErrorCode::Version,
            _ => ErrorCode::Unexpected,
        }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Breach::Frame(_) => f.write_str("the server sent bytes that are no frame"),
            Breach::Message(_) => f.write_str("the server sent a frame that is no message"),
            Breach::Unexpected { kind, stream } => write!(f, "{} does not come now on stream {}", kind.name(), stream.as_raw()),
            Breach::Version(_) => f.write_str("the server chose a version that was not offered"),
            Breach::Features => f.write_str("the server claims a feature that was not offered"),
            Breach::Offset { kind, stream, expected, found } => {
                let (kind, stream) = (kind.name(), stream.as_raw());
                write!(f, "{kind} on stream {stream} stands at {found}, and {expected} is what follows")
            }
            Breach::Context { stream } => {
                write!(f, "packed output on stream {} goes on from a context that is not there", stream.as_raw())
            }
            Breach::Packed { stream, .. } => write!(f, "packed output on stream {} cannot be unpacked", stream.as_raw()),
            Breach::Sequence { stream, sent, found } => {
                write!(f, "input {found} on stream {} was acknowledged, and {sent} is the last that was sent", stream.as_raw())
            }
        }
    }
}

impl std::error::Error for Breach {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Breach::Frame(error) => Some(error),
            Breach::Message(error) => Some(error),
            Breach::Packed { source, .. } => Some(source),
            Breach::Version(error) => Some(error),
            _ => None,
        }
    }
}

/// Why something was not even asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AskError {
    /// The stream, or the link, is not open: wait for Spawned or Attached, or for Welcome.
    NotOpen,
    /// All streams the server allows are in use.
    Streams {
        /// So many.
        limit: u16,
    },
    /// The session is watched already.
    Watched {
        /// On this stream.
        stream: StreamId,
    },
    /// Too many requests have no answer.
    Requests {
        /// So many.
        limit: usize,
    },
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AskError::NotOpen => f.write_str("the stream is not open: spawn or attach first, and wait for the answer; or the link is not"),
            AskError::Streams { limit } => write!(f, "{limit} streams are open, which is all the server allows: detach one first"),
            AskError::Watched { stream } => write!(f, "the session is watched on stream {} already", stream.as_raw()),
            AskError::Requests { limit } => write!(f, "{limit} requests have no answer: wait for some"),
        }
    }
}

impl std::error::Error for AskError {}

/// Why input was not taken. Nothing of it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InputError {
    /// The stream is not open: wait for Spawned or Attached.
    NotOpen,
    /// As much waits for the server as is kept: wait for [`Event::Settled`].
    Full {
        /// Bytes kept at most, as [`ClientOptions::input_bytes_max`](super::ClientOptions::input_bytes_max) says.
        limit: usize,
    },
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InputError::NotOpen => AskError::NotOpen.fmt(f),
            InputError::Full { limit } => write!(f, "{limit} bytes of input wait for the server: write again when some are settled"),
        }
    }
}

impl std::error::Error for InputError {}

pub(super) const fn too_many_requests() -> AskError {
    AskError::Requests { limit: REQUESTS_MAX }
}
