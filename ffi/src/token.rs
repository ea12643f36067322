//! The secrets that let clients in.

use std::ffi::c_char;

use orchflow_core::protocol::token::{Role, SECRET_BYTES, Token};

use crate::boundary::boundary;
use crate::failure::Failure;
use crate::status::*;
use crate::values::{c_text, copy_out};

/// Everything: spawn, close, type, resize.
pub const ORCH_ROLE_OWNER: u32 = 0;
/// Type into sessions, resize and signal them.
pub const ORCH_ROLE_WRITER: u32 = 1;
/// Watch, and nothing else.
pub const ORCH_ROLE_VIEWER: u32 = 2;
/// Read numbers about the server.
pub const ORCH_ROLE_METRICS: u32 = 3;

/// The role of an ORCH_ROLE_ number.
pub(crate) fn role_of(number: u32) -> Result<Role, Failure> {
    Ok(match number {
        ORCH_ROLE_OWNER => Role::Owner,
        ORCH_ROLE_WRITER => Role::Writer,
        ORCH_ROLE_VIEWER => Role::Viewer,
        ORCH_ROLE_METRICS => Role::Metrics,
        _ => return Err(Failure::invalid(format!("`role` {number} is no ORCH_ROLE_ constant"))),
    })
}

/// The number of a role.
pub(crate) fn role_number(role: Role) -> u32 {
    match role {
        Role::Owner => ORCH_ROLE_OWNER,
        Role::Writer => ORCH_ROLE_WRITER,
        Role::Viewer => ORCH_ROLE_VIEWER,
        _ => ORCH_ROLE_METRICS,
    }
}

/// Makes a token for a server: a secret from the system's randomness. Keep it in a file that only its owner can read; it never crosses the
/// wire.
///
/// @param buf  Where to store its text: 43 characters, without a NUL.
/// @param cap  Room there, in bytes.
/// @param len  Where to store its length in bytes, also when it does not fit.
/// @return ORCH_OK; ORCH_TOO_SMALL; ORCH_IO without randomness; ORCH_NULL; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_token_new(buf: *mut c_char, cap: usize, len: *mut usize) -> OrchStatus {
    boundary(|| {
        let mut secret = [0; SECRET_BYTES];
        fill_random(&mut secret)?;
        // SAFETY: by the conventions.
        unsafe { copy_out(Token::from_bytes(secret).to_text().as_bytes(), buf.cast(), cap, len) }
    })
}

/// Makes what lets its holder in as one role: a text to hand to a client. Who has it cannot make one that may do more.
///
/// @param token  A token's text.
/// @param role   An ORCH_ROLE_ constant.
/// @param buf    Where to store the text, as "viewer.LFoB...": 51 characters at the most, without a NUL.
/// @param cap    Room there, in bytes.
/// @param len    Where to store its length in bytes, also when it does not fit.
/// @return ORCH_OK; ORCH_INVALID; ORCH_TOO_SMALL; ORCH_NULL; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_token_pass(token: *const c_char, role: u32, buf: *mut c_char, cap: usize, len: *mut usize) -> OrchStatus {
    boundary(|| {
        // SAFETY: by the conventions.
        unsafe {
            let pass = token_of(token)?.pass(role_of(role)?);
            copy_out(pass.to_text().as_bytes(), buf.cast(), cap, len)
        }
    })
}

/// The token of a text.
///
/// # Safety
/// `text` is NULL or ends with NUL.
pub(crate) unsafe fn token_of(text: *const c_char) -> Result<Token, Failure> {
    // SAFETY: by the contract.
    let text = unsafe { c_text(text, "token")? }.ok_or_else(|| Failure::null("token"))?;
    Token::from_text(text).map_err(|error| Failure::of(ORCH_INVALID, &error))
}

/// Fills `bytes` from the system's randomness.
pub(crate) fn fill_random(bytes: &mut [u8]) -> Result<(), Failure> {
    let mut filled = 0;
    while filled < bytes.len() {
        let rest = &mut bytes[filled..];
        // SAFETY: the pointer and the length are those of a slice that can be written.
        let more = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        match usize::try_from(more) {
            Ok(more) => filled += more,
            Err(_) => {
                let error = std::io::Error::last_os_error();
                if error.kind() != std::io::ErrorKind::Interrupted {
                    return Err(error.into());
                }
            }
        }
    }
    Ok(())
}
