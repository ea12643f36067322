//! The unpackers: whatever comes, they give as many bytes as were announced, or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)] // The rest is for the other targets.
#[path = "../../core/tests/peers/rig.rs"]
mod rig;

fuzz_target!(|input: &[u8]| rig::unpackers_take(input));
