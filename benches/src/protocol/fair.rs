//! A key is typed while eight other people's terminals flood, or a hundred through the same server: how much longer its echo takes.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::child;
use crate::interleave::interleave;
use crate::pin::{self, Pinned};
use crate::plan::Plan;
use crate::report::{Better, Group, Reach, Sheet, Spec};
use crate::terminal::echo::{EchoBlock, block, figures};
use crate::terminal::flood::WRITE_BYTES;
use crate::terminals::Terminals;
use crate::ws::{RemoteTerminal, Server, Site, ready};

/// The lines of this group.
pub(super) const GROUP: Group = Group {
    specs: &[
        line("fair.p50", Reach::Nothing, FEW_NOTE),
        line("fair.p99", Reach::Ratio(3.0), FEW_NOTE),
        line("fair.many.p50", Reach::Nothing, MANY_NOTE),
        line("fair.many.p99", Reach::Nothing, MANY_NOTE),
    ],
    measure,
};

const FEW_NOTE: &str = "eight connections flood, a ninth types; the same while they stand still. A CPU for the server alone";
const MANY_NOTE: &str = "a hundred connections flood, another types; the same while they stand still. A CPU for the server alone";

const fn line(name: &'static str, reach: Reach, note: &'static str) -> Spec {
    Spec { name, unit: "us", better: Better::Lower, reach, note }
}

const FEW: usize = 8;
const MANY: usize = 100;

/// Round trips of one block.
const TRIPS: usize = 300;

/// How long at the most their readers wait before they look whether they are still to read.
const LOOKS_UP: Duration = Duration::from_millis(5);

/// How long floods are given to begin, and how long a server that has come to rest must have had nothing to do.
const SETTLES: Duration = Duration::from_millis(50);

const PATIENCE: Duration = Duration::from_secs(10);

fn measure(plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let sides = beside(FEW, plan.pick(11, 41))?;
    sheet.put("fair.p50", figures(&sides, |block| block.p50));
    sheet.put("fair.p99", figures(&sides, |block| block.p99));
    let sides = beside(MANY, plan.pick(7, 41))?;
    sheet.put("fair.many.p50", figures(&sides, |block| block.p50));
    sheet.put("fair.many.p99", figures(&sides, |block| block.p99));
    Ok(())
}

/// Blocks beside so many floods, and alone twice.
fn beside(count: usize, blocks: usize) -> io::Result<[Vec<EchoBlock>; 3]> {
    let (servers, elsewhere) = pin::two_cpus()?;
    let serving = Pinned::to(servers)?;
    let server = Server::start()?;
    drop(serving);
    let _pinned = Pinned::to(elsewhere)?;
    let program = child::program()?;
    let program = program.to_str().ok_or_else(|| io::Error::other("a path that is text"))?;
    let typist = RefCell::new(RemoteTerminal::start(&server.site, program, &[child::ROLE, "echo", &elsewhere.to_string()])?);
    let floods = Floods::start(&server.site, elsewhere, count)?;
    let alone = || {
        floods.stop();
        come_to_rest(&server)?;
        block(TRIPS, || typist.borrow_mut().round_trip())
    };
    let beside = || {
        floods.go();
        let before = floods.bytes();
        let block = block(TRIPS, || typist.borrow_mut().round_trip())?;
        if floods.bytes() == before { Err(io::Error::other("the floods stood still")) } else { Ok(block) }
    };
    interleave(blocks, [&mut { beside }, &mut { alone }, &mut { alone }])
}

/// Waits until the server has nothing left to do: what it may keep of a hundred floods takes a second to be read.
fn come_to_rest(server: &Server) -> io::Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let before = server.process.cpu()?;
        std::thread::sleep(SETTLES);
        if server.process.cpu()? - before < SETTLES / 100 {
            return Ok(());
        }
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "the server does not come to rest"))
}

/// Clients who read what floods, on a thread of their own. While they do not, the floods stand still: nothing is acknowledged.
struct Floods {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

#[derive(Default)]
struct Shared {
    runs: AtomicBool,
    ends: AtomicBool,
    bytes: AtomicU64,
}

impl Floods {
    /// Returns once all are there.
    fn start(site: &Site, cpu: usize, count: usize) -> io::Result<Floods> {
        let shared = Arc::<Shared>::default();
        let (theirs, site) = (Arc::clone(&shared), site.clone());
        let (there, are_there) = mpsc::channel();
        let thread = std::thread::spawn(move || read_floods(&site, cpu, count, &theirs, &there));
        if are_there.recv().is_err() {
            let ended = thread.join().map_err(|_| io::Error::other("the floods' readers have panicked"))?;
            return Err(ended.err().unwrap_or_else(|| io::Error::other("the floods did not start")));
        }
        Ok(Floods { shared, thread: Some(thread) })
    }

    fn go(&self) {
        if !self.shared.runs.swap(true, Ordering::Relaxed) {
            std::thread::sleep(SETTLES);
        }
    }

    fn stop(&self) {
        self.shared.runs.store(false, Ordering::Relaxed);
    }

    fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Floods {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn read_floods(site: &Site, cpu: usize, count: usize, shared: &Shared, there: &mpsc::Sender<()>) -> io::Result<()> {
    let _pinned = Pinned::to(cpu)?;
    let program = child::program()?;
    let program = program.to_str().ok_or_else(|| io::Error::other("a path that is text"))?;
    let cpu = cpu.to_string();
    let flood = [child::ROLE, "flood", WRITE_BYTES, &cpu];
    let mut terminals = (0..count).map(|_| RemoteTerminal::start(site, program, &flood)).collect::<io::Result<Vec<_>>>()?;
    let _awaited = there.send(());
    while !shared.ends.load(Ordering::Relaxed) {
        if !shared.runs.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        }
        for at in ready(terminals.iter().map(RemoteTerminal::fd), LOOKS_UP)? {
            terminals[at].take_ready(&mut |output| {
                shared.bytes.fetch_add(output.len() as u64, Ordering::Relaxed);
            })?;
        }
    }
    Ok(())
}
