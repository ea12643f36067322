//! When a viewer's output is sent: at once where nothing is under way, else with what follows it.
//!
//! A message costs each end a system call and a wake-up, whatever is in it; so a flood that is sent as it is read, four KiB at a time,
//! takes more of a server's time, which everybody else's keys wait for. And output that waits for company is late. So the
//! first of it never waits, nor does anything that somebody who just typed may wait for. What follows is
//! gathered until the other side has rendered what is under way (Nagle's rule, RFC 896, by acknowledgement of the renderer
//! instead of the kernel), until it is much, or for [`BATCH_WAIT`]. What follows a bulk of output, likely more of it,
//! is gathered also where the other side is quick.

use std::ops::Range;

use crate::limits::{BATCH_BYTES, BATCH_WAIT, BULK_BYTES, INTERACTIVE};
use crate::time::Time;

/// Decides for one viewer. Tell it what is [sent](Batcher::handle_sent) and when its client [types](Batcher::handle_input); ask
/// [`may_send`](Batcher::may_send) when output has come, and again at [`poll_timeout`](Batcher::poll_timeout).
///
/// # Examples
/// ```
/// # use orchflow_core::{batch::Batcher, limits::BATCH_WAIT, time::Time};
/// let (mut batcher, now) = (Batcher::default(), Time::ZERO);
/// assert!(batcher.may_send(0..100, 0, now));
/// batcher.handle_sent(100, now);
/// assert!(!batcher.may_send(100..120, 100, now)); // 100 bytes are under way: what follows is gathered.
/// assert_eq!(batcher.poll_timeout(), Some(now + BATCH_WAIT));
/// assert!(batcher.may_send(100..150, 0, now)); // They were rendered.
/// ```
#[derive(Debug, Default)]
pub struct Batcher {
    /// Where the batch ends that is being sent.
    end: u64,
    sent: Option<Sent>,
    typed: Option<Time>,
    /// When what waits is sent at the latest.
    due: Option<Time>,
}

/// What was last sent.
#[derive(Clone, Copy, Debug)]
struct Sent {
    at: Time,
    is_bulk: bool,
}

impl Batcher {
    /// Whether output that waits at these offsets may be sent, while so many bytes before it are not rendered yet. Where none
    /// waits it may: there is nothing to gather.
    pub fn may_send(&mut self, waiting: Range<u64>, under_way: u64, now: Time) -> bool {
        let goes = waiting.is_empty() || waiting.start < self.end || self.begins(waiting.end - waiting.start, under_way, now);
        if goes {
            self.end = waiting.end;
        }
        self.due = self.sent.filter(|_| !goes).map(|sent| sent.at + BATCH_WAIT);
        goes
    }

    /// Whether a new batch of `count` bytes begins.
    fn begins(&self, count: u64, under_way: u64, now: Time) -> bool {
        let Some(sent) = self.sent else { return true };
        let is_idle = under_way == 0 && !sent.is_bulk;
        let is_awaited = self.typed.is_some_and(|typed| now < typed + INTERACTIVE);
        is_idle || is_awaited || count >= BATCH_BYTES || now >= sent.at + BATCH_WAIT
    }

    /// So many bytes were sent.
    pub fn handle_sent(&mut self, count: u64, now: Time) {
        self.sent = Some(Sent { at: now, is_bulk: count >= BULK_BYTES });
    }

    /// Its client typed.
    pub fn handle_input(&mut self, now: Time) {
        self.typed = Some(now);
    }

    /// Time has passed. Harmless when early.
    pub fn handle_timeout(&mut self, now: Time) {
        self.due.take_if(|due| now >= *due);
    }

    /// When to ask again, if nothing happens before.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.due
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Time = Time::from_millis(100);
    const SOON: Duration = Duration::from_micros(100);

    /// One that has sent `count` bytes.
    fn after(count: u64) -> Batcher {
        let mut batcher = Batcher::default();
        assert!(batcher.may_send(0..count, 0, NOW), "the first never waits");
        batcher.handle_sent(count, NOW);
        batcher
    }

    #[test]
    fn followers_wait_until_the_first_is_rendered() {
        let mut batcher = after(100);
        assert!(!batcher.may_send(100..101, 1, NOW + SOON));
        assert!(batcher.may_send(100..150, 0, NOW + SOON));
        assert_eq!(batcher.poll_timeout(), None, "nothing waits any more");
    }

    #[test]
    fn no_byte_waits_longer_than_a_millisecond_whatever_is_rendered() {
        let mut batcher = after(100);
        assert!(!batcher.may_send(100..101, 100, NOW + (BATCH_WAIT - Duration::from_nanos(1))));
        assert_eq!(batcher.poll_timeout(), Some(NOW + BATCH_WAIT));
        batcher.handle_timeout(NOW + BATCH_WAIT);
        assert_eq!(batcher.poll_timeout(), None, "a host that cannot send now is not called again and again");
        assert!(batcher.may_send(100..101, 100, NOW + BATCH_WAIT));
    }

    #[test]
    fn more_of_a_bulk_is_gathered_though_the_other_side_is_quick() {
        let mut batcher = after(BULK_BYTES);
        assert!(!batcher.may_send(BULK_BYTES..BULK_BYTES + 1, 0, NOW + SOON));
        assert!(batcher.may_send(BULK_BYTES..BULK_BYTES + BATCH_BYTES, BULK_BYTES, NOW + SOON), "until it is much");
    }

    #[test]
    fn a_batch_that_has_begun_is_sent_whole() {
        let mut batcher = after(BULK_BYTES);
        let end = BULK_BYTES + BATCH_BYTES;
        assert!(batcher.may_send(BULK_BYTES..end, BULK_BYTES, NOW + SOON));
        batcher.handle_sent(BATCH_BYTES - 1, NOW + SOON);
        assert!(batcher.may_send(end - 1..end + 10, end - 1, NOW + SOON));
        batcher.handle_sent(11, NOW + SOON);
        assert!(!batcher.may_send(end + 10..end + 20, end + 10, NOW + SOON));
    }

    #[test]
    fn who_types_waits_for_no_company() {
        let mut batcher = after(BULK_BYTES);
        batcher.handle_input(NOW + SOON);
        let next = BULK_BYTES..BULK_BYTES + 1;
        assert!(batcher.may_send(next.clone(), BULK_BYTES, NOW + SOON));
        batcher.handle_sent(1, NOW + BATCH_WAIT + SOON);
        let late = NOW + SOON + INTERACTIVE;
        batcher.handle_sent(1, late);
        assert!(!batcher.may_send(next.end..next.end + 1, BULK_BYTES, late), "it did not type just now");
    }

    #[test]
    fn where_nothing_waits_the_reader_may_be_asked() {
        assert!(after(100).may_send(100..100, 100, NOW));
    }
}
