//! A hundred clients ask for as much as they can, and one for little: how long that takes.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use orchflow_core::batch::Class;
use orchflow_core::peer::client::Event;
use orchflow_core::protocol::message::{Act, Answer, Batch, Operation};
use orchflow_examples::remote::Remote;

use crate::clock::micros;
use crate::interleave::interleave;
use crate::pin::{self, Pinned};
use crate::plan::Plan;
use crate::report::{Better, Figures, Group, Reach, Sheet, Spec};
use crate::stats::percentile;
use crate::terminal::echo::{EchoBlock, figures};
use crate::ws::{Asker, Server, Site, ready, start_sleeper};

/// The lines of this group.
pub(super) const GROUP: Group = Group {
    specs: &[
        line("batch.fair.p50", "us", Reach::Nothing, FAIR_NOTE),
        line("batch.fair.p99", "us", Reach::Ratio(3.0), FAIR_NOTE),
        line("batch.background", "ms", Reach::Ours(400.0), BACKGROUND_NOTE),
    ],
    measure,
};

const FAIR_NOTE: &str =
    "an interactive operation beside 100 clients with batches of 64 of class bulk; the same alone. A CPU for the server alone";
const BACKGROUND_NOTE: &str =
    "the slowest background operation beside 100 clients of the classes above it, all they can; the stated limit is 400 ms";

const fn line(name: &'static str, unit: &'static str, reach: Reach, note: &'static str) -> Spec {
    Spec { name, unit, better: Better::Lower, reach, note }
}

const CLIENTS: usize = 100;

/// Operations of each of their batches, and batches that each has under way.
const OPERATIONS: usize = 64;
const UNDER_WAY: usize = 2;

/// Round trips of one block.
const TRIPS: usize = 200;

/// How long at the most those clients wait before they look whether they are to go on.
const LOOKS_UP: Duration = Duration::from_millis(5);

/// How long they are given to begin.
const SETTLES: Duration = Duration::from_millis(50);

fn measure(plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let (servers, clients) = pin::two_cpus()?;
    let serving = Pinned::to(servers)?;
    let server = Server::start()?;
    drop(serving);
    let _pinned = Pinned::to(clients)?;
    let one = RefCell::new(One::start(&server.site)?);
    let crowd = Crowd::start(&server.site, clients, &[Class::Bulk])?;
    let alone = || {
        crowd.stop()?;
        one.borrow_mut().block(Class::Interactive, TRIPS)
    };
    let beside = || {
        crowd.go();
        let before = crowd.done();
        let block = one.borrow_mut().block(Class::Interactive, TRIPS)?;
        if crowd.done() == before { Err(io::Error::other("the others stood still")) } else { Ok(block) }
    };
    let sides = interleave(plan.pick(11, 41), [&mut { beside }, &mut { alone }, &mut { alone }])?;
    sheet.put("batch.fair.p50", figures(&sides, |block| block.p50));
    sheet.put("batch.fair.p99", figures(&sides, |block| block.p99));
    drop(crowd);
    let crowd = Crowd::start(&server.site, clients, &[Class::Interactive, Class::Control, Class::Bulk])?;
    crowd.go();
    let mut slowest = 0f64;
    for _ in 0..plan.pick(20, 100) {
        slowest = slowest.max(one.borrow_mut().ask(Class::Background)? / 1e3);
    }
    sheet.put("batch.background", Figures::against(slowest, 400.0));
    Ok(())
}

/// One who asks for one thing at a time.
struct One {
    asker: Asker,
    session: u64,
}

impl One {
    fn start(site: &Site) -> io::Result<One> {
        let mut asker = Asker::enter(site)?;
        asker.ask(Batch::new([start_sleeper()]))?;
        let results = asker.results()?;
        let Some(Answer::Spawned { session, .. }) = results.answers.first().map(|answered| &answered.answer) else {
            return Err(io::Error::other(format!("nothing was started: {results:?}")));
        };
        Ok(One { session: *session, asker })
    }

    /// How long one operation takes, in microseconds.
    fn ask(&mut self, class: Class) -> io::Result<f64> {
        let begun = Instant::now();
        self.asker.ask(Batch { class, ..Batch::new([Operation::Query { session: self.session }]) })?;
        let results = self.asker.results()?;
        if results.answers.len() == 1 { Ok(micros(begun.elapsed())) } else { Err(io::Error::other(format!("no answer: {results:?}"))) }
    }

    fn block(&mut self, class: Class, trips: usize) -> io::Result<EchoBlock> {
        let mut took = (0..trips).map(|_| self.ask(class)).collect::<io::Result<Vec<f64>>>()?;
        Ok(EchoBlock { p50: percentile(&mut took, 50.0), p99: percentile(&mut took, 99.0) })
    }
}

/// Clients who ask for as much as they can, on a thread of their own.
struct Crowd {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

#[derive(Default)]
struct Shared {
    runs: AtomicBool,
    ends: AtomicBool,
    /// Batches under way, and those that are done.
    open: AtomicU64,
    done: AtomicU64,
}

impl Crowd {
    /// Returns once all are there, each with a session of its own.
    fn start(site: &Site, cpu: usize, classes: &'static [Class]) -> io::Result<Crowd> {
        let shared = Arc::<Shared>::default();
        let (theirs, site) = (Arc::clone(&shared), site.clone());
        let (there, are_there) = mpsc::channel();
        let thread = std::thread::spawn(move || play(&site, cpu, classes, &theirs, &there));
        if are_there.recv().is_err() {
            let ended = thread.join().map_err(|_| io::Error::other("the crowd has panicked"))?;
            return Err(ended.err().unwrap_or_else(|| io::Error::other("the crowd did not come")));
        }
        Ok(Crowd { shared, thread: Some(thread) })
    }

    fn go(&self) {
        if !self.shared.runs.swap(true, Ordering::Relaxed) {
            std::thread::sleep(SETTLES);
        }
    }

    /// Returns once nothing of theirs is under way.
    fn stop(&self) -> io::Result<()> {
        self.shared.runs.store(false, Ordering::Relaxed);
        let begun = Instant::now();
        while self.shared.open.load(Ordering::Relaxed) > 0 {
            if begun.elapsed() > Duration::from_secs(10) {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the crowd does not come to rest"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn done(&self) -> u64 {
        self.shared.done.load(Ordering::Relaxed)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Member {
    remote: Remote,
    class: Class,
    session: u64,
    under_way: usize,
}

impl Member {
    fn fill(&mut self, shared: &Shared) -> io::Result<()> {
        while self.under_way < UNDER_WAY && shared.runs.load(Ordering::Relaxed) {
            let title = |at| Operation::Control { session: self.session, act: Act::Title(format!("build {at}")) };
            let batch = Batch { class: self.class, ..Batch::new((0..OPERATIONS).map(title)) };
            let now = self.remote.now();
            self.remote.peer().batch(batch, now).map_err(io::Error::other)?;
            self.under_way += 1;
            shared.open.fetch_add(1, Ordering::Relaxed);
        }
        self.remote.flush();
        Ok(())
    }

    fn take(&mut self, shared: &Shared) {
        self.remote.turn();
        while let Some(event) = self.remote.poll_event() {
            if matches!(event, Event::Results(results) if !results.more) {
                self.under_way -= 1;
                shared.open.fetch_sub(1, Ordering::Relaxed);
                shared.done.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

fn play(site: &Site, cpu: usize, classes: &[Class], shared: &Shared, there: &mpsc::Sender<()>) -> io::Result<()> {
    let _pinned = Pinned::to(cpu)?;
    rustix::process::nice(19)?; // Of this thread: whoever asks for little would sit elsewhere.
    let mut members = Vec::new();
    for at in 0..CLIENTS {
        let One { asker: Asker { remote }, session } = One::start(site)?;
        members.push(Member { remote, class: classes[at % classes.len()], session, under_way: 0 });
    }
    let _awaited = there.send(());
    while !shared.ends.load(Ordering::Relaxed) {
        for member in &mut members {
            member.fill(shared)?;
        }
        for at in ready(members.iter().map(|member| member.remote.fd()), LOOKS_UP)? {
            members[at].take(shared);
        }
    }
    Ok(())
}
