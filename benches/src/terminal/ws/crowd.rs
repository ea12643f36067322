//! A hundred people type at once, each in a terminal of their own: what is the worst they see, and is a byte ever lost?

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use super::super::echo::CAT;
use crate::clock::micros;
use crate::descriptors;
use crate::plan::Plan;
use crate::report::{Better, Figures, Group, Reach, Sheet, Spec};
use crate::stats::percentile;
use crate::terminals::Terminals;
use crate::ws::{RemoteTerminal, Server, ready};

/// The lines of this group. Their references are the limits they are held against.
pub(super) const GROUP: Group = Group {
    specs: &[
        line("crowd.p99", "ms", P99_MS_MAX, "from when a key was due to its echo; 100 clients, 100 sessions, 20 keys/s each; the limit"),
        line("crowd.rss", "MB", RSS_MB_MAX, "resident memory of the server meanwhile, its logs of output included; the limit"),
        line("crowd.lost", "bytes", 0.0, "keys whose echo did not come; one, or one out of place, fails the run; the limit"),
    ],
    measure,
};

const P99_MS_MAX: f64 = 10.0;
const RSS_MB_MAX: f64 = 50.0;

const fn line(name: &'static str, unit: &'static str, limit: f64, note: &'static str) -> Spec {
    Spec { name, unit, better: Better::Lower, reach: Reach::Ours(limit), note }
}

const CLIENTS: usize = 100;

/// Of all together: each types twenty keys a second, and no two at the same moment.
const KEY_EVERY: Duration = Duration::from_micros(500);

/// How long the last echoes may take.
const PATIENCE: Duration = Duration::from_secs(10);

fn measure(plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    descriptors::raise(20 * CLIENTS as u64)?;
    let server = Server::start()?;
    let typists = (0..CLIENTS).map(|_| Typist::start(&server)).collect::<io::Result<Vec<_>>>()?;
    let mut crowd = Crowd { typists, late_ms: Vec::new() };
    crowd.type_for(plan.pick(Duration::from_secs(3), Duration::from_secs(30)))?;
    crowd.see_out()?;
    let resident_mb = server.process.resident_bytes()? as f64 / 1e6;
    let lost: u64 = crowd.typists.iter().map(|typist| typist.due.len() as u64).sum();
    if lost > 0 {
        return Err(io::Error::other(format!("{lost} bytes were lost")));
    }
    sheet.put("crowd.p99", Figures::against(percentile(&mut crowd.late_ms, 99.0), P99_MS_MAX));
    sheet.put("crowd.rss", Figures::against(resident_mb, RSS_MB_MAX));
    sheet.put("crowd.lost", Figures::against(lost as f64, 0.0));
    Ok(())
}

/// One who types the alphabet, and knows what is to come back.
struct Typist {
    terminal: RemoteTerminal,
    typed: u64,
    echoed: u64,
    /// When the keys under way were due.
    due: VecDeque<Instant>,
}

impl Typist {
    fn start(server: &Server) -> io::Result<Typist> {
        let terminal = RemoteTerminal::start(&server.site, CAT.0, CAT.1)?;
        Ok(Typist { terminal, typed: 0, echoed: 0, due: VecDeque::new() })
    }

    fn press(&mut self, due: Instant) -> io::Result<()> {
        self.due.push_back(due);
        self.terminal.write(0, &[letter(self.typed)])?;
        self.typed += 1;
        Ok(())
    }

    /// Takes the echoes that have come.
    fn take(&mut self, late_ms: &mut Vec<f64>) -> io::Result<()> {
        let Typist { terminal, echoed, due, .. } = self;
        let mut out_of_place = None;
        terminal.take_ready(&mut |output| {
            let now = Instant::now();
            for &byte in output {
                match due.pop_front() {
                    Some(due) if byte == letter(*echoed) => late_ms.push(micros(now - due) / 1e3),
                    _ => out_of_place = out_of_place.or(Some(*echoed)),
                }
                *echoed += 1;
            }
        })?;
        match out_of_place {
            Some(at) => Err(io::Error::other(format!("echo {at} of a client is not what was typed: bytes were lost or doubled"))),
            None => Ok(()),
        }
    }
}

fn letter(at: u64) -> u8 {
    b'a' + (at % 26) as u8
}

/// All of them, on one thread.
struct Crowd {
    typists: Vec<Typist>,
    /// For each echo, how long after its key was due.
    late_ms: Vec<f64>,
}

impl Crowd {
    /// Keys are due by the clock, whatever has come back: a server that stalls is not typed into more slowly.
    fn type_for(&mut self, length: Duration) -> io::Result<()> {
        let start = Instant::now();
        for key in 0.. {
            let due = start + KEY_EVERY * key;
            if due - start >= length {
                break;
            }
            while let left = due.saturating_duration_since(Instant::now())
                && !left.is_zero()
            {
                self.wait(left)?;
            }
            self.typists[key as usize % CLIENTS].press(due)?;
        }
        Ok(())
    }

    /// Waits until everybody has everything, or in vain.
    fn see_out(&mut self) -> io::Result<()> {
        let begun = Instant::now();
        while self.typists.iter().any(|typist| !typist.due.is_empty()) && begun.elapsed() < PATIENCE {
            self.wait(PATIENCE.saturating_sub(begun.elapsed()))?;
        }
        Ok(())
    }

    fn wait(&mut self, timeout: Duration) -> io::Result<()> {
        let ready = ready(self.typists.iter().map(|typist| typist.terminal.fd()), timeout)?;
        ready.into_iter().try_for_each(|at| self.typists[at].take(&mut self.late_ms))
    }
}
