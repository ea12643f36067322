//! What it costs when nothing happens.

use std::io;

use crate::plan::Plan;
use crate::probe::{Question, ask};
use crate::report::{Better, Figures, Group, Reach, Sheet, Spec};

/// The lines of this group. Their references are the limits they are held against.
pub(super) const GROUP: Group = Group {
    specs: &[
        line("idle.session_bytes", "bytes", SESSION_BYTES_MAX, "resident memory per silent session with its reader, of 1,000; the limit"),
        line("idle.wakeups", "per s", 0.0, "runs of the hub's thread beside 1,000 silent sessions, over 5 s; the limit"),
        line("idle.base_rss", "MB", BASE_MB_MAX, "resident memory of a fresh process of this binary with one hub; the limit"),
    ],
    measure,
};

const SESSION_BYTES_MAX: f64 = 5000.0;
const BASE_MB_MAX: f64 = 10.0;

const fn line(name: &'static str, unit: &'static str, limit: f64, note: &'static str) -> Spec {
    Spec { name, unit, better: Better::Lower, reach: Reach::Ours(limit), note }
}

const SESSIONS: usize = 1000;

fn measure(_: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    sheet.put("idle.session_bytes", Figures::against(ask(Question::SessionBytes(SESSIONS))?, SESSION_BYTES_MAX));
    sheet.put("idle.wakeups", Figures::against(ask(Question::WakeUps(SESSIONS))?, 0.0));
    sheet.put("idle.base_rss", Figures::against(ask(Question::BaseBytes)? / 1e6, BASE_MB_MAX));
    Ok(())
}
