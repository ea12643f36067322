//! Both frame decoders: whatever comes, they agree, and what they took for a frame has those bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)] // The rest is for the other targets.
#[path = "../../core/tests/peers/rig.rs"]
mod rig;

fuzz_target!(|input: &[u8]| rig::decoders_take(input));
