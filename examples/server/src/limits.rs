//! Every bound of this server, with its reason. Those of the engine are in `orchflow_core::limits`.

use std::time::Duration;

use orchflow_core::limits::{BEFORE_PROOF_BYTES_MAX, CLOSE_GRACE, FRAME_BEFORE_PROOF_MAX, FRAME_MAX, PROOF_WAIT};

use crate::gate::EarlyDrop;

/// The head of a request, in bytes. Browsers send under 1 KiB; hyper reads no less than this at a time.
pub(crate) const HEAD_BYTES: usize = 8 << 10;

/// Headers of a request. Browsers send about 15.
pub(crate) const HEADERS: usize = 64;

/// What a peer may send before it has proved who it is, in bytes, its request included.
pub(crate) const UNPROVED_BYTES: usize = BEFORE_PROOF_BYTES_MAX;

/// The largest message from a peer that has not proved who it is, in bytes: room for a full Hello.
pub(crate) const MESSAGE_UNPROVED_MAX: usize = FRAME_BEFORE_PROOF_MAX;

/// The largest message after that, in bytes. Output travels in pieces of 64 KiB at most; only pastes grow longer.
pub(crate) const MESSAGE_MAX: usize = FRAME_MAX;

/// Read at once from a WebSocket, in bytes, and held by each connection all its life. With tungstenite's own 128 KiB ten thousand idle
/// connections would take 1.2 GB, and a hundred busy ones would get half as many messages through.
pub(crate) const READ_BUFFER: usize = 4 << 10;

/// Small messages gather up to this many bytes until they are flushed, so that several leave in one write.
pub(crate) const WRITE_BUFFER: usize = 4 << 10;

/// Never reached, for a message is taken only after the one before it has left: one message, a little gathered, the headers.
pub(crate) const WRITE_BUFFER_MAX: usize = MESSAGE_MAX + 4 * WRITE_BUFFER;

/// How long a peer that was told to go may take to read it.
pub(crate) const FAREWELL_WAIT: Duration = Duration::from_secs(1);

/// What such a peer may still send meanwhile, in bytes: what was under way, be it a message over the limit. It is thrown away, for closing over unread bytes
/// would take our last words back.
pub(crate) const FAREWELL_BYTES: usize = 4 * MESSAGE_MAX;

/// Descriptors kept free of connections, for terminals and files.
pub(crate) const DESCRIPTORS_RESERVED: u64 = 64;

/// Connections the system keeps until we accept them. Who finds the queue full tries again after a second, friend or not, and turning away the
/// 3,000 of a flood takes us less time than that.
pub(crate) const ACCEPT_QUEUE: u32 = 4096;

/// How long nobody is accepted after the system had no descriptor left. Its queue keeps who comes meanwhile.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Log lines a second. A flood of connections must not become one of the disk.
pub(crate) const LOG_LINES: u32 = 50;

/// Characters of what a peer said, in a log line or an answer.
pub(crate) const QUOTE_CHARS: usize = 80;

/// The bounds a test needs smaller than they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How long a request's head may take.
    pub(crate) head_wait: Duration,
    /// How long a connection may take to prove who it is, from its first byte on; and how long any answer over HTTP may take.
    pub(crate) proof_wait: Duration,
    /// Who is turned away while many connections have proved nothing.
    pub(crate) early_drop: EarlyDrop,
    /// How long connections may take to say goodbye when the server ends.
    pub(crate) connections_grace: Duration,
    /// How long sessions may take to close after that.
    pub(crate) sessions_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            head_wait: Duration::from_secs(5),
            proof_wait: PROOF_WAIT,
            early_drop: EarlyDrop::default(),
            connections_grace: 2 * FAREWELL_WAIT,
            sessions_grace: 4 * CLOSE_GRACE, // The three steps of the ladder, and as long as one of them to collect.
        }
    }
}
