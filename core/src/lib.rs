//! Real terminals for programs, at the kernel's own speed, with no runtime required.
#![deny(unsafe_code)]

pub mod id;
pub mod input;
pub mod limits;
pub mod metrics;
pub mod pty;
pub mod ring;
pub mod size;
pub mod time;
