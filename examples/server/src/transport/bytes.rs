//! Bytes over a Unix socket. Where a frame begins and ends is for the engine to see.

use std::collections::VecDeque;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::net::UnixStream;

use super::{LastWords, Socket, TransportError};
use crate::limits::{READ_BUFFER, WRITE_BUFFER};

/// Messages that wait to be written together, at the most.
const WAITING: usize = 16;

pub(super) struct ByteStream {
    socket: Socket<UnixStream>,
    waiting: VecDeque<Bytes>,
}

impl ByteStream {
    pub(super) fn new(socket: Socket<UnixStream>) -> ByteStream {
        ByteStream { socket, waiting: VecDeque::new() }
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, TransportError>>> {
        let mut read = [0; READ_BUFFER];
        Poll::Ready(match ready!(self.socket.poll_read(cx, &mut read))? {
            0 => None,
            bytes => Some(Ok(Bytes::copy_from_slice(&read[..bytes]))),
        })
    }

    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        let waiting: usize = self.waiting.iter().map(Bytes::len).sum();
        if self.waiting.len() >= WAITING || waiting >= WRITE_BUFFER { self.poll_flush(cx) } else { Poll::Ready(Ok(())) }
    }

    pub(super) fn start_send(&mut self, message: Bytes) -> Result<(), TransportError> {
        self.waiting.push_back(message);
        Ok(())
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        while let Some(first) = self.waiting.front_mut() {
            if first.is_empty() {
                self.waiting.pop_front();
                continue;
            }
            let written = ready!(self.socket.poll_write(cx, first))?;
            first.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        ready!(self.poll_flush(cx))?;
        self.socket.poll_shutdown(cx).map_err(TransportError::from)
    }

    /// Sends what waits and the last frame, and listens until the peer has gone.
    pub(super) async fn close(mut self, why: &LastWords) {
        self.waiting.extend(why.frame.clone());
        if std::future::poll_fn(|cx| self.poll_flush(cx)).await.is_ok() {
            let _gone = self.socket.part(&[]).await;
        }
    }
}
