//! A thousand clients lose their links at once, while what they watch goes on: how soon everybody has everything.
//!
//! Deliberately absent: how evenly they come. One thread that dials for all of them comes evenly whatever it means to; `core/tests/peers/storm.rs`
//! has a thousand who do not wait for each other.

use std::io;
use std::time::{Duration, Instant};

use orchflow_core::limits::RETRY_STABLE;
use orchflow_core::peer::client::Event;
use orchflow_core::protocol::frame::StreamId;
use orchflow_core::protocol::message::{Attach, Policy, Spawn, Start};
use orchflow_examples::remote::Remote;
use rustix::net::{Shutdown, shutdown};

use super::printed::{Printed, READY};
use crate::clock::micros;
use crate::plan::Plan;
use crate::report::{Better, Figures, Group, Reach, Sheet, Spec};
use crate::stats::percentile;
use crate::ws::{Server, Site, next, ready, spawned};
use crate::{child, descriptors, pin};

/// The lines of this group. Their references are the limits they are held against.
pub(super) const GROUP: Group = Group {
    specs: &[
        line("storm.back", "ms", BACK_MS_MAX, "1,000 links cut at once, 64 KiB missed on each: until the last has all of it; the limit"),
        line("storm.lost", "bytes", 0.0, "missing or doubled; other bytes than were printed fail the run; the limit"),
    ],
    measure,
};

const fn line(name: &'static str, unit: &'static str, limit: f64, note: &'static str) -> Spec {
    Spec { name, unit, better: Better::Lower, reach: Reach::Ours(limit), note }
}

const BACK_MS_MAX: f64 = 10_000.0;

const SESSIONS: usize = 50;
const WATCHERS: usize = 20;

/// What each session prints for a key.
const MISSED: usize = 64 << 10;

const PATIENCE: Duration = Duration::from_secs(30);

fn measure(plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    descriptors::raise(4 * (SESSIONS * WATCHERS) as u64)?;
    let server = Server::start()?;
    let mut crowd = Crowd::gather(&server.site)?;
    let mut back = vec![crowd.storm()?];
    for _ in 1..plan.pick(1, 5) {
        std::thread::sleep(RETRY_STABLE); // Who loses a link sooner waits longer.
        back.push(crowd.storm()?);
    }
    sheet.put("storm.back", Figures::against(percentile(&mut back, 100.0), BACK_MS_MAX));
    sheet.put("storm.lost", Figures::against(crowd.lost() as f64, 0.0));
    Ok(())
}

/// All who watch, on one thread, and one whose link stays, who has the programs print.
struct Crowd {
    watchers: Vec<Watcher>,
    typist: Remote,
    streams: Vec<StreamId>,
    /// What each session prints, and as far as it has.
    printed: Printed,
    end: u64,
}

struct Watcher {
    remote: Remote,
    stream: StreamId,
    /// The next byte.
    at: u64,
    /// How often it was let in.
    entered: usize,
}

impl Crowd {
    fn gather(site: &Site) -> io::Result<Crowd> {
        let program = child::program()?.to_string_lossy().into_owned();
        let args = ["burst", &MISSED.to_string(), &pin::last_cpu()?.to_string(), &MISSED.to_string()].map(str::to_owned);
        let args: Vec<String> = [child::ROLE.to_owned()].into_iter().chain(args).collect();
        let mut crowd =
            Crowd { watchers: Vec::new(), typist: site.enter()?, streams: Vec::new(), printed: Printed::by(MISSED), end: READY };
        for _ in 0..SESSIONS {
            let spawn = Spawn { program: Some(program.clone()), args: args.clone(), ..Spawn::default() };
            crowd.streams.push(crowd.typist.peer().spawn(spawn).map_err(io::Error::other)?);
            let session = spawned(&mut crowd.typist)?;
            for _ in 0..WATCHERS {
                crowd.watchers.push(Watcher::new(site, session)?);
            }
        }
        let Crowd { watchers, printed, .. } = &mut crowd;
        watchers.iter_mut().try_for_each(|watcher| watcher.take(printed))?; // What came before they were all there.
        crowd.until_all_have_it()?;
        Ok(crowd)
    }

    /// Cuts every link and has something printed. Returns how long it takes until everybody has it, in milliseconds.
    fn storm(&mut self) -> io::Result<f64> {
        let begun = Instant::now();
        for watcher in &self.watchers {
            let (fd, _) = watcher.remote.fd().ok_or_else(|| io::Error::other("a link was broken already"))?;
            shutdown(fd, Shutdown::Both)?;
        }
        for stream in &self.streams {
            self.typist.peer().write(*stream, "x").map_err(io::Error::other)?;
        }
        self.typist.flush();
        self.end += MISSED as u64;
        self.until_all_have_it()?;
        let took = begun.elapsed();
        let came_back = self.watchers.iter_mut().all(|watcher| std::mem::take(&mut watcher.entered) > 0);
        if came_back { Ok(micros(took) / 1e3) } else { Err(io::Error::other("somebody's link was not cut")) }
    }

    /// Bytes that somebody has too few, or too many.
    fn lost(&self) -> u64 {
        self.watchers.iter().map(|watcher| watcher.at.abs_diff(self.end)).sum()
    }

    /// Turns until everybody has what was printed.
    fn until_all_have_it(&mut self) -> io::Result<()> {
        let begun = Instant::now();
        while self.watchers.iter().any(|watcher| watcher.at < self.end) {
            if begun.elapsed() > PATIENCE {
                let late = self.watchers.iter().filter(|watcher| watcher.at < self.end).count();
                return Err(io::Error::new(io::ErrorKind::TimedOut, format!("{late} clients do not have everything")));
            }
            let due = self.watchers.iter().filter_map(|watcher| watcher.remote.timeout()).min();
            let fds = self.watchers.iter().map(|watcher| watcher.remote.fd()).chain([self.typist.fd()]);
            let ready = ready(fds, due.unwrap_or(PATIENCE).min(PATIENCE))?;
            for at in ready {
                match self.watchers.get_mut(at) {
                    Some(watcher) => watcher.take(&self.printed)?,
                    None => drop_all(&mut self.typist),
                }
            }
            for watcher in &mut self.watchers {
                if watcher.remote.timeout().is_some_and(|left| left.is_zero()) {
                    watcher.take(&self.printed)?;
                }
            }
        }
        Ok(())
    }
}

impl Watcher {
    fn new(site: &Site, session: u64) -> io::Result<Watcher> {
        let mut remote = site.enter()?;
        let policy = Some(Policy::Backpressure); // All of it, however late.
        let attach = Attach { number: 0, session, start: Start::Offset(0), role: None, size: None, policy };
        let stream = remote.peer().attach(attach).map_err(io::Error::other)?;
        while !matches!(next(&mut remote)?, Event::Attached { .. }) {}
        Ok(Watcher { remote, stream, at: 0, entered: 0 })
    }

    /// Deals with what has come, and with what is due.
    fn take(&mut self, printed: &Printed) -> io::Result<()> {
        self.remote.turn();
        while let Some(event) = self.remote.poll_event() {
            match event {
                Event::Welcome(_) => self.entered += 1,
                Event::Output { offset, bytes, .. } => {
                    if offset != self.at || !printed.holds(offset, &bytes) {
                        return Err(io::Error::other(format!("other output than was printed, at {offset} instead of {}", self.at)));
                    }
                    self.at += bytes.len() as u64;
                    self.remote.peer().rendered(self.stream, self.at);
                }
                Event::Gap { gap, .. } => return Err(io::Error::other(format!("output is missing: {gap:?}"))),
                _ => {}
            }
        }
        self.remote.flush();
        Ok(())
    }
}

/// Takes what came to somebody who does not look at it.
fn drop_all(remote: &mut Remote) {
    remote.turn();
    while let Some(event) = remote.poll_event() {
        if let Event::Output { stream, offset, bytes, .. } = event {
            remote.peer().rendered(stream, offset + bytes.len() as u64);
        }
    }
    remote.flush();
}
