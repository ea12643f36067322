//! Messages about the connection: how it begins, what it may hold, why it ends.

use serde::{Deserialize, Serialize};

use super::super::cbor;
use super::super::frame::StreamId;
use super::super::handshake::{Mac, Nonce};
use super::super::negotiation::{Agreed, Features, Versions};
use super::super::token::{ResumeSecret, Role};
use super::{ErrorCode, in_header};
use crate::limits::{CREDIT_MIN, FRAME_MAX, HIGH_WATER_BYTES, INPUT_WINDOW_BYTES, PING_EVERY, RESUME_HOLD, RETRY_TOLD, STREAMS_MAX};

/// The first frame of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The versions the client speaks.
    pub versions: Versions,
    /// Whose pass the client holds.
    pub role: Role,
    /// The client's nonce.
    pub nonce: Nonce,
    /// What the client can do besides.
    #[serde(default, skip_serializing_if = "Features::is_empty")]
    pub features: Features,
    /// What the client can take.
    #[serde(default)]
    pub limits: ClientLimits,
    /// Software and version, for logs: `web/0.1.0`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub agent: String,
    /// What other viewers call this client: a person's or a device's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Who the client was before, if it comes back; Proof then shows that it is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// The server instance it was connected to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceId>,
    /// The streams it had, to go on at once. Void where the client or the instance is another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resume: Vec<ResumePoint>,
}

impl Hello {
    /// Whether a body that is no Hello would be one, were there only such a role.
    pub(crate) fn is_of_unknown_role(body: &[u8]) -> bool {
        #[derive(Deserialize)]
        struct Asked {
            role: String,
        }
        cbor::decode::<Asked>(body).is_ok_and(|asked| Role::from_name(&asked.role).is_none())
    }
}

/// One stream a client comes back for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumePoint {
    /// The stream it shall be.
    pub stream: StreamId,
    /// The session.
    pub session: u64,
    /// The offset after the last byte the client has.
    pub offset: u64,
}

/// Who a client is, to the server that named it. 128 random bits; a name, not a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(#[serde(with = "crate::protocol::fixed")] [u8; 16]);

impl ClientId {
    /// The id of these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        ClientId(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// One run of a server: another after each restart, when session numbers begin anew. 128 random bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstanceId(#[serde(with = "crate::protocol::fixed")] [u8; 16]);

impl InstanceId {
    /// The id of these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        InstanceId(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// What the server chose, covered by both proofs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// The version to speak from now on.
    pub version: u16,
    /// The server's nonce.
    pub nonce: Nonce,
    /// The run of the server.
    pub instance: InstanceId,
    /// The features agreed on.
    #[serde(default)]
    pub features: Agreed,
}

/// That a side holds the pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Under the pass: [`server_proof`](super::super::handshake::Transcript::server_proof) or
    /// [`client_proof`](super::super::handshake::Transcript::client_proof).
    pub mac: Mac,
    /// Under the resume secret, from a client that comes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<Mac>,
}

/// The client is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Who the client is from now on.
    pub client: ClientId,
    /// What it needs to come back as the same; the last one given counts.
    pub secret: ResumeSecret,
    /// What it may do.
    pub role: Role,
    /// Whether it was known: its sequence numbers go on and its resume list is being answered. Otherwise it begins anew.
    pub resumed: bool,
    /// What the server can take.
    #[serde(default)]
    pub limits: ServerLimits,
    /// Software and version, for logs: `orchflow/0.1.0`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub agent: String,
}

/// What a client can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientLimits {
    /// The largest frame it accepts, in bytes with the header.
    pub frame: u32,
    /// Output it takes per stream without having acknowledged it.
    pub credit: Credit,
}

impl Default for ClientLimits {
    fn default() -> Self {
        ClientLimits { frame: FRAME_MAX as u32, credit: Credit::DEFAULT }
    }
}

/// What a server can take, and how long it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerLimits {
    /// The largest frame it accepts, in bytes with the header.
    pub frame: u32,
    /// Output it sends per stream before it waits for an acknowledgement; at most what the client offered.
    pub credit: Credit,
    /// Input it takes per stream without having acknowledged it, in bytes.
    pub input: u32,
    /// Streams the connection may have at a time.
    pub streams: u16,
    /// Silence after which either side asks, in milliseconds; after twice as much the link counts as broken.
    pub ping_ms: u32,
    /// How long a lost client's place in the output is kept, in milliseconds.
    pub hold_ms: u32,
}

impl Default for ServerLimits {
    fn default() -> Self {
        ServerLimits {
            frame: FRAME_MAX as u32,
            credit: Credit::DEFAULT,
            input: INPUT_WINDOW_BYTES,
            streams: STREAMS_MAX,
            ping_ms: PING_EVERY.as_millis() as u32,
            hold_ms: RESUME_HOLD.as_millis() as u32,
        }
    }
}

/// How much output may be under way to a viewer that has not acknowledged it. One number, in bytes; the other two follow.
///
/// # Examples
/// ```
/// # use orchflow_core::protocol::message::Credit;
/// let credit = Credit::new(256 << 10);
/// assert_eq!((credit.high_bytes(), credit.low_bytes(), credit.ack_bytes()), (256 << 10, 32 << 10, 16 << 10));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "u32", into = "u32")]
pub struct Credit(u32);

impl Credit {
    /// 512 KiB.
    pub const DEFAULT: Credit = Credit(HIGH_WATER_BYTES as u32);

    /// This many bytes, or [`CREDIT_MIN`] where it is less.
    pub const fn new(bytes: u32) -> Credit {
        Credit(if bytes < CREDIT_MIN { CREDIT_MIN } else { bytes })
    }

    /// Un-acknowledged bytes beyond which the server sends nothing.
    pub const fn high_bytes(self) -> u32 {
        self.0
    }

    /// An eighth of it: how much of it is left when the pace of a viewer is taken.
    pub const fn low_bytes(self) -> u32 {
        self.0 / 8
    }

    /// A client acknowledges when it has rendered this many bytes more.
    pub const fn ack_bytes(self) -> u32 {
        self.0 / 16
    }
}

impl From<u32> for Credit {
    fn from(bytes: u32) -> Self {
        Credit::new(bytes)
    }
}

impl From<Credit> for u32 {
    fn from(credit: Credit) -> Self {
        credit.0
    }
}

/// Why a request was refused. The connection goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The request; in the header.
    #[serde(skip)]
    pub number: u64,
    /// What kind of refusal.
    pub code: ErrorCode,
    /// What, the limit, and what to do, for people.
    pub message: String,
    /// Whether the same may succeed later.
    #[serde(default)]
    pub retryable: bool,
}

impl Refusal {
    /// Of request `number`, for the reason `code`.
    pub fn new(number: u64, code: ErrorCode, message: impl Into<String>) -> Refusal {
        Refusal { number, code, message: message.into(), retryable: code.is_retryable() }
    }
}

/// The last frame of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goodbye {
    /// Why.
    pub code: ErrorCode,
    /// The same for people, with what to do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// When to come back, in milliseconds from now; absent where it would be of no use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_ms: Option<u32>,
    /// The versions its sender speaks, where they are the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions: Option<Versions>,
    /// The versions it was offered, where they are the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered: Option<Versions>,
}

impl Goodbye {
    /// For the reason `code`, with no word of when to come back.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Goodbye {
        Goodbye { code, message: message.into(), retry_ms: None, versions: None, offered: None }
    }

    /// A server's, for the reason `code`: with when to come back, where that is of use.
    pub fn with_retry(code: ErrorCode, message: impl Into<String>) -> Goodbye {
        let retry_ms = match code {
            ErrorCode::Overloaded | ErrorCode::ShuttingDown => Some(RETRY_TOLD.as_millis() as u32),
            _ => code.is_retryable().then_some(0),
        };
        Goodbye { retry_ms, ..Goodbye::new(code, message) }
    }
}

in_header!(Refusal.number);
