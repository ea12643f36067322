//! The C ABI of OrchFlow. `include/orchflow.h` is made from this crate, and says all that its users need to know.
//!
//! # Safety
//! Each exported function relies on what the header's conventions ask of its callers, and on nothing else: a handle is NULL or came from the
//! function that makes it and was not freed; a pointer to data is NULL or good for as many bytes as its length says; a text is NULL or ends with NUL; an
//! output is NULL or can be written; a sized struct says its true size. Blocks that use such a pointer say "by the conventions".
//!
//! # How a call runs
//! Its body stands in one [`boundary`](boundary::boundary), where panics end. [`handle`] turns a pointer into what it stands for, [`sized`] reads and fills
//! structs that may be older or newer than this library. What is not about C is the core's.

// The contract is the same for all of them, and stands above.
#![allow(clippy::missing_safety_doc)]

// ---- What C sees, in the order of the header ----

pub mod status;

pub mod failure;

pub mod values;
pub mod version;

pub mod hub;

pub mod event;

pub mod spawn;

pub mod session;

pub mod reader;
pub mod timer;

pub mod input;
pub mod metrics;

pub mod token;

pub mod server;

pub mod link;

pub mod batch;

pub mod outcome;
pub mod submission;

pub mod client;
pub mod client_event;
pub mod client_requests;

// ---- What it is made of ----

mod boundary;
mod callback;
mod handle;
mod lens;
mod log;
mod objects;
mod sized;
mod tasks;
mod view;
