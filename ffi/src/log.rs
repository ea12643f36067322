//! Hosts that want to hear of our bugs.

use std::ffi::{CString, c_char, c_void};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::callback::Data;

/// A host's log.
pub(crate) struct Log {
    call: unsafe extern "C" fn(user_data: *mut c_void, text: *const c_char),
    data: Data,
}

impl Log {
    pub(crate) fn new(call: unsafe extern "C" fn(*mut c_void, *const c_char), data: Data) -> Arc<Log> {
        Arc::new(Log { call, data })
    }

    pub(crate) fn keep(&self) {
        self.data.keep();
    }
}

/// Every log there is: who panics does not know whose hub it works for.
static LOGS: Mutex<Vec<Arc<Log>>> = Mutex::new(Vec::new());

pub(crate) fn add(log: &Arc<Log>) {
    LOGS.lock().push(Arc::clone(log));
}

pub(crate) fn remove(log: &Arc<Log>) {
    let mut logs = LOGS.lock();
    let gone = logs.iter().position(|known| Arc::ptr_eq(known, log)).map(|at| logs.swap_remove(at));
    drop(logs); // What belongs to it is dropped by the host's function, which may do anything.
    drop(gone);
}

/// Tells all of them.
pub(crate) fn tell(text: &str) {
    let logs = LOGS.lock().clone();
    let Ok(text) = CString::new(text.replace('\0', "\u{fffd}")) else { return };
    for log in logs {
        // SAFETY: the host promised a function that can be called with its data from any thread.
        unsafe { (log.call)(log.data.pointer(), text.as_ptr()) };
    }
}
