//! Ending many programs at once, as when a host shuts down.

use std::io;
use std::time::Instant;

use super::echo::CAT;
use crate::clock::micros;
use crate::engine::EngineMany;
use crate::interleave::interleave;
use crate::pin::Pinned;
use crate::plan::Plan;
use crate::raw::pty::RawPty;
use crate::report::{Better, Figures, Group, Reach, Sheet, Spec};

/// The lines of this group.
pub(super) const GROUP: Group = Group {
    specs: &[Spec {
        name: "close.session",
        unit: "us",
        better: Better::Lower,
        reach: Reach::Nothing,
        note: "per session of a hub of 50 that is closed; the raw side kills and waits, one after the other; one CPU",
    }],
    measure,
};

const SESSIONS: usize = 50;

fn measure(plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let _pinned = Pinned::packed()?;
    let ours = || EngineMany::start(&[CAT; SESSIONS]).map(close);
    let raw = || (0..SESSIONS).map(|_| RawPty::spawn_ready(CAT.0, CAT.1)).collect::<io::Result<Vec<_>>>().map(close);
    let [ours, reference, again] = interleave(plan.pick(3, 11), [&mut { ours }, &mut { raw }, &mut { raw }])?;
    sheet.put("close.session", Figures::of_blocks(&ours, &reference, &again));
    Ok(())
}

/// Microseconds per session.
fn close(sessions: impl Sized) -> f64 {
    let start = Instant::now();
    drop(sessions);
    micros(start.elapsed()) / SESSIONS as f64
}
