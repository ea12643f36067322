//! When a terminal may be read: credit by acknowledged bytes, two watermarks, and an end to patience.
//!
//! A lossless reader's un-acknowledged bytes are its debt. When the largest debt reaches the high watermark the
//! terminal is no longer read, its kernel buffer fills, and the child waits in `write(2)`; when it has fallen to
//! the low one, reading goes on. The two marks lie far apart so that they do not flutter.
//!
//! A viewer (not the owner) whose debt has kept the terminal stopped for [`FlowLimits::stall_max`] while somebody else has
//! read everything and waits is **demoted**: from then on it is lossy, and told so. Where a viewer that missed output goes on, [`safe_cut`] says.

mod cut;

use std::time::Duration;

pub use cut::{Lines, STRING_MAX, safe_cut};

use crate::limits::{HIGH_WATER_BYTES, LOW_WATER_BYTES, STALL_MAX};
use crate::ring::{Mode, Standing};
use crate::time::Time;

/// The two marks and the patience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowLimits {
    /// Un-acknowledged bytes at which reading stops.
    pub high_bytes: usize,
    /// Un-acknowledged bytes at which it goes on; below `high_bytes`.
    pub low_bytes: usize,
    /// How long a viewer may keep the terminal stopped while others wait.
    pub stall_max: Duration,
}

impl Default for FlowLimits {
    fn default() -> Self {
        FlowLimits { high_bytes: HIGH_WATER_BYTES, low_bytes: LOW_WATER_BYTES, stall_max: STALL_MAX }
    }
}

/// What the end of patience means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overdue {
    /// Readers that are waited for no longer, by index.
    pub readers: Vec<usize>,
    /// Others had just come, and are waited for from now on: none is new any more.
    pub anew: bool,
}

/// Decides whether a terminal is read. Ask [`may_read`](Flow::may_read) after output and, while
/// [stopped](Flow::is_stopped), after acknowledgements; and [`overdue`](Flow::overdue) at [`poll_timeout`](Flow::poll_timeout).
///
/// # Examples
/// ```
/// # use orchflow_core::{flow::{Flow, FlowLimits}, time::Time};
/// let mut flow = Flow::new(FlowLimits { high_bytes: 100, low_bytes: 10, ..Default::default() });
/// assert!(flow.may_read(Time::ZERO, 99, 0));
/// assert!(!flow.may_read(Time::ZERO, 100, 0)); // A debt of 100.
/// assert!(!flow.may_read(Time::ZERO, 100, 80)); // 20 are still more than 10.
/// assert!(flow.may_read(Time::ZERO, 100, 90));
/// ```
#[derive(Debug)]
pub struct Flow {
    limits: FlowLimits,
    stopped_since: Option<Time>,
    /// Set once patience ended with nobody else waiting: no timer, the next reader that waits asks again.
    overdue: bool,
}

impl Flow {
    /// Nobody owes anything.
    pub fn new(limits: FlowLimits) -> Self {
        Flow { limits, stopped_since: None, overdue: false }
    }

    /// Whether reading may go on, when output ends at `end` and all lossless readers have acknowledged what lies
    /// before `floor`.
    pub fn may_read(&mut self, now: Time, end: u64, floor: u64) -> bool {
        let debt = end.saturating_sub(floor);
        let limit = if self.is_stopped() { self.limits.low_bytes + 1 } else { self.limits.high_bytes };
        if debt < limit as u64 {
            self.stopped_since = None;
            self.overdue = false;
            return true;
        }
        self.stopped_since.get_or_insert(now);
        false
    }

    /// Whether reading has stopped for somebody's debt.
    pub fn is_stopped(&self) -> bool {
        self.stopped_since.is_some()
    }

    /// Which of `readers` have used up the patience of the others. Who came after reading stopped is new, and is waited for anew.
    /// Harmless when called early.
    pub fn overdue(&mut self, now: Time, end: u64, readers: &[Standing]) -> Overdue {
        let Some(since) = self.stopped_since else { return Overdue::default() };
        if now < since + self.limits.stall_max {
            return Overdue::default();
        }
        self.overdue = true;
        let owes = |reader: &Standing| end.saturating_sub(reader.acked) > self.limits.low_bytes as u64;
        if !readers.iter().any(|reader| reader.waits && !owes(reader)) {
            return Overdue::default();
        }
        let stalled = |reader: &Standing| reader.mode == Mode::Viewer && owes(reader);
        let anew = readers.iter().any(|reader| stalled(reader) && reader.is_new);
        if anew {
            (self.stopped_since, self.overdue) = (Some(now), false);
        }
        let readers = readers.iter().enumerate().filter(|(_, reader)| stalled(reader) && !reader.is_new);
        Overdue { readers: readers.map(|(index, _)| index).collect(), anew }
    }

    /// When patience ends.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.stopped_since.filter(|_| !self.overdue).map(|since| since + self.limits.stall_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: FlowLimits = FlowLimits { high_bytes: 100, low_bytes: 10, stall_max: Duration::from_secs(10) };

    fn view(mode: Mode, acked: u64, waits: bool) -> Standing {
        Standing { mode, acked, waits, is_new: false }
    }

    #[test]
    fn reading_stops_at_the_high_mark_and_goes_on_at_the_low_one() {
        let mut flow = Flow::new(LIMITS);
        assert!(flow.may_read(Time::ZERO, 99, 0));
        assert!(!flow.may_read(Time::ZERO, 100, 0));
        assert!(!flow.may_read(Time::ZERO, 100, 89));
        assert!(flow.may_read(Time::ZERO, 100, 90));
        assert!(flow.may_read(Time::ZERO, 150, 90));
    }

    #[test]
    fn a_viewer_that_stalls_while_another_waits_is_named_once_patience_ends() {
        let mut flow = Flow::new(LIMITS);
        assert!(!flow.may_read(Time::from_millis(5), 100, 0));
        assert_eq!(flow.poll_timeout(), Some(Time::from_millis(10_005)));
        let views = [view(Mode::Viewer, 0, false), view(Mode::Viewer, 100, true), view(Mode::Lossy, 0, false)];
        assert_eq!(flow.overdue(Time::from_millis(10_004), 100, &views), Overdue::default());
        assert_eq!(flow.overdue(Time::from_millis(10_005), 100, &views).readers, [0]);
    }

    #[test]
    fn a_viewer_that_came_while_others_were_waited_for_has_a_patience_of_its_own() {
        let mut flow = Flow::new(LIMITS);
        assert!(!flow.may_read(Time::ZERO, 100, 0));
        let late = Standing { is_new: true, ..view(Mode::Viewer, 0, false) };
        let views = [view(Mode::Viewer, 0, false), view(Mode::Viewer, 100, true), late];
        assert_eq!(flow.overdue(Time::from_millis(10_000), 100, &views), Overdue { readers: vec![0], anew: true });
        assert_eq!(flow.poll_timeout(), Some(Time::from_millis(20_000)));
        let greeted = [views[1], view(Mode::Viewer, 0, false)];
        assert_eq!(flow.overdue(Time::from_millis(20_000), 100, &greeted), Overdue { readers: vec![1], anew: false });
    }

    #[test]
    fn an_owner_is_waited_for_without_end() {
        let mut flow = Flow::new(LIMITS);
        assert!(!flow.may_read(Time::ZERO, 100, 0));
        let views = [view(Mode::Owner, 0, false), view(Mode::Viewer, 100, true)];
        assert_eq!(flow.overdue(Time::from_millis(3_600_000), 100, &views), Overdue::default());
    }

    #[test]
    fn a_stalled_viewer_nobody_waits_with_keeps_its_place_and_costs_no_timer() {
        let mut flow = Flow::new(LIMITS);
        assert!(!flow.may_read(Time::ZERO, 100, 0));
        let alone = [view(Mode::Viewer, 0, false)];
        assert_eq!(flow.overdue(Time::from_millis(10_000), 100, &alone), Overdue::default());
        assert_eq!(flow.poll_timeout(), None);
        let joined = [alone[0], view(Mode::Owner, 100, true)];
        assert_eq!(flow.overdue(Time::from_millis(11_000), 100, &joined).readers, [0]);
    }
}
