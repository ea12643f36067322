//! How much may be under way to one viewer: as much as its link carries without much of a queue.
//!
//! What is sent beyond that arrives no sooner, it only waits in buffers that nobody here sees, and with it waits the echo of
//! whatever is typed next. So the **window** follows what is measured: the round trip of something sent, until it was rendered,
//! less the least of those seen lately, is what it waited for others (as in LEDBAT, RFC 6817; the least is kept for as long as BBR's is). Where
//! that is little the window grows by a step, where it is too much it is halved (AIMD: Chiu and Jain, 1989); at first it doubles, as TCP's
//! does, so that a quick link notices nothing. Halving also empties the queue: one of our own that is always there would pass for a long
//! way. So it is halved now and then also where it is right.
//!
//! Nothing is learnt from what was sent while little was under way: it says nothing of more (RFC 7661).

use std::time::Duration;

use crate::limits::{
    BATCH_BYTES, BATCHES_UNDER_WAY, QUEUE_DELAY, ROUND_TRIP_KEPT, WINDOW_FIRST_BYTES, WINDOW_LEAST_BYTES, WINDOW_STEP_BYTES,
};
use crate::time::Time;

/// The window of one viewer. Tell it what is [sent](Window::handle_sent) and what was [rendered](Window::handle_rendered).
#[derive(Debug)]
pub struct Window {
    bytes: u64,
    most: u64,
    /// It was never too large on this path.
    is_new: bool,
    least: Least,
    /// When it was last halved.
    halved: Time,
    /// What is timed; one thing at a time, and rather one that teaches something.
    flight: Option<Flight>,
}

/// Something sent that is not rendered yet.
#[derive(Clone, Copy, Debug)]
struct Flight {
    end: u64,
    sent: Time,
    /// So much was under way with it that it shows what the window does.
    teaches: bool,
}

impl Window {
    /// One that never grows beyond `most` bytes.
    pub fn new(most: u64) -> Window {
        let (bytes, least) = (WINDOW_FIRST_BYTES.min(most), Least::default());
        Window { bytes, most, is_new: true, least, halved: Time::ZERO, flight: None }
    }

    /// Bytes that may be under way.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether it is as large as it may ever be.
    pub fn is_open(&self) -> bool {
        self.bytes == self.most
    }

    /// Bytes of one batch: a part of the window, so that there is always another on the way to be answered.
    pub fn batch_bytes(&self) -> u64 {
        (self.bytes / BATCHES_UNDER_WAY).min(BATCH_BYTES)
    }

    /// Output up to `end` was sent, and so many bytes are under way with it.
    pub fn handle_sent(&mut self, end: u64, under_way: u64, now: Time) {
        let teaches = under_way >= self.bytes / 2;
        if self.flight.is_none_or(|flight| teaches && !flight.teaches) {
            self.flight = Some(Flight { end, sent: now, teaches });
        }
    }

    /// Everything before `rendered` was rendered. Answers how long something took, if it just was.
    pub fn handle_rendered(&mut self, rendered: u64, now: Time) -> Option<Duration> {
        let Flight { sent, teaches, .. } = self.flight.take_if(|flight| flight.end <= rendered)?;
        let took = now - sent;
        self.learn(took, teaches, now);
        Some(took)
    }

    fn learn(&mut self, took: Duration, teaches: bool, now: Time) {
        let is_elsewhere = self.least.note(took, now);
        self.is_new |= is_elsewhere;
        let queued = took.saturating_sub(self.least.get());
        if !teaches {
            return;
        }
        // A queue that is neither little nor too much, and soon the least is forgotten.
        let is_settled = queued >= QUEUE_DELAY / 2 && now >= self.halved + ROUND_TRIP_KEPT / 2;
        if queued > QUEUE_DELAY || is_settled {
            self.bytes = (self.bytes / 2).max(WINDOW_LEAST_BYTES);
            (self.is_new, self.halved) = (false, now);
        } else if queued < QUEUE_DELAY / 2 {
            let step = if self.is_new { self.bytes } else { self.batch_bytes().min(WINDOW_STEP_BYTES) };
            self.bytes = (self.bytes + step).min(self.most);
        }
    }
}

/// The least round trip of this span of time and the one before it.
#[derive(Debug, Default)]
struct Least {
    since: Time,
    now: Option<Duration>,
    before: Option<Duration>,
}

impl Least {
    /// Takes note of one. Answers whether even the least is longer now by far more than a queue of ours may be: it is another path, or another pace.
    fn note(&mut self, took: Duration, now: Time) -> bool {
        let known = self.now.is_some().then(|| self.get());
        if now >= self.since + ROUND_TRIP_KEPT / 2 {
            (self.before, self.now, self.since) = (self.now, None, now);
        }
        self.now = Some(self.now.map_or(took, |least| least.min(took)));
        known.is_some_and(|known| self.get() > known + 10 * QUEUE_DELAY)
    }

    fn get(&self) -> Duration {
        self.now.into_iter().chain(self.before).min().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_millis(1_000);
    const MOST: u64 = 512 << 10;

    /// One whose round trips are these, in milliseconds, with as much under way as may be.
    fn after(trips: &[u64]) -> Window {
        let (mut window, mut now) = (Window::new(MOST), NOW);
        for (end, trip) in trips.iter().enumerate() {
            window.handle_sent(end as u64, window.bytes(), now);
            now = now + Duration::from_millis(*trip);
            assert_eq!(window.handle_rendered(end as u64, now), Some(Duration::from_millis(*trip)));
        }
        window
    }

    #[test]
    fn a_quick_link_has_the_whole_credit_within_few_round_trips() {
        assert_eq!(after(&[1; 4]).bytes(), MOST / 2);
        assert_eq!(after(&[1; 9]).bytes(), MOST);
    }

    #[test]
    fn what_waits_for_too_long_halves_it_and_then_it_grows_by_steps() {
        let trips = [5, 5, 5, 26];
        let halved = after(&trips).bytes();
        assert_eq!(halved, 4 * WINDOW_FIRST_BYTES);
        assert_eq!(after(&[&trips[..], &[14]].concat()).bytes(), halved + WINDOW_STEP_BYTES);
        assert_eq!(after(&[&trips[..], &[20]].concat()).bytes(), halved, "neither little nor too much");
        assert_eq!(after(&[&trips[..], &[500; 6]].concat()).bytes(), WINDOW_LEAST_BYTES);
    }

    #[test]
    fn a_queue_that_is_neither_little_nor_too_much_is_emptied_now_and_then() {
        let settled = |count: usize| after(&[&[5, 5, 26][..], &vec![20; count]].concat()).bytes();
        let trips = ROUND_TRIP_KEPT.as_millis() as usize / 2 / 20;
        assert_eq!(settled(1), settled(trips - 1));
        assert_eq!(settled(1) / 2, settled(trips + 1));
    }

    #[test]
    fn what_was_sent_alone_says_nothing_of_more() {
        let mut window = Window::new(MOST);
        for (end, took) in [1, 1, 200, 200].into_iter().enumerate() {
            let sent = NOW + Duration::from_secs(end as u64);
            window.handle_sent(end as u64, 10, sent);
            window.handle_rendered(end as u64, sent + Duration::from_millis(took));
            assert_eq!(window.bytes(), WINDOW_FIRST_BYTES);
        }
    }

    #[test]
    fn a_path_that_has_become_longer_is_learnt_anew() {
        // A tab that was hidden is called once a second; at first that looks like a queue.
        let hidden = |seconds: usize| after(&[&[1; 9][..], &vec![1_000; seconds]].concat()).bytes();
        assert!(hidden(3) <= MOST / 8);
        assert_eq!(hidden(2 * ROUND_TRIP_KEPT.as_secs() as usize), MOST);
    }

    #[test]
    fn one_thing_is_timed_at_a_time() {
        let mut window = Window::new(MOST);
        window.handle_sent(10, 10, NOW);
        window.handle_sent(20, 20, NOW + Duration::from_millis(5));
        assert_eq!(window.handle_rendered(9, NOW + Duration::from_millis(6)), None);
        assert_eq!(window.handle_rendered(20, NOW + Duration::from_millis(7)), Some(Duration::from_millis(7)));
        assert_eq!(window.handle_rendered(20, NOW + Duration::from_millis(8)), None);
    }
}
