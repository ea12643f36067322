//! How much memory of a process is resident.

use std::fmt::Display;
use std::fs;
use std::io;

/// Resident bytes of this process, counted page by page.
pub(crate) fn resident_bytes() -> io::Result<u64> {
    resident_bytes_of("self")
}

/// Resident bytes of `process`, a number or `self`, counted page by page.
///
/// `/proc/self/statm` would be cheaper, but the kernel keeps it in per-CPU counters that are off by up to a megabyte.
pub(crate) fn resident_bytes_of(process: impl Display) -> io::Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let kib = rollup.lines().find_map(|line| line.strip_prefix("Rss:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| io::Error::other("smaps_rollup tells no Rss"))
}
