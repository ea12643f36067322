//! Who lives in which session, from one walk through `/proc`, shared by all terminals of the process.
//!
//! A walk reads every process of the machine. Were each of a thousand sessions to walk when they close together, that
//! would be a million reads (measured: minutes). So walks are shared where that is enough: see [`Census::recent`] and
//! [`Census::after`].

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::io::Errno;
use rustix::process::Pid;

use super::leader::Leader;

/// A recent census counts for this many times as long as it took, so walking never takes more than a ninth of the time.
const KEPT_FOR: u32 = 8;

/// The newest census.
static LATEST: Mutex<Option<Arc<Census>>> = Mutex::new(None);

/// All processes at one moment.
pub(super) struct Census {
    began: Instant,
    took: Duration,
    living: HashMap<i32, Vec<Member>>,
    /// Every number in use, the dead that nobody collected included.
    numbers: HashSet<i32>,
}

/// A living process of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) pid: Pid,
    pub(super) group: i32,
}

impl Census {
    /// A walk made now.
    pub(super) fn take() -> io::Result<Arc<Census>> {
        let mut latest = LATEST.lock();
        let census = Arc::new(Census::walk()?);
        *latest = Some(Arc::clone(&census));
        Ok(census)
    }

    /// A walk made a moment ago, but after `moment`: it may lack processes that have been started since.
    pub(super) fn recent(moment: Instant) -> io::Result<Arc<Census>> {
        Census::shared(|census| census.began > moment && census.began.elapsed() <= census.took * KEPT_FOR)
    }

    /// A walk begun after `moment`: it lacks nobody who lived then and lives still.
    pub(super) fn after(moment: Instant) -> io::Result<Arc<Census>> {
        Census::shared(|census| census.began > moment)
    }

    fn shared(serves: impl Fn(&Census) -> bool) -> io::Result<Arc<Census>> {
        let mut latest = LATEST.lock(); // Held while walking: who waits for it wants the same walk.
        if let Some(census) = latest.as_ref().filter(|census| serves(census)) {
            return Ok(Arc::clone(census));
        }
        let census = Arc::new(Census::walk()?);
        *latest = Some(Arc::clone(&census));
        Ok(census)
    }

    fn walk() -> io::Result<Census> {
        let began = Instant::now();
        let (mut living, mut numbers) = (HashMap::<i32, Vec<Member>>::new(), HashSet::new());
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw) else { continue };
            numbers.insert(pid.as_raw_nonzero().get());
            let text = match fs::read(format!("/proc/{pid}/stat")) {
                Ok(text) => text,
                // Nothing left to open it with: a walk that saw a part would pass for one that saw all.
                Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM)) => {
                    return Err(error);
                }
                Err(_) => continue, // Gone since the folder was listed, or another user's: not ours either way.
            };
            if let Some(stat) = Stat::parse(&text).filter(|stat| stat.is_alive && is_safe(pid)) {
                living.entry(stat.session).or_default().push(Member { pid, group: stat.group });
            }
        }
        Ok(Census { began, took: began.elapsed(), living, numbers })
    }

    /// The living members of the leader's session, the leader included while it lives.
    pub(super) fn members(&self, leader: &Leader) -> &[Member] {
        let session = leader.pid().as_raw_nonzero().get();
        if !leader.owns_its_number() && self.numbers.contains(&session) {
            return &[]; // The number was reused.
        }
        self.living.get(&session).map_or(&[], Vec::as_slice)
    }
}

/// The session of a process at this moment.
pub(super) fn session_of(pid: Pid) -> Option<i32> {
    fs::read(format!("/proc/{pid}/stat")).ok().and_then(|text| Stat::parse(&text)).map(|stat| stat.session)
}

/// Never ourselves, nor the first process: as a group its number would mean everybody.
pub(super) fn is_safe(pid: Pid) -> bool {
    !pid.is_init() && pid != rustix::process::getpid()
}

/// What is needed of `/proc/PID/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    is_alive: bool,
    group: i32,
    session: i32,
}

impl Stat {
    /// Reads `pid (name) state parent group session ...`. The name is the process's choice and may hold spaces,
    /// parentheses and bytes of any kind, so what follows is counted from the last parenthesis.
    fn parse(text: &[u8]) -> Option<Stat> {
        let name_end = text.iter().rposition(|&byte| byte == b')')?;
        let mut fields = std::str::from_utf8(&text[name_end + 1..]).ok()?.split_ascii_whitespace();
        let state = fields.next()?;
        let mut numbers = fields.skip(1).map(str::parse);
        let (group, session) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        Some(Stat { is_alive: !matches!(state, "Z" | "X" | "x"), group, session })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &[u8], expected: Option<(bool, i32, i32)>) {
        let expected = expected.map(|(is_alive, group, session)| Stat { is_alive, group, session });
        assert_eq!(Stat::parse(text), expected);
    }

    #[test]
    fn stat_is_read_whatever_the_process_calls_itself() {
        check(b"42 (sh) S 1 41 40 34816 41 4194304", Some((true, 41, 40)));
        check(b"42 (a) R 1 (2) ) S 1 41 40 0", Some((true, 41, 40)));
        check(b"42 (\xff\xfe\n) R 1 41 40 0", Some((true, 41, 40)));
        check(b"42 (sh) Z 1 41 40 0", Some((false, 41, 40)));
    }

    #[test]
    fn nonsense_is_nobody() {
        for text in [&b""[..], b"42", b"42 (sh)", b"42 (sh) S", b"42 (sh) S 1 2", b"42 (sh) S 1 x 3", b"42 (sh) S 1 2 99999999999"] {
            check(text, None);
        }
    }

    #[test]
    fn we_can_read_ourselves() {
        let stat = Stat::parse(&fs::read("/proc/self/stat").unwrap()).unwrap();
        assert!(stat.is_alive);
        assert_eq!(stat.group, rustix::process::getpgrp().as_raw_nonzero().get());
    }
}
