//! Tiny values that cross the boundary as they are, and will never change.

use std::ffi::{CStr, OsStr, c_char};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use orchflow_core::size::{Pixels, Size};

use crate::failure::{Answer, Failure};
use crate::status::*;

/// Bytes that somebody else owns. Frozen: this struct will never change.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct OrchBytes {
    /// The first of them; may be NULL where there are none.
    pub data: *const u8,
    /// How many.
    pub len: usize,
}

impl OrchBytes {
    pub(crate) const NONE: OrchBytes = OrchBytes { data: std::ptr::null(), len: 0 };
}

impl From<&[u8]> for OrchBytes {
    fn from(bytes: &[u8]) -> OrchBytes {
        OrchBytes { data: bytes.as_ptr(), len: bytes.len() }
    }
}

/// A terminal's size. Frozen: this struct will never change.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrchSize {
    /// Columns, in cells.
    pub cols: u16,
    /// Rows, in cells.
    pub rows: u16,
    /// Width in pixels; 0 where nobody knows.
    pub width_px: u16,
    /// Height in pixels; 0 where nobody knows.
    pub height_px: u16,
}

impl From<Size> for OrchSize {
    fn from(size: Size) -> OrchSize {
        let pixels = size.pixels().unwrap_or(Pixels { width: 0, height: 0 });
        OrchSize { cols: size.cols(), rows: size.rows(), width_px: pixels.width, height_px: pixels.height }
    }
}

impl OrchSize {
    /// The same, checked.
    pub(crate) fn checked(self) -> Result<Size, Failure> {
        let size = Size::new(self.cols, self.rows).map_err(|error| Failure::of(ORCH_INVALID, &error))?;
        let has_pixels = (self.width_px, self.height_px) != (0, 0);
        Ok(size.with_pixels(has_pixels.then_some(Pixels { width: self.width_px, height: self.height_px })))
    }

    /// The same; all zeros are the usual size.
    pub(crate) fn or_default(self) -> Result<Size, Failure> {
        if self == OrchSize::default() { Ok(Size::DEFAULT) } else { self.checked() }
    }
}

/// The bytes of an argument.
///
/// # Safety
/// `data` can be read for `len` bytes for as long as the result lives, or is NULL and `len` 0.
pub(crate) unsafe fn bytes<'a>(data: *const u8, len: usize, name: &'static str) -> Result<&'a [u8], Failure> {
    match (data.is_null(), len) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(Failure::null(name)),
        _ if len > isize::MAX as usize => Err(Failure::invalid(format!("`{name}` cannot have {len} bytes"))),
        // SAFETY: by the contract.
        _ => Ok(unsafe { std::slice::from_raw_parts(data, len) }),
    }
}

/// A buffer of the caller's, of at least one byte.
///
/// # Safety
/// `buf` can be written for `cap` bytes, and is used by nobody else for as long as the result lives; or it is NULL.
pub(crate) unsafe fn bytes_mut<'a>(buf: *mut u8, cap: usize, name: &'static str) -> Result<&'a mut [u8], Failure> {
    match buf.is_null() {
        true => Err(Failure::null(name)),
        // SAFETY: by the contract. No object is larger than isize::MAX, so no caller has that much room.
        false => Ok(unsafe { std::slice::from_raw_parts_mut(buf, cap.min(isize::MAX as usize)) }),
    }
}

/// Text of an argument that ends with NUL; `None` where it is NULL.
///
/// # Safety
/// `text` is NULL or ends with NUL, and lives as long as the result.
pub(crate) unsafe fn c_bytes<'a>(text: *const c_char) -> Option<&'a OsStr> {
    // SAFETY: by the contract.
    (!text.is_null()).then(|| OsStr::from_bytes(unsafe { CStr::from_ptr(text) }.to_bytes()))
}

/// The same for what must be UTF-8.
///
/// # Safety
/// As [`c_bytes`].
pub(crate) unsafe fn c_text<'a>(text: *const c_char, name: &'static str) -> Result<Option<&'a str>, Failure> {
    // SAFETY: by the contract.
    let text = unsafe { c_bytes(text) };
    text.map(|text| text.to_str().ok_or_else(|| Failure::invalid(format!("`{name}` is not UTF-8")))).transpose()
}

/// Stores `value` where the caller asked for it.
///
/// # Safety
/// `out` is NULL or can be written.
pub(crate) unsafe fn store<T>(out: *mut T, name: &'static str, value: T) -> Answer {
    if out.is_null() {
        return Err(Failure::null(name));
    }
    // SAFETY: by the contract.
    unsafe { out.write(value) };
    Ok(ORCH_OK)
}

/// Copies `bytes` into the caller's buffer, and stores how many there are: also where they do not fit, and nothing was copied.
///
/// # Safety
/// `buf` can be written for `cap` bytes, or is NULL and `cap` 0; `len` is NULL or can be written.
pub(crate) unsafe fn copy_out(bytes: &[u8], buf: *mut u8, cap: usize, len: *mut usize) -> Answer {
    if buf.is_null() && cap > 0 {
        return Err(Failure::null("buf"));
    }
    // SAFETY: by the contract.
    unsafe { store(len, "len", bytes.len())? };
    if bytes.len() > cap {
        return Err(Failure::new(ORCH_TOO_SMALL, format!("the buffer has {cap} bytes, and {} are needed", bytes.len())));
    }
    if !bytes.is_empty() {
        // SAFETY: by the contract, and they fit.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), buf, bytes.len()) };
    }
    Ok(ORCH_OK)
}

/// Nanoseconds of which 0 means the usual.
pub(crate) fn nanos_or(nanos: u64, usual: Duration) -> Duration {
    if nanos == 0 { usual } else { Duration::from_nanos(nanos) }
}

/// A number of which 0 means the usual.
pub(crate) fn bytes_or(bytes: u64, usual: usize) -> usize {
    if bytes == 0 { usual } else { usize::try_from(bytes).unwrap_or(usize::MAX) }
}

/// Refuses flags that this library does not know.
pub(crate) fn check_flags(flags: u32, known: u32, name: &'static str) -> Result<(), Failure> {
    match flags & !known {
        0 => Ok(()),
        unknown => Err(Failure::invalid(format!("`{name}` has bits that mean nothing: {unknown:#x}"))),
    }
}
