//! Frames over a Unix socket. The frames are the protocol's own; all that is read of a header is how long the body is.

use std::collections::VecDeque;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::net::UnixStream;

use super::{Socket, TransportError};
use crate::limits::{MESSAGE_MAX, MESSAGE_UNPROVED_MAX, READ_BUFFER, WRITE_BUFFER};
use crate::refusal::Refusal;

/// The header of a frame, in bytes; those from 4 to 8 are the length of the body, little endian.
const HEADER: usize = 16;

/// Frames that wait to be written together, at the most.
const WAITING: usize = 16;

pub(super) struct Frames {
    socket: Socket<UnixStream>,
    unread: BytesMut,
    waiting: VecDeque<Bytes>,
}

impl Frames {
    pub(super) fn new(socket: Socket<UnixStream>) -> Frames {
        Frames { socket, unread: BytesMut::new(), waiting: VecDeque::new() }
    }

    pub(super) fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, TransportError>>> {
        loop {
            let proved = self.socket.standing().is_proved();
            match whole(&self.unread, if proved { MESSAGE_MAX } else { MESSAGE_UNPROVED_MAX }) {
                Some(Ok(length)) => return Poll::Ready(Some(Ok(self.cut(length)))),
                Some(Err(())) => return Poll::Ready(Some(Err(TransportError::Refused(Refusal::message_long(proved))))),
                None => {}
            }
            let mut read = [0; READ_BUFFER];
            match ready!(self.socket.poll_read(cx, &mut read))? {
                0 if self.unread.is_empty() => return Poll::Ready(None),
                0 => return Poll::Ready(Some(Err(TransportError::Broken(std::io::ErrorKind::UnexpectedEof.into())))),
                read_bytes => self.unread.extend_from_slice(&read[..read_bytes]),
            }
        }
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

    /// Sends what waits, and listens until the peer has gone. Why this ends is for the protocol to say.
    pub(super) async fn close(mut self) {
        if std::future::poll_fn(|cx| self.poll_flush(cx)).await.is_ok() {
            let _gone = self.socket.part(&[]).await;
        }
    }

    /// Takes the first `length` bytes. A long frame gives its memory away with it; nothing is held while nothing is unfinished.
    fn cut(&mut self, length: usize) -> Bytes {
        let frame = if length == self.unread.len() { std::mem::take(&mut self.unread) } else { self.unread.split_to(length) };
        frame.freeze()
    }
}

/// The length of the first frame, once all of it has come; an error as soon as it is known to be over the limit, before its body comes.
fn whole(unread: &[u8], limit: usize) -> Option<Result<usize, ()>> {
    let header: &[u8; HEADER] = unread.first_chunk()?;
    let [_, _, _, _, l0, l1, l2, l3, ..] = *header;
    let length = HEADER as u64 + u64::from(u32::from_le_bytes([l0, l1, l2, l3]));
    match usize::try_from(length) {
        Ok(length) if length <= limit => (unread.len() >= length).then_some(Ok(length)),
        _ => Some(Err(())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(body: usize) -> Vec<u8> {
        let mut frame = vec![7; HEADER + body];
        frame[4..8].copy_from_slice(&u32::try_from(body).unwrap().to_le_bytes());
        frame
    }

    #[test]
    fn frame_is_whole_with_its_last_byte_and_not_before() {
        let frame = [frame(5), frame(0)].concat();
        for end in 0..HEADER + 5 {
            assert_eq!(whole(&frame[..end], 4096), None);
        }
        assert_eq!(whole(&frame, 4096), Some(Ok(HEADER + 5)));
        assert_eq!(whole(&frame[HEADER + 5..], 4096), Some(Ok(HEADER)));
    }

    #[test]
    fn long_frame_is_refused_by_its_header_alone() {
        let mut header = frame(0);
        for (length, limit, refused) in [(4080_u32, 4096, false), (4081, 4096, true), (u32::MAX, 1 << 20, true)] {
            header[4..8].copy_from_slice(&length.to_le_bytes());
            assert_eq!(whole(&header, limit).is_some(), refused, "{length}");
        }
    }
}
