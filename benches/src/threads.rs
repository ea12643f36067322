//! How often the other threads of this process ran, from the kernel's own counters.

use std::fs;
use std::io;
use std::time::Duration;

/// How often all threads but the calling one were put on a CPU so far.
pub(crate) fn runs_of_others() -> io::Result<u64> {
    let me = rustix::thread::gettid().as_raw_nonzero().to_string();
    let mut runs = 0;
    for thread in fs::read_dir("/proc/self/task")? {
        let thread = thread?;
        if thread.file_name().to_str() != Some(&me) {
            runs += switches(&fs::read_to_string(thread.path().join("status"))?);
        }
    }
    Ok(runs)
}

/// Waits until the other threads have done what they had begun: until they did not run for a tenth of a second.
pub(crate) fn settle() -> io::Result<()> {
    let mut before = None;
    for _ in 0..ATTEMPTS {
        let now = runs_of_others()?;
        if before.replace(now) == Some(now) {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Threads that never rest are measured all the same, after two seconds.
const ATTEMPTS: usize = 20;

/// Both kinds of context switches in a thread's `status`.
fn switches(status: &str) -> u64 {
    let of = |line: &str| {
        let count = line.strip_prefix("voluntary_ctxt_switches:").or_else(|| line.strip_prefix("nonvoluntary_ctxt_switches:"));
        count.and_then(|count| count.trim().parse::<u64>().ok())
    };
    status.lines().filter_map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_counts_as_running_whether_it_gave_way_or_was_made_to() {
        assert_eq!(switches("Name:\thub\nvoluntary_ctxt_switches:\t40\nnonvoluntary_ctxt_switches:\t2\n"), 42);
    }
}
