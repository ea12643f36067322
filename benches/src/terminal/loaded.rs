//! A key is typed while eight other terminals flood: how much longer its echo takes.

use std::io;
use std::path::Path;

use super::echo::{CAT, EchoBlock, TRIPS, compare, figures};
use super::flood::WRITE_BYTES;
use crate::child;
use crate::engine::EngineLoop;
use crate::pin::{self, Pinned};
use crate::plan::Plan;
use crate::raw::epoll::EpollLoop;
use crate::raw::pty::RawPty;
use crate::report::{Better, Figures, Group, Reach, Sheet, Spec};
use crate::stats::median;

/// The lines of this group.
pub(super) const GROUP: Group = Group {
    specs: &[
        line("echo.loaded.p50", "us", "raw epoll loop, one read per ready terminal; floods on the other CPU"),
        line("echo.loaded.p99", "us", "raw epoll loop, one read per ready terminal; floods on the other CPU"),
        line("echo.loaded.slowdown", "x", "p99 beside the floods by p99 alone, for ours and for the raw loop"),
    ],
    measure,
};

const fn line(name: &'static str, unit: &'static str, note: &'static str) -> Spec {
    Spec { name, unit, better: Better::Lower, reach: Reach::Nothing, note }
}

const FLOODS: usize = 8;

/// A round trip takes ten times as long as alone, so there are fewer in a block.
const LOADED_TRIPS: usize = 200;

fn measure(plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let (here, elsewhere) = pin::two_cpus()?;
    let _pinned = Pinned::to(here)?;
    let program = child::program()?;
    let elsewhere = elsewhere.to_string();
    let flood = [child::ROLE, "flood", WRITE_BYTES, &elsewhere];
    let mut commands = vec![(Path::new(CAT.0), CAT.1)];
    commands.resize(1 + FLOODS, (&program, &flood));
    let raw = || EpollLoop::new(commands.iter().map(|(program, args)| RawPty::spawn_ready(program, args)).collect::<io::Result<_>>()?);

    let loaded = compare(plan.pick(41, 101), LOADED_TRIPS, EngineLoop::start(&commands)?, raw()?, raw()?)?;
    sheet.put("echo.loaded.p50", figures(&loaded, |block| block.p50));
    sheet.put("echo.loaded.p99", figures(&loaded, |block| block.p99));
    commands.truncate(1);
    let raw = || EpollLoop::new(vec![RawPty::spawn_ready(CAT.0, CAT.1)?]);
    let alone = compare(plan.pick(11, 41), TRIPS, EngineLoop::start(&commands)?, raw()?, raw()?)?;
    let [ours, reference, again]: [f64; 3] = std::array::from_fn(|side| median_p99(&loaded[side]) / median_p99(&alone[side]));
    sheet.put("echo.loaded.slowdown", Figures { aa: Some(again / reference), ..Figures::against(ours, reference) });
    Ok(())
}

fn median_p99(blocks: &[EchoBlock]) -> f64 {
    median(&blocks.iter().map(|block| block.p99).collect::<Vec<_>>())
}
