//! Connections by themselves: what each costs while nothing happens on it, and how fast they come in.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use orchflow_core::peer::client::Event;
use orchflow_examples::remote::Remote;

use crate::clock::{micros, process_cpu};
use crate::descriptors;
use crate::interleave::interleave;
use crate::pin::{self, Pinned};
use crate::plan::Plan;
use crate::report::{Better, Figures, Group, Reach, Sheet, Spec};
use crate::stats::median;
use crate::ws::{Floor, Process, Server, answered, upgraded};

/// What a connection costs at rest.
pub(super) const IDLE: Group = Group {
    specs: &[Spec {
        name: "conn.idle_bytes",
        unit: "bytes",
        better: Better::Lower,
        reach: Reach::Ours(IDLE_BYTES_MAX),
        note: "resident memory of the server per WebSocket that has proved itself, of 9,000 in another process; the limit",
    }],
    measure: idle,
};

/// How fast they come.
pub(super) const RATE: Group = Group {
    specs: &[
        Spec {
            name: "conn.rate",
            unit: "per s",
            better: Better::Higher,
            reach: Reach::Ours(4000.0),
            note: "connect, upgrade, mutual HMAC, the first Pong; a blocking loop that only accepts and upgrades; a CPU for each end",
        },
        Spec {
            name: "conn.cpu",
            unit: "us",
            better: Better::Lower,
            reach: Reach::Nothing,
            note: "processor time of the server for each of them, and of the loop; the clients' is told beside the table",
        },
    ],
    measure: rate,
};

const IDLE_BYTES_MAX: f64 = 12.0 * 1024.0;
const IDLE_CONNECTIONS: usize = 9000;

/// What is needed once is not what each costs.
const IDLE_BEFORE: usize = 100;

/// The server keeps a quarter of its descriptors for terminals, and both sides need some for themselves.
const IDLE_DESCRIPTORS: u64 = (IDLE_CONNECTIONS + IDLE_BEFORE) as u64 * 4 / 3 + 200;

fn idle(_: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    descriptors::raise(IDLE_DESCRIPTORS)?;
    let server = Server::start()?;
    let mut clients = Vec::with_capacity(IDLE_BEFORE + IDLE_CONNECTIONS);
    let mut grow = |count| {
        for _ in 0..count {
            clients.push(server.site.enter()?);
        }
        server.process.resident_bytes()
    };
    let (before, after) = (grow(IDLE_BEFORE)?, grow(IDLE_CONNECTIONS)?);
    let each = (after as f64 - before as f64) / IDLE_CONNECTIONS as f64;
    sheet.put("conn.idle_bytes", Figures::against(each, IDLE_BYTES_MAX));
    Ok(())
}

/// Connections of one block, and how many are under way at a time: enough to keep the other end busy.
const CONNECTIONS: usize = 400;
const AT_ONCE: usize = 4;

struct Came {
    per_s: f64,
    /// Processor time of each end per connection.
    server_us: f64,
    client_us: f64,
}

fn rate(plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let (here, elsewhere) = pin::two_cpus()?;
    let servers = Pinned::to(elsewhere)?;
    let (server, floor, again) = (Server::start()?, Floor::of_upgrades()?, Floor::of_upgrades()?);
    drop(servers);
    let _clients = Pinned::to(here)?;
    let upgrades = |floor: &Floor| block(&floor.process, || upgraded(&floor.site), drop);
    let sides = interleave(
        plan.pick(5, 15),
        [
            &mut || {
                let came = block(&server.process, || answered(&server.site), leave)?;
                answered(&server.site).map(leave)?; // By then it has seen the others off, and is no burden to the next side.
                Ok(came)
            },
            &mut || upgrades(&floor),
            &mut || upgrades(&again),
        ],
    )?;
    let of = |pick: fn(&Came) -> f64| sides.each_ref().map(|blocks| blocks.iter().map(pick).collect::<Vec<_>>());
    let ([ours, reference, again], [ours_us, reference_us, again_us]) = (of(|came| came.per_s), of(|came| came.server_us));
    let clients_us = median(&of(|came| came.client_us)[0]);
    let busy = |us: f64| us * median(&ours) / 1e4;
    eprintln!(
        "    conn.rate: a connection took the clients {clients_us:.0} us; their CPU was busy {:.0} % of the time, the server {:.0} %",
        busy(clients_us),
        busy(median(&ours_us))
    );
    sheet.put("conn.rate", Figures::of_blocks(&ours, &reference, &again));
    sheet.put("conn.cpu", Figures::of_blocks(&ours_us, &reference_us, &again_us));
    Ok(())
}

/// Lets clients come by several threads at once; they leave when all are in and the clock has stopped.
fn block<C: Send>(server: &Process, come: impl Fn() -> io::Result<C> + Sync, leave: impl Fn(C)) -> io::Result<Came> {
    let (start, server_before, client_before) = (Instant::now(), server.cpu()?, process_cpu());
    let clients = thread::scope(|scope| {
        let queues: Vec<_> =
            (0..AT_ONCE).map(|_| scope.spawn(|| (0..CONNECTIONS / AT_ONCE).map(|_| come()).collect::<io::Result<Vec<C>>>())).collect();
        let came = queues.into_iter().map(|queue| queue.join().expect("it does not panic"));
        came.collect::<io::Result<Vec<Vec<C>>>>()
    })?;
    let (took, server, client) = (start.elapsed(), server.cpu()? - server_before, process_cpu() - client_before);
    clients.into_iter().flatten().for_each(leave);
    let each = |time: Duration| micros(time) / CONNECTIONS as f64;
    Ok(Came { per_s: 1e6 / each(took), server_us: each(server), client_us: each(client) })
}

fn leave(mut client: Remote) {
    let now = client.now();
    client.peer().leave(now);
    while client.poll_event().is_some_and(|event| !matches!(event, Event::Lost { .. })) {}
}
