//! What a host gives along with a function of its own.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};

/// The host's pointer, and how it wants to hear that nobody will use it any more.
pub(crate) struct Data {
    pointer: *mut c_void,
    drop: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// Whether it is ours: not before the call that was given it has succeeded.
    kept: AtomicBool,
}

// SAFETY: the host promised that its function and its pointer can be used from any thread.
unsafe impl Send for Data {}
// SAFETY: the same.
unsafe impl Sync for Data {}

impl Data {
    pub(crate) fn new(pointer: *mut c_void, drop: Option<unsafe extern "C" fn(*mut c_void)>) -> Data {
        Data { pointer, drop, kept: AtomicBool::new(false) }
    }

    pub(crate) fn pointer(&self) -> *mut c_void {
        self.pointer
    }

    /// From now on it is ours, and the host hears when we are done with it.
    pub(crate) fn keep(&self) {
        self.kept.store(true, Ordering::Relaxed);
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        if let Some(drop) = self.drop.filter(|_| *self.kept.get_mut()) {
            // SAFETY: the host promised a function that can be called so, once, from any thread.
            unsafe { drop(self.pointer) };
        }
    }
}
