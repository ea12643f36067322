//! Twenty watch a flood, and one of them stops reading: what the others get of it, what it costs, and what the one is told.

use std::cell::RefCell;
use std::io;
use std::time::{Duration, Instant};

use orchflow_core::peer::client::Event;
use orchflow_core::protocol::frame::StreamId;
use orchflow_core::protocol::message::{Attach, Spawn, Start};
use orchflow_examples::remote::Remote;

use super::printed::Printed;
use crate::child;
use crate::interleave::interleave;
use crate::pin::{self, Pinned};
use crate::plan::Plan;
use crate::report::{Better, Figures, Group, Reach, Sheet, Spec};
use crate::terminal::flood::WRITE_BYTES;
use crate::ws::{Server, next, ready, spawned};

/// The lines of this group.
pub(super) const GROUP: Group = Group {
    specs: &[
        Spec {
            name: "viewers.stalled",
            unit: "MB/s",
            better: Better::Higher,
            reach: Reach::Ratio(0.9),
            note: "what 19 get of a flood while a 20th reads nothing (60 s; 3 s if quick); the same while it reads. The 20th is told exactly what it missed",
        },
        Spec {
            name: "viewers.stalled.memory",
            unit: "MB",
            better: Better::Lower,
            reach: Reach::Ours(MEMORY_MB_MAX),
            note: "that the server gained meanwhile; the limit",
        },
    ],
    measure,
};

/// A history, and what may be under way to one client.
const MEMORY_MB_MAX: f64 = 4.0;

const VIEWERS: usize = 20;

/// Who stops: neither the owner, whom the program waits for, nor the last.
const STALLED: usize = 7;

/// How long who stopped may take to hear what it missed. Who said nothing for half a minute has lost its link, and dials again.
const PATIENCE: Duration = Duration::from_secs(15);

fn measure(plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let (servers, elsewhere) = pin::two_cpus()?;
    let serving = Pinned::to(servers)?;
    let server = Server::start()?;
    drop(serving);
    let _pinned = Pinned::to(elsewhere)?;
    let room = RefCell::new(Room::enter(&server, elsewhere)?);
    let (stalls, reads) =
        (plan.pick(Duration::from_secs(3), Duration::from_secs(60)), plan.pick(Duration::from_secs(3), Duration::from_secs(20)));
    room.borrow_mut().read_for(Duration::from_secs(1), None)?;
    let mut gained_mb = 0.0_f64;
    let with = || room.borrow_mut().read_for(reads, None);
    let without = || {
        let before = server.process.resident_bytes()? as f64;
        let speed = room.borrow_mut().read_for(stalls, Some(STALLED))?;
        gained_mb = gained_mb.max((server.process.resident_bytes()? as f64 - before) / 1e6);
        room.borrow_mut().catch_up(STALLED)?;
        Ok(speed)
    };
    let [stalled, all, again] = interleave(1, [&mut { without }, &mut { with }, &mut { with }])?;
    sheet.put("viewers.stalled", Figures::of_blocks(&stalled, &all, &again));
    sheet.put("viewers.stalled.memory", Figures::against(gained_mb, MEMORY_MB_MAX));
    Ok(())
}

/// All who watch, on one thread.
struct Room {
    viewers: Vec<Viewer>,
    printed: Printed,
}

struct Viewer {
    remote: Remote,
    stream: StreamId,
    /// The next byte.
    at: u64,
    /// Bytes that came, and that gaps named.
    came: u64,
    missed: u64,
}

impl Room {
    fn enter(server: &Server, cpu: usize) -> io::Result<Room> {
        let mut owner = server.site.enter()?;
        let args = [child::ROLE, "flood", WRITE_BYTES, &cpu.to_string()].map(str::to_owned).to_vec();
        let program = Some(child::program()?.to_string_lossy().into_owned());
        let stream = owner.peer().spawn(Spawn { program, args, ..Spawn::default() }).map_err(io::Error::other)?;
        let session = spawned(&mut owner)?;
        let mut viewers = vec![Viewer { remote: owner, stream, at: 0, came: 0, missed: 0 }];
        for _ in 1..VIEWERS {
            let mut remote = server.site.enter()?;
            let attach = Attach { number: 0, session, start: Start::Tail(0), role: None, size: None, policy: None };
            let stream = remote.peer().attach(attach).map_err(io::Error::other)?;
            let at = loop {
                if let Event::Attached { attached, .. } = next(&mut remote)? {
                    break attached.start;
                }
            };
            viewers.push(Viewer { remote, stream, at, came: 0, missed: 0 });
        }
        Ok(Room { viewers, printed: Printed::by(WRITE_BYTES.parse().map_err(io::Error::other)?) })
    }

    /// All read for so long, but one. Returns what the others got, in megabytes a second.
    fn read_for(&mut self, length: Duration, but: Option<usize>) -> io::Result<f64> {
        let others =
            |room: &Room| room.viewers.iter().enumerate().filter(|(at, _)| *at != STALLED).map(|(_, viewer)| viewer.came).sum::<u64>();
        let (begun, before) = (Instant::now(), others(self));
        while begun.elapsed() < length {
            self.turn(length.saturating_sub(begun.elapsed()), but)?;
        }
        Ok((others(self) - before) as f64 / 1e6 / begun.elapsed().as_secs_f64())
    }

    /// Has who stopped go on, until it is where the others were when it did.
    fn catch_up(&mut self, stopped: usize) -> io::Result<()> {
        let (begun, there, missed) = (Instant::now(), self.viewers[0].at, self.viewers[stopped].missed);
        while self.viewers[stopped].at < there {
            self.turn(Duration::from_millis(10), None)?;
            if begun.elapsed() > PATIENCE {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "who had stopped did not hear what it missed"));
            }
        }
        let missed = self.viewers[stopped].missed - missed;
        if missed == 0 { Err(io::Error::other("a flood was kept for one who did not read")) } else { Ok(()) }
    }

    fn turn(&mut self, timeout: Duration, but: Option<usize>) -> io::Result<()> {
        let fds = self.viewers.iter().enumerate().map(|(at, viewer)| viewer.remote.fd().filter(|_| Some(at) != but));
        let due =
            self.viewers.iter().enumerate().filter(|(at, _)| Some(*at) != but).filter_map(|(_, viewer)| viewer.remote.timeout()).min();
        let mut ready = ready(fds, timeout.min(due.unwrap_or(timeout)))?;
        ready.extend((0..VIEWERS).filter(|at| Some(*at) != but && self.viewers[*at].remote.timeout().is_some_and(|left| left.is_zero())));
        ready.into_iter().try_for_each(|at| self.viewers[at].take(&self.printed))
    }
}

impl Viewer {
    fn take(&mut self, printed: &Printed) -> io::Result<()> {
        self.remote.turn();
        while let Some(event) = self.remote.poll_event() {
            match event {
                Event::Output { offset, bytes, .. } => {
                    if offset != self.at || !printed.holds(offset, &bytes) {
                        return Err(io::Error::other(format!("other output than was printed, at {offset} instead of {}", self.at)));
                    }
                    self.at += bytes.len() as u64;
                    self.came += bytes.len() as u64;
                    self.remote.peer().rendered(self.stream, self.at);
                }
                Event::Gap { gap, .. } if gap.from == self.at => {
                    self.missed += gap.to - gap.from;
                    self.at = gap.to;
                    self.remote.peer().rendered(self.stream, self.at);
                }
                Event::Gap { gap, .. } => return Err(io::Error::other(format!("a gap at {} is told as {gap:?}", self.at))),
                _ => {}
            }
        }
        self.remote.flush();
        Ok(())
    }
}
