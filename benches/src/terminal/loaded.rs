//! A key is typed while eight other terminals flood: how much longer its echo takes.

use std::io;
use std::path::Path;

use super::echo::{CAT, EchoBlock, TRIPS, block, figures};
use super::flood::WRITE_BYTES;
use crate::child;
use crate::engine::{EngineLoop, EngineMany};
use crate::interleave::interleave;
use crate::pin::{self, Pinned};
use crate::plan::Plan;
use crate::raw::epoll::EpollLoop;
use crate::raw::pty::RawPty;
use crate::report::{Better, Figures, Group, Reach, Sheet, Spec};
use crate::terminals::Terminals;

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
    let pty = |(program, args): &(&Path, &[&str])| RawPty::spawn_ready(program, args);
    let raw = |commands: &[(&Path, &[&str])]| EpollLoop::new(commands.iter().map(pty).collect::<io::Result<_>>()?);

    let (mut ours, mut reference, mut again) = (EngineMany::start(&commands)?, raw(&commands)?, raw(&commands)?);
    commands.truncate(1);
    let (mut ours_alone, mut raw_alone) = (EngineLoop::start(&commands)?, raw(&commands)?);
    let [ours_alone, ours, reference, again, raw_alone] = interleave(
        plan.pick(41, 101),
        [
            &mut || block(TRIPS, || ours_alone.round_trip()),
            &mut || block(LOADED_TRIPS, || ours.round_trip()),
            &mut || block(LOADED_TRIPS, || reference.round_trip()),
            &mut || block(LOADED_TRIPS, || again.round_trip()),
            &mut || block(TRIPS, || raw_alone.round_trip()),
        ],
    )?;
    let (ours_slower, raw_slower, again_slower) =
        (slowdown(&ours, &ours_alone), slowdown(&reference, &raw_alone), slowdown(&again, &raw_alone));
    let sides = [ours, reference, again];
    sheet.put("echo.loaded.p50", figures(&sides, |block| block.p50));
    sheet.put("echo.loaded.p99", figures(&sides, |block| block.p99));
    sheet.put("echo.loaded.slowdown", Figures::of_blocks(&ours_slower, &raw_slower, &again_slower));
    Ok(())
}

/// How much longer than alone it took, pass by pass.
fn slowdown(loaded: &[EchoBlock], alone: &[EchoBlock]) -> Vec<f64> {
    loaded.iter().zip(alone).map(|(loaded, alone)| loaded.p99 / alone.p99).collect()
}
