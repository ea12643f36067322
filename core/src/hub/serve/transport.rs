//! What carries bytes between the two ends.

use std::io;

use bytes::Bytes;
use futures::{Sink, Stream};

/// How frames lie in what a transport brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Each item is a message of whole frames, as over a WebSocket.
    Messages,
    /// Items are stretches of a byte stream, cut anywhere, as over a Unix socket.
    Stream,
}

/// An ordered, lossless way for bytes in both directions.
pub trait Transport: Stream<Item = io::Result<Bytes>> + Sink<Bytes, Error = io::Error> + Unpin {
    /// How frames lie in what it brings.
    fn framing(&self) -> Framing;

    /// From now on a message may have this many bytes: a peer that has proved who it is may send longer ones.
    fn set_message_max(&mut self, bytes: usize);
}

/// One that is lent comes back when the connection has ended, for last words of the carrier's own.
impl<T: Transport> Transport for &mut T {
    fn framing(&self) -> Framing {
        (**self).framing()
    }

    fn set_message_max(&mut self, bytes: usize) {
        (**self).set_message_max(bytes);
    }
}
