//! Which library this is.

use std::ffi::{CStr, c_char};

/// The library's version, as "0.1.0": of the one that runs, where ORCH_VERSION is that of the header.
///
/// @return The text. Valid forever.
/// @threads Any.
#[unsafe(no_mangle)]
pub extern "C" fn orch_version() -> *const c_char {
    const TEXT: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("a version has no NUL"),
    };
    TEXT.as_ptr()
}
