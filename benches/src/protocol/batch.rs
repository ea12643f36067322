//! Many small operations: as batches within one process and over a WebSocket, and one by one.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures::FutureExt;
use orchflow_core::hub::Hub;
use orchflow_core::hub::serve::{Service, ServiceOptions};
use orchflow_core::limits::TITLE_CHARS_MAX;
use orchflow_core::peer::client::Event;
use orchflow_core::protocol::frame::StreamId;
use orchflow_core::protocol::label::clean;
use orchflow_core::protocol::message::{Act, Answer, Batch, Operation, Results, Spawn};
use orchflow_core::protocol::token::Token;
use orchflow_core::pty::scripted::{Script, ScriptedPtys};
use orchflow_examples::remote::Remote;

use crate::interleave::interleave;
use crate::pin::{self, Pinned};
use crate::plan::Plan;
use crate::report::{Better, Figures, Group, Reach, Sheet, Spec};
use crate::ws::{Asker, Server, Site, next, sleeper, spawned, start_sleeper};

/// The lines of this group.
pub(super) const GROUP: Group = Group {
    specs: &[
        Spec {
            name: "batch.inprocess",
            unit: "/s",
            better: Better::Higher,
            reach: Reach::Ours(1e6),
            note: "titles of 64 scripted sessions, set by batches of 64; the least: titles in a map, changed under a lock",
        },
        Spec {
            name: "batch.ws",
            unit: "/s",
            better: Better::Higher,
            reach: Reach::Ours(1e5),
            note: "the same through the server, eight batches under way; the reference is a Control for each, as many under way",
        },
    ],
    measure,
};

/// Operations of one batch.
const OPERATIONS: usize = 64;

/// Batches of one block, within a process and over a WebSocket.
const LOCAL: usize = 200;
const REMOTE: usize = 50;

/// Batches under way over a WebSocket.
const UNDER_WAY: usize = 8;

fn measure(plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    within(plan, sheet)?;
    elsewhere(plan, sheet)
}

/// A title for each of `sessions`; no two batches have the same.
fn titles(sessions: &[u64], round: usize) -> Batch {
    let title = |session: &u64| Operation::Control { session: *session, act: Act::Title(format!("build {round}")) };
    Batch::new(sessions.iter().map(title))
}

fn rate(operations: usize, begun: Instant) -> f64 {
    operations as f64 / begun.elapsed().as_secs_f64()
}

/// Whether all operations of a batch have been carried out.
fn hold(results: &Results) -> io::Result<()> {
    let all = results.done == [(0, OPERATIONS as u32 - 1)];
    if all { Ok(()) } else { Err(io::Error::other(format!("not all was done: {results:?}"))) }
}

// ---- Within a process ----

fn within(plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let _pinned = Pinned::packed()?;
    let ptys = ScriptedPtys::new().with("hang", Script::new().hang());
    let hub = Hub::builder().backend(Arc::new(ptys)).events().hosted()?;
    let service = Service::new(&hub, Token::from_bytes([7; 32]), ServiceOptions::default())?;
    let spawn = || Operation::Spawn(Box::new(Spawn { program: Some("hang".into()), ..Spawn::default() }));
    let spawned = hub.block_on(service.submit(Batch::new((0..OPERATIONS).map(|_| spawn()))).map_err(io::Error::other)?.all())?;
    let sessions = sessions(&spawned);
    let least = Least(Mutex::new(sessions.iter().map(|session| (*session, String::new())).collect()));
    let ours = || {
        let begun = Instant::now();
        for round in 0..LOCAL {
            let submitted = service.submit(titles(&sessions, round)).map_err(io::Error::other)?;
            hold(&submitted.all().now_or_never().ok_or_else(|| io::Error::other("it takes more than one turn"))?)?;
        }
        Ok(rate(LOCAL * OPERATIONS, begun))
    };
    let theirs = || {
        let begun = Instant::now();
        for round in 0..LOCAL {
            hold(&least.carry_out(titles(&sessions, round)))?;
        }
        Ok(rate(LOCAL * OPERATIONS, begun))
    };
    let [ours, least, again] = interleave(plan.pick(21, 201), [&mut { ours }, &mut { theirs }, &mut { theirs }])?;
    sheet.put("batch.inprocess", Figures::of_blocks(&ours, &least, &again));
    Ok(())
}

fn sessions(spawned: &Results) -> Vec<u64> {
    let session = |answer: &Answer| if let Answer::Spawned { session, .. } = answer { Some(*session) } else { None };
    spawned.answers.iter().filter_map(|answered| session(&answered.answer)).collect()
}

/// Titles, and nothing else.
struct Least(Mutex<BTreeMap<u64, String>>);

impl Least {
    fn carry_out(&self, batch: Batch) -> Results {
        let mut results = Results::default();
        for (at, operation) in batch.operations.into_iter().enumerate() {
            let mut titles = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if let Operation::Control { session, act: Act::Title(title) } = operation
                && let Some(known) = titles.get_mut(&session)
            {
                *known = clean(&title, TITLE_CHARS_MAX);
                results.add(at as u32, Ok(None));
            }
        }
        results
    }
}

// ---- Over a WebSocket ----

fn elsewhere(plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let (servers, clients) = pin::two_cpus()?;
    let serving = Pinned::to(servers)?;
    let server = Server::start()?;
    drop(serving);
    let _pinned = Pinned::to(clients)?;
    let mut ours = Batches::start(&server.site)?;
    let (mut theirs, mut again) = (Singles::start(&server.site)?, Singles::start(&server.site)?);
    let [ours, theirs, again] = interleave(plan.pick(11, 101), [&mut || ours.block(), &mut || theirs.block(), &mut || again.block()])?;
    sheet.put("batch.ws", Figures::of_blocks(&ours, &theirs, &again));
    Ok(())
}

/// A client that asks for batches.
struct Batches {
    asker: Asker,
    sessions: Vec<u64>,
}

impl Batches {
    fn start(site: &Site) -> io::Result<Batches> {
        let mut client = Batches { asker: Asker::enter(site)?, sessions: Vec::new() };
        client.asker.ask(Batch::new((0..OPERATIONS).map(|_| start_sleeper())))?;
        let mut all = Results { more: true, ..Results::default() };
        while all.more {
            let results = client.asker.results()?;
            all.more = results.more;
            all.extend(results);
        }
        client.sessions = sessions(&all);
        if client.sessions.len() == OPERATIONS { Ok(client) } else { Err(io::Error::other(format!("not all were started: {all:?}"))) }
    }

    fn block(&mut self) -> io::Result<f64> {
        let (begun, mut asked) = (Instant::now(), 0);
        for done in 0..REMOTE {
            while asked < REMOTE.min(done + UNDER_WAY) {
                self.asker.ask(titles(&self.sessions, asked))?;
                asked += 1;
            }
            hold(&self.asker.results()?)?;
        }
        Ok(rate(REMOTE * OPERATIONS, begun))
    }
}

/// One that watches a session and asks for one thing at a time.
struct Singles {
    remote: Remote,
    stream: StreamId,
}

impl Singles {
    fn start(site: &Site) -> io::Result<Singles> {
        let mut remote = site.enter()?;
        let stream = remote.peer().spawn(sleeper()).map_err(io::Error::other)?;
        spawned(&mut remote)?;
        Ok(Singles { remote, stream })
    }

    fn block(&mut self) -> io::Result<f64> {
        let (all, begun, mut asked, mut done) = (REMOTE * OPERATIONS, Instant::now(), 0, 0);
        while done < all {
            while asked < all.min(done + UNDER_WAY * OPERATIONS) {
                let title = Act::Title(format!("build {asked}"));
                self.remote.peer().control(self.stream, title).map_err(io::Error::other)?;
                asked += 1;
            }
            if let Event::Done { .. } = next(&mut self.remote)? {
                done += 1;
            }
        }
        Ok(rate(all, begun))
    }
}
