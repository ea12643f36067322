//! Starting a program in a new terminal, from a small host and from a large one.

use std::io;
use std::time::{Duration, Instant};

use crate::clock::micros;
use crate::engine::EngineSpawner;
use crate::interleave::interleave;
use crate::memory;
use crate::pin::Pinned;
use crate::plan::Plan;
use crate::raw::pty::RawPty;
use crate::report::{Better, Figures, Group, Reach, Sheet, Spec};
use crate::stats::percentile;

/// The lines of this group.
pub(super) const GROUP: Group = Group {
    specs: &[
        line("spawn.small_host.p50", "bare openpt and posix_spawn of /bin/true; one CPU"),
        line("spawn.large_host.p50", "the same beside 2 GiB of touched memory; one CPU"),
    ],
    measure,
};

const fn line(name: &'static str, note: &'static str) -> Spec {
    Spec { name, unit: "us", better: Better::Lower, reach: Reach::Ours(200.0), note }
}

/// Starts and ends at once.
pub(super) const TRUE: &str = "/bin/true";

/// Spawns of one block.
pub(super) const SPAWNS: usize = 10;

/// What a large host has touched.
const LARGE_BYTES: usize = 2 << 30;

fn measure(plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let blocks = plan.pick(41, 201);
    let _pinned = Pinned::packed()?;
    sheet.put("spawn.small_host.p50", compare(blocks)?);
    let ballast = vec![1_u8; LARGE_BYTES];
    if memory::resident_bytes()? < LARGE_BYTES as u64 {
        return Err(io::Error::other("the machine has no 2 GiB to keep resident"));
    }
    let figures = compare(blocks)?;
    std::hint::black_box(&ballast); // Resident until here.
    sheet.put("spawn.large_host.p50", figures);
    Ok(())
}

fn compare(blocks: usize) -> io::Result<Figures> {
    let mut ours = EngineSpawner::new(TRUE)?;
    let mut spawn_ours = || ours.spawn();
    let sides = interleave(blocks, [&mut || block(&mut spawn_ours), &mut || block(&mut spawn_raw), &mut || block(&mut spawn_raw)])?;
    let [ours, reference, again] = sides;
    Ok(Figures::of_blocks(&ours, &reference, &again))
}

/// The median of some spawns, in microseconds.
pub(super) fn block(spawn: &mut dyn FnMut() -> io::Result<Duration>) -> io::Result<f64> {
    let mut took = (0..SPAWNS).map(|_| spawn().map(micros)).collect::<io::Result<Vec<_>>>()?;
    Ok(percentile(&mut took, 50.0))
}

/// Times the spawn alone; waiting for the process comes after.
fn spawn_raw() -> io::Result<Duration> {
    let start = Instant::now();
    let pty = RawPty::spawn(TRUE, &[])?;
    let took = start.elapsed();
    pty.wait()?;
    Ok(took)
}
