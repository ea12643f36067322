//! Frames out of a byte stream, as it comes: a Unix socket, a pipe, TCP.

use bytes::BytesMut;

use super::error::FrameError;
use super::header::Header;
use super::{Frame, HEADER_BYTES};

/// Cuts a byte stream into frames. After [`handle_bytes`](FrameDecoder::handle_bytes), call
/// [`poll_frame`](FrameDecoder::poll_frame) until it answers `None` or an error.
///
/// It holds at most one unfinished frame and what was handed in with its end; while nothing is unfinished it holds no memory.
///
/// # Examples
/// ```
/// # use orchflow_core::protocol::frame::{Frame, FrameDecoder};
/// let frame = Frame { kind: 0x20, body: "hello".into(), ..Frame::default() };
/// let bytes = frame.to_bytes();
/// let mut decoder = FrameDecoder::new(1024);
/// decoder.handle_bytes(&bytes[..7]);
/// assert_eq!(decoder.poll_frame(), Ok(None));
/// decoder.handle_bytes(&bytes[7..]);
/// assert_eq!(decoder.poll_frame(), Ok(Some(frame)));
/// ```
#[derive(Debug)]
pub struct FrameDecoder {
    unread: BytesMut,
    /// Bytes of the stream before `unread`.
    taken: u64,
    frame_max: usize,
    failed: Option<FrameError>,
}

impl FrameDecoder {
    /// For a stream whose frames may have `frame_max` bytes, header included.
    pub fn new(frame_max: usize) -> FrameDecoder {
        FrameDecoder { unread: BytesMut::new(), taken: 0, frame_max, failed: None }
    }

    /// From the next frame on, frames may have `frame_max` bytes: a peer that has proved who it is may send longer ones.
    pub fn set_frame_max(&mut self, frame_max: usize) {
        self.frame_max = frame_max;
    }

    /// More bytes have come. They are copied; after an error they are ignored.
    pub fn handle_bytes(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.unread.extend_from_slice(bytes);
        }
    }

    /// Bytes that have come and belong to no frame that was taken.
    pub fn buffered(&self) -> usize {
        self.unread.len()
    }

    /// The next frame, if all of it has come.
    ///
    /// # Errors
    /// [`FrameError`] at the first bytes that are no frame, and from then on: the stream has lost its measure.
    pub fn poll_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let Some(bytes) = self.unread.first_chunk() else { return Ok(None) };
        let header = Header::parse(bytes, self.frame_max).map_err(|fault| {
            self.unread = BytesMut::new();
            *self.failed.insert(FrameError { at: self.taken, fault })
        })?;
        let whole = HEADER_BYTES + header.length;
        if self.unread.len() < whole {
            return Ok(None);
        }
        self.taken += whole as u64;
        // An empty rest would still keep the frame's memory alive.
        let frame = if self.unread.len() == whole { std::mem::take(&mut self.unread) } else { self.unread.split_to(whole) };
        Ok(Some(Frame::take(header, &mut frame.freeze())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::FRAME_MAX;

    fn longest() -> Frame {
        Frame { body: vec![0; FRAME_MAX - HEADER_BYTES].into(), ..Frame::default() }
    }

    #[test]
    fn an_announced_megabyte_takes_no_memory_before_it_comes() {
        let mut decoder = FrameDecoder::new(FRAME_MAX);
        decoder.handle_bytes(&longest().head());
        assert_eq!(decoder.poll_frame(), Ok(None));
        assert!(decoder.unread.capacity() < 256);
    }

    #[test]
    fn an_idle_decoder_holds_no_memory() {
        let mut decoder = FrameDecoder::new(FRAME_MAX);
        decoder.handle_bytes(&longest().to_bytes());
        assert_eq!(decoder.poll_frame(), Ok(Some(longest())));
        assert_eq!(decoder.unread.capacity(), 0);
    }
}
