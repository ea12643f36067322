//! The peers, where they are installed: the same work, in blocks that take turns with ours.
//!
//! They are programs of other languages and so run in processes of their own, on the same CPU.

use std::io;

use super::echo::{self, CAT, EchoBlock, TRIPS};
use super::flood::{self, WRITE_BYTES};
use super::spawn::{self, SPAWNS, TRUE};
use crate::child;
use crate::engine::{EngineLoop, EngineSpawner};
use crate::interleave::interleave;
use crate::peers::{Kind, Peer};
use crate::pin::{self, Pinned};
use crate::plan::Plan;
use crate::report::{Better, Figures, Reach, Report, Sheet, Spec};
use crate::terminals::Terminals;

/// The lines of one peer.
struct Lines {
    kind: Kind,
    specs: &'static [Spec; 4],
}

const PEERS: [Lines; 2] = [
    Lines {
        kind: Kind::NodePty,
        specs: &[
            line("peer.node-pty.echo.p50", "us", Better::Lower, "node-pty, in node; one CPU for parent and child"),
            line("peer.node-pty.echo.p99", "us", Better::Lower, "node-pty, in node; one CPU for parent and child"),
            line("peer.node-pty.flood", "MB/s", Better::Higher, "node-pty, in node; one CPU for both ends"),
            line("peer.node-pty.spawn.p50", "us", Better::Lower, "node-pty, in node; /bin/true; one CPU"),
        ],
    },
    Lines {
        kind: Kind::Ptyprocess,
        specs: &[
            line("peer.ptyprocess.echo.p50", "us", Better::Lower, "ptyprocess, in Python; one CPU for parent and child"),
            line("peer.ptyprocess.echo.p99", "us", Better::Lower, "ptyprocess, in Python; one CPU for parent and child"),
            line("peer.ptyprocess.flood", "MB/s", Better::Higher, "ptyprocess, in Python; one CPU for both ends"),
            line("peer.ptyprocess.spawn.p50", "us", Better::Lower, "ptyprocess, in Python; /bin/true; one CPU"),
        ],
    },
];

const fn line(name: &'static str, unit: &'static str, better: Better, note: &'static str) -> Spec {
    Spec { name, unit, better, reach: Reach::Nothing, note }
}

/// Prints the lines of every peer that is installed.
pub(super) fn run(plan: &Plan, report: &mut Report) {
    for Lines { kind, specs } in PEERS {
        if !specs.iter().any(|spec| plan.wants(spec.name)) {
            continue;
        }
        if kind.is_installed() {
            report.group(specs, |sheet| measure(kind, specs, plan, sheet));
        } else {
            eprintln!("{kind:?} is not installed, so there are no lines of it: --install-peers fetches it");
        }
    }
}

fn measure(kind: Kind, [p50, p99, flood, spawn]: &[Spec; 4], plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let blocks = plan.pick(11, 41);
    let _pinned = Pinned::packed()?;
    let cpu = pin::last_cpu()?.to_string();
    let flooding = [child::ROLE, "flood", WRITE_BYTES, &cpu];
    let mut peer = Peer::start(kind, &flooding)?;

    let mut ours = EngineLoop::start(&[CAT])?;
    let sides = interleave(blocks, [&mut || echo::block(TRIPS, || ours.round_trip()), &mut || echo_of(&mut peer)])?;
    sheet.put(p50.name, pairs(&sides, |block| block.p50));
    sheet.put(p99.name, pairs(&sides, |block| block.p99));

    let mut ours = EngineLoop::start(&[(child::program()?, &flooding[..])])?;
    let sides = interleave(
        blocks,
        [&mut || flood::block(&mut ours).map(|block| block.mb_per_s), &mut || one(&mut peer, "flood", flood::BLOCK_BYTES)],
    )?;
    sheet.put(flood.name, pairs(&sides, |mb_per_s| *mb_per_s));

    let mut ours = EngineSpawner::new(TRUE)?;
    let sides = interleave(blocks, [&mut || spawn::block(&mut || ours.spawn()), &mut || one(&mut peer, "spawn", SPAWNS as u64)])?;
    sheet.put(spawn.name, pairs(&sides, |us| *us));
    Ok(())
}

fn pairs<T>(sides: &[Vec<T>; 2], pick: impl Fn(&T) -> f64) -> Figures {
    let [ours, theirs] = sides.each_ref().map(|blocks| blocks.iter().map(&pick).collect::<Vec<_>>());
    Figures::of_pairs(&ours, &theirs)
}

fn echo_of(peer: &mut Peer) -> io::Result<EchoBlock> {
    match peer.ask("echo", TRIPS as u64)?[..] {
        [p50, p99] => Ok(EchoBlock { p50, p99 }),
        _ => Err(io::Error::other("an echo has two figures")),
    }
}

fn one(peer: &mut Peer, request: &str, amount: u64) -> io::Result<f64> {
    peer.ask(request, amount)?.first().copied().ok_or_else(|| io::Error::other("the peer told no figure"))
}
