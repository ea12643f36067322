//! A lock-free log of one terminal's output: one writer, any number of readers, absolute offsets.
//!
//! * Offsets are `u64`, count bytes since the terminal opened, and never wrap or restart.
//! * The source writes **straight into** the tail segment ([`Writer::append_with`]); readers get [`Bytes`](bytes::Bytes)
//!   that share it. Nothing is copied between `read(2)` and a socket's `writev`.
//! * The newest `capacity` bytes are kept, nothing while the terminal is silent. A reader that asks for less recent
//!   ones is told exactly which it missed ([`Read::Gap`]).
//! * Appending, reading, pinning, evicting, acknowledging, parking and waking take no lock. Joining and leaving do.
//! * One wake per parked reader, not per chunk: a reader that is not waiting costs the writer one load.
//!
//! Deliberately absent: UTF-8 and escape sequences (a read may cut either), and any decision about when
//! to stop reading a terminal (see [`crate::flow`]).
//!
//! # Examples
//! ```
//! use orchflow_core::ring::{Mode, Pool, Read, Reader, Wakes, writer};
//!
//! let pool = Pool::new(1 << 20);
//! let mut log = writer(&pool, 64 << 10);
//! let mut reader = Reader::new(&log, Mode::Owner, 0);
//! log.append(&mut Wakes::new(), b"hello");
//! assert_eq!(reader.try_read(1024), Read::Chunk { at: 0, bytes: "hello".into() });
//! assert_eq!(reader.try_read(1024), Read::Pending);
//! drop(log);
//! assert_eq!(reader.try_read(1024), Read::End);
//! ```
#![cfg_attr(all(orchflow_loom, not(test)), allow(dead_code))] // Then there is nobody but the models.

mod cursor;
mod descriptors;
mod log;
#[cfg(all(test, orchflow_loom))]
mod models;
mod order;
mod pool;
#[cfg(not(orchflow_loom))]
mod reader;
mod seat;
mod seats;
mod segment;
mod sync;
#[cfg(all(test, not(orchflow_loom)))]
mod tests;
mod wakes;
mod writer;

pub use pool::Pool;
#[cfg(not(orchflow_loom))]
pub use reader::{Read, Reader};
pub use seat::{Mode, Standing};
pub use segment::{Buffer, Storage};
pub use wakes::Wakes;
pub use writer::{PoolSpent, Writer};

/// A log that keeps the newest `capacity` bytes (at least one page), its memory from `pool`.
#[cfg(not(orchflow_loom))]
pub fn writer(pool: &std::sync::Arc<Pool>, capacity: usize) -> Writer {
    let capacity = capacity.max(pool::SIZES[0]);
    // A history of few large segments would come and go in leaps, so a segment is at most an eighth of it.
    let sizes = pool::SIZES.into_iter().filter(|&size| size <= (capacity / 8).max(pool::SIZES[0])).collect();
    let geometry = writer::Geometry { capacity, sizes, room_min: pool::SIZES[0] };
    Writer::with_geometry(geometry, std::sync::Arc::clone(pool))
}
