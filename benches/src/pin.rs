//! Where threads run: a comparison is fair only if both sides, and the children they talk to, have the same CPUs.
//!
//! Threads and processes started while a [`Pinned`] lives inherit its CPU.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The calling thread held on one CPU, until dropped.
pub(crate) struct Pinned {
    before: CpuSet,
}

impl Pinned {
    /// Holds the calling thread on `cpu`.
    pub(crate) fn to(cpu: usize) -> io::Result<Pinned> {
        let before = sched_getaffinity(None)?;
        let mut only = CpuSet::new();
        only.set(cpu);
        sched_setaffinity(None, &only)?;
        Ok(Pinned { before })
    }

    /// Holds the calling thread, and all it starts, on the one CPU that every packed measurement uses.
    pub(crate) fn packed() -> io::Result<Pinned> {
        Pinned::to(last_cpu()?)
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // Only a CPU that was taken away meanwhile can refuse; then staying where we are is all there is.
        let _ = sched_setaffinity(None, &self.before);
    }
}

/// Two CPUs, the one of every packed measurement and another.
///
/// # Errors
/// If only one is allowed.
pub(crate) fn two_cpus() -> io::Result<(usize, usize)> {
    let (here, elsewhere) = (last_cpu()?, allowed_cpus()?[0]);
    if here == elsewhere { Err(io::Error::other("only one CPU is allowed")) } else { Ok((here, elsewhere)) }
}

/// The CPUs this thread may use, in order.
fn allowed_cpus() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect())
}

/// The last CPU allowed: the first one more often serves interrupts.
pub(crate) fn last_cpu() -> io::Result<usize> {
    let cpus = allowed_cpus()?;
    cpus.last().copied().ok_or_else(|| io::Error::other("no CPU is allowed"))
}
