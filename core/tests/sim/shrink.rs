//! A plan that breaks a law, without what does not matter: delta debugging (Zeller and Hildebrandt, 2002).

use crate::plan::Plan;
use crate::run::{Broken, run};

/// Runs that are spent on it.
const RUNS_MAX: usize = 3_000;

/// The smallest plan found that breaks the same law at the same place, and how it says so.
pub(crate) fn shrink(plan: &Plan, broken: Broken, events_max: usize) -> (Plan, Broken) {
    let (mut best, mut said) = (plan.clone(), broken);
    let (mut runs, mut part) = (0, best.actions.len().div_ceil(2));
    while part > 0 && runs < RUNS_MAX {
        let mut from = 0;
        let mut shorter = false;
        while from < best.actions.len() && runs < RUNS_MAX {
            let mut without = best.clone();
            let to = (from + part).min(best.actions.len());
            without.actions.drain(from..to);
            runs += 1;
            match run(&without, events_max, false) {
                Err(broken) if broken.is_like(&said) => (best, said, shorter) = (without, broken, true),
                _ => from = to,
            }
        }
        part = if shorter && part > 1 { part.min(best.actions.len().div_ceil(2)) } else { part / 2 };
    }
    (best, said)
}
