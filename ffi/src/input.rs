//! What people type, as bytes that programs expect.

use std::ffi::c_char;

use orchflow_core::input::keys::{KeyModes, KeyPress, ModifyOtherKeys};
use orchflow_core::input::paste::paste;
use orchflow_core::input::validate::{Controls, InputGate, InputRules};

use crate::boundary::boundary;
use crate::failure::{Answer, Failure};
use crate::status::*;
use crate::values::{bytes, c_text, check_flags, copy_out};

/// Arrows, Home and End as the program asked for by DECCKM (mode ?1).
pub const ORCH_KEYS_APPLICATION_CURSOR: u32 = 1;
/// The keypad as the program asked for by DECKPAM.
pub const ORCH_KEYS_APPLICATION_KEYPAD: u32 = 2;
/// Return is followed by newline (LNM, mode 20).
pub const ORCH_KEYS_NEWLINE: u32 = 4;
/// Backspace sends 0x08 (DECBKM, mode ?67).
pub const ORCH_KEYS_BACKARROW: u32 = 8;
/// Keys that no control character stands for are reported with their modifiers (modifyOtherKeys 1).
pub const ORCH_KEYS_MODIFY_UNUSUAL: u32 = 16;
/// All keys with a modifier are (modifyOtherKeys 2).
pub const ORCH_KEYS_MODIFY_ALL: u32 = 32;
/// Alt sets the eighth bit of a character instead of sending ESC before it.
pub const ORCH_KEYS_ALT_EIGHTH_BIT: u32 = 64;

/// Gives the bytes that a key sends, as xterm does.
///
/// @param name   What is pressed, as people write it: "ctrl+c", "alt+left", "f5", "C-c", "é".
/// @param modes  ORCH_KEYS_ bits: what the program has asked for.
/// @param buf    Where to store the bytes; 32 are always enough.
/// @param cap    Room there, in bytes.
/// @param len    Where to store how many there are, also when they do not fit.
/// @return ORCH_OK; ORCH_NOT_FOUND when there is no such key; ORCH_TOO_SMALL; ORCH_INVALID; ORCH_NULL; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_key_encode(name: *const c_char, modes: u32, buf: *mut u8, cap: usize, len: *mut usize) -> OrchStatus {
    boundary(|| {
        // SAFETY: by the conventions.
        let name = unsafe { c_text(name, "name")? }.ok_or_else(|| Failure::null("name"))?;
        let press: KeyPress = name.parse().map_err(|error| Failure::of(ORCH_NOT_FOUND, &error))?;
        let bytes = press.encode(&key_modes(modes)?);
        // SAFETY: by the conventions.
        unsafe { copy_out(&bytes, buf, cap, len) }
    })
}

fn key_modes(modes: u32) -> Result<KeyModes, Failure> {
    check_flags(modes, 127, "modes")?;
    let has = |bit| modes & bit != 0;
    let modify_other_keys = match (has(ORCH_KEYS_MODIFY_UNUSUAL), has(ORCH_KEYS_MODIFY_ALL)) {
        (false, false) => ModifyOtherKeys::Off,
        (true, false) => ModifyOtherKeys::Unusual,
        (false, true) => ModifyOtherKeys::All,
        (true, true) => return Err(Failure::invalid("`modes` has both levels of modifyOtherKeys: choose one")),
    };
    Ok(KeyModes {
        application_cursor: has(ORCH_KEYS_APPLICATION_CURSOR),
        application_keypad: has(ORCH_KEYS_APPLICATION_KEYPAD),
        newline: has(ORCH_KEYS_NEWLINE),
        backarrow: has(ORCH_KEYS_BACKARROW),
        modify_other_keys,
        alt_sends_escape: !has(ORCH_KEYS_ALT_EIGHTH_BIT),
    })
}

/// The program asked for brackets around what is pasted (mode ?2004).
pub const ORCH_PASTE_BRACKETED: u32 = 1;

/// Makes pasted text safe to type: control characters are removed but for tab and the ends of lines, which become returns; so nothing in it
/// can act as a key, or leave the brackets.
///
/// @param data     The text.
/// @param len      Its length in bytes.
/// @param flags    ORCH_PASTE_BRACKETED or 0.
/// @param buf      Where to store the bytes to type; `len` + 12 are always enough.
/// @param cap      Room there, in bytes.
/// @param out_len  Where to store how many there are, also when they do not fit.
/// @param removed  Where to store how many control characters were removed: the text was not what it looked like, unless 0. May be NULL.
/// @return ORCH_OK; ORCH_TOO_SMALL; ORCH_INVALID; ORCH_NULL; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_paste_encode(
    data: *const u8,
    len: usize,
    flags: u32,
    buf: *mut u8,
    cap: usize,
    out_len: *mut usize,
    removed: *mut usize,
) -> OrchStatus {
    boundary(|| {
        check_flags(flags, ORCH_PASTE_BRACKETED, "flags")?;
        // SAFETY: by the conventions.
        unsafe {
            let pasted = paste(bytes(data, len, "data")?, flags & ORCH_PASTE_BRACKETED != 0);
            copy_out(&pasted.bytes, buf, cap, out_len)?;
            if !removed.is_null() {
                removed.write(pasted.removed);
            }
        }
        Ok(ORCH_OK)
    })
}

/// The input must be UTF-8.
pub const ORCH_INPUT_UTF8: u32 = 1;
/// It must have no control characters but tab, newline and return.
pub const ORCH_INPUT_TEXT: u32 = 2;

/// Judges input that a host does not trust, without changing a byte of it.
///
/// @param data       The input.
/// @param len        Its length in bytes.
/// @param flags      ORCH_INPUT_ bits: what it must be.
/// @param bytes_max  The most it may have, in bytes; 0: 8 MiB.
/// @return ORCH_OK; ORCH_INVALID when it is not so, and the message says what is wrong at which byte; ORCH_NULL; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_input_check(data: *const u8, len: usize, flags: u32, bytes_max: usize) -> OrchStatus {
    boundary(|| {
        // SAFETY: by the conventions.
        check(unsafe { bytes(data, len, "data")? }, flags, bytes_max)
    })
}

fn check(input: &[u8], flags: u32, bytes_max: usize) -> Answer {
    check_flags(flags, ORCH_INPUT_UTF8 | ORCH_INPUT_TEXT, "flags")?;
    let usual = InputRules::default();
    let mut gate = InputGate::new(InputRules {
        size_max_bytes: if bytes_max == 0 { usual.size_max_bytes } else { bytes_max },
        utf8: flags & ORCH_INPUT_UTF8 != 0,
        controls: if flags & ORCH_INPUT_TEXT != 0 { Controls::Text } else { Controls::All },
    });
    gate.check(input).map_err(|refused| Failure::of(ORCH_INVALID, &refused))?;
    if gate.is_mid_character() {
        return Err(Failure::invalid("the input ends within a character"));
    }
    Ok(ORCH_OK)
}
