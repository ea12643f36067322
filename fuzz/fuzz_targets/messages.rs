//! The message decoder: whatever comes is a message or an error, and a message said again means the same.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)] // The rest is for the other targets.
#[path = "../../core/tests/peers/rig.rs"]
mod rig;

fuzz_target!(|input: &[u8]| rig::messages_take(input));
