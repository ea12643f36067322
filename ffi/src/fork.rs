//! Whether this process is a fork of the one that made something.
//!
//! Asking for the process's number is a system call, and dearer than all that most calls here do. So the C library is asked to say
//! so, once: in a child it raises a number that every handle remembers.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

static GENERATION: AtomicU32 = AtomicU32::new(0);

/// How many forks lie between the first process and this one.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Begins to count.
pub(crate) fn watch() {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        // SAFETY: the handler does nothing but raise a number, and the library is never unloaded (`-z nodelete`). It fails only without
        // memory; forks are then found out by the core, which asks for the process's number where it matters.
        let _no_memory = unsafe { libc::pthread_atfork(None, None, Some(forked)) };
    });
}

unsafe extern "C" fn forked() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}
