//! A connection from the moment it is a transport of messages to its end: the one place where the protocol is spoken.
//!
//! Whoever arrives here came through the door: a request of one of our own pages or of no page at all, or a process of our own user. It has not
//! proved anything yet, and [`Arrival::transport`] holds it to what a stranger may do until [`Arrival::admission`] is used.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use futures::StreamExt;

use crate::metrics::Carrier;
use crate::refusal::Refusal;
use crate::server::Server;
use crate::standing::Standing;
use crate::transport::{Transport, TransportError};

/// A connection, and what the door knows of it.
pub(crate) struct Arrival {
    pub(crate) transport: Transport,
    pub(crate) admission: Admission,
    pub(crate) peer: Peer,
}

/// The right to let a peer in, given to whoever checks its proof.
pub(crate) struct Admission {
    server: Arc<Server>,
    standing: Standing,
}

impl Admission {
    pub(crate) fn new(server: Arc<Server>, standing: Standing) -> Admission {
        Admission { server, standing }
    }

    /// The peer has proved who it is: the limits on strangers no longer hold for it.
    #[expect(dead_code, reason = "nobody here can check a proof yet")]
    pub(crate) fn admit(self) {
        self.standing.prove();
        self.server.metrics.proved();
    }
}

/// Who is at the other end, as far as the door can tell.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Peer {
    /// A browser, or a program that speaks like one.
    WebSocket {
        from: SocketAddr,
        /// What it dialled, `host:port`: one of our own names, so a proof that covers it serves nowhere else.
        authority: String,
    },
    /// A process of our own user.
    Unix { pid: Option<i32> },
}

impl Peer {
    /// What the client dialled, as both sides write it into their proofs.
    #[expect(dead_code, reason = "nobody here can check a proof yet")]
    pub(crate) fn authority(&self) -> &str {
        match self {
            Peer::WebSocket { authority, .. } => authority,
            Peer::Unix { .. } => "unix",
        }
    }

    pub(crate) fn carrier(&self) -> Carrier {
        match self {
            Peer::WebSocket { .. } => Carrier::WebSocket,
            Peer::Unix { .. } => Carrier::Unix,
        }
    }
}

impl fmt::Debug for Peer {
    /// In one word, for the log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::WebSocket { from, authority } => write!(f, "websocket/{from}/{authority}"),
            Peer::Unix { pid } => write!(f, "unix/{}", pid.unwrap_or_default()),
        }
    }
}

/// How a conversation ended.
enum Ending {
    /// The peer left in good order.
    Left,
    /// We ended it.
    Refused(Refusal),
    /// The connection broke.
    Broken(io::Error),
}

impl fmt::Debug for Ending {
    /// In one word, for the log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Left => f.write_str("left"),
            Ending::Refused(refusal) => write!(f, "refused/{}", refusal.reason().label()),
            Ending::Broken(error) => write!(f, "broken/{:?}", error.kind()),
        }
    }
}

impl From<TransportError> for Ending {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Refused(refusal) => Ending::Refused(refusal),
            TransportError::Broken(error) => Ending::Broken(error),
        }
    }
}

/// Speaks with whoever arrived until one side has had enough, and sees it out.
pub(crate) async fn serve(server: &Arc<Server>, arrival: Arrival) {
    let Arrival { mut transport, admission, peer } = arrival;
    let _open = server.open(peer.carrier());
    server.log.event("connected", &[("peer", &peer)]);
    let ending = tokio::select! {
        ending = converse(server, &mut transport, &peer, admission) => ending,
        () = server.closing() => Ending::Refused(Refusal::Closing),
    };
    server.log.event("disconnected", &[("peer", &peer), ("ending", &ending)]);
    match ending {
        Ending::Refused(refusal) => {
            server.metrics.refused(&refusal);
            transport.close(Some(&refusal)).await;
        }
        Ending::Left => transport.close(None).await,
        Ending::Broken(_) => {}
    }
}

/// The conversation. Nobody here speaks the protocol yet, so it ends at the first message; what came before that message was held to the
/// limits all the same.
async fn converse(_server: &Arc<Server>, transport: &mut Transport, _peer: &Peer, _admission: Admission) -> Ending {
    match transport.next().await {
        Some(Ok(_hello)) => Ending::Refused(Refusal::Unserved),
        Some(Err(error)) => error.into(),
        None => Ending::Left,
    }
}
