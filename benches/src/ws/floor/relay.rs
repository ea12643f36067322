//! The loop itself: what is typed goes to the terminal, what the terminal says goes to the client.

use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::os::fd::AsFd;

use bytes::{Bytes, BytesMut};
use orchflow_core::limits::FRAME_MAX;
use orchflow_core::protocol::frame::{Frames, StreamId};
use orchflow_core::protocol::message::{Message, Output};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tungstenite::{Error, Message as Packet, WebSocket};

use super::door::Asked;
use crate::raw::pty::RawPty;

/// Runs what was asked for, until either side is gone.
pub(super) fn relay(mut socket: WebSocket<TcpStream>, asked: &Asked) -> io::Result<()> {
    let args: Vec<&str> = asked.spawn.args.iter().map(String::as_str).collect();
    let pty = RawPty::spawn(asked.spawn.program.as_deref().unwrap_or("sh"), &args)?;
    asked.answer(&mut socket)?;
    socket.get_ref().set_nonblocking(true)?;
    let mut relay = Relay { socket, pty, stream: asked.stream, offset: 0, typed: None, buffer: vec![0; 64 << 10] };
    loop {
        let mut fds = [PollFd::new(relay.socket.get_ref(), PollFlags::IN), PollFd::new(&relay.pty, PollFlags::IN)];
        poll(&mut fds, None)?;
        let [typed, said] = fds.each_ref().map(|fd| !fd.revents().is_empty());
        if typed {
            relay.take_messages()?;
        }
        if said {
            relay.take_output()?;
        }
    }
}

struct Relay {
    socket: WebSocket<TcpStream>,
    pty: RawPty,
    stream: StreamId,
    offset: u64,
    /// Input the terminal has taken and the client was not told of. It is told with the next output, in the same message.
    typed: Option<u64>,
    buffer: Vec<u8>,
}

impl Relay {
    fn take_messages(&mut self) -> io::Result<()> {
        loop {
            match self.socket.read() {
                Ok(Packet::Binary(message)) => self.take(message)?,
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }

    fn take(&mut self, message: Bytes) -> io::Result<()> {
        for frame in Frames::new(message, FRAME_MAX) {
            match Message::decode(frame.map_err(io::Error::other)?) {
                Ok(Some(Message::Input(input))) => {
                    rustix::io::write(&self.pty, &input.bytes)?; // A few bytes, which are taken whole.
                    self.typed = Some(input.sequence);
                }
                Ok(Some(Message::Ping { echo })) => {
                    let pong = Message::Pong { echo }.into_frame(StreamId::CONNECTION);
                    self.send(pong.to_bytes())?;
                }
                Ok(Some(Message::Goodbye(_))) => return Err(ErrorKind::UnexpectedEof.into()),
                _ => {} // Acknowledgements: TCP holds us back where they would.
            }
        }
        Ok(())
    }

    fn take_output(&mut self) -> io::Result<()> {
        let len = rustix::io::read(&self.pty, &mut self.buffer)?;
        let bytes = Bytes::copy_from_slice(&self.buffer[..len]);
        let output = Message::Output(Output { offset: self.offset, bytes, replay: false, more: false }).into_frame(self.stream);
        self.offset += len as u64;
        let mut message = BytesMut::with_capacity(output.encoded_len() + 16);
        if let Some(sequence) = self.typed.take() {
            Message::InputAck { sequence }.into_frame(self.stream).append_to(&mut message);
        }
        output.append_to(&mut message);
        self.send(message.freeze())
    }

    /// Sends one message whole.
    fn send(&mut self, message: Bytes) -> io::Result<()> {
        let mut sent = self.socket.send(Packet::Binary(message));
        while let Err(Error::Io(error)) = &sent
            && error.kind() == ErrorKind::WouldBlock
        {
            match poll(&mut [PollFd::from_borrowed_fd(self.socket.get_ref().as_fd(), PollFlags::OUT)], None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            sent = self.socket.flush();
        }
        sent.map_err(io::Error::other)
    }
}
