//! The server's machine: whatever a peer sends, it neither panics nor waits, and lets nobody in who has proved nothing.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)] // Half of it is for the client's target.
#[path = "../../core/tests/peers/rig.rs"]
mod rig;

fuzz_target!(|input: &[u8]| rig::server_takes(input));
