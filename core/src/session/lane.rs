//! Input on its way to the terminal: what could not be written at once, in order, resizes among it.
//!
//! Offsets count accepted bytes since the session began. Order is the promise: what was accepted first is
//! written first, a resize takes effect between the bytes it was asked between, and nothing that waits is reordered.
//!
//! Deliberately absent: scanning the bytes. What is urgent is the caller's word.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};

use super::error::WriteError;
use crate::limits::LINE_MAX;
use crate::pty::{LineMode, UnfinishedLine};
use crate::size::Size;

/// Typed bytes that are remembered before the terminal's mode is asked for. Asking costs a system call; a
/// keystroke should not pay it.
const UNMEASURED_MAX: usize = 256;

/// A queue of bytes and resizes.
#[derive(Debug)]
pub(super) struct InputLane {
    items: VecDeque<Item>,
    queued: usize,
    limit: usize,
    /// Offset after the last byte accepted.
    accepted: u64,
    line: Line,
    /// Some of what waits was accepted in raw mode, where lines have no length.
    unchecked: bool,
}

#[derive(Debug)]
enum Item {
    Bytes(Bytes),
    Resize { number: u64, size: Size },
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<'a> {
    Write(&'a [u8]),
    Resize { number: u64, size: Size },
}

/// Accepted input that is not going to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dropped {
    pub(super) from: u64,
    pub(super) to: u64,
}

impl InputLane {
    /// Holds up to `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        InputLane { items: VecDeque::new(), queued: 0, limit, accepted: 0, line: Line::default(), unchecked: false }
    }

    /// Nothing waits: the next byte may be written at once.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Bytes that may still be accepted.
    pub(super) fn room(&self) -> usize {
        self.limit - self.queued
    }

    /// Bytes that wait.
    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    /// Whether `bytes` can be accepted, of which there is room for the first `room` now; remembers those as typed if so. A line that cannot be
    /// held is refused before any of it is taken. `mode` is asked only when it could matter.
    pub(super) fn check(&mut self, bytes: &[u8], room: usize, mode: impl FnOnce() -> std::io::Result<LineMode>) -> Result<(), WriteError> {
        // As far as the line goes that the last byte taken is in, if it can be held.
        let seen = bytes.len().min(room.saturating_add(LINE_MAX));
        self.line.type_in(&bytes[..seen], room.min(bytes.len()), mode)
    }

    /// Counts `bytes` accepted bytes that were written at once.
    pub(super) fn pass(&mut self, bytes: usize) {
        self.accepted += bytes as u64;
    }

    /// Accepts `bytes` to be written later.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.accepted += bytes.len() as u64;
            self.queued += bytes.len();
            self.unchecked |= self.line.raw;
            self.items.push_back(Item::Bytes(Bytes::copy_from_slice(bytes)));
        }
    }

    /// Queues a resize behind what waits. One that directly follows another takes its place.
    pub(super) fn push_resize(&mut self, number: u64, size: Size) {
        if let Some(Item::Resize { .. }) = self.items.back() {
            self.items.pop_back();
        }
        self.items.push_back(Item::Resize { number, size });
    }

    /// What is to be done next.
    pub(super) fn next(&self) -> Option<Next<'_>> {
        self.items.front().map(|item| match item {
            Item::Bytes(bytes) => Next::Write(bytes),
            Item::Resize { number, size } => Next::Resize { number: *number, size: *size },
        })
    }

    /// The first `written` bytes of the next item were written.
    pub(super) fn wrote(&mut self, written: usize) {
        let Some(Item::Bytes(bytes)) = self.items.front_mut() else { return };
        bytes.advance(written);
        self.queued -= written;
        if bytes.is_empty() {
            self.items.pop_front();
        }
    }

    /// The resize that was next has taken effect.
    pub(super) fn resized(&mut self) {
        if let Some(Item::Resize { .. }) = self.items.front() {
            self.items.pop_front();
        }
    }

    /// Whether [`overflows`](InputLane::overflows) is worth asking: the terminal's mode must be known for it.
    pub(super) fn may_overflow(&self) -> bool {
        self.unchecked && self.queued > LINE_MAX
    }

    /// Whether what waits would overflow a line of the terminal, which collects lines now and did not when the input
    /// was accepted.
    pub(super) fn overflows(&mut self, mode: &LineMode) -> bool {
        if !mode.canonical {
            return false;
        }
        self.unchecked = false;
        let mut line = UnfinishedLine::default();
        self.items.iter().any(|item| {
            let Item::Bytes(bytes) = item else { return false };
            let measured = mode.measure(line, bytes);
            line = measured.unfinished;
            measured.longest > LINE_MAX
        })
    }

    /// Discards the bytes that wait; resizes keep their order.
    pub(super) fn discard(&mut self) -> Option<Dropped> {
        self.line = Line::default();
        self.unchecked = false;
        if self.queued == 0 {
            return None;
        }
        let from = self.accepted - self.queued as u64;
        self.queued = 0;
        let last_resize = self.items.drain(..).rev().find(|item| matches!(item, Item::Resize { .. }));
        self.items.extend(last_resize);
        Some(Dropped { from, to: self.accepted })
    }
}

/// How long the line is that the terminal has not seen the end of.
#[derive(Debug, Default)]
struct Line {
    unfinished: UnfinishedLine,
    /// Typed since then, in a mode that was not asked for.
    unmeasured: Vec<u8>,
    /// The terminal did not collect lines when it was last asked.
    raw: bool,
}

impl Line {
    /// The first `taken` of `bytes` are typed, if a line with all of them can be held.
    fn type_in(&mut self, bytes: &[u8], taken: usize, mode: impl FnOnce() -> std::io::Result<LineMode>) -> Result<(), WriteError> {
        let together = self.unmeasured.len() + bytes.len();
        if together <= UNMEASURED_MAX && self.unfinished.bytes + together <= LINE_MAX {
            self.unmeasured.extend_from_slice(&bytes[..taken]);
            return Ok(());
        }
        let mode = mode().map_err(WriteError::Io)?;
        if !mode.canonical {
            *self = Line { raw: true, ..Line::default() };
            return Ok(());
        }
        let before = mode.measure(self.unfinished, &self.unmeasured).unfinished;
        let after = mode.measure(before, bytes);
        *self = Line { unfinished: before, ..Line::default() };
        if after.longest > LINE_MAX {
            return Err(WriteError::LineTooLong { length: after.longest, limit: LINE_MAX });
        }
        self.unfinished = if taken < bytes.len() { mode.measure(before, &bytes[..taken]).unfinished } else { after.unfinished };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane() -> InputLane {
        InputLane::new(1 << 20)
    }

    fn cooked() -> std::io::Result<LineMode> {
        Ok(LineMode::COOKED)
    }

    #[test]
    fn a_line_the_terminal_cannot_hold_is_refused_and_the_longest_it_can_hold_is_not() {
        let mut line = vec![b'x'; LINE_MAX];
        line.push(b'\n');
        assert!(lane().check(&line, line.len(), cooked).is_ok());
        line.insert(0, b'x');
        assert!(matches!(lane().check(&line, line.len(), cooked), Err(WriteError::LineTooLong { length: 4096, limit: 4095 })));
    }

    #[test]
    fn a_line_is_refused_before_the_part_of_it_is_taken_that_there_is_room_for() {
        let mut long = vec![b'x'; LINE_MAX + 1];
        assert!(lane().check(&long, 10, cooked).is_err());
        long.splice(0..0, [[b'x'; 100].as_slice(), b"\n"].concat());
        assert!(lane().check(&long, 101, cooked).is_ok(), "the long line is another");
        assert!(lane().check(&long, 102, cooked).is_err());
        let mut lane = lane();
        lane.check(&[b'x'; LINE_MAX], 1000, cooked).unwrap();
        lane.check(&[b'x'; LINE_MAX - 1000], usize::MAX, cooked).unwrap();
        assert!(lane.check(b"x", 1, cooked).is_err(), "what was taken is remembered, and no more");
    }

    #[test]
    fn a_line_typed_key_by_key_is_measured_as_a_whole() {
        let mut lane = lane();
        for _ in 0..LINE_MAX {
            lane.check(b"x", 1, cooked).unwrap();
        }
        assert!(lane.check(b"x", 1, cooked).is_err());
        lane.check(b"\r", 1, cooked).unwrap();
        lane.check(&[b'x'; LINE_MAX], LINE_MAX, cooked).unwrap();
    }

    #[test]
    fn a_line_killed_with_ctrl_u_starts_over() {
        let mut lane = lane();
        lane.check(&[b'x'; 3000], 3000, cooked).unwrap();
        lane.check(b"\x15", 1, cooked).unwrap();
        lane.check(&[b'x'; 3000], 3000, cooked).unwrap();
    }

    #[test]
    fn raw_input_has_no_lines() {
        assert!(lane().check(&[b'x'; 100_000], 100_000, || Ok(LineMode::RAW)).is_ok());
    }

    #[test]
    fn input_accepted_raw_is_looked_at_again_when_the_terminal_collects_lines() {
        let mut lane = lane();
        lane.check(&[b'x'; 5000], 5000, || Ok(LineMode::RAW)).unwrap();
        lane.push(&[b'x'; 5000]);
        assert!(lane.may_overflow());
        assert!(!lane.overflows(&LineMode::RAW));
        assert!(lane.overflows(&LineMode::COOKED));
    }

    #[test]
    fn keystrokes_do_not_ask_for_the_mode() {
        let mut lane = lane();
        for _ in 0..UNMEASURED_MAX {
            lane.check(b"x", 1, || panic!("asked for the mode")).unwrap();
        }
    }

    #[test]
    fn resizes_keep_their_place_among_the_input_and_neighbours_merge() {
        let (small, large) = (Size::new(10, 10).unwrap(), Size::new(20, 20).unwrap());
        let mut lane = lane();
        lane.push(b"ab");
        lane.push_resize(1, small);
        lane.push_resize(2, large);
        lane.push(b"c");
        assert_eq!(lane.next(), Some(Next::Write(b"ab")));
        lane.wrote(1);
        assert_eq!(lane.next(), Some(Next::Write(b"b")));
        lane.wrote(1);
        assert_eq!(lane.next(), Some(Next::Resize { number: 2, size: large }));
        lane.resized();
        assert_eq!(lane.next(), Some(Next::Write(b"c")));
    }

    #[test]
    fn discarding_names_exactly_what_was_not_written() {
        let mut lane = lane();
        lane.pass(10);
        lane.push(b"abcdef");
        lane.wrote(2);
        lane.push_resize(1, Size::DEFAULT);
        lane.push(b"gh");
        assert_eq!(lane.discard(), Some(Dropped { from: 12, to: 18 }));
        assert_eq!(lane.next(), Some(Next::Resize { number: 1, size: Size::DEFAULT }));
        assert_eq!((lane.queued(), lane.discard()), (0, None));
    }
}
