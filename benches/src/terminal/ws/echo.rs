//! A key is typed at the far end of a WebSocket and comes back: how long that takes.

use std::io;

use super::super::echo::{CAT, EchoBlock, TRIPS, compare, figures};
use crate::pin::{self, Pinned};
use crate::plan::Plan;
use crate::report::{Better, Group, Reach, Sheet, Spec};
use crate::ws::{Floor, RemoteTerminal, Server};

/// The lines of this group.
pub(super) const GROUP: Group = Group {
    specs: &[
        line("echo.ws.p50", Reach::Ratio(1.3), "one thread with the WebSocket and the PTY; one CPU for client, server and child"),
        line("echo.ws.p99", Reach::Ours(1000.0), "one thread with the WebSocket and the PTY; one CPU for client, server and child"),
        line("echo.ws.apart.p50", Reach::Nothing, "one thread with the WebSocket and the PTY; a CPU for the client alone"),
        line("echo.ws.apart.p99", Reach::Nothing, "one thread with the WebSocket and the PTY; a CPU for the client alone"),
    ],
    measure,
};

const fn line(name: &'static str, reach: Reach, note: &'static str) -> Spec {
    Spec { name, unit: "us", better: Better::Lower, reach, note }
}

fn measure(plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let (here, elsewhere) = pin::two_cpus()?;
    let packed = blocks(plan.pick(15, 101), here, here)?;
    sheet.put("echo.ws.p50", figures(&packed, |block| block.p50));
    sheet.put("echo.ws.p99", figures(&packed, |block| block.p99));
    let apart = blocks(plan.pick(7, 101), here, elsewhere)?;
    sheet.put("echo.ws.apart.p50", figures(&apart, |block| block.p50));
    sheet.put("echo.ws.apart.p99", figures(&apart, |block| block.p99));
    Ok(())
}

/// Blocks of both sides in turn, with the servers and their children on one CPU and the client on that or another.
fn blocks(blocks: usize, serving_cpu: usize, client_cpu: usize) -> io::Result<[Vec<EchoBlock>; 3]> {
    let servers = Pinned::to(serving_cpu)?;
    let (server, floor, again) = (Server::start()?, Floor::start()?, Floor::start()?);
    drop(servers);
    let _client = Pinned::to(client_cpu)?;
    let [server, floor, again] = [&server.site, &floor.site, &again.site].map(|site| RemoteTerminal::start(site, CAT.0, CAT.1));
    compare(blocks, TRIPS, server?, floor?, again?)
}
