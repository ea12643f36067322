//! The wire format as others see it: golden frames, malformed ones, and a specification that is held to both.
//!
//! The files under `core/testdata/frames` are read by the tests of every language. Here they are compared byte by byte with
//! what this crate makes; `ORCHFLOW_WRITE_FRAMES=1 cargo test --package orchflow-core --test wire` writes them anew. A frame of a
//! released version never changes: look at the difference before you commit it.

mod cddl;
mod files;
mod golden;
mod hostile;
mod malformed;
mod packed;
mod proofs;
mod round_trips;
mod samples;
mod specification;
