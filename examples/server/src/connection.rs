//! A connection from the moment it is a transport of messages to its end: the one place where the protocol is spoken.
//!
//! Whoever arrives here came through the door: a request of one of our own pages or of no page at all, or a process of our own user. It has not
//! proved anything yet, and [`Arrival::transport`] holds it to what a stranger may do until [`Arrival::admission`] is used.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::{Sink, Stream};
use orchflow_core::hub::serve::{self, Farewell};
use orchflow_core::protocol::message::ErrorCode;

use crate::metrics::Carrier;
use crate::refusal::Refusal;
use crate::server::Server;
use crate::standing::Standing;
use crate::transport::{LastWords, Transport, TransportError};

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
    /// One of the two sides said why.
    Said(ErrorCode),
    /// The peer closed without a word.
    Left,
    /// The carrier's own rules were broken.
    Refused(Refusal),
    /// The connection broke.
    Broken(io::Error),
}

impl fmt::Debug for Ending {
    /// In one word, for the log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Said(code) => write!(f, "said/{code}"),
            Ending::Left => f.write_str("left"),
            Ending::Refused(refusal) => write!(f, "refused/{}", refusal.reason().label()),
            Ending::Broken(error) => write!(f, "broken/{:?}", error.kind()),
        }
    }
}

/// Speaks with whoever arrived until one side has had enough, and sees it out.
pub(crate) async fn serve(server: &Arc<Server>, arrival: Arrival) {
    let Arrival { transport, admission, peer } = arrival;
    let _open = server.open(peer.carrier());
    server.log.event("connected", &[("peer", &peer)]);
    let mut line = Line { transport, admission: Some(admission), refused: None };
    let farewell = server.service.serve(&mut line, peer.authority().to_owned()).await;
    let ending = match (line.refused, farewell) {
        (Some(refusal), _) => Ending::Refused(refusal),
        (None, Farewell::Goodbye(code)) => Ending::Said(code),
        (None, Farewell::Closed) => Ending::Left,
        (None, Farewell::Broke(error)) => Ending::Broken(error),
    };
    server.log.event("disconnected", &[("peer", &peer), ("ending", &ending)]);
    match ending {
        Ending::Refused(refusal) => {
            server.metrics.refused(&refusal);
            line.transport.close(LastWords::from(&refusal)).await;
        }
        Ending::Said(code) => line.transport.close(LastWords::from(code)).await,
        Ending::Left => line.transport.close(LastWords::default()).await,
        Ending::Broken(_) => {}
    }
}

/// A transport as the engine wants it: it lets the peer in once the engine says so, and remembers why it refused.
struct Line {
    transport: Transport,
    admission: Option<Admission>,
    refused: Option<Refusal>,
}

impl Line {
    fn note(&mut self, error: TransportError) -> io::Error {
        match error {
            TransportError::Broken(error) => error,
            TransportError::Refused(refusal) => io::Error::other(self.refused.insert(refusal).clone()),
        }
    }
}

impl Stream for Line {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let message = Pin::new(&mut self.transport).poll_next(cx);
        message.map(|message| message.map(|message| message.map_err(|error| self.note(error))))
    }
}

impl Sink<Bytes> for Line {
    type Error = io::Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_ready(cx).map_err(|error| self.note(error))
    }

    fn start_send(mut self: Pin<&mut Self>, message: Bytes) -> io::Result<()> {
        Pin::new(&mut self.transport).start_send(message).map_err(|error| self.note(error))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(cx).map_err(|error| self.note(error))
    }

    /// What was said is on its way; the carrier's own goodbye comes after it, with the reason.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl serve::Transport for Line {
    fn framing(&self) -> serve::Framing {
        self.transport.framing()
    }

    fn set_message_max(&mut self, _: usize) {
        if let Some(admission) = self.admission.take() {
            admission.admit();
        }
    }
}
