//! Why this server says no, to whom, and what they can do about it.
//!
//! Every refusal is one of these. It names what was wrong, the limit and the way out; it is answered over HTTP by a status, over
//! the protocol by a Goodbye, and over a WebSocket by a close code besides; and it is counted under its [`Reason`].
//!
//! Deliberately absent: what the peer sent. A path or a query may hold a token pasted into the wrong place, so no refusal
//! repeats one; Host and Origin hold none, and are for the log.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use orchflow_core::protocol::frame::StreamId;
use orchflow_core::protocol::message::{ErrorCode, Goodbye, Message};

use crate::limits::{HEAD_BYTES, HEADERS, MESSAGE_MAX, MESSAGE_UNPROVED_MAX, UNPROVED_BYTES};
use crate::quote::Quoted;

/// One no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    // ---- At the door ----
    /// Too many connections have not proved who they are.
    Crowded {
        unproved: usize,
        full: usize,
    },
    /// The process has no descriptors left for connections.
    Full {
        limit: usize,
    },
    /// The server ends.
    Closing,
    /// Another user of this machine is at the Unix socket.
    User {
        uid: u32,
        ours: u32,
    },
    // ---- The head of a request ----
    HeadSlow {
        limit: Duration,
    },
    HeadLarge,
    HeadMalformed,
    /// A whole URL where a path belongs, as a proxy is asked.
    Target,
    HostMissing,
    HostTwice,
    HostForeign {
        host: Quoted,
    },
    OriginTwice,
    OriginForeign {
        origin: Quoted,
    },
    OriginNull,
    TokenInUrl,
    Body,
    NotFound,
    Method {
        allowed: &'static str,
    },
    /// `/ws` without the wish to speak WebSocket, or in another version than 13.
    UpgradeRequired,
    UpgradeMalformed {
        header: &'static str,
    },
    Unauthorized {
        given: bool,
    },
    /// The answer was not taken.
    AnswerSlow {
        limit: Duration,
    },
    // ---- After it ----
    ProofSlow {
        limit: Duration,
    },
    ProofLong,
    MessageLong {
        limit: usize,
    },
    Text,
    /// Bytes that no WebSocket or frame begins with.
    Malformed {
        what: Quoted,
    },
}

impl Refusal {
    /// A message over the limit of who sent it.
    pub(crate) fn message_long(proved: bool) -> Refusal {
        Refusal::MessageLong { limit: if proved { MESSAGE_MAX } else { MESSAGE_UNPROVED_MAX } }
    }

    /// What it is counted under.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Refusal::Crowded { .. } => Reason::Crowded,
            Refusal::Full { .. } => Reason::Full,
            Refusal::Closing => Reason::Closing,
            Refusal::User { .. } => Reason::User,
            Refusal::HeadSlow { .. } => Reason::HeadSlow,
            Refusal::HeadLarge => Reason::HeadLarge,
            Refusal::HeadMalformed | Refusal::Target | Refusal::Body => Reason::HeadMalformed,
            Refusal::HostMissing | Refusal::HostTwice | Refusal::HostForeign { .. } => Reason::Host,
            Refusal::OriginTwice | Refusal::OriginForeign { .. } | Refusal::OriginNull => Reason::Origin,
            Refusal::TokenInUrl => Reason::TokenInUrl,
            Refusal::NotFound => Reason::NotFound,
            Refusal::Method { .. } => Reason::Method,
            Refusal::UpgradeRequired | Refusal::UpgradeMalformed { .. } => Reason::Upgrade,
            Refusal::Unauthorized { .. } => Reason::Unauthorized,
            Refusal::AnswerSlow { .. } => Reason::AnswerSlow,
            Refusal::ProofSlow { .. } => Reason::ProofSlow,
            Refusal::ProofLong => Reason::ProofLong,
            Refusal::MessageLong { .. } => Reason::MessageLong,
            Refusal::Text | Refusal::Malformed { .. } => Reason::Malformed,
        }
    }

    /// How HTTP says it.
    pub(crate) fn status(&self) -> StatusCode {
        match self.reason() {
            Reason::Crowded | Reason::Full | Reason::Closing => StatusCode::SERVICE_UNAVAILABLE,
            Reason::HeadSlow | Reason::AnswerSlow | Reason::ProofSlow => StatusCode::REQUEST_TIMEOUT,
            Reason::HeadLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Reason::Host if matches!(self, Refusal::HostForeign { .. }) => StatusCode::MISDIRECTED_REQUEST,
            Reason::Origin if !matches!(self, Refusal::OriginTwice) => StatusCode::FORBIDDEN,
            Reason::User => StatusCode::FORBIDDEN,
            Reason::NotFound => StatusCode::NOT_FOUND,
            Reason::Method => StatusCode::METHOD_NOT_ALLOWED,
            Reason::Upgrade if matches!(self, Refusal::UpgradeRequired) => StatusCode::UPGRADE_REQUIRED,
            Reason::Unauthorized => StatusCode::UNAUTHORIZED,
            Reason::ProofLong | Reason::MessageLong => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// How a WebSocket says it: the codes of RFC 6455 where one fits, else 4000 and what HTTP would say.
    pub(crate) fn close_code(&self) -> u16 {
        match self.reason() {
            Reason::Closing => 1001,
            Reason::Malformed if matches!(self, Refusal::Text) => 1003,
            Reason::Malformed => 1002,
            Reason::MessageLong | Reason::ProofLong => 1009,
            _ => 4000 + self.status().as_u16(),
        }
    }

    /// How the protocol says it: a frame.
    pub(crate) fn goodbye(&self) -> Bytes {
        let code = match self.reason() {
            Reason::Crowded | Reason::Full => ErrorCode::Overloaded,
            Reason::Closing => ErrorCode::ShuttingDown,
            Reason::ProofSlow | Reason::HeadSlow | Reason::AnswerSlow => ErrorCode::Timeout,
            Reason::User | Reason::Unauthorized => ErrorCode::Unauthorized,
            _ => ErrorCode::Malformed,
        };
        Message::Goodbye(Box::new(Goodbye::with_retry(code, self.to_string()))).into_frame(StreamId::CONNECTION).to_bytes()
    }

    /// What the peer said, for the log.
    pub(crate) fn said(&self) -> Option<&Quoted> {
        match self {
            Refusal::HostForeign { host: said } | Refusal::OriginForeign { origin: said } | Refusal::Malformed { what: said } => Some(said),
            _ => None,
        }
    }

    /// What HTTP wants said besides, as header and value.
    pub(crate) fn header(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Refusal::Method { allowed } => Some(("allow", allowed)),
            Refusal::UpgradeRequired => Some(("sec-websocket-version", "13")),
            Refusal::Unauthorized { .. } => Some(("www-authenticate", "Bearer realm=\"orchflow\"")),
            Refusal::Crowded { .. } | Refusal::Full { .. } | Refusal::Closing => Some(("retry-after", "1")),
            _ => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Crowded { full, .. } => write!(
                f,
                "too many connections have not proved who they are: from {full} on nobody is let in, and some are turned away before; try again in a second"
            ),
            Refusal::Full { limit } => {
                write!(f, "there are {limit} connections, all this process has descriptors for; close some, or raise `ulimit -n`")
            }
            Refusal::Closing => f.write_str("the server is shutting down; try again once it is back"),
            Refusal::User { uid, ours } => {
                write!(f, "this socket is for user {ours} alone, and you are user {uid}; start a server of your own")
            }
            Refusal::HeadSlow { limit } => write!(f, "the request was not complete within {limit:?}; send it at once"),
            Refusal::HeadLarge => {
                write!(f, "the head of a request may have {HEAD_BYTES} bytes and {HEADERS} headers; send fewer headers or cookies")
            }
            Refusal::HeadMalformed => f.write_str("this is no HTTP/1.1 request; open the printed URL in a browser"),
            Refusal::Target => f.write_str("this server is no proxy; ask for a path, as in `GET /`"),
            Refusal::HostMissing => f.write_str("the request names no Host; speak HTTP/1.1 and send one"),
            Refusal::HostTwice => f.write_str("the request names more than one Host; send one"),
            Refusal::HostForeign { .. } => f.write_str(
                "this server does not answer to that Host; use the address it printed, or start it with `--host NAME` for another name",
            ),
            Refusal::OriginTwice => f.write_str("the request names more than one Origin; send one or none"),
            Refusal::OriginForeign { .. } => {
                f.write_str("pages from elsewhere may not speak to this server; open its own page at the address it printed")
            }
            Refusal::OriginNull => {
                f.write_str("pages without an origin (files, sandboxed frames) may not speak to this server; open its own page")
            }
            Refusal::TokenInUrl => f.write_str(
                "a token does not belong into the query, which ends up in logs and histories; put it behind a `#`, as in the printed URL, and \
                 consider this one known: restart the server for a new one",
            ),
            Refusal::Body => f.write_str("requests to this server have no body; send it as a GET without one"),
            Refusal::NotFound => f.write_str("there is nothing at this path; the page is at `/`, the WebSocket at `/ws`, metrics at `/metrics`"),
            Refusal::Method { allowed } => write!(f, "this path takes {allowed} and no other method; use one of these"),
            Refusal::UpgradeRequired => f.write_str("this path speaks WebSocket version 13; ask for `Upgrade: websocket` with that version"),
            Refusal::UpgradeMalformed { header } => write!(f, "the WebSocket handshake lacks a valid {header}; see RFC 6455, section 4.1"),
            Refusal::Unauthorized { given: false } => {
                f.write_str("this path needs the token, as in `Authorization: Bearer TOKEN`; it is in the token file")
            }
            Refusal::Unauthorized { given: true } => {
                f.write_str("that is not the token of this instance; each start makes a new one, and the token file has it")
            }
            Refusal::AnswerSlow { limit } => write!(f, "the answer was not taken within {limit:?}; ask again"),
            Refusal::ProofSlow { limit } => write!(f, "you did not prove who you are within {limit:?}; connect again"),
            Refusal::ProofLong => {
                write!(f, "you sent {UNPROVED_BYTES} bytes without proving who you are; do so in the first message")
            }
            Refusal::MessageLong { limit } => write!(f, "a message may have {limit} bytes now; send less at a time"),
            Refusal::Text => f.write_str("messages here are binary, never text; send binary ones"),
            Refusal::Malformed { .. } => f.write_str("these bytes break the protocol; check what sends them"),
        }
    }
}

impl std::error::Error for Refusal {}

/// What refusals are counted by: few enough to look at, and never anything a peer said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Crowded,
    Full,
    Closing,
    User,
    HeadSlow,
    HeadLarge,
    HeadMalformed,
    Host,
    Origin,
    TokenInUrl,
    NotFound,
    Method,
    Upgrade,
    Unauthorized,
    AnswerSlow,
    ProofSlow,
    ProofLong,
    MessageLong,
    Malformed,
}

impl Reason {
    /// Each with its label in metrics and logs, in the order of the enum.
    pub(crate) const ALL: [(Reason, &'static str); 19] = [
        (Reason::Crowded, "crowded"),
        (Reason::Full, "full"),
        (Reason::Closing, "closing"),
        (Reason::User, "user"),
        (Reason::HeadSlow, "head_slow"),
        (Reason::HeadLarge, "head_large"),
        (Reason::HeadMalformed, "head_malformed"),
        (Reason::Host, "host"),
        (Reason::Origin, "origin"),
        (Reason::TokenInUrl, "token_in_url"),
        (Reason::NotFound, "not_found"),
        (Reason::Method, "method"),
        (Reason::Upgrade, "upgrade"),
        (Reason::Unauthorized, "unauthorized"),
        (Reason::AnswerSlow, "answer_slow"),
        (Reason::ProofSlow, "proof_slow"),
        (Reason::ProofLong, "proof_long"),
        (Reason::MessageLong, "message_long"),
        (Reason::Malformed, "malformed"),
    ];

    pub(crate) fn label(self) -> &'static str {
        Reason::ALL[self as usize].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each, with what a peer said in it where it repeats anything at all.
    fn every() -> Vec<Refusal> {
        let (limit, said) = (Duration::from_secs(5), || Quoted::new(b"<script>said</script>"));
        vec![
            Refusal::Crowded { unproved: 300, full: 1024 },
            Refusal::Full { limit: 900 },
            Refusal::Closing,
            Refusal::User { uid: 1001, ours: 1000 },
            Refusal::HeadSlow { limit },
            Refusal::HeadLarge,
            Refusal::HeadMalformed,
            Refusal::Target,
            Refusal::HostMissing,
            Refusal::HostTwice,
            Refusal::HostForeign { host: said() },
            Refusal::OriginTwice,
            Refusal::OriginForeign { origin: said() },
            Refusal::OriginNull,
            Refusal::TokenInUrl,
            Refusal::Body,
            Refusal::NotFound,
            Refusal::Method { allowed: "GET, HEAD" },
            Refusal::UpgradeRequired,
            Refusal::UpgradeMalformed { header: "Sec-WebSocket-Key" },
            Refusal::Unauthorized { given: false },
            Refusal::Unauthorized { given: true },
            Refusal::AnswerSlow { limit },
            Refusal::ProofSlow { limit },
            Refusal::ProofLong,
            Refusal::message_long(false),
            Refusal::Text,
            Refusal::Malformed { what: said() },
        ]
    }

    #[test]
    fn each_is_counted_under_its_own_label() {
        for (at, (reason, label)) in Reason::ALL.into_iter().enumerate() {
            assert_eq!((reason as usize, reason.label()), (at, label));
            assert!(every().iter().any(|refusal| refusal.reason() == reason), "{label} is counted for nothing");
        }
    }

    #[test]
    fn each_says_what_and_what_to_do_and_repeats_nothing() {
        for refusal in every() {
            let text = refusal.to_string();
            let (_, way_out) = text.split_once("; ").unwrap_or_default();
            assert!(way_out.len() >= "send one".len(), "no way out: {text}");
            assert!(!text.contains("said"), "repeats the peer: {text}");
        }
    }

    #[test]
    fn each_has_a_status_that_refuses_and_a_code_that_may_be_sent() {
        for refusal in every() {
            let (status, code) = (refusal.status(), refusal.close_code());
            assert!(status.is_client_error() || status.is_server_error(), "{refusal:?}");
            assert!(matches!(code, 1001..=1003 | 1009 | 4400..=4599), "{code} for {refusal:?}");
        }
    }
}
