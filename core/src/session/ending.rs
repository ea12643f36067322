//! When a session has ended: the process is gone **and** its output has been read to the end.
//!
//! The two come in either order. When something the process left behind (an orphan) holds the terminal open, the
//! stream has no end of its own; then silence for [`EndingLimits::quiet`], or [`EndingLimits::max`] in all, must do. That clock stands still
//! while reading is stopped for a slow reader: what was not read was not drained. Where nobody of the session is left, silence alone does
//! not do: a process that is just being started may hold a copy of the terminal for a moment.

use std::time::Duration;

use crate::limits::{DRAIN_MAX, DRAIN_QUIET};
use crate::pty::{Exit, ExitStatus};
use crate::time::Time;

/// How long an orphan is listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndingLimits {
    /// Silence that ends it.
    pub quiet: Duration,
    /// Time in all that ends it, however much it talks.
    pub max: Duration,
}

impl Default for EndingLimits {
    fn default() -> Self {
        EndingLimits { quiet: DRAIN_QUIET, max: DRAIN_MAX }
    }
}

/// Follows one session to its end.
#[derive(Debug)]
pub(super) struct Ending {
    limits: EndingLimits,
    status: Option<ExitStatus>,
    end_of_output: bool,
    /// Runs once the process is gone.
    drain: Option<Drain>,
}

/// The clock of the drain. Two deadlines, moved on by however long it stood still.
#[derive(Debug)]
struct Drain {
    quiet_until: Time,
    max_until: Time,
    stopped_at: Option<Time>,
}

impl Ending {
    pub(super) fn new(limits: EndingLimits) -> Self {
        Ending { limits, status: None, end_of_output: false, drain: None }
    }

    /// The process's status, once it is gone.
    pub(super) fn status(&self) -> Option<ExitStatus> {
        self.status
    }

    /// Whether the stream has come to its own end.
    pub(super) fn is_end_of_output(&self) -> bool {
        self.end_of_output
    }

    /// The process is gone. `stopped` tells whether reading is stopped at this moment.
    pub(super) fn handle_exit(&mut self, now: Time, status: ExitStatus, stopped: bool) {
        self.status = Some(status);
        let (quiet_until, max_until) = (now + self.limits.quiet, now + self.limits.max);
        self.drain = Some(Drain { quiet_until, max_until, stopped_at: stopped.then_some(now) });
    }

    /// Something was read.
    pub(super) fn handle_output(&mut self, now: Time) {
        if let Some(drain) = &mut self.drain {
            drain.quiet_until = now + self.limits.quiet;
        }
    }

    /// Nobody of the session is left, so what holds the terminal open is no orphan of its own: a process that another thread is just
    /// starting and that lets go of it as it becomes its program, or one that has left the session. It has the longest time.
    pub(super) fn handle_nobody_left(&mut self) {
        if let Some(drain) = &mut self.drain {
            drain.quiet_until = drain.max_until;
        }
    }

    /// The stream ended.
    pub(super) fn handle_end_of_output(&mut self) {
        self.end_of_output = true;
    }

    /// Reading was stopped or goes on.
    pub(super) fn handle_stopped(&mut self, now: Time, stopped: bool) {
        let Some(drain) = &mut self.drain else { return };
        match (drain.stopped_at, stopped) {
            (None, true) => drain.stopped_at = Some(now),
            (Some(since), false) => {
                let stood = now - since;
                drain.quiet_until = drain.quiet_until + stood;
                drain.max_until = drain.max_until + stood;
                drain.stopped_at = None;
            }
            _ => {}
        }
    }

    /// Whether an orphan has been listened to for long enough, if `drained`: a read has just found nothing, so all that
    /// the process itself wrote is in the log.
    pub(super) fn is_patience_over(&self, now: Time, drained: bool) -> bool {
        self.drain
            .as_ref()
            .is_some_and(|drain| drain.stopped_at.is_none() && ((drained && now >= drain.quiet_until) || now >= drain.max_until))
    }

    /// The end, if it has come: by itself, or because patience `over` is.
    pub(super) fn exit(&self, over: bool) -> Option<Exit> {
        let status = self.status?;
        (self.end_of_output || over).then_some(Exit { status, orphaned: !self.end_of_output })
    }

    /// When patience ends.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        let drain = self.drain.as_ref().filter(|drain| drain.stopped_at.is_none() && !self.end_of_output)?;
        Some(drain.quiet_until.min(drain.max_until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: ExitStatus = ExitStatus::Code(0);

    fn ending() -> Ending {
        Ending::new(EndingLimits { quiet: Duration::from_millis(100), max: Duration::from_secs(1) })
    }

    #[test]
    fn the_end_needs_both_the_process_and_the_output_to_be_over() {
        let mut ending = ending();
        ending.handle_exit(Time::ZERO, OK, false);
        assert_eq!(ending.exit(false), None);
        ending.handle_end_of_output();
        assert_eq!(ending.exit(false), Some(Exit { status: OK, orphaned: false }));
        assert_eq!(ending.poll_timeout(), None);
    }

    #[test]
    fn output_that_ends_before_the_process_waits_for_it() {
        let mut ending = ending();
        ending.handle_end_of_output();
        assert_eq!(ending.exit(false), None);
        ending.handle_exit(Time::ZERO, OK, false);
        assert!(ending.exit(false).is_some());
    }

    #[test]
    fn a_silent_orphan_is_left_after_the_quiet_time_and_a_talking_one_after_the_longest() {
        let mut ending = ending();
        ending.handle_exit(Time::ZERO, OK, false);
        for millis in (50..1000).step_by(50) {
            assert!(!ending.is_patience_over(Time::from_millis(millis), true));
            ending.handle_output(Time::from_millis(millis));
        }
        assert!(ending.is_patience_over(Time::from_millis(1000), false));
        assert_eq!(ending.exit(true), Some(Exit { status: OK, orphaned: true }));
    }

    #[test]
    fn quiet_counts_only_once_a_read_found_nothing() {
        let mut ending = ending();
        ending.handle_exit(Time::ZERO, OK, false);
        assert!(!ending.is_patience_over(Time::from_millis(500), false)); // The host slept; output may wait.
        assert!(ending.is_patience_over(Time::from_millis(500), true));
    }

    #[test]
    fn silence_proves_nothing_once_nobody_of_the_session_is_left() {
        let mut ending = ending();
        ending.handle_exit(Time::ZERO, OK, false);
        ending.handle_nobody_left();
        assert_eq!(ending.poll_timeout(), Some(Time::from_millis(1000)));
        assert!(!ending.is_patience_over(Time::from_millis(999), true));
        assert!(ending.is_patience_over(Time::from_millis(1000), true));
    }

    #[test]
    fn the_clock_stands_still_while_reading_is_stopped() {
        let mut ending = ending();
        ending.handle_exit(Time::ZERO, OK, true);
        assert_eq!(ending.poll_timeout(), None);
        assert!(!ending.is_patience_over(Time::from_millis(60_000), true));
        ending.handle_stopped(Time::from_millis(60_000), false);
        assert_eq!(ending.poll_timeout(), Some(Time::from_millis(60_100)));
    }
}
