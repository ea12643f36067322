//! Real terminals for programs, at the kernel's own speed, with no runtime required.
//!
//! A [`Hub`](hub::Hub) owns terminals, their processes and timers, and shows its host **one readable descriptor**. When it is readable, the
//! host calls [`dispatch`](hub::Hub::dispatch); that is the whole contract, so the engine runs inside any event loop, any
//! async runtime, or a plain thread.
//!
//! # A first session
//! ```
//! use orchflow_core::{hub::{Hub, Output}, pty::Command, session::SessionOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hub = Hub::new()?;
//! hub.block_on(async {
//!     let shell = hub.spawn(&Command::new("sh"), SessionOptions::default())?;
//!     let mut reader = shell.reader();
//!     shell.write(b"echo $((6 * 7)); exit\n")?;
//!     let mut text = Vec::new();
//!     while let Output::Chunk { bytes, .. } = reader.read().await {
//!         text.extend_from_slice(&bytes);
//!     }
//!     assert!(text.windows(2).any(|two| two == b"42"));
//!     Ok(())
//! })?
//! # }
//! ```
//!
//! # What it promises
//! 1. **Every byte, once, in order**, to a lossless reader; a lossy one is told each [gap](hub::Output::Gap) exactly.
//! 2. **The exit comes last**, after the last byte; or after a bounded wait for something the process left behind, and then
//!    [says so](pty::Exit::orphaned).
//! 3. **A keystroke waits for nobody**: no delay on an idle path, and input is one `write(2)` on the caller's thread.
//! 4. **Everything is bounded**, and each bound has a name in [`limits`].
//! 5. **No runtime, no hidden thread**, and not one wake-up while idle.
//! 6. **What comes from outside never panics**: it is an error with what, where and how to mend it.
//!
//! # The layers
//! Each module uses only those below it.
//! ```text
//!   hub        the driver: one descriptor, turns, timers, events, futures     runtime   the door to a runtime
//!   peer host  both ends of a connection as machines, and what a server's connections share
//!   protocol   frames and messages between a client and a server
//!   session    one terminal as a machine: input, output, sizes, its end
//!   pty        the door to terminals: the kernel's, or scripted ones
//!   flow batch when a terminal is read: credit and watermarks; when a viewer's output is sent, and how much of it
//!   ring       the output log: lock-free, shared without a copy              input     keys, pastes, validation
//!   pack       output made smaller on its way, where that pays
//!   size  metrics  resilience  time  id  limits
//! ```
#![deny(unsafe_code)]

pub mod batch;
pub mod flow;
#[cfg(not(orchflow_loom))] // The models see nothing above the ring.
pub mod host;
#[cfg(not(orchflow_loom))]
pub mod hub;
pub mod id;
pub mod input;
pub mod limits;
pub mod metrics;
#[cfg(not(orchflow_loom))]
pub mod pack;
#[cfg(not(orchflow_loom))]
pub mod peer;
#[cfg(not(orchflow_loom))]
pub mod protocol;
pub mod pty;
pub mod resilience;
pub mod ring;
pub mod runtime;
#[cfg(not(orchflow_loom))]
pub mod session;
pub mod size;
pub mod time;
