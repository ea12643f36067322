//! The programs inside the terminals, as hidden roles of this binary: they do one thing and have no start-up of their own.
//!
//! Every role makes its terminal raw, says `R` when it is ready, and ends when its terminal is hung up.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::{stdin, stdout};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use crate::pin::Pinned;

/// The name under which `main` hands its arguments to [`play`].
pub(crate) const ROLE: &str = "child";

/// This binary, to be started as a child.
pub(crate) fn program() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// Plays the role that `args` name.
pub(crate) fn play(args: &[String]) -> io::Result<()> {
    let number = |at: usize| args.get(at).and_then(|arg| arg.parse::<u64>().ok());
    match (args.first().map(String::as_str), number(1), number(2)) {
        (Some("flood"), Some(write_bytes), Some(cpu)) => flood(write_bytes as usize, cpu as usize),
        (Some("burst"), Some(write_bytes), Some(cpu)) => burst(write_bytes as usize, cpu as usize, number(3)),
        (Some("echo"), Some(cpu), None) => echo(cpu as usize),
        (Some("typist"), Some(bytes), Some(every_ms)) => typist(bytes as usize, Duration::from_millis(every_ms)),
        _ => Err(io::Error::other("no such role")),
    }
}

/// Writes without end, `write_bytes` at a time, on `cpu`.
fn flood(write_bytes: usize, cpu: usize) -> io::Result<()> {
    let _pinned = Pinned::to(cpu)?;
    ready()?;
    let text = lines(write_bytes);
    loop {
        rustix::io::write(stdout(), &text)?;
    }
}

/// Echoes what is typed, on `cpu`.
fn echo(cpu: usize) -> io::Result<()> {
    let _pinned = Pinned::to(cpu)?;
    ready()?;
    let mut typed = [0; 256];
    loop {
        match rustix::io::read(stdin(), &mut typed)? {
            0 => return Ok(()),
            len => rustix::io::write(stdout(), &typed[..len])?,
        };
    }
}

/// For each key that is typed writes `total` bytes, `write_bytes` at a time, on `cpu`. So nothing is written while another side of a
/// comparison runs, however much the way to the reader could hold.
fn burst(write_bytes: usize, cpu: usize, total: Option<u64>) -> io::Result<()> {
    let total = total.ok_or_else(|| io::Error::other("a burst has a length"))?;
    let _pinned = Pinned::to(cpu)?;
    ready()?;
    let text = lines(write_bytes);
    while rustix::io::read(stdin(), &mut [0])? > 0 {
        let mut left = total as usize;
        while left > 0 {
            left -= rustix::io::write(stdout(), &text[..left.min(write_bytes)])?;
        }
    }
    Ok(())
}

/// What floods and bursts print.
pub(crate) fn lines(bytes: usize) -> Vec<u8> {
    b"the quick brown fox jumps over the lazy dog 0123456789\r\n".iter().copied().cycle().take(bytes).collect()
}

/// Echoes what is typed at once, and writes `bytes` of its own every `period`.
fn typist(bytes: usize, period: Duration) -> io::Result<()> {
    ready()?;
    let text = vec![b'.'; bytes];
    let mut typed = [0; 256];
    let mut next = Instant::now() + period;
    loop {
        let left = next.saturating_duration_since(Instant::now());
        if left.is_zero() {
            rustix::io::write(stdout(), &text)?;
            next += period;
            continue;
        }
        let timeout = Timespec { tv_sec: left.as_secs() as _, tv_nsec: left.subsec_nanos() as _ };
        if poll(&mut [PollFd::new(&stdin(), PollFlags::IN)], Some(&timeout))? > 0 {
            match rustix::io::read(stdin(), &mut typed)? {
                0 => return Ok(()),
                len => rustix::io::write(stdout(), &typed[..len])?,
            };
        }
    }
}

fn ready() -> io::Result<()> {
    let mut modes = tcgetattr(stdin())?;
    modes.make_raw();
    tcsetattr(stdin(), OptionalActions::Now, &modes)?;
    rustix::io::write(stdout(), b"R")?;
    Ok(())
}
