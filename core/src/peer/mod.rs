//! Both ends of a connection as machines: bytes and what time it is go in, frames come out.
//!
//! Whoever has a transport that carries messages in order (a WebSocket, a Unix socket, two queues in a test) drives
//! one with a loop: hand over what came, send what [`poll_message`](server::ServerPeer::poll_message) gives, come back
//! at [`poll_timeout`](server::ServerPeer::poll_timeout). `docs/protocol.md` says what the frames mean.

pub mod client;
pub mod server;
