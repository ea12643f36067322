//! Why something was refused, by name.

use super::super::names::named;

named! {
    /// Why a request, some input or a whole connection was refused. What to do about each stands in `docs/protocol.md`.
    pub enum ErrorCode or Unknown {
        // ---- The connection ends: Goodbye ----
        /// No common version; both ranges are named.
        Version = "version",
        /// The proof was wrong or missing: another token, another authority, or frames changed on the way.
        Unauthorized = "unauthorized",
        /// A peer took too long to prove who it is.
        Timeout = "timeout",
        /// Bytes that are no frame, or a body that is no message.
        Malformed = "malformed",
        /// A type that is unknown and not marked ignorable.
        UnknownType = "unknown_type",
        /// A message that does not belong here: out of turn, or from the wrong side.
        Unexpected = "unexpected",
        /// The same client has come back on another connection.
        Replaced = "replaced",
        /// Too much to do; come back later.
        Overloaded = "overloaded",
        /// The server ends, and its sessions with it.
        ShuttingDown = "shutting_down",
        /// The peer leaves of its own will.
        Leaving = "leaving",
        // ---- One request was refused: Error, InputRefused, Detached ----
        /// The request does not make sense: a key is missing or out of range.
        BadRequest = "bad_request",
        /// The role does not allow it.
        Forbidden = "forbidden",
        /// No session has this number, or it may not be seen.
        NoSession = "no_session",
        /// The stream is in use.
        StreamInUse = "stream_in_use",
        /// A limit on sessions, streams or viewers is reached.
        TooMany = "too_many",
        /// The offset lies beyond the output.
        OffsetAhead = "offset_ahead",
        /// The session has ended.
        Ended = "ended",
        /// The program could not be started.
        SpawnFailed = "spawn_failed",
        /// The program does not read, and its queue is full.
        InputFull = "input_full",
        /// Input is missing before this.
        InputGap = "input_gap",
        /// The terminal collects lines, and this one is longer than it can hold.
        LineTooLong = "line_too_long",
        /// The time in which it should have begun was over.
        Expired = "expired",
        /// It was called off before it began.
        Cancelled = "cancelled",
        /// One before it in its batch was refused.
        Skipped = "skipped",
        /// Another batch has this key.
        KeyInUse = "key_in_use",
        /// The server's program has no operation of this name.
        NoOperation = "no_operation",
        /// It was carried out so long ago that what came of it is not known any more.
        Forgotten = "forgotten",
        /// The system refused.
        System = "system",
        /// A bug of this side's.
        Internal = "internal",
    }
}

impl ErrorCode {
    /// Whether the same may succeed later, unchanged.
    pub const fn is_retryable(self) -> bool {
        use ErrorCode::{InputFull, Internal, Overloaded, ShuttingDown, System, Timeout, TooMany};
        matches!(self, Timeout | Overloaded | ShuttingDown | TooMany | InputFull | System | Internal)
    }

    /// The number a WebSocket is closed with for this reason.
    pub const fn close_code(self) -> u16 {
        match self {
            ErrorCode::Leaving => 1000,
            ErrorCode::ShuttingDown => 1001,
            ErrorCode::System | ErrorCode::Internal => 1011,
            ErrorCode::Unauthorized => 4401,
            ErrorCode::Forbidden => 4403,
            ErrorCode::NoSession => 4404,
            ErrorCode::Timeout => 4408,
            ErrorCode::Replaced => 4409,
            ErrorCode::Ended => 4410,
            ErrorCode::Version => 4426,
            ErrorCode::Overloaded | ErrorCode::TooMany | ErrorCode::InputFull => 4429,
            _ => 4400,
        }
    }
}
