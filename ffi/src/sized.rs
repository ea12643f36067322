//! Structs that can grow: they begin with their own size, as their owner knows it.

use std::mem::{MaybeUninit, size_of};
use std::ptr;

use crate::failure::{Answer, Failure};
use crate::status::*;

/// A struct that begins with its size in bytes, a `usize`.
///
/// # Safety
/// `repr(C)`, its first field is the size, and any bytes, zeros above all, are a value of it.
pub(crate) unsafe trait Growing: Copy {
    /// What it is called in C.
    const NAME: &'static str;
}

/// More than any struct of ours will ever have: what says so was not set by ORCH_INIT.
const BYTES_MAX: usize = 4 << 10;

/// Reads a struct of the caller's: what it does not have is zero, and what we do not know must be. NULL is all zeros.
///
/// # Safety
/// `from` is NULL, or what it points to can be read for as many bytes as its first field says.
pub(crate) unsafe fn read<T: Growing>(from: *const T) -> Result<T, Failure> {
    let mut value = MaybeUninit::<T>::zeroed();
    if !from.is_null() {
        // SAFETY: by the contract the size can be read, and then as many bytes; ours are zeros, so any of them is a value.
        unsafe {
            let theirs = size_of_theirs(from)?;
            let tail = std::slice::from_raw_parts(from.cast::<u8>(), theirs);
            if tail.iter().skip(size_of::<T>()).any(|byte| *byte != 0) {
                let message = format!(
                    "`{}` has {theirs} bytes, of which this library (version {}) knows {}, and something behind them is set",
                    T::NAME,
                    env!("CARGO_PKG_VERSION"),
                    size_of::<T>()
                );
                return Err(Failure::new(ORCH_TOO_NEW, message));
            }
            ptr::copy_nonoverlapping(from.cast::<u8>(), value.as_mut_ptr().cast(), theirs.min(size_of::<T>()));
        }
    }
    // SAFETY: by the trait's contract.
    Ok(unsafe { value.assume_init() })
}

/// Fills a struct of the caller's as far as it goes; what it has and we do not know becomes zero.
///
/// # Safety
/// `to` is NULL, or what it points to can be written for as many bytes as its first field says.
pub(crate) unsafe fn write<T: Growing>(to: *mut T, name: &'static str, value: T) -> Answer {
    // SAFETY: by the contract.
    unsafe {
        let theirs = check(to, name)?;
        let (skipped, known) = (size_of::<usize>(), theirs.min(size_of::<T>()));
        let from = ptr::from_ref(&value).cast::<u8>();
        ptr::copy_nonoverlapping(from.add(skipped), to.cast::<u8>().add(skipped), known - skipped);
        ptr::write_bytes(to.cast::<u8>().add(known), 0, theirs - known);
    }
    Ok(ORCH_OK)
}

/// Whether a struct could be filled; returns its size. For calls that must not fail once something was taken.
///
/// # Safety
/// As [`write`].
pub(crate) unsafe fn check<T: Growing>(to: *const T, name: &'static str) -> Result<usize, Failure> {
    if to.is_null() {
        return Err(Failure::null(name));
    }
    // SAFETY: by the contract.
    unsafe { size_of_theirs(to) }
}

/// # Safety
/// The size can be read.
unsafe fn size_of_theirs<T: Growing>(at: *const T) -> Result<usize, Failure> {
    // SAFETY: by the contract; the caller's compiler may have aligned it otherwise.
    let theirs = unsafe { ptr::read_unaligned(at.cast::<usize>()) };
    if !(size_of::<usize>()..=BYTES_MAX).contains(&theirs) {
        let message = format!("`{}` says it has {theirs} bytes: make it by ORCH_INIT({})", T::NAME, T::NAME);
        return Err(Failure::invalid(message));
    }
    Ok(theirs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Two {
        size: usize,
        one: u32,
        two: u32,
    }

    // SAFETY: numbers.
    unsafe impl Growing for Two {
        const NAME: &'static str = "Two";
    }

    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Three {
        size: usize,
        one: u32,
        two: u32,
        three: u64,
    }

    // SAFETY: numbers.
    unsafe impl Growing for Three {
        const NAME: &'static str = "Three";
    }

    fn read_as<T, U: Growing>(value: &T) -> Result<U, OrchStatus> {
        // SAFETY: the first field says how many bytes there are.
        unsafe { read(ptr::from_ref(value).cast::<U>()) }.map_err(|failure| failure.status())
    }

    #[test]
    fn what_an_older_caller_does_not_have_is_zero() {
        let theirs = Two { size: size_of::<Two>(), one: 1, two: 2 };
        assert_eq!(read_as(&theirs), Ok(Three { size: 16, one: 1, two: 2, three: 0 }));
    }

    #[test]
    fn what_a_newer_caller_asks_for_is_refused_and_what_it_left_alone_is_not() {
        let theirs = |three| Three { size: size_of::<Three>(), one: 1, two: 2, three };
        assert_eq!(read_as(&theirs(0)), Ok(Two { size: 24, one: 1, two: 2 }));
        assert_eq!(read_as::<_, Two>(&theirs(1)), Err(ORCH_TOO_NEW));
    }

    #[test]
    fn a_size_that_was_never_set_is_refused() {
        for size in [0, 7, BYTES_MAX + 1, usize::MAX] {
            assert_eq!(read_as::<_, Two>(&Two { size, one: 0, two: 0 }), Err(ORCH_INVALID));
        }
    }

    #[test]
    fn a_struct_is_filled_as_far_as_its_owner_knows_it() {
        let ours = Two { size: 0, one: 1, two: 2 };
        let mut newer = Three { size: size_of::<Three>(), one: 9, two: 9, three: 9 };
        // SAFETY: the sizes are true.
        unsafe { write(ptr::from_mut(&mut newer).cast::<Two>(), "out", ours) }.unwrap();
        assert_eq!(newer, Three { size: 24, one: 1, two: 2, three: 0 });
        let mut older = Two { size: 12, one: 9, two: 9 };
        // SAFETY: the size is less than there is.
        unsafe { write(&mut older, "out", ours) }.unwrap();
        assert_eq!(older, Two { size: 12, one: 1, two: 9 });
    }
}
