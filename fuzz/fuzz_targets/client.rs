//! The client's machine: whatever a server sends, it neither panics nor waits, and shows every byte once or not at all.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)] // Half of it is for the server's target.
#[path = "../../core/tests/peers/rig.rs"]
mod rig;

fuzz_target!(|input: &[u8]| rig::client_takes(input));
