//! Programs that a test without its protection leaves behind: its terminals are gone, and some heed no hang-up.

/// The variable by which they are known; they inherit it.
pub(super) const MARK: &str = "ORCHFLOW_PROTECTIONS";

/// Ends whoever was started with the mark set to `mark`.
#[cfg(target_os = "linux")]
pub(super) fn end(mark: &str) {
    use rustix::process::{Pid, Signal, kill_process};
    let ours = format!("{MARK}={mark}");
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| environment.split(|&byte| byte == 0).any(|variable| variable == ours.as_bytes())) {
            let _gone = kill_process(pid, Signal::KILL);
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn end(_mark: &str) {}
