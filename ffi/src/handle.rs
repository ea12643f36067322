//! Handles: what C knows as a pointer to nothing it can see into.

use std::sync::atomic::{AtomicBool, Ordering};

use orchflow_core::pty::unix::forks;

use crate::boundary::{boundary, boundary_or};
use crate::failure::{Answer, Failure};
use crate::status::*;

/// What C is given for a `Self`. C may use it from any thread.
pub(crate) trait Handle: Sized + Send + Sync {
    /// The type that C knows: it has no fields, and so no layout to rely on.
    type Opaque;
    /// What it is called among arguments.
    const NAME: &'static str;
}

/// A `T` and what every handle has.
struct Shell<T> {
    value: T,
    /// The fork in which it was made.
    born: u32,
    /// A call on it panicked.
    broken: AtomicBool,
}

/// Gives `value` to C, who owns it from now on.
pub(crate) fn give<T: Handle>(value: T) -> *mut T::Opaque {
    Box::into_raw(Box::new(Shell { value, born: forks(), broken: AtomicBool::new(false) })).cast()
}

/// Takes it back, and drops it. NULL is fine.
///
/// # Safety
/// `handle` is NULL or came from [`give`], and nobody uses it any more.
pub(crate) unsafe fn free<T: Handle>(handle: *mut T::Opaque) {
    boundary(|| {
        if !handle.is_null() {
            // SAFETY: by the contract.
            drop(unsafe { Box::from_raw(handle.cast::<Shell<T>>()) });
        }
        Ok(ORCH_OK)
    });
}

/// Runs the body of a call on a handle. One that panics leaves the handle broken.
///
/// # Safety
/// `handle` is NULL or came from [`give`] and was not freed.
pub(crate) unsafe fn on<T: Handle>(handle: *const T::Opaque, body: impl FnOnce(&T) -> Answer) -> OrchStatus {
    // SAFETY: by the contract.
    boundary(|| unsafe { get::<T, _>(handle, body) })
}

/// The same for a call that answers something else than a status.
///
/// # Safety
/// As [`on`].
pub(crate) unsafe fn on_or<T: Handle, R>(otherwise: R, handle: *const T::Opaque, body: impl FnOnce(&T) -> Result<R, Failure>) -> R {
    // SAFETY: by the contract.
    boundary_or(otherwise, || unsafe { get::<T, _>(handle, body) })
}

/// Looks at another handle within a call.
///
/// # Safety
/// As [`on`].
pub(crate) unsafe fn get<T: Handle, R>(handle: *const T::Opaque, body: impl FnOnce(&T) -> Result<R, Failure>) -> Result<R, Failure> {
    if handle.is_null() {
        return Err(Failure::null(T::NAME));
    }
    // SAFETY: by the contract, and `give` made it of a Shell.
    let shell = unsafe { &*handle.cast::<Shell<T>>() };
    if shell.born != forks() {
        let message = format!("this process is a fork of the one that made the {}: only freeing it is allowed", T::NAME);
        return Err(Failure::new(ORCH_FORKED, message));
    }
    if shell.broken.load(Ordering::Relaxed) {
        return Err(Failure::new(ORCH_PANIC, format!("an earlier call on this {} panicked: free it", T::NAME)));
    }
    let breaks = Breaks(&shell.broken);
    let answer = body(&shell.value);
    std::mem::forget(breaks);
    answer
}

/// Marks a handle as broken unless it is forgotten.
struct Breaks<'a>(&'a AtomicBool);

impl Drop for Breaks<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs the body of a call that makes a handle of another; where it fails, NULL is stored.
///
/// # Safety
/// As [`on`]; `out` is NULL or can be written.
pub(crate) unsafe fn make_of<P: Handle, T>(
    parent: *const P::Opaque,
    out: *mut *mut T,
    make: impl FnOnce(&P) -> Result<*mut T, Failure>,
) -> OrchStatus {
    boundary(|| {
        if out.is_null() {
            return Err(Failure::null("out"));
        }
        // SAFETY: by the contract.
        unsafe {
            out.write(std::ptr::null_mut());
            out.write(get(parent, make)?);
        }
        Ok(ORCH_OK)
    })
}

/// Stores what a call made, for C to own; where it fails, NULL.
///
/// # Safety
/// `out` is NULL or can be written.
pub(crate) unsafe fn make<T: Handle>(out: *mut *mut T::Opaque, make: impl FnOnce() -> Result<T, Failure>) -> Answer {
    if out.is_null() {
        return Err(Failure::null("out"));
    }
    // SAFETY: by the contract.
    unsafe { out.write(std::ptr::null_mut()) };
    let handle = give(make()?);
    // SAFETY: by the contract.
    unsafe { out.write(handle) };
    Ok(ORCH_OK)
}
