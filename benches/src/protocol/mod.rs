//! `protocol`: what the wire format costs by itself, what many operations do, and what it costs to come back, alone or with a thousand others, and to
//! share a server.

mod batch;
mod classes;
mod control;
mod fair;
mod output;
mod printed;
mod reconnect;
mod stalled;
mod storm;

use crate::plan::Plan;
use crate::report::Report;

/// Prints all lines that are asked for.
pub(crate) fn run(plan: &Plan, report: &mut Report) {
    for group in [output::GROUP, control::GROUP, reconnect::GROUP, batch::GROUP, classes::GROUP, fair::GROUP, storm::GROUP, stalled::GROUP]
    {
        if group.specs.iter().any(|spec| plan.wants(spec.name)) {
            report.group(group.specs, |sheet| (group.measure)(plan, sheet));
        }
    }
}
