//! The simulation: a thousand seeds, and ten thousand where all is asked for.

use std::time::{Duration, Instant};

use crate::sim::command;
use crate::work::{Outcome, Work};

/// A thousand seeds take some ten seconds; more than this is a fault of the simulation, or of what it simulates.
const RUN_MAX: Duration = Duration::from_secs(60);

pub(crate) fn sim(work: &mut Work<'_>) -> Outcome {
    work.run(command(&["--seed", "0"]))?; // Builds it.
    if work.full {
        return work.test(command(&["--seeds", "10000"]));
    }
    let begun = Instant::now();
    work.test(command(&["--seeds", "1000"]))?;
    let took = begun.elapsed();
    if took > RUN_MAX {
        return work.fail(format_args!("a thousand seeds took {took:?}, and {RUN_MAX:?} is the limit"));
    }
    work.note = format!("a thousand seeds in {:.0} s", took.as_secs_f32());
    Ok(())
}
