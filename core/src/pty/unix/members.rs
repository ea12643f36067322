//! Who belongs to a session, found in `/proc`, and signals for them.
//!
//! A session is known by its leader's number. Linux does not give a number to a new process while any process
//! still has it as its session or its group, so after the leader is gone the number means our session for as long as
//! one member lives. A *process* of that number, once the leader was collected, proves the opposite: nobody of
//! ours is left.
//!
//! Deliberately absent: processes that left the session (`setsid`). They asked not to be found.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use rustix::process::{Pid, PidfdFlags};

use super::census::{self, Census, Member, is_safe};
use super::leader::{Leader, has_no_pidfds, ignore_gone, raw};
use crate::pty::Signal;

/// Whether anybody of the session lives who did at `moment`, besides a leader that was not collected. Once nobody does, nobody ever will.
/// Where that cannot be found out just now somebody may; without `/proc` nobody is seen.
pub(super) fn any_left(leader: &Leader, moment: Instant) -> bool {
    let lives = |census: io::Result<Arc<Census>>| match census {
        Ok(census) => !census.members(leader).is_empty(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    };
    // Those who lived a while ago may have gone since: only a walk that finds nobody may be an old one.
    lives(Census::after(moment)) && lives(Census::recent(moment))
}

/// Signals every member that a recent walk has found, one after `moment`. One that was started since is overlooked;
/// [`any_left`] finds it.
pub(super) fn dismiss(terminal: &OwnedFd, leader: &Leader, moment: Instant, signals: &[Signal]) -> io::Result<()> {
    let census = Census::recent(moment);
    let mut result = Ok(());
    for &signal in signals {
        result = result.and(leader.signal(signal)).and(signal_foreground_group(terminal, signal).map(drop));
        for member in census.iter().flat_map(|census| census.members(leader)).filter(|member| member.pid != leader.pid()) {
            result = result.and(send(leader, member, signal));
        }
    }
    result
}

/// Signals the job in the foreground, or the leader's own group where the terminal names none, as after the
/// leader's end.
pub(super) fn signal_foreground(terminal: &OwnedFd, leader: &Leader, signal: Signal) -> io::Result<()> {
    if signal_foreground_group(terminal, signal)? {
        return Ok(());
    }
    if leader.owns_its_number() && is_safe(leader.pid()) {
        return ignore_gone(rustix::process::kill_process_group(leader.pid(), raw(signal)));
    }
    // The number may have passed to somebody else's group; members are checked one by one.
    let group = leader.pid().as_raw_nonzero().get();
    let Ok(census) = Census::take() else { return Ok(()) };
    census.members(leader).iter().filter(|member| member.group == group).try_for_each(|member| send(leader, member, signal))
}

/// Signals the foreground group, if the terminal names one, and says whether it does.
fn signal_foreground_group(terminal: &OwnedFd, signal: Signal) -> io::Result<bool> {
    let Some(group) = foreground(terminal) else { return Ok(false) };
    ignore_gone(rustix::process::kill_process_group(group, raw(signal))).map(|()| true)
}

/// Signals every member once, the background jobs included, even if one of them refuses; the first refusal is told.
pub(super) fn signal_session(terminal: &OwnedFd, leader: &Leader, signal: Signal) -> io::Result<()> {
    let mut result = leader.signal(signal);
    let Ok(mut census) = Census::take() else {
        // No `/proc`: the groups that can be named without it.
        return result.and(signal_foreground(terminal, leader, signal));
    };
    if signal == Signal::Kill {
        // Atomic where a walk through `/proc` is not; and dying twice does no harm.
        result = result.and(signal_foreground_group(terminal, signal).map(drop));
    }
    for _ in 0..KILL_ROUNDS_MAX {
        for member in census.members(leader).iter().filter(|member| member.pid != leader.pid()) {
            result = result.and(send(leader, member, signal));
        }
        if signal != Signal::Kill || census.members(leader).is_empty() {
            break;
        }
        census = Census::take()?; // Those that were started during the walk.
    }
    result
}

/// A walk through `/proc` misses processes that are started behind it. Killing walks again until nobody is
/// found; whoever still forks after this many walks meets the next signal of the caller's.
const KILL_ROUNDS_MAX: usize = 4;

/// Signals `member` if it still is one: its number is looked at again once a descriptor holds on to the process.
fn send(leader: &Leader, member: &Member, signal: Signal) -> io::Result<()> {
    let is_member = || census::session_of(member.pid) == Some(leader.pid().as_raw_nonzero().get());
    match rustix::process::pidfd_open(member.pid, PidfdFlags::empty()) {
        Ok(pidfd) if is_member() => ignore_gone(rustix::process::pidfd_send_signal(pidfd, raw(signal))),
        Ok(_) => Ok(()),
        // Looked at right before, which is the best there is.
        Err(errno) if has_no_pidfds(errno) && is_member() => ignore_gone(rustix::process::kill_process(member.pid, raw(signal))),
        Err(errno) if has_no_pidfds(errno) => Ok(()),
        Err(errno) => ignore_gone(Err(errno)),
    }
}

/// The terminal's foreground group, if it names one. None does once the session's leader has ended.
fn foreground(terminal: &OwnedFd) -> Option<Pid> {
    rustix::termios::tcgetpgrp(terminal).ok().filter(|&group| is_safe(group))
}
