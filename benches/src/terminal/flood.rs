//! A program writes as fast as it can: how fast its output arrives, and what that costs.

use std::io;
use std::time::Instant;

use crate::child;
use crate::clock::thread_cpu;
use crate::engine::EngineLoop;
use crate::interleave::interleave;
use crate::pin::{self, Pinned};
use crate::plan::Plan;
use crate::raw::blocking::BlockingLoop;
use crate::raw::epoll::EpollLoop;
use crate::raw::pty::RawPty;
use crate::report::{Better, Figures, Group, Reach, Sheet, Spec};
use crate::terminals::Terminals;

/// The lines of this group.
pub(super) const GROUP: Group = Group {
    specs: &[
        speed("flood.inprocess", Reach::Ratio(0.95), "raw blocking loop, 64 KiB buffer; one CPU for both ends"),
        cost("flood.cpu", Reach::Ratio(1.2), "reading thread only; raw blocking loop; one CPU for both ends"),
        speed("flood.epoll", Reach::Nothing, "raw epoll loop, 64 KiB buffer; one CPU for both ends"),
        speed("flood.apart", Reach::Nothing, "raw blocking loop, 64 KiB buffer; a CPU for each end"),
        cost("flood.apart.cpu", Reach::Nothing, "reading thread only; raw blocking loop; a CPU for each end"),
        speed("flood.apart.epoll", Reach::Nothing, "raw epoll loop, 64 KiB buffer; a CPU for each end"),
    ],
    measure,
};

const fn speed(name: &'static str, reach: Reach, note: &'static str) -> Spec {
    Spec { name, unit: "MB/s", better: Better::Higher, reach, note }
}

const fn cost(name: &'static str, reach: Reach, note: &'static str) -> Spec {
    Spec { name, unit: "s/GB", better: Better::Lower, reach, note }
}

/// What the program writes at a time.
pub(crate) const WRITE_BYTES: &str = "65536";

/// Bytes of one block: a twentieth of a second, so that a disturbance hits neighbours alike.
pub(super) const BLOCK_BYTES: u64 = 4 << 20;

pub(super) struct FloodBlock {
    pub(super) mb_per_s: f64,
    cpu_s_per_gb: f64,
}

fn measure(plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let total_bytes = plan.pick(128 << 20, 1 << 30);
    let blocks = (total_bytes / BLOCK_BYTES) as usize;
    let one_cpu = compare(blocks, pin::last_cpu()?, pin::last_cpu()?)?;
    sheet.put("flood.inprocess", one_cpu.speed);
    sheet.put("flood.cpu", one_cpu.cost);
    sheet.put("flood.epoll", one_cpu.speed_by_epoll);
    let (here, elsewhere) = pin::two_cpus()?;
    let apart = compare(blocks, here, elsewhere)?;
    sheet.put("flood.apart", apart.speed);
    sheet.put("flood.apart.cpu", apart.cost);
    sheet.put("flood.apart.epoll", apart.speed_by_epoll);
    Ok(())
}

struct Compared {
    speed: Figures,
    cost: Figures,
    /// Against the loop that can serve more than one terminal.
    speed_by_epoll: Figures,
}

/// Reads on one CPU what is written on another, or on the same. A side that is not read stands still, since its
/// terminal is full, and does not disturb the one that is.
fn compare(blocks: usize, reading_cpu: usize, writing_cpu: usize) -> io::Result<Compared> {
    let _pinned = Pinned::to(reading_cpu)?;
    let (program, writing_cpu) = (child::program()?, writing_cpu.to_string());
    let flood = [child::ROLE, "flood", WRITE_BYTES, &writing_cpu];
    let raw = || RawPty::spawn_ready(&program, &flood);
    let (mut ours, mut epoll) = (EngineLoop::start(&[(&program, &flood[..])])?, EpollLoop::new(vec![raw()?])?);
    let (mut reference, mut again) = (BlockingLoop::new(raw()?), BlockingLoop::new(raw()?));
    let sides = interleave(
        blocks,
        [&mut || block(&mut epoll), &mut || block(&mut ours), &mut || block(&mut reference), &mut || block(&mut again)],
    )?;
    let speeds = sides.each_ref().map(|blocks| blocks.iter().map(|block| block.mb_per_s).collect::<Vec<_>>());
    let costs = sides.each_ref().map(|blocks| blocks.iter().map(|block| block.cpu_s_per_gb).collect::<Vec<_>>());
    Ok(Compared {
        speed: Figures::of_blocks(&speeds[1], &speeds[2], &speeds[3]),
        cost: Figures::of_blocks(&costs[1], &costs[2], &costs[3]),
        speed_by_epoll: Figures::of_pairs(&speeds[1], &speeds[0]),
    })
}

/// Takes one block.
pub(super) fn block(side: &mut impl Terminals) -> io::Result<FloodBlock> {
    let (start, cpu_before) = (Instant::now(), thread_cpu());
    let bytes = side.take(BLOCK_BYTES)? as f64;
    let (took, cpu) = (start.elapsed(), thread_cpu() - cpu_before);
    Ok(FloodBlock { mb_per_s: bytes / 1e6 / took.as_secs_f64(), cpu_s_per_gb: cpu.as_secs_f64() / (bytes / 1e9) })
}
