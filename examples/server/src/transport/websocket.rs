//! Messages over a WebSocket.
//!
//! This drives `tungstenite` itself, which is pure, rather than through `tokio-tungstenite`: the limits must rise once a peer has proved who it is,
//! and only the former lets them. It also spares a layer of wakers.
//!
//! Deliberately absent: compression, which would cost memory per connection and be done anew for each viewer; frames of the protocol
//! are compressed inside, once.

use std::io::{self, ErrorKind};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::task::coop;
use tungstenite::error::ProtocolError;
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, Message};

use super::{LastWords, Socket, TransportError};
use crate::limits::{MESSAGE_MAX, MESSAGE_UNPROVED_MAX, READ_BUFFER, WRITE_BUFFER, WRITE_BUFFER_MAX};
use crate::quote::Quoted;
use crate::refusal::Refusal;

/// The reason in a close frame, in bytes: a control frame has 125, the code two of them.
const REASON_BYTES: usize = 123;

pub(super) struct WebSocket {
    inner: tungstenite::WebSocket<Socket<TcpStream>>,
    /// The limits are those of a proved peer.
    raised: bool,
    /// The last write did not leave whole, so the next waits for it.
    held_up: bool,
}

impl WebSocket {
    pub(super) fn new(socket: Socket<TcpStream>, read: &[u8]) -> WebSocket {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER)
            .max_write_buffer_size(WRITE_BUFFER_MAX)
            .max_message_size(Some(MESSAGE_UNPROVED_MAX))
            .max_frame_size(Some(MESSAGE_UNPROVED_MAX));
        let inner = tungstenite::WebSocket::from_partially_read(socket, read.to_vec(), Role::Server, Some(config));
        WebSocket { inner, raised: false, held_up: false }
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, TransportError>>> {
        loop {
            // A peer that floods must not keep the others waiting.
            let turn = ready!(coop::poll_proceed(cx));
            self.raise();
            match self.inner.read() {
                Ok(Message::Binary(message)) => {
                    turn.made_progress();
                    return Poll::Ready(Some(Ok(message)));
                }
                Ok(Message::Text(_)) => return Poll::Ready(Some(Err(TransportError::Refused(Refusal::Text)))),
                Ok(_) => turn.made_progress(), // A ping, or the peer's farewell; the next read sends the answer.
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                    // An answer that did not fit may be all that is left to send.
                    if let Poll::Ready(Err(error)) = self.poll_flush(cx) {
                        return Poll::Ready(Some(Err(error)));
                    }
                    ready!(self.inner.get_ref().poll_readable(cx))?;
                }
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => return Poll::Ready(None),
                Err(error) => return Poll::Ready(Some(Err(self.refuse(error)))),
            }
        }
    }

    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        if self.held_up { self.poll_flush(cx) } else { Poll::Ready(Ok(())) }
    }

    pub(super) fn start_send(&mut self, message: Bytes) -> Result<(), TransportError> {
        match self.inner.write(Message::Binary(message)) {
            // It was taken, and leaves when there is room.
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => self.held_up = true,
            Err(error) => return Err(self.refuse(error)),
            Ok(()) => {}
        }
        Ok(())
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        loop {
            match self.inner.flush() {
                Ok(()) | Err(Error::ConnectionClosed | Error::AlreadyClosed) => {
                    self.held_up = false;
                    return Poll::Ready(Ok(()));
                }
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => ready!(self.inner.get_ref().poll_writable(cx))?,
                Err(error) => return Poll::Ready(Err(self.refuse(error))),
            }
        }
    }

    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.say_goodbye(CloseCode::Normal, "")?;
        self.poll_flush(cx)
    }

    /// Sends the reason, and listens until the peer has gone.
    pub(super) async fn close(mut self, why: &LastWords) {
        if let Some(frame) = &why.frame {
            let _said = self.start_send(frame.clone()); // If not, the close frame says it.
        }
        let said = match &why.close {
            Some((code, text)) => self.say_goodbye(CloseCode::from(*code), text),
            None => self.say_goodbye(CloseCode::Normal, ""),
        };
        if said.is_ok() && std::future::poll_fn(|cx| self.poll_flush(cx)).await.is_ok() {
            let _gone = self.inner.get_mut().part(&[]).await;
        }
    }

    fn say_goodbye(&mut self, code: CloseCode, reason: &str) -> Result<(), TransportError> {
        let reason = &reason[..reason.floor_char_boundary(REASON_BYTES)];
        match self.inner.close(Some(CloseFrame { code, reason: reason.into() })) {
            Ok(()) | Err(Error::ConnectionClosed | Error::AlreadyClosed) => Ok(()),
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(self.refuse(error)),
        }
    }

    fn is_proved(&self) -> bool {
        self.inner.get_ref().standing().is_proved()
    }

    /// Raises the limits once the peer has proved who it is.
    fn raise(&mut self) {
        if !self.raised && self.is_proved() {
            self.raised = true;
            self.inner.set_config(|config| {
                config.max_message_size = Some(MESSAGE_MAX);
                config.max_frame_size = Some(MESSAGE_MAX);
            });
        }
    }

    fn refuse(&self, error: Error) -> TransportError {
        TransportError::Refused(match error {
            Error::Io(error) => return error.into(),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => return io::Error::from(ErrorKind::UnexpectedEof).into(),
            // Reading has found the end before. That something waited to be sent is not the peer's fault.
            Error::ConnectionClosed | Error::AlreadyClosed | Error::Protocol(ProtocolError::SendAfterClosing) => {
                return io::Error::from(ErrorKind::BrokenPipe).into();
            }
            Error::Capacity(_) => Refusal::message_long(self.is_proved()),
            error => Refusal::Malformed { what: Quoted::new(error.to_string().as_bytes()) },
        })
    }
}
