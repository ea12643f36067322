//! `terminal`: what it costs to run a program in a terminal of ours, beside the raw limit and the peers.

mod close;
pub(crate) mod echo;
pub(crate) mod flood;
mod idle;
mod loaded;
mod normal;
mod peers;
mod ring;
mod spawn;
mod ws;

use crate::plan::Plan;
use crate::report::Report;

/// Prints all lines that are asked for.
pub(crate) fn run(plan: &Plan, report: &mut Report) {
    let in_process = [echo::GROUP, loaded::GROUP, flood::GROUP, spawn::GROUP, close::GROUP, idle::GROUP, ring::GROUP, normal::GROUP];
    for group in in_process.into_iter().chain(ws::GROUPS) {
        if group.specs.iter().any(|spec| plan.wants(spec.name)) {
            report.group(group.specs, |sheet| (group.measure)(plan, sheet));
        }
    }
    peers::run(plan, report);
    ws::terminado::run(plan, report);
}
