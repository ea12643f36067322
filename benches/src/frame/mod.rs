//! `frame`: what the wire format costs by itself, without a wire.

mod control;
mod output;

use crate::plan::Plan;
use crate::report::Report;

/// Prints all lines that are asked for.
pub(crate) fn run(plan: &Plan, report: &mut Report) {
    for group in [output::GROUP, control::GROUP] {
        if group.specs.iter().any(|spec| plan.wants(spec.name)) {
            report.group(group.specs, |sheet| (group.measure)(plan, sheet));
        }
    }
}
