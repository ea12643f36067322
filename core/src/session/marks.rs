//! When output was read: in bounded memory, never later than the truth, and earlier by a tenth of a millisecond and an eighth of how long ago
//! that is at the most.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Time;

/// Bytes read within so long of each other share a mark.
const SPACING: Duration = Duration::from_micros(100);

/// Marks kept, of 16 bytes. An eighth apart they reach back for six seconds of a flood, and longer of anything else.
const MARKS_MAX: usize = 128;

/// How much older than it is a byte may seem, beyond that: one part in so many of its age.
const PARTS: u32 = 8;

/// Marks at some of the bytes of a log.
#[derive(Debug, Default)]
pub(super) struct Marks(VecDeque<(u64, Time)>);

impl Marks {
    /// The bytes from `offset` on were read now.
    pub(super) fn note(&mut self, offset: u64, now: Time) {
        if self.0.back().is_some_and(|(_, last)| now < *last + SPACING) {
            return;
        }
        if self.0.len() == MARKS_MAX {
            self.thin_out(now);
        }
        self.0.push_back((offset, now));
    }

    /// Drops marks without which bytes would not seem much older; or the oldest.
    fn thin_out(&mut self, now: Time) {
        let mut kept = 0_usize;
        for at in 0..self.0.len() {
            let is_needed = match (kept.checked_sub(1).map(|before| self.0[before]), self.0.get(at + 1)) {
                (Some((_, before)), Some((_, next))) => (*next - before) * PARTS > now - *next,
                _ => true,
            };
            if is_needed {
                self.0[kept] = self.0[at];
                kept += 1;
            }
        }
        self.0.truncate(kept);
        if kept == MARKS_MAX {
            self.0.pop_front();
        }
    }

    /// When the byte at `offset` was read, or a little before; `None` if that is not known any more.
    pub(super) fn at(&self, offset: u64) -> Option<Time> {
        let later = self.0.partition_point(|(mark, _)| *mark <= offset);
        later.checked_sub(1).map(|before| self.0[before].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_as_old_as_the_mark_before_it() {
        let mut marks = Marks::default();
        marks.note(10, Time::from_millis(1));
        marks.note(20, Time::from_millis(1) + SPACING / 2);
        marks.note(30, Time::from_millis(5));
        let read = [9, 10, 20, 29, 30, 1_000].map(|offset| marks.at(offset).map(|at| at.as_nanos() / 1_000_000));
        assert_eq!(read, [None, Some(1), Some(1), Some(1), Some(5), Some(5)]);
    }

    #[test]
    fn however_many_there_were_few_are_kept_and_each_byte_seems_an_eighth_older_than_it_is_at_most() {
        let mut marks = Marks::default();
        let last = 300_000; // A byte a millisecond, for five minutes.
        for at in 0..=last {
            marks.note(at, Time::from_millis(at));
            assert!(marks.0.len() <= MARKS_MAX);
        }
        for offset in (1..=last).step_by(7) {
            let is = last - offset;
            let Some(read) = marks.at(offset) else {
                assert!(is > 60_000, "nothing is known of {is} ms ago");
                continue;
            };
            let seems = last - read.as_nanos() / 1_000_000;
            assert!((is..=is + is / 8 + 1).contains(&seems), "a byte of {is} ms ago seems to be of {seems}");
        }
    }
}
