//! One connection: messages of a WebSocket, or the bytes of a Unix socket.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use orchflow_core::limits::FRAME_MAX;
use orchflow_core::peer::client::ClientPeer;
use orchflow_core::protocol::frame::FrameDecoder;
use orchflow_core::time::Time;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, Message, WebSocket};

use super::Address;

/// How long a server may take to answer the request for a WebSocket.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// Read, or kept for writing, at a time. The defaults of the library are 128 KiB.
const BUFFER: usize = 16 << 10;

/// Messages taken before the host has its turn again.
const MESSAGES_A_TURN: usize = 64;

pub(super) enum Link {
    Messages {
        socket: WebSocket<TcpStream>,
        /// What was written has not left whole, so nothing is written behind it.
        held_up: bool,
    },
    Bytes {
        socket: UnixStream,
        decoder: FrameDecoder,
        waiting: BytesMut,
    },
}

impl Link {
    /// Waits for the other side to answer.
    pub(super) fn dial(address: &Address) -> io::Result<Link> {
        match address {
            Address::WebSocket { at, authority } => {
                let stream = TcpStream::connect_timeout(at, ANSWER_WAIT)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(ANSWER_WAIT))?;
                let config = WebSocketConfig::default()
                    .read_buffer_size(BUFFER)
                    .write_buffer_size(BUFFER)
                    .max_message_size(Some(FRAME_MAX))
                    .max_frame_size(Some(FRAME_MAX));
                let request = format!("ws://{authority}/ws");
                let answered = tungstenite::client::client_with_config(request, stream, Some(config));
                let (socket, _) = answered.map_err(|error| io::Error::other(error.to_string()))?;
                socket.get_ref().set_nonblocking(true)?;
                Ok(Link::Messages { socket, held_up: false })
            }
            Address::Unix(path) => {
                let socket = UnixStream::connect(path)?;
                socket.set_nonblocking(true)?;
                Ok(Link::Bytes { socket, decoder: FrameDecoder::new(FRAME_MAX), waiting: BytesMut::new() })
            }
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Link::Messages { socket, .. } => socket.get_ref().as_fd(),
            Link::Bytes { socket, .. } => socket.as_fd(),
        }
    }

    pub(super) fn is_held_up(&self) -> bool {
        match self {
            Link::Messages { held_up, .. } => *held_up,
            Link::Bytes { waiting, .. } => !waiting.is_empty(),
        }
    }

    /// Hands over what has come. An error is the end of the link.
    pub(super) fn receive(&mut self, peer: &mut ClientPeer, now: Time) -> io::Result<()> {
        match self {
            Link::Messages { socket, .. } => {
                for _ in 0..MESSAGES_A_TURN {
                    match socket.read() {
                        Ok(Message::Binary(message)) => peer.handle_message(message, now),
                        Ok(_) => {} // A ping, or the farewell: the next read answers it.
                        Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                        Err(error) => return Err(io::Error::other(error)),
                    }
                }
                Ok(())
            }
            Link::Bytes { socket, decoder, .. } => {
                let mut bytes = [0; BUFFER];
                match socket.read(&mut bytes) {
                    Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                    Ok(count) => decoder.handle_bytes(&bytes[..count]),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                    Err(error) => return Err(error),
                }
                loop {
                    decoder.set_frame_max(peer.frame_max());
                    match decoder.poll_frame() {
                        Ok(Some(frame)) => peer.handle_frame(frame, now),
                        Ok(None) => return Ok(()),
                        Err(error) => {
                            peer.handle_garbage(error, now);
                            return Ok(());
                        }
                    }
                }
            }
        }
    }

    /// Writes what waits, as far as there is room. An error is the end of the link.
    pub(super) fn send(&mut self, peer: &mut ClientPeer) -> io::Result<()> {
        match self {
            Link::Messages { socket, held_up } => {
                while !*held_up {
                    let Some(frame) = peer.poll_frame() else { break };
                    *held_up = is_late(socket.write(Message::Binary(frame.to_bytes())))?;
                }
                *held_up = is_late(socket.flush())?;
                Ok(())
            }
            Link::Bytes { socket, waiting, .. } => loop {
                while waiting.len() < BUFFER
                    && let Some(frame) = peer.poll_frame()
                {
                    frame.append_to(waiting);
                }
                if waiting.is_empty() {
                    return Ok(());
                }
                match socket.write(waiting) {
                    Ok(count) => waiting.advance(count),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                    Err(error) => return Err(error),
                }
            },
        }
    }
}

/// Whether what was written has to wait for room.
fn is_late(written: Result<(), Error>) -> io::Result<bool> {
    match written {
        Ok(()) => Ok(false),
        Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => Ok(true),
        Err(error) => Err(io::Error::other(error)),
    }
}
