//! A program writes as fast as it can, and a client at the far end of a WebSocket renders and acknowledges all of it.

use std::io;
use std::time::Instant;

use super::super::flood::WRITE_BYTES;
use crate::child;
use crate::interleave::interleave;
use crate::pin::{self, Pinned};
use crate::plan::Plan;
use crate::raw::blocking::BlockingLoop;
use crate::raw::pty::RawPty;
use crate::report::{Better, Figures, Group, Reach, Sheet, Spec};
use crate::terminals::Terminals;
use crate::ws::{Floor, RemoteTerminal, Server};

/// The lines of this group.
pub(super) const GROUP: Group = Group {
    specs: &[
        line("flood.ws", Reach::Ratio(0.9), "raw blocking loop, 64 KiB buffer; one CPU for all ends"),
        line("flood.ws.floor", Reach::Nothing, "one thread with the WebSocket and the PTY; one CPU for all ends"),
        line("flood.ws.apart", Reach::Nothing, "raw blocking loop, 64 KiB buffer; a CPU for whoever reads the PTY alone"),
        line("flood.ws.apart.floor", Reach::Nothing, "one thread with the WebSocket and the PTY; a CPU for it alone"),
    ],
    measure,
};

const fn line(name: &'static str, reach: Reach, note: &'static str) -> Spec {
    Spec { name, unit: "MB/s", better: Better::Higher, reach, note }
}

/// What one block brings.
pub(super) const BURST_BYTES: u64 = 4 << 20;

fn measure(plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let (here, elsewhere) = pin::two_cpus()?;
    let blocks = plan.pick(11, 101);
    let [ours, reference, again, floor] = compare(blocks, here, here)?;
    sheet.put("flood.ws", Figures::of_blocks(&ours, &reference, &again));
    sheet.put("flood.ws.floor", Figures::of_pairs(&ours, &floor));
    let [ours, reference, again, floor] = compare(blocks, here, elsewhere)?;
    sheet.put("flood.ws.apart", Figures::of_blocks(&ours, &reference, &again));
    sheet.put("flood.ws.apart.floor", Figures::of_pairs(&ours, &floor));
    Ok(())
}

/// Bursts of ours, of the raw loop, of that again and of the floor, with who reads the terminal on one CPU, and child and client on that or
/// another.
fn compare(blocks: usize, reading_cpu: usize, other_cpu: usize) -> io::Result<[Vec<f64>; 4]> {
    let (program, writing_cpu, total) = (child::program()?, other_cpu.to_string(), BURST_BYTES.to_string());
    let program = program.to_str().ok_or_else(|| io::Error::other("the path of this program is no text"))?;
    let burst = [child::ROLE, "burst", WRITE_BYTES, &writing_cpu, &total];
    let servers = Pinned::to(reading_cpu)?;
    let (server, floor) = (Server::start()?, Floor::start()?);
    let raw = || RawPty::spawn_ready(program, &burst).map(BlockingLoop::new);
    let (mut reference, mut again) = (raw()?, raw()?);
    drop(servers);
    let _client = Pinned::to(other_cpu)?;
    let remote = |site| RemoteTerminal::start(site, program, &burst);
    let (mut ours, mut floor) = (remote(&server.site)?, remote(&floor.site)?);
    interleave(
        blocks,
        [&mut || block(&mut ours), &mut || raw_block(&mut reference, reading_cpu), &mut || raw_block(&mut again, reading_cpu), &mut || {
            block(&mut floor)
        }],
    )
}

fn raw_block(side: &mut impl Terminals, cpu: usize) -> io::Result<f64> {
    let _pinned = Pinned::to(cpu)?;
    block(side)
}

/// One burst, from the key that asks for it to its last byte; in MB/s.
pub(super) fn block(side: &mut impl Terminals) -> io::Result<f64> {
    let start = Instant::now();
    side.write(0, b"x")?;
    let bytes = side.take(BURST_BYTES)? as f64;
    Ok(bytes / 1e6 / start.elapsed().as_secs_f64())
}
