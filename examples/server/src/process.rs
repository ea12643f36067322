//! What the system knows of this process: memory, descriptors, processor time, and when it began.
//!
//! Deliberately absent: a thread that samples. Everything is asked for when somebody scrapes; what cannot be read is left out then, so that
//! no zero is taken for a measurement.

use std::fs;

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// One number about the process, as Prometheus' client libraries name it.
pub(crate) struct Measure {
    pub(crate) name: &'static str,
    /// `counter` or `gauge`.
    pub(crate) kind: &'static str,
    pub(crate) help: &'static str,
    pub(crate) value: Option<f64>,
}

/// All there are, now.
pub(crate) fn measures() -> [Measure; 5] {
    let gauge = |name, help, value: Option<f64>| Measure { name, kind: "gauge", help, value };
    [
        Measure {
            name: "process_cpu_seconds",
            kind: "counter",
            help: "Processor time spent, in user and system code.",
            value: Some(cpu_seconds()),
        },
        gauge("process_resident_memory_bytes", "Memory that is resident.", resident_bytes()),
        gauge("process_open_fds", "Descriptors that are open.", open_fds()),
        gauge("process_max_fds", "Descriptors that may be open.", getrlimit(Resource::Nofile).current.map(|limit| limit as f64)),
        gauge("process_start_time_seconds", "When the process began, in seconds since 1970.", start_seconds()),
    ]
}

fn cpu_seconds() -> f64 {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9
}

fn resident_bytes() -> Option<f64> {
    let pages: u64 = fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()?;
    Some((pages * page_size() as u64) as f64)
}

fn open_fds() -> Option<f64> {
    // One of them is the folder itself, which is closed by then.
    Some(fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as f64)
}

fn start_seconds() -> Option<f64> {
    let since_boot = start_ticks(&fs::read_to_string("/proc/self/stat").ok()?)? as f64 / clock_ticks_per_second() as f64;
    Some(boot_seconds(&fs::read_to_string("/proc/stat").ok()?)? as f64 + since_boot)
}

/// When a process began, from its `stat`. Its second field is a name in brackets that may hold anything, brackets and blanks too.
fn start_ticks(stat: &str) -> Option<u64> {
    stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}

/// When the machine was started, in seconds since 1970.
fn boot_seconds(stat: &str) -> Option<u64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    #[test]
    fn this_process_is_measured_in_the_units_of_the_names() {
        let [cpu, resident, open, most, start] = measures().map(|measure| measure.value.expect("it can be read here"));
        assert!(cpu > 0.0 && cpu < 3_600.0, "{cpu}");
        assert!((1_000_000.0..4e9).contains(&resident), "{resident}");
        assert!(open >= 3.0 && open <= most, "{open} of {most}");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        assert!(start <= now + 2.0 && start > now - 3_600.0, "{start} and {now}");
    }

    #[test]
    fn name_in_a_stat_may_look_like_its_end() {
        let fields: Vec<String> = (3..=52).map(|field: u32| field.to_string()).collect();
        assert_eq!(start_ticks(&format!("1 (a) b) R) {}", fields.join(" "))), Some(22));
        assert_eq!(boot_seconds("cpu 1 2\nbtime 1700000000\nprocesses 3\n"), Some(1_700_000_000));
        assert_eq!((start_ticks("1 (sh"), boot_seconds("")), (None, None));
    }
}
