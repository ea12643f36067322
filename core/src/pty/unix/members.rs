//! Who belongs to a session, found in `/proc`, and signals for them.
//!
//! A session is known by its leader's number. Linux does not give a number to a new process while any process
//! still has it as its session or its group, so after the leader is gone the number means our session for as long as
//! one member lives. A *process* of that number, once the leader was collected, proves the opposite: nobody of
//! ours is left.
//!
//! Deliberately absent: processes that left the session (`setsid`). They asked not to be found.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags};

use super::leader::{Leader, ignore_gone, raw};
use crate::pty::Signal;

/// Whether anybody of the session lives, besides a leader that was not collected. Where that cannot be found out just now
/// somebody may; without `/proc` nobody is seen.
pub(super) fn any_left(leader: &Leader) -> bool {
    match members(leader) {
        Ok(members) => !members.is_empty(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// Signals the job in the foreground, or the leader's own group where the terminal names none, as after the
/// leader's end.
pub(super) fn signal_foreground(terminal: &OwnedFd, leader: &Leader, signal: Signal) -> io::Result<()> {
    if let Some(group) = foreground(terminal) {
        return ignore_gone(rustix::process::kill_process_group(group, raw(signal)));
    }
    if leader.owns_its_number() && is_safe(leader.pid()) {
        return ignore_gone(rustix::process::kill_process_group(leader.pid(), raw(signal)));
    }
    // The number may have passed to somebody else's group; members are checked one by one.
    let group = leader.pid().as_raw_nonzero().get();
    members(leader).unwrap_or_default().iter().filter(|member| member.group == group).try_for_each(|member| send(leader, member, signal))
}

/// Signals every member once, the background jobs included, even if one of them refuses; the first refusal is told.
pub(super) fn signal_session(terminal: &OwnedFd, leader: &Leader, signal: Signal) -> io::Result<()> {
    let mut result = leader.signal(signal);
    let Ok(mut found) = members(leader) else {
        // No `/proc`: the groups that can be named without it.
        return result.and(signal_foreground(terminal, leader, signal));
    };
    if signal == Signal::Kill
        && let Some(group) = foreground(terminal)
    {
        // Atomic where a walk through `/proc` is not; and dying twice does no harm.
        result = result.and(ignore_gone(rustix::process::kill_process_group(group, raw(signal))));
    }
    for _ in 0..KILL_ROUNDS_MAX {
        for member in found.iter().filter(|member| member.pid != leader.pid()) {
            result = result.and(send(leader, member, signal));
        }
        if signal != Signal::Kill || found.is_empty() {
            break;
        }
        found = members(leader)?; // Those that were started during the walk.
    }
    result
}

/// A walk through `/proc` misses processes that are started behind it. Killing walks again until nobody is
/// found; whoever still forks after this many walks meets the next signal of the caller's.
const KILL_ROUNDS_MAX: usize = 4;

/// A living process of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Member {
    pid: Pid,
    group: i32,
}

/// The living members of the leader's session, the leader included while it lives.
fn members(leader: &Leader) -> io::Result<Vec<Member>> {
    let session = leader.pid().as_raw_nonzero().get();
    let mut members = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw) else { continue };
        // Gone since the folder was listed, or another user's: not ours either way.
        let Ok(text) = fs::read(format!("/proc/{pid}/stat")) else { continue };
        match Stat::parse(&text) {
            Some(stat) if stat.session == session && stat.is_alive && is_safe(pid) => members.push(Member { pid, group: stat.group }),
            _ => {}
        }
    }
    if !leader.owns_its_number() && fs::exists(format!("/proc/{session}"))? {
        members.clear(); // The number was reused.
    }
    Ok(members)
}

/// Signals `member` if it still is one: its number is looked at again once a descriptor holds on to the process.
fn send(leader: &Leader, member: &Member, signal: Signal) -> io::Result<()> {
    let pidfd = match rustix::process::pidfd_open(member.pid, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        other => return ignore_gone(other.map(drop)),
    };
    let session = leader.pid().as_raw_nonzero().get();
    let is_member =
        fs::read(format!("/proc/{}/stat", member.pid)).ok().and_then(|text| Stat::parse(&text)).is_some_and(|stat| stat.session == session);
    if is_member { ignore_gone(rustix::process::pidfd_send_signal(pidfd, raw(signal))) } else { Ok(()) }
}

/// The terminal's foreground group, if it names one. None does once the session's leader has ended.
fn foreground(terminal: &OwnedFd) -> Option<Pid> {
    rustix::termios::tcgetpgrp(terminal).ok().filter(|&group| is_safe(group))
}

/// Never ourselves, nor the first process: as a group its number would mean everybody.
fn is_safe(pid: Pid) -> bool {
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
