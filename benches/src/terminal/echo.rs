//! A key is typed into `cat` and comes back: how long that takes.

use std::io;
use std::time::Duration;

use crate::clock::micros;
use crate::engine::{EngineLoop, EngineThread};
use crate::interleave::interleave;
use crate::pin::Pinned;
use crate::plan::Plan;
use crate::raw::blocking::BlockingLoop;
use crate::raw::epoll::EpollLoop;
use crate::raw::parked::ParkedLoop;
use crate::raw::pty::RawPty;
use crate::report::{Better, Figures, Group, Reach, Sheet, Spec};
use crate::stats::percentile;
use crate::terminals::Terminals;

/// The lines of this group.
pub(super) const GROUP: Group = Group {
    specs: &[
        line("echo.inprocess.p50", Reach::Ratio(1.15), "raw epoll loop; one CPU for parent and child"),
        line("echo.inprocess.p99", Reach::Ratio(1.3), "raw epoll loop; one CPU for parent and child"),
        line("echo.blocking.p50", Reach::Nothing, "raw blocking loop, which can serve one terminal only; one CPU"),
        line("echo.threaded.p50", Reach::Nothing, "raw reader thread that unparks the caller; one CPU for all three"),
        line("echo.threaded.p99", Reach::Nothing, "raw reader thread that unparks the caller; one CPU for all three"),
        line("echo.unpinned.p50", Reach::Nothing, "raw epoll loop; the kernel places parent and child"),
        line("echo.unpinned.p99", Reach::Nothing, "raw epoll loop; the kernel places parent and child"),
    ],
    measure,
};

const fn line(name: &'static str, reach: Reach, note: &'static str) -> Spec {
    Spec { name, unit: "us", better: Better::Lower, reach, note }
}

/// Echoes, and touches nothing that passes through.
pub(crate) const CAT: (&str, &[&str]) = ("sh", &["-c", "stty raw -echo; printf R; exec cat"]);

/// Blocks of each side, in full and where a quick look must do.
const BLOCKS: usize = 101;
const BLOCKS_FEW: usize = 11;

/// Round trips of one block: enough for ten samples to lie above the 99th percentile.
pub(super) const TRIPS: usize = 1000;

/// Round trips before each block that are not counted: the caches still belong to the side that ran before.
const WARM_UP_TRIPS: usize = 20;

/// The figures of one block, in microseconds.
#[derive(Clone, Copy)]
pub(crate) struct EchoBlock {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

fn measure(plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let pinned = Pinned::packed()?;
    inprocess(plan, sheet)?;
    threaded(plan, sheet)?;
    drop(pinned);
    let sides = compare(plan.pick(BLOCKS_FEW, BLOCKS), TRIPS, EngineLoop::start(&[CAT])?, raw_cat()?, raw_cat()?)?;
    sheet.put("echo.unpinned.p50", figures(&sides, |block| block.p50));
    sheet.put("echo.unpinned.p99", figures(&sides, |block| block.p99));
    Ok(())
}

fn inprocess(plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let sides = compare(plan.pick(41, BLOCKS), TRIPS, EngineLoop::start(&[CAT])?, raw_cat()?, raw_cat()?)?;
    sheet.put("echo.inprocess.p50", figures(&sides, |block| block.p50));
    sheet.put("echo.inprocess.p99", figures(&sides, |block| block.p99));
    let blocking = || cat().map(BlockingLoop::new);
    let sides = compare(plan.pick(BLOCKS_FEW, BLOCKS), TRIPS, EngineLoop::start(&[CAT])?, blocking()?, blocking()?)?;
    sheet.put("echo.blocking.p50", figures(&sides, |block| block.p50));
    Ok(())
}

fn threaded(plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let (mut ours, mut reference, mut again) = (EngineThread::start(CAT)?, ParkedLoop::new(cat()?), ParkedLoop::new(cat()?));
    let sides = interleave(
        plan.pick(BLOCKS_FEW, BLOCKS),
        [&mut || block(TRIPS, || ours.round_trip()), &mut || block(TRIPS, || reference.round_trip()), &mut || {
            block(TRIPS, || again.round_trip())
        }],
    )?;
    sheet.put("echo.threaded.p50", figures(&sides, |block| block.p50));
    sheet.put("echo.threaded.p99", figures(&sides, |block| block.p99));
    Ok(())
}

fn cat() -> io::Result<RawPty> {
    RawPty::spawn_ready(CAT.0, CAT.1)
}

fn raw_cat() -> io::Result<EpollLoop> {
    EpollLoop::new(vec![cat()?])
}

/// Lets ours, the reference and the reference once more echo in turn.
pub(super) fn compare(
    blocks: usize,
    trips: usize,
    mut ours: impl Terminals,
    mut reference: impl Terminals,
    mut again: impl Terminals,
) -> io::Result<[Vec<EchoBlock>; 3]> {
    interleave(
        blocks,
        [&mut || block(trips, || ours.round_trip()), &mut || block(trips, || reference.round_trip()), &mut || {
            block(trips, || again.round_trip())
        }],
    )
}

/// One block of round trips.
pub(crate) fn block(trips: usize, mut round_trip: impl FnMut() -> io::Result<Duration>) -> io::Result<EchoBlock> {
    for _ in 0..WARM_UP_TRIPS {
        round_trip()?;
    }
    let mut took = (0..trips).map(|_| round_trip().map(micros)).collect::<io::Result<Vec<_>>>()?;
    Ok(EchoBlock { p50: percentile(&mut took, 50.0), p99: percentile(&mut took, 99.0) })
}

/// The line for one percentile of such blocks.
pub(crate) fn figures(sides: &[Vec<EchoBlock>; 3], pick: impl Fn(&EchoBlock) -> f64) -> Figures {
    let [ours, reference, again] = sides.each_ref().map(|blocks| blocks.iter().map(&pick).collect::<Vec<_>>());
    Figures::of_blocks(&ours, &reference, &again)
}
