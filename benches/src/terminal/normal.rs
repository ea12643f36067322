//! An ordinary day: a hundred terminals, ten keys a second in each, one megabyte of output a second in all.

use std::io;
use std::time::{Duration, Instant};

use crate::child;
use crate::clock::process_cpu;
use crate::engine::EngineMany;
use crate::interleave::interleave;
use crate::pin::Pinned;
use crate::plan::Plan;
use crate::raw::epoll::EpollLoop;
use crate::raw::pty::RawPty;
use crate::report::{Better, Figures, Group, Reach, Sheet, Spec};
use crate::terminals::Terminals;

/// The lines of this group.
pub(super) const GROUP: Group = Group {
    specs: &[Spec {
        name: "normal.cpu",
        unit: "% of a CPU",
        better: Better::Lower,
        reach: Reach::Ours(10.0),
        note: "raw epoll loop under the same load; this process without its children; one CPU",
    }],
    measure,
};

const SESSIONS: usize = 100;

/// A thousand keys a second: ten in each terminal.
const KEY_EVERY: Duration = Duration::from_millis(1);

/// A thousand bytes every 100 ms: one megabyte a second from a hundred terminals.
const TYPIST: [&str; 4] = [child::ROLE, "typist", "1000", "100"];
const OUTPUT_BYTES_PER_S: f64 = 1e6;

/// Less than this part of the load, and the figure would be about something else. Where the children had no processor for so long, one measures
/// again.
const LOAD_MIN: f64 = 0.9;
const TRIES: usize = 5;

fn measure(plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let (blocks, length) = plan.pick((3, Duration::from_secs(1)), (5, Duration::from_secs(2)));
    let _pinned = Pinned::packed()?;
    let raw = || {
        let ptys = (0..SESSIONS).map(|_| RawPty::spawn_ready(child::program()?, &TYPIST)).collect::<io::Result<Vec<_>>>()?;
        block(EpollLoop::new(ptys)?, length)
    };
    let ours = || block(EngineMany::start(&vec![(child::program()?, &TYPIST[..]); SESSIONS])?, length);
    let (raw, ours) = (|| under_load(raw), || under_load(ours));
    let [ours, reference, again] = interleave(blocks, [&mut { ours }, &mut { raw }, &mut { raw }])?;
    sheet.put("normal.cpu", Figures::of_blocks(&ours, &reference, &again));
    Ok(())
}

/// The processor time that a block used, in percent of one CPU, of the first one that had its load.
fn under_load(block: impl Fn() -> io::Result<Block>) -> io::Result<f64> {
    let mut output = 0.0;
    for _ in 0..TRIES {
        let block = block()?;
        if block.output >= LOAD_MIN * OUTPUT_BYTES_PER_S {
            return Ok(block.cpu);
        }
        output = block.output;
    }
    Err(io::Error::other(format!("{TRIES} times the children wrote too little, last {output:.0} bytes a second: the machine is busy")))
}

struct Block {
    /// Percent of one CPU.
    cpu: f64,
    /// Bytes a second.
    output: f64,
}

/// Types and reads for `length`.
fn block(mut side: impl Terminals, length: Duration) -> io::Result<Block> {
    let (start, cpu_before) = (Instant::now(), process_cpu());
    let (mut keys, mut bytes) = (0_u32, 0_usize);
    loop {
        let now = start.elapsed();
        if now >= length {
            break;
        }
        let due = KEY_EVERY * keys;
        if now >= due {
            side.write(keys as usize % SESSIONS, b"x")?;
            keys += 1;
        } else {
            side.turn(due - now, &mut |_, output| bytes += output.len())?;
        }
    }
    let (took, cpu) = (start.elapsed().as_secs_f64(), (process_cpu() - cpu_before).as_secs_f64());
    Ok(Block { cpu: 100.0 * cpu / took, output: bytes as f64 / took })
}
