//! What is peeked at and not yet consumed of a session's output.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};
use orchflow_core::hub::{Output, Reader};
use orchflow_core::limits::READ_MAX;

use crate::failure::{Answer, Failure};
use crate::status::*;
use crate::values::OrchBytes;

/// A reader, and the bytes it lends.
pub(crate) struct View {
    reader: Reader,
    /// On loan, or about to be. Two at the most: what lies before an edge of the log, and what lies behind it.
    held: VecDeque<Bytes>,
    /// Bytes of `held`.
    len: usize,
    /// How much of it C has seen.
    shown: usize,
    /// Everything before this was consumed.
    offset: u64,
    gap: Option<(u64, u64)>,
    ended: bool,
    /// C knows that it has ended.
    end_shown: bool,
}

/// Spans that are shown at a time.
const SPANS: usize = 2;

impl View {
    pub(crate) fn new(reader: Reader) -> View {
        let offset = reader.offset();
        View { reader, held: VecDeque::with_capacity(SPANS), len: 0, shown: 0, offset, gap: None, ended: false, end_shown: false }
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
    pub(crate) fn peek(&mut self) -> (OrchStatus, [OrchBytes; SPANS]) {
        while self.held.len() < SPANS && self.gap.is_none() && !self.ended {
            match self.reader.try_take(READ_MAX) {
                Some(Output::Chunk { bytes, .. }) => {
                    self.len += bytes.len();
                    self.held.push_back(bytes);
                }
                Some(Output::Gap { from, to }) => self.gap = Some((from, to)),
                Some(Output::Exit(_)) => self.ended = true,
                None => break,
            }
        }
        self.shown = self.len;
        let span = |at: usize| self.held.get(at).map_or(OrchBytes::NONE, |bytes| OrchBytes::from(&bytes[..]));
        let status = match (self.len, self.gap) {
            (1.., _) => ORCH_OK,
            (0, Some(_)) => ORCH_GAP,
            (0, None) if self.ended => ORCH_EOF,
            (0, None) => ORCH_AGAIN,
        };
        self.end_shown = status == ORCH_EOF;
        (status, [span(0), span(1)])
    }

    /// Takes back `len` bytes of what was shown.
    pub(crate) fn consume(&mut self, mut len: usize) -> Answer {
        if len > self.shown {
            return Err(Failure::invalid(format!("{len} bytes cannot be consumed: the last peek showed {}", self.shown)));
        }
        self.offset += len as u64;
        self.len -= len;
        self.shown = 0;
        while let Some(first) = self.held.front_mut().filter(|_| len > 0) {
            let part = len.min(first.len());
            first.advance(part);
            len -= part;
            if first.is_empty() {
                self.held.pop_front();
            }
        }
        self.reader.ack(self.offset);
        Ok(ORCH_OK)
    }

    /// Goes on after the gap that is next.
    pub(crate) fn skip(&mut self) -> Option<(u64, u64)> {
        let gap = self.gap.filter(|_| self.len == 0)?;
        self.gap = None;
        self.offset = gap.1;
        self.reader.ack(self.offset);
        Some(gap)
    }

    /// Goes on at `offset`.
    pub(crate) fn seek(&mut self, offset: u64) {
        self.held.clear();
        (self.len, self.shown, self.gap) = (0, 0, None);
        (self.ended, self.end_shown) = (false, false);
        self.reader.seek(offset);
        self.offset = self.reader.offset();
    }

    /// Copies what is there into `buf` and consumes it; returns how many bytes that were.
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> Result<(OrchStatus, usize), Failure> {
        let (status, _) = self.peek();
        let mut copied = 0;
        for bytes in &self.held {
            let part = bytes.len().min(buf.len() - copied);
            buf[copied..copied + part].copy_from_slice(&bytes[..part]);
            copied += part;
        }
        self.consume(copied)?;
        Ok((status, copied))
    }
}
