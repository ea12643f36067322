//! When a program is held back for output that its viewer was not sent yet: before a long queue of it builds up here.
//!
//! The window keeps the link's queue short, and so output waits here instead: up to a whole debt of [`HIGH_WATER_BYTES`], which a thin link takes seconds
//! for, and an echo comes behind it. As in CoDel (Nichols and Jacobson, ACM Queue 10(5), 2012) it is the least wait over a span of time that
//! tells a standing queue from a burst: where whatever was sent had waited for longer than [`BACKLOG_WAIT`], all through [`BACKLOG_SPAN`], the
//! terminal is read only a little ahead of what is sent, and the program waits in `write(2)`. No byte is dropped.
//!
//! CoDel may let go as soon as its queue is short, for who sends into it speeds up slowly. A terminal says 500 KiB in 6 ms; so it is let go once
//! nothing has waited for too long all through such a span.
//!
//! [`HIGH_WATER_BYTES`]: crate::limits::HIGH_WATER_BYTES

use std::ops::Range;
use std::time::Duration;

use super::Window;
use crate::limits::{AHEAD_LEAST_BYTES, BACKLOG_SPAN, BACKLOG_WAIT};
use crate::time::Time;

/// What waits for one viewer that may miss nothing. Tell it what is [sent](Backlog::handle_sent).
#[derive(Debug, Default)]
pub struct Backlog {
    is_held: bool,
    /// Since when whatever was sent has said that this should change.
    contrary: Option<Time>,
    /// When the span began over which the pace is measured, and at which byte.
    span: Option<(Time, u64)>,
    /// Bytes that were sent in [`BACKLOG_WAIT`] lately.
    pace: u64,
}

impl Backlog {
    /// These bytes were sent, of which the first had waited for so long, while the terminal has said as much as `end`.
    pub fn handle_sent(&mut self, sent: Range<u64>, end: u64, waited: Duration, now: Time) {
        self.measure(&sent, now);
        let is_late = waited > BACKLOG_WAIT;
        // Nothing is left: it was a burst. Who is held has as little left all the time.
        let is_burst = !self.is_held && sent.end >= end;
        if is_late == self.is_held || is_burst {
            self.contrary = None;
        } else if now >= *self.contrary.get_or_insert(now) + BACKLOG_SPAN {
            (self.is_held, self.contrary) = (is_late, None);
        }
    }

    /// How far ahead of what was sent the terminal may be read.
    pub fn ahead(&self, window: &Window) -> u64 {
        match self.is_held {
            true => self.pace.max(AHEAD_LEAST_BYTES),
            false if window.is_open() => u64::MAX,
            false => window.bytes(),
        }
    }

    /// Whether the program is held back.
    pub fn is_held(&self) -> bool {
        self.is_held
    }

    fn measure(&mut self, sent: &Range<u64>, now: Time) {
        let (since, from) = *self.span.get_or_insert((now, sent.start));
        let took = now - since;
        if took >= BACKLOG_SPAN {
            let bytes = u128::from(sent.end.saturating_sub(from)) * BACKLOG_WAIT.as_nanos() / took.as_nanos();
            self.pace = u64::try_from(bytes).unwrap_or(u64::MAX);
            self.span = Some((now, sent.end));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATE: Duration = Duration::from_millis(6);
    const IN_TIME: Duration = Duration::from_millis(4);
    /// Much more is to be sent.
    const END: u64 = 1 << 40;

    /// Sends a hundred bytes each millisecond that have waited for so long, from `at` on. Answers when the answer changed from what it was.
    fn send(backlog: &mut Backlog, at: u64, count: u64, waited: Duration) -> Option<u64> {
        let was = backlog.is_held();
        (at..at + count).find(|at| {
            backlog.handle_sent(at * 100..(at + 1) * 100, END, waited, Time::from_millis(*at));
            backlog.is_held() != was
        })
    }

    #[test]
    fn whose_output_has_waited_all_the_time_is_held_until_it_waits_no_longer() {
        let mut backlog = Backlog::default();
        assert_eq!(send(&mut backlog, 0, 500, IN_TIME), None);
        assert_eq!(send(&mut backlog, 500, 500, LATE), Some(600));
        assert_eq!(send(&mut backlog, 601, 99, LATE), None);
        assert_eq!(send(&mut backlog, 700, 99, IN_TIME), None);
        assert_eq!(send(&mut backlog, 799, 1, LATE), None);
        assert_eq!(send(&mut backlog, 800, 200, IN_TIME), Some(900));
        assert_eq!(backlog.ahead(&Window::new(1)), u64::MAX);
    }

    #[test]
    fn a_burst_that_is_sent_in_the_end_holds_nobody() {
        let mut backlog = Backlog::default();
        for at in 0..20 {
            assert_eq!(send(&mut backlog, at * 100, 90, LATE), None);
            let now = Time::from_millis(at * 100 + 91);
            backlog.handle_sent(0..100, 100, LATE, now);
        }
    }

    #[test]
    fn who_is_held_is_read_ahead_as_far_as_it_takes_in_time() {
        let mut backlog = Backlog::default();
        send(&mut backlog, 0, 101, LATE);
        let window = Window::new(1 << 20);
        assert_eq!(backlog.ahead(&window), AHEAD_LEAST_BYTES);
        backlog.handle_sent(10_100..2_000_000, END, LATE, Time::from_millis(200));
        assert!((95_000..105_000).contains(&backlog.ahead(&window)), "2 MB in 100 ms are 100 KB in 5 ms, not {}", backlog.ahead(&window));
    }

    #[test]
    fn whose_link_is_not_known_yet_is_read_ahead_by_a_window() {
        let (backlog, window) = (Backlog::default(), Window::new(1 << 20));
        assert_eq!(backlog.ahead(&window), window.bytes());
    }
}
