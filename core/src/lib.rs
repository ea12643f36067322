//! Real terminals for programs, at the kernel's own speed, with no runtime required.
#![deny(unsafe_code)]

pub mod flow;
#[cfg(not(orchflow_loom))] // The models see nothing above the ring.
pub mod hub;
pub mod id;
pub mod input;
pub mod limits;
pub mod metrics;
pub mod pty;
pub mod ring;
pub mod runtime;
#[cfg(not(orchflow_loom))]
pub mod session;
pub mod size;
pub mod time;
