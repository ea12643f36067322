//! Where C ends and Rust begins: no panic passes, and none is printed.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;

use crate::failure::{Answer, Failure};
use crate::log;
use crate::status::*;

/// Runs the body of a call: a failure becomes its status and the thread's last error, and so does a panic.
pub(crate) fn boundary(body: impl FnOnce() -> Answer) -> OrchStatus {
    guard(body).unwrap_or_else(Failure::tell)
}

/// The same for a call that answers something else than a status: `otherwise`, where it fails.
pub(crate) fn boundary_or<T>(otherwise: T, body: impl FnOnce() -> Result<T, Failure>) -> T {
    guard(body).unwrap_or_else(|failure| {
        failure.tell();
        otherwise
    })
}

fn guard<T>(body: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    static HOOK: Once = Once::new();
    HOOK.call_once(hook_panics);
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(answer) => answer,
        Err(payload) => {
            bury(payload);
            let what = PANIC.take().unwrap_or_else(|| "it says nothing".into());
            Err(Failure::new(ORCH_PANIC, format!("a bug of the library's own, a panic: {what}; free what you called it on, and report it")))
        }
    }
}

/// Drops what a panic carries, which may panic in turn.
fn bury(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
}

// ---- What panics say ----

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Has panics go to the hosts' logs and not to standard error, which is the host's. The library has a runtime of its own, so every panic
/// that this hears of is its own too.
#[cfg(not(test))]
fn hook_panics() {
    std::panic::set_hook(Box::new(note));
}

#[cfg(test)]
fn hook_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        note(info);
        before(info);
    }));
}

fn note(info: &PanicHookInfo<'_>) {
    let said = info.payload_as_str().unwrap_or("(no text)");
    let what = match info.location() {
        Some(at) => format!("{said} ({}:{})", at.file(), at.line()),
        None => said.to_owned(),
    };
    log::tell(&format!("panic: {what}"));
    // A thread that is about to end has nobody left to ask.
    let _ending = PANIC.try_with(|last| *last.borrow_mut() = Some(what));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_status() {
        assert_eq!(boundary(|| panic!("the sky fell")), ORCH_PANIC);
        assert_eq!(boundary_or(-1, || panic!("again")), -1);
        assert_eq!(boundary(|| Ok(ORCH_AGAIN)), ORCH_AGAIN);
    }

    #[test]
    fn what_a_panic_carries_may_panic_too() {
        struct Trouble;
        impl Drop for Trouble {
            fn drop(&mut self) {
                panic!("no end of it");
            }
        }
        assert_eq!(boundary(|| std::panic::panic_any(Trouble)), ORCH_PANIC);
    }
}
