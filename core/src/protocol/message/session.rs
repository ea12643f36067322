//! Messages about sessions: starting, finding, watching and ending them.

use serde::{Deserialize, Serialize};

use super::super::names::named;
use super::super::token::Role;
use super::{ErrorCode, in_header, wire};
use crate::pty::{ExitStatus, Signal, Target};
use crate::size::Size;

/// Start a program in a terminal, and watch it on this stream from its first byte.
///
/// A client that comes back repeats a Spawn it has no answer to, under the same number: it is carried out once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spawn {
    /// The request's number; in the header.
    #[serde(skip)]
    pub number: u64,
    /// What to run; without it, the shell of the server's user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// Its arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Changes to the server's environment: a name with its value, or with nothing to remove it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<(String, Option<String>)>,
    /// The folder it starts in; without it, the server's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The terminal's size; without it 80 by 24.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// What to call the session.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Whether its output is never packed: who can write to it and see how long frames are could guess at what else is in it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
}

/// It runs; output follows from offset 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spawned {
    /// The request that is answered; in the header.
    #[serde(skip)]
    pub number: u64,
    /// The session's number, good for this instance of the server.
    pub session: u64,
    /// The process's number on its machine, where that has a meaning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The terminal's size.
    pub size: Size,
    /// Whether this stream's terminal shall answer what programs ask terminals.
    #[serde(default)]
    pub replies: bool,
}

/// Watch a session on this stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attach {
    /// The request's number; in the header.
    #[serde(skip)]
    pub number: u64,
    /// Which session.
    pub session: u64,
    /// From where on.
    pub start: Start,
    /// As what; without it, or where it would be more than the connection's role, as that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The size of the client's window, to be weighed against other viewers'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// What happens when it falls behind; without it, [`Policy::Resync`] where others watch already, else [`Policy::Backpressure`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
}

named! {
    /// What happens when a viewer falls behind.
    pub enum Policy {
        /// The program waits for it, until others have waited for long.
        Backpressure = "backpressure",
        /// It misses what it did not get to, is told so, and goes on with the newest lines.
        Resync = "resync",
    }
}

/// Where watching begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Start {
    /// At this offset. What is no longer held is told as a gap.
    Offset(u64),
    /// So that at most this many of the newest bytes come again.
    Tail(u64),
}

/// Output follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// The request that is answered, or 0 for one of Hello's resume list; in the header.
    #[serde(skip)]
    pub number: u64,
    /// Which session.
    pub session: u64,
    /// As what the client watches.
    pub role: Role,
    /// Where output begins: the next Output or Gap has this offset.
    pub start: u64,
    /// Where output ended at this moment: a client that got there has caught up.
    pub end: u64,
    /// The last input of this client that is settled; 0 for none.
    pub input: u64,
    /// The terminal's size.
    pub size: Size,
    /// What happens when it falls behind.
    pub policy: Policy,
    /// Whether this stream's terminal shall answer what programs ask terminals.
    #[serde(default)]
    pub replies: bool,
    /// What the session is called.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
}

/// The stream is free again, and nothing more comes on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Detached {
    /// The request that is answered, or 0 where the server did it; in the header.
    #[serde(skip)]
    pub number: u64,
    /// Why, where nobody asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<ErrorCode>,
    /// The same for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// Sessions the client may watch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    /// The request that is answered; in the header.
    #[serde(skip)]
    pub number: u64,
    /// Whether another frame continues the list; a flag of the frame.
    #[serde(skip)]
    pub more: bool,
    /// Some of them, at most [`SESSIONS_PER_FRAME`](crate::limits::SESSIONS_PER_FRAME).
    pub sessions: Vec<SessionInfo>,
}

/// One session, as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionInfo {
    /// Its number.
    pub session: u64,
    /// What it is called.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// The program, as it was asked for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub program: String,
    /// The terminal's size.
    pub size: Size,
    /// How long ago it was started, in milliseconds.
    pub age_ms: u64,
    /// Bytes of output so far.
    pub end: u64,
    /// How many watch it.
    pub viewers: u32,
    /// How its process ended, if it has.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "wire::maybe_status")]
    pub status: Option<ExitStatus>,
}

/// End a session: hang up, terminate, kill, with `grace_ms` after each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Close {
    /// The request's number; in the header.
    #[serde(skip)]
    pub number: u64,
    /// Which, where the request stands on stream 0; on another, that stream's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<u64>,
    /// Patience after each step, in milliseconds; 0 kills at once.
    #[serde(default = "grace_ms")]
    pub grace_ms: u32,
}

pub(super) fn grace_ms() -> u32 {
    crate::limits::CLOSE_GRACE.as_millis() as u32
}

/// Do something to a session, or learn that somebody did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// The request's number; 0 from a server. In the header.
    #[serde(skip)]
    pub number: u64,
    /// What.
    #[serde(rename = "do")]
    pub act: Act,
}

/// What can be done to a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Act {
    /// Forget the output so far; viewers empty their scrollback.
    Clear,
    /// Viewers put their terminals back into the first state.
    Reset,
    /// Call it this.
    Title(String),
    /// Send a signal. A server does not tell of it.
    Signal {
        /// Which.
        #[serde(with = "wire::SignalName")]
        name: Signal,
        /// To whom.
        #[serde(with = "wire::TargetName")]
        to: Target,
    },
}

/// Who watches a session. Sent at first and whenever it changes, where the feature `viewers` was agreed on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewers {
    /// How many, this client included.
    pub count: u32,
    /// Some of them: the first to come, as many as fit.
    pub viewers: Vec<Viewer>,
}

/// One who watches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    /// What it calls itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// As what it watches.
    pub role: Role,
    /// Whether it is this client.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub you: bool,
    /// Whether its terminal answers what programs ask.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replies: bool,
}

in_header!(Spawn.number, Spawned.number, Attach.number, Attached.number, Detached.number, Sessions.number, Close.number, Control.number,);
