//! `protocol`: what the wire format costs by itself and packed, what many operations do, and what it costs to come back, alone or with a thousand others, and to
//! share a server.

mod batch;
mod classes;
mod compress;
mod control;
mod fair;
mod output;
mod printed;
mod reconnect;
mod recordings;
mod stalled;
mod storm;
mod wire;

use crate::plan::Plan;
use crate::report::Report;

/// Prints all lines that are asked for.
pub(crate) fn run(plan: &Plan, report: &mut Report) {
    let alone = [output::GROUP, control::GROUP, wire::GROUP, compress::GROUP, reconnect::GROUP, batch::GROUP];
    let shared = [classes::GROUP, fair::GROUP, storm::GROUP, stalled::GROUP];
    for group in alone.into_iter().chain(shared) {
        if group.specs.iter().any(|spec| plan.wants(spec.name)) {
            report.group(group.specs, |sheet| (group.measure)(plan, sheet));
        }
    }
}
