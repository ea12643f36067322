//! How many forks lie between the process that loaded this and the one it runs in.
//!
//! Asking for the process's number is a system call, and an echo would make six of them. So the C library is asked to count forks.

#![allow(unsafe_code)]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

static FORKS: AtomicU32 = AtomicU32::new(0);

/// A number that is another one in each fork of a process: what was made under one and is used under another belongs to the parent. Costs less than a
/// nanosecond, where asking for the process's number is a system call.
pub fn forks() -> u32 {
    static COUNTED: OnceLock<bool> = OnceLock::new();
    // SAFETY: the handler raises a number and does nothing else; it is part of the program, or of a library that is never unloaded.
    let is_counted = *COUNTED.get_or_init(|| unsafe { libc::pthread_atfork(None, None, Some(count)) == 0 });
    // Without memory for a handler, by the process's number.
    if is_counted { FORKS.load(Ordering::Relaxed) } else { std::process::id() }
}

unsafe extern "C" fn count() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}
