//! Terminado, where it is installed: the same keys and the same bursts, in blocks that take turns with ours.

use std::io;

use super::super::echo::{self, CAT, TRIPS};
use super::super::flood::WRITE_BYTES;
use super::flood::{self, BURST_BYTES};
use crate::child;
use crate::interleave::interleave;
use crate::peers;
use crate::pin::{self, Pinned};
use crate::plan::Plan;
use crate::report::{Better, Figures, Reach, Report, Sheet, Spec};
use crate::terminals::Terminals;
use crate::ws::{RemoteTerminal, Server, Terminado};

const SPECS: [Spec; 3] = [
    line("peer.terminado.echo.p50", "us", Better::Lower),
    line("peer.terminado.echo.p99", "us", Better::Lower),
    line("peer.terminado.flood", "MB/s", Better::Higher),
];

const fn line(name: &'static str, unit: &'static str, better: Better) -> Spec {
    let note = "terminado, in Python; ours through its server too; one CPU for client, server and child";
    Spec { name, unit, better, reach: Reach::Nothing, note }
}

/// Prints the lines, if it is installed.
pub(in super::super) fn run(plan: &Plan, report: &mut Report) {
    if !SPECS.iter().any(|spec| plan.wants(spec.name)) {
        return;
    }
    if peers::has_terminado() {
        report.group(&SPECS, |sheet| measure(plan, sheet));
    } else {
        eprintln!("terminado is not installed, so there are no lines of it: --install-peers fetches it");
    }
}

fn measure(plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let _pinned = Pinned::packed()?;
    let server = Server::start()?;
    let (mut ours, mut theirs) = (RemoteTerminal::start(&server.site, CAT.0, CAT.1)?, Terminado::start(CAT.0, CAT.1)?);
    let trips = TRIPS / 4; // Theirs take several times as long.
    let [ours, theirs] = interleave(
        plan.pick(7, 41),
        [&mut || echo::block(trips, || ours.round_trip()), &mut || echo::block(trips, || theirs.round_trip())],
    )?;
    let of = |pick: fn(&echo::EchoBlock) -> f64| {
        let [ours, theirs] = [&ours, &theirs].map(|blocks| blocks.iter().map(pick).collect::<Vec<_>>());
        Figures::of_pairs(&ours, &theirs)
    };
    sheet.put(SPECS[0].name, of(|block| block.p50));
    sheet.put(SPECS[1].name, of(|block| block.p99));

    let (program, cpu, total) = (child::program()?, pin::last_cpu()?.to_string(), BURST_BYTES.to_string());
    let program = program.to_str().ok_or_else(|| io::Error::other("the path of this program is no text"))?;
    let burst = [child::ROLE, "burst", WRITE_BYTES, &cpu, &total];
    let (mut ours, mut theirs) = (RemoteTerminal::start(&server.site, program, &burst)?, Terminado::start(program, &burst)?);
    let [ours, theirs] = interleave(plan.pick(5, 21), [&mut || flood::block(&mut ours), &mut || flood::block(&mut theirs)])?;
    sheet.put(SPECS[2].name, Figures::of_pairs(&ours, &theirs));
    Ok(())
}
