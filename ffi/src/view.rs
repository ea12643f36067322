//! What is peeked at and not yet consumed of a session's output.

use bytes::{Buf, Bytes};
use orchflow_core::hub::{Output, Reader};
use orchflow_core::limits::READ_MAX;

use crate::failure::{Answer, Failure};
use crate::status::*;
use crate::values::OrchBytes;

/// A reader, and the bytes it lends.
pub(crate) struct View {
    reader: Reader,
    /// On loan, or about to be; where this is empty, so is what lies behind it.
    first: Bytes,
    /// What lies behind an edge of the log.
    second: Bytes,
    /// Bytes of both.
    len: usize,
    /// How much of it C has seen.
    shown: usize,
    /// Everything before this was consumed.
    offset: u64,
    /// And everything before this was said to have been.
    acked: u64,
    gap: Option<(u64, u64)>,
    /// There was nothing behind the first stretch; it is looked for again when that is consumed.
    looked: bool,
    ended: bool,
    /// C knows that it has ended.
    end_shown: bool,
}

/// Consumed bytes after which the log is told, unless all that was shown is consumed: a read of the kernel's, and little beside what may wait.
const ACK_BYTES: u64 = 4 << 10;

impl View {
    pub(crate) fn new(reader: Reader) -> View {
        let offset = reader.offset();
        View {
            reader,
            first: Bytes::new(),
            second: Bytes::new(),
            len: 0,
            shown: 0,
            offset,
            acked: offset,
            gap: None,
            looked: false,
            ended: false,
            end_shown: false,
        }
    }

    /// The next byte to be consumed.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether there is something to be peeked at without looking any further.
    pub(crate) fn has_more(&self) -> bool {
        self.len > 0 || self.gap.is_some() || self.ended
    }

    /// Whether C has seen everything there will ever be.
    pub(crate) fn is_over(&self) -> bool {
        self.len == 0 && self.end_shown
    }

    pub(crate) fn reader(&mut self) -> &mut Reader {
        &mut self.reader
    }

    /// Shows what is there.
    pub(crate) fn peek(&mut self) -> (OrchStatus, [OrchBytes; 2]) {
        // Who peeks twice without a consume wants more than was shown.
        let wants_more = !self.looked || self.shown > 0;
        if wants_more && self.second.is_empty() && self.gap.is_none() && !self.ended {
            self.look();
        }
        self.shown = self.len;
        let status = match (self.len, self.gap) {
            (1.., _) => ORCH_OK,
            (0, Some(_)) => ORCH_GAP,
            (0, None) if self.ended => ORCH_EOF,
            (0, None) => ORCH_AGAIN,
        };
        self.end_shown = status == ORCH_EOF;
        (status, [self.first[..].into(), self.second[..].into()])
    }

    /// Takes what is there, until there are two stretches of it.
    fn look(&mut self) {
        while self.second.is_empty() {
            match self.reader.try_take(READ_MAX) {
                Some(Output::Chunk { bytes, .. }) => {
                    self.len += bytes.len();
                    let place = if self.first.is_empty() { &mut self.first } else { &mut self.second };
                    *place = bytes;
                }
                Some(Output::Gap { from, to }) => return self.gap = Some((from, to)),
                Some(Output::Exit(_)) => return self.ended = true,
                None => return self.looked = self.len > 0,
            }
        }
    }

    /// Takes back `len` bytes of what was shown.
    pub(crate) fn consume(&mut self, len: usize) -> Answer {
        if len > self.shown {
            return Err(Failure::invalid(format!("{len} bytes cannot be consumed: the last peek showed {}", self.shown)));
        }
        self.offset += len as u64;
        self.len -= len;
        self.shown = 0;
        let of_first = len.min(self.first.len());
        self.first.advance(of_first);
        self.second.advance(len - of_first);
        if self.first.is_empty() {
            self.first = std::mem::take(&mut self.second);
            self.looked = false;
        }
        // A host that takes a byte at a time need not tell the log each time.
        if self.len == 0 || self.offset.saturating_sub(self.acked) >= ACK_BYTES {
            self.ack();
        }
        Ok(ORCH_OK)
    }

    fn ack(&mut self) {
        self.acked = self.offset;
        self.reader.ack(self.offset);
    }

    /// Goes on after the gap that is next.
    pub(crate) fn skip(&mut self) -> Option<(u64, u64)> {
        let gap = self.gap.filter(|_| self.len == 0)?;
        self.gap = None;
        self.offset = gap.1;
        self.ack();
        Some(gap)
    }

    /// Goes on at `offset`.
    pub(crate) fn seek(&mut self, offset: u64) {
        (self.first, self.second) = (Bytes::new(), Bytes::new());
        (self.len, self.shown, self.gap) = (0, 0, None);
        (self.looked, self.ended, self.end_shown) = (false, false, false);
        self.reader.seek(offset);
        self.offset = self.reader.offset();
        self.acked = self.acked.max(self.offset);
    }

    /// Copies what is there into `buf` and consumes it; returns how many bytes that were.
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> Result<(OrchStatus, usize), Failure> {
        let (status, _) = self.peek();
        let mut copied = 0;
        for bytes in [&self.first, &self.second] {
            let part = bytes.len().min(buf.len() - copied);
            buf[copied..copied + part].copy_from_slice(&bytes[..part]);
            copied += part;
        }
        self.consume(copied)?;
        Ok((status, copied))
    }
}
