//! How much memory of this process is resident.

use std::fs;
use std::io;

/// Resident bytes, counted page by page.
///
/// `/proc/self/statm` would be cheaper, but the kernel keeps it in per-CPU counters that are off by up to a megabyte.
pub(crate) fn resident_bytes() -> io::Result<u64> {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup")?;
    let kib = rollup.lines().find_map(|line| line.strip_prefix("Rss:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| io::Error::other("smaps_rollup tells no Rss"))
}
