//! The machines of `resilience`: what they promise whatever comes, and what they do to the bit, for the tests of every language.
//!
//! `core/testdata/resilience` is compared with what this crate makes; `ORCHFLOW_WRITE_FRAMES=1 cargo test --package orchflow-core --test
//! resilience` writes it anew.

mod laws;
mod vectors;
