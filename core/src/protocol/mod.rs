//! What travels between a client and a server: frames, messages, and how the two begin.
//!
//! All of it is pure: bytes and nonces come in as arguments, values and bytes go out. `docs/protocol.md` specifies the protocol
//! in full, `core/protocol.cddl` the bodies, and `core/testdata/frames` holds frames that every client in every
//! language must read alike.
//!
//! - [`frame`]: a header of 16 bytes and a body; out of messages or out of a byte stream.
//! - [`kind`] and [`message`]: what frames mean.
//! - [`cbor`]: the narrow kind of CBOR that control messages are made of.
//! - [`negotiation`]: versions, features, and nonsense on purpose.
//! - [`label`]: names and titles, fit to be shown to others.
//! - [`token`] and [`handshake`]: who may come in, proved without showing it.
//!
//! Bytes from a peer never panic here, and nothing is allocated because a peer announced it: see each limit in
//! [`crate::limits`].
//!
//! # A frame's way
//! ```
//! use orchflow_core::protocol::{frame::{Frames, StreamId}, message::{Message, Output}};
//!
//! let output = Output { offset: 0, bytes: "$ ".into(), replay: false, more: false };
//! let frame = Message::Output(output.clone()).into_frame(StreamId::new(1));
//! let message = frame.to_bytes(); // Or a vectored write of `frame.head()` and `frame.body`, without the copy.
//!
//! for frame in Frames::new(message, 1 << 20) {
//!     assert_eq!(Message::decode(frame?)?, Some(Message::Output(output.clone())));
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Deliberately absent: who may say what when. That is for the machines of both ends, which stand on top of this.

mod blob;
pub mod cbor;
mod fixed;
pub mod frame;
pub mod handshake;
pub mod kind;
pub mod label;
pub mod message;
mod names;
pub mod negotiation;
pub mod token;
