//! When a viewer's output is sent: at once where nothing is under way, else with what follows it.
//!
//! A message costs each end a system call and a wake-up, whatever is in it; so a flood that is sent as it is read, four KiB at a time,
//! takes more of a server's time, which everybody else's keys wait for. And output that waits for company is late. So the
//! first of it never waits, nor does anything that somebody who just typed may wait for. What follows is
//! gathered until the other side has rendered what is under way (Nagle's rule, RFC 896, by acknowledgement of the renderer
//! instead of the kernel), until it is much, or for [`BATCH_WAIT`]. What follows a bulk of output, likely more of it,
//! is gathered also where the other side is quick. How much is much, and how much may be under way at all, the [`Window`] says, from what it measures.
//! `docs/batching.md` shows what comes of it.

use std::ops::Range;
use std::time::Duration;

use super::Window;
use crate::limits::{BATCH_WAIT, BULK_BYTES, INTERACTIVE};
use crate::time::Time;

/// Decides for one viewer. Tell it what is [sent](Batcher::handle_sent), what was [rendered](Batcher::handle_rendered), and when its client
/// [types](Batcher::handle_input); ask [`may_send`](Batcher::may_send) when output has come or was rendered, and again at
/// [`poll_timeout`](Batcher::poll_timeout).
///
/// # Examples
/// ```
/// # use orchflow_core::{batch::Batcher, limits::BATCH_WAIT, time::Time};
/// let (mut batcher, now) = (Batcher::new(512 << 10), Time::ZERO);
/// assert!(batcher.may_send(0..100, 0, now) > 100);
/// batcher.handle_sent(0..100, 100, now);
/// assert_eq!(batcher.may_send(100..120, 100, now), 0); // 100 bytes are under way: what follows is gathered.
/// assert_eq!(batcher.poll_timeout(), Some(now + BATCH_WAIT));
/// batcher.handle_rendered(100, now);
/// assert!(batcher.may_send(100..150, 0, now) > 50);
/// ```
#[derive(Debug)]
pub struct Batcher {
    window: Window,
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
    /// For one to whom at most `credit` bytes may be under way.
    pub fn new(credit: u64) -> Batcher {
        Batcher { window: Window::new(credit), end: 0, sent: None, typed: None, due: None }
    }

    /// How much of the output that waits at these offsets may be sent, while so many bytes before it are not rendered yet; 0 for
    /// nothing now. Where none waits something may: there is nothing to gather.
    pub fn may_send(&mut self, waiting: Range<u64>, under_way: u64, now: Time) -> u64 {
        let has_room = self.has_room(&waiting, under_way);
        let goes = waiting.is_empty() || waiting.start < self.end || self.begins(waiting.end - waiting.start, under_way, now);
        // Until there is room nothing becomes due: it is made by what is rendered.
        self.due = self.sent.filter(|_| has_room && !goes).map(|sent| sent.at + BATCH_WAIT);
        if !(has_room && goes) {
            return 0;
        }
        self.end = waiting.end;
        self.window.batch_bytes()
    }

    /// Whether so much of what waits may be under way besides what is that it is worth a message: all, or a batch.
    pub fn has_room(&self, waiting: &Range<u64>, under_way: u64) -> bool {
        let room = self.window.bytes().saturating_sub(under_way);
        room >= self.window.batch_bytes().min(waiting.end.saturating_sub(waiting.start))
    }

    /// What may be under way, as it was learnt.
    pub fn window(&self) -> &Window {
        &self.window
    }

    /// Whether a new batch of `count` bytes begins.
    fn begins(&self, count: u64, under_way: u64, now: Time) -> bool {
        let Some(sent) = self.sent else { return true };
        let is_idle = under_way == 0 && !sent.is_bulk;
        let is_awaited = self.typed.is_some_and(|typed| now < typed + INTERACTIVE);
        is_idle || is_awaited || count >= self.window.batch_bytes() || now >= sent.at + BATCH_WAIT
    }

    /// These bytes were sent; so many are under way with them.
    pub fn handle_sent(&mut self, bytes: Range<u64>, under_way: u64, now: Time) {
        self.sent = Some(Sent { at: now, is_bulk: bytes.end - bytes.start >= BULK_BYTES });
        self.window.handle_sent(bytes.end, under_way, now);
    }

    /// Everything before this was rendered. Answers how long something took, if it just was. One thing at a time is timed.
    pub fn handle_rendered(&mut self, rendered: u64, now: Time) -> Option<Duration> {
        self.window.handle_rendered(rendered, now)
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
    use super::*;
    use crate::limits::{BATCHES_UNDER_WAY, WINDOW_FIRST_BYTES};

    const NOW: Time = Time::from_millis(100);
    const SOON: Duration = Duration::from_micros(100);
    const BATCH: u64 = WINDOW_FIRST_BYTES / BATCHES_UNDER_WAY;

    /// One that has sent `count` bytes.
    fn after(count: u64) -> Batcher {
        let mut batcher = Batcher::new(512 << 10);
        assert!(may_send(&mut batcher, 0..count, 0, NOW), "the first never waits");
        batcher.handle_sent(0..count, count, NOW);
        batcher
    }

    fn may_send(batcher: &mut Batcher, waiting: Range<u64>, under_way: u64, now: Time) -> bool {
        batcher.may_send(waiting, under_way, now) > 0
    }

    #[test]
    fn followers_wait_until_the_first_is_rendered() {
        let mut batcher = after(100);
        assert!(!may_send(&mut batcher, 100..101, 1, NOW + SOON));
        assert!(may_send(&mut batcher, 100..150, 0, NOW + SOON));
        assert_eq!(batcher.poll_timeout(), None, "nothing waits any more");
    }

    #[test]
    fn no_byte_waits_longer_than_a_millisecond_whatever_is_rendered() {
        let mut batcher = after(100);
        assert!(!may_send(&mut batcher, 100..101, 100, NOW + (BATCH_WAIT - Duration::from_nanos(1))));
        assert_eq!(batcher.poll_timeout(), Some(NOW + BATCH_WAIT));
        batcher.handle_timeout(NOW + BATCH_WAIT);
        assert_eq!(batcher.poll_timeout(), None, "a host that cannot send now is not called again and again");
        assert!(may_send(&mut batcher, 100..101, 100, NOW + BATCH_WAIT));
    }

    #[test]
    fn more_of_a_bulk_is_gathered_though_the_other_side_is_quick() {
        let mut batcher = after(BULK_BYTES);
        assert!(!may_send(&mut batcher, BULK_BYTES..BULK_BYTES + 1, 0, NOW + SOON));
        assert!(may_send(&mut batcher, BULK_BYTES..BULK_BYTES + BATCH, BULK_BYTES, NOW + SOON), "until it is much");
    }

    #[test]
    fn a_batch_that_has_begun_is_sent_whole() {
        let mut batcher = after(BULK_BYTES);
        let end = BULK_BYTES + BATCH;
        assert!(may_send(&mut batcher, BULK_BYTES..end, BULK_BYTES, NOW + SOON));
        batcher.handle_sent(BULK_BYTES..end - 1, end - 1, NOW + SOON);
        assert!(may_send(&mut batcher, end - 1..end + 10, end - 1, NOW + SOON));
        batcher.handle_sent(end - 1..end + 10, end + 10, NOW + SOON);
        assert!(!may_send(&mut batcher, end + 10..end + 20, end + 10, NOW + SOON));
    }

    #[test]
    fn who_types_waits_for_no_company() {
        let mut batcher = after(BULK_BYTES);
        batcher.handle_input(NOW + SOON);
        let next = BULK_BYTES..BULK_BYTES + 1;
        assert!(may_send(&mut batcher, next.clone(), BULK_BYTES, NOW + SOON));
        let late = NOW + SOON + INTERACTIVE;
        batcher.handle_sent(next.clone(), BULK_BYTES + 1, late);
        assert!(!may_send(&mut batcher, next.end..next.end + 1, BULK_BYTES + 1, late), "it did not type just now");
    }

    #[test]
    fn where_nothing_waits_the_reader_may_be_asked() {
        assert!(may_send(&mut after(100), 100..100, 100, NOW));
    }

    #[test]
    fn beyond_the_window_nothing_goes_and_nothing_is_due() {
        let (mut batcher, first) = (after(BATCH), WINDOW_FIRST_BYTES);
        let later = NOW + BATCH_WAIT;
        assert!(may_send(&mut batcher, BATCH..first * 2, first - BATCH, later));
        assert!(!may_send(&mut batcher, BATCH..first * 2, first - BATCH + 1, later), "too little for a batch");
        assert!(may_send(&mut batcher, BATCH..BATCH + 10, first - 10, later), "and enough for all");
        assert!(!may_send(&mut batcher, BATCH..BATCH + 10, first - 9, later));
        assert_eq!(batcher.poll_timeout(), None);
    }
}
