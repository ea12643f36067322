//! Moments, as nanoseconds since an origin the driver picks.
//!
//! No machine in this crate reads a clock: it is told the time with every call. So a test writes
//! `Time::from_millis(16)`, an hour passes in a microsecond, and the value crosses C and Python as a `u64`.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment: nanoseconds since the origin of the clock it came from. Only moments of one clock compare.
///
/// # Examples
/// ```
/// # use orchflow_core::time::Time;
/// # use std::time::Duration;
/// let later = Time::from_millis(16) + Duration::from_millis(4);
/// assert_eq!(later - Time::from_millis(16), Duration::from_millis(4));
/// assert_eq!(Time::ZERO - later, Duration::ZERO); // An earlier moment is not an error, it is no wait.
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The clock's origin.
    pub const ZERO: Time = Time(0);
    /// Later than any deadline: 584 years after the origin.
    pub const MAX: Time = Time(u64::MAX);

    /// The moment `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Time(nanos)
    }

    /// The moment `millis` milliseconds after the origin.
    pub const fn from_millis(millis: u64) -> Self {
        Time(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    /// Saturates at [`Time::MAX`], so "in `Duration::MAX`" means never.
    fn add(self, wait: Duration) -> Time {
        Time(u64::try_from(wait.as_nanos()).map_or(u64::MAX, |nanos| self.0.saturating_add(nanos)))
    }
}

impl Sub for Time {
    type Output = Duration;

    /// How long after `earlier` this is; zero when it is not after it, so a clock that steps back never panics.
    fn sub(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06} ms", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}
