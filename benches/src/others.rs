//! How busy other programs kept the machine while something was measured: what a reader must know to trust a figure.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use crate::clock::process_cpu;

/// A stretch of time under observation.
pub(crate) struct Others {
    start: Instant,
    busy: Duration,
    ours: Duration,
}

impl Others {
    /// Begins to watch.
    pub(crate) fn watch() -> io::Result<Others> {
        Ok(Others { start: Instant::now(), busy: busy()?, ours: ours()? })
    }

    /// How long it is since.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// The processor time that other programs used since, in percent of one CPU. Children that still run count as
    /// others, so it should be asked once they are gone.
    pub(crate) fn percent(&self) -> io::Result<f64> {
        let busy = busy()?.saturating_sub(self.busy).as_secs_f64();
        let ours = ours()?.saturating_sub(self.ours).as_secs_f64();
        Ok(100.0 * (busy - ours).max(0.0) / self.start.elapsed().as_secs_f64())
    }
}

/// One tick of `/proc`, which is 10 ms whatever the kernel was built with.
const TICK: Duration = Duration::from_millis(10);

/// Time that all CPUs were busy, since the machine started.
fn busy() -> io::Result<Duration> {
    busy_ticks(&fs::read_to_string("/proc/stat")?).map(|ticks| TICK * ticks as u32).ok_or_else(|| unreadable("/proc/stat"))
}

/// Time that this process used, and its children that are gone.
fn ours() -> io::Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let children = children_ticks(&stat).ok_or_else(|| unreadable("/proc/self/stat"))?;
    Ok(process_cpu() + TICK * children as u32)
}

/// The first line: user, nice, system, idle, waiting, interrupts of both kinds.
fn busy_ticks(stat: &str) -> Option<u64> {
    let ticks: Vec<u64> = stat.lines().next()?.split_whitespace().skip(1).take(7).map_while(|field| field.parse().ok()).collect();
    let [user, nice, system, _idle, _waiting, hard, soft] = ticks[..] else { return None };
    Some(user + nice + system + hard + soft)
}

/// Fields 16 and 17: children that were waited for. The name, which may contain anything, is in parentheses before.
fn children_ticks(stat: &str) -> Option<u64> {
    let after_name = stat.rsplit_once(')')?.1;
    let mut fields = after_name.split_whitespace().skip(13);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

fn unreadable(file: &str) -> io::Error {
    io::Error::other(format!("{file} is not as expected"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idling_and_waiting_are_not_being_busy() {
        assert_eq!(busy_ticks("cpu  1 2 4 100 200 8 16 0 0 0\ncpu0 1 2"), Some(31));
    }

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 30 12 20 0 1";
        assert_eq!(children_ticks(stat), Some(42));
    }
}
