//! An ordered connection, whatever carries it: messages of whole frames over a WebSocket, bytes over a Unix socket. What a peer may do before it has
//! proved who it is is held here, so whoever speaks with it cannot forget to.

mod bytes;
mod socket;
#[cfg(test)]
mod tests;
mod websocket;

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use ::bytes::Bytes;
use futures::{Sink, Stream};
use orchflow_core::hub::serve::Framing;
use orchflow_core::protocol::message::ErrorCode;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::limits::FAREWELL_WAIT;
use crate::refusal::Refusal;
use crate::standing::Deadline;
use bytes::ByteStream;
pub(crate) use socket::Socket;
use websocket::WebSocket;

/// A connection. As a stream it ends with `None` when the peer has left in good order.
pub(crate) struct Transport {
    wire: Wire,
    deadline: Deadline,
}

enum Wire {
    WebSocket(Box<WebSocket>),
    Bytes(Box<ByteStream>),
}

impl Transport {
    /// Over a socket whose handshake is done; `read` came after it. It is taken, for even when nothing came it may hold all of the
    /// handshake's buffer.
    pub(crate) fn websocket(socket: Socket<TcpStream>, read: Bytes, deadline: Deadline) -> Transport {
        Transport { wire: Wire::WebSocket(Box::new(WebSocket::new(socket, &read))), deadline }
    }

    /// Over a Unix socket.
    pub(crate) fn bytes(socket: Socket<UnixStream>, deadline: Deadline) -> Transport {
        Transport { wire: Wire::Bytes(Box::new(ByteStream::new(socket))), deadline }
    }

    /// Tells the peer why this ends, and waits a moment for it to leave. Nothing more is written after a write that
    /// is still under way.
    pub(crate) async fn close(self, why: LastWords) {
        let farewell = async {
            match self.wire {
                Wire::WebSocket(socket) => socket.close(&why).await,
                Wire::Bytes(bytes) => bytes.close(&why).await,
            }
        };
        // Who does not listen in time, or is gone, has missed it.
        let _ = timeout(FAREWELL_WAIT, farewell).await;
    }

    /// How frames lie in what it brings.
    pub(crate) fn framing(&self) -> Framing {
        match self.wire {
            Wire::WebSocket(_) => Framing::Messages,
            Wire::Bytes(_) => Framing::Stream,
        }
    }

    fn poll_late(&mut self, cx: &mut Context<'_>) -> Result<(), TransportError> {
        match self.deadline.poll_late(cx) {
            Poll::Ready(refusal) => Err(TransportError::Refused(refusal)),
            Poll::Pending => Ok(()),
        }
    }
}

/// Does the same with either wire.
macro_rules! wire {
    ($transport:expr, $wire:ident => $what:expr) => {
        match &mut $transport.wire {
            Wire::WebSocket($wire) => $what,
            Wire::Bytes($wire) => $what,
        }
    };
}

impl Stream for Transport {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_late(cx)?;
        wire!(self, wire => wire.poll_next(cx))
    }
}

impl Sink<Bytes> for Transport {
    type Error = TransportError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.poll_late(cx)?;
        wire!(self, wire => wire.poll_ready(cx))
    }

    fn start_send(mut self: Pin<&mut Self>, message: Bytes) -> Result<(), TransportError> {
        wire!(self, wire => wire.start_send(message))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.poll_late(cx)?;
        wire!(self, wire => wire.poll_flush(cx))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.poll_late(cx)?;
        wire!(self, wire => wire.poll_close(cx))
    }
}

/// What is said at the end; nothing in particular by default.
#[derive(Default)]
pub(crate) struct LastWords {
    /// The protocol's own goodbye, where the engine has not said it.
    frame: Option<Bytes>,
    /// What a WebSocket's close frame says.
    close: Option<(u16, String)>,
}

impl From<&Refusal> for LastWords {
    /// Both: a Unix socket has no close frame, and a client reads either.
    fn from(refusal: &Refusal) -> Self {
        LastWords { frame: Some(refusal.goodbye()), close: Some((refusal.close_code(), refusal.to_string())) }
    }
}

impl From<ErrorCode> for LastWords {
    /// The number of what the last frame has said in full.
    fn from(code: ErrorCode) -> Self {
        LastWords { frame: None, close: Some((code.close_code(), code.to_string())) }
    }
}

/// Why a connection cannot go on.
#[derive(Debug)]
pub(crate) enum TransportError {
    /// The peer did what it may not.
    Refused(Refusal),
    /// The connection broke.
    Broken(io::Error),
}

impl From<io::Error> for TransportError {
    fn from(error: io::Error) -> Self {
        match error.downcast::<Refusal>() {
            Ok(refusal) => TransportError::Refused(refusal),
            Err(error) => TransportError::Broken(error),
        }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TransportError::Refused(_) => f.write_str("the peer was refused"),
            TransportError::Broken(_) => f.write_str("the connection broke"),
        }
    }
}

impl std::error::Error for TransportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            TransportError::Refused(refusal) => Some(refusal),
            TransportError::Broken(error) => Some(error),
        }
    }
}
