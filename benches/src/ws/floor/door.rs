//! How a client comes in: the same handshake as the server's, so that the same client can speak to both. Not measured, but for
//! [`upgrade_all`].

use std::io;
use std::net::{TcpListener, TcpStream};

use bytes::Bytes;
use orchflow_core::limits::FRAME_MAX;
use orchflow_core::protocol::frame::{Frame, Frames, StreamId};
use orchflow_core::protocol::handshake::{Nonce, Transcript};
use orchflow_core::protocol::message::{Challenge, ClientId, InstanceId, Message, Proof, ServerLimits, Spawn, Spawned, Welcome};
use orchflow_core::protocol::negotiation::{Features, VERSIONS};
use orchflow_core::protocol::token::{Pass, ResumeSecret};
use orchflow_core::size::Size;
use rustix::rand::{GetRandomFlags, getrandom};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Message as Packet, WebSocket};

/// Accepts a WebSocket, lets the holder of `pass` in and hears what it wants to run.
pub(super) fn enter(stream: TcpStream, authority: &str, pass: &Pass) -> io::Result<(WebSocket<TcpStream>, Asked)> {
    stream.set_nodelay(true)?;
    let mut socket = tungstenite::accept_with_config(stream, Some(small_buffers())).map_err(|error| io::Error::other(error.to_string()))?;
    let mut frames = Inbox::default();

    let hello_frame = frames.next(&mut socket)?;
    let Message::Hello(hello) = meaning(hello_frame.clone())? else { return Err(confused()) };
    let features = Features::known().agree(&hello.features).clone();
    let version = VERSIONS.common(hello.versions).map_err(io::Error::other)?;
    let nonce = Nonce::from_bytes(random()?);
    let challenge = Challenge { version, nonce, instance: InstanceId::from_bytes(random()?), features };
    let challenge = Message::Challenge(Box::new(challenge)).into_frame(StreamId::CONNECTION).to_bytes();
    let seen = Transcript { authority, hello: &hello_frame.to_bytes(), challenge: &challenge };
    send(&mut socket, challenge.clone())?;
    tell(&mut socket, StreamId::CONNECTION, Message::Proof(Box::new(Proof { mac: seen.server_proof(pass), resume: None })))?;

    match meaning(frames.next(&mut socket)?)? {
        Message::Proof(proof) if proof.mac == seen.client_proof(pass) => {}
        _ => return Err(confused()),
    }
    let welcome = Welcome {
        client: ClientId::from_bytes(random()?),
        secret: ResumeSecret::from_bytes(random()?),
        role: pass.role(),
        resumed: false,
        limits: ServerLimits::default(),
        agent: String::new(),
    };
    tell(&mut socket, StreamId::CONNECTION, Message::Welcome(Box::new(welcome)))?;
    loop {
        let frame = frames.next(&mut socket)?;
        let stream = frame.stream;
        if let Ok(Some(Message::Spawn(spawn))) = Message::decode(frame) {
            return Ok((socket, Asked { stream, spawn: *spawn }));
        }
    }
}

/// What to run, and on which stream it was asked for.
pub(super) struct Asked {
    pub(super) stream: StreamId,
    pub(super) spawn: Spawn,
}

impl Asked {
    /// It runs.
    pub(super) fn answer(&self, socket: &mut WebSocket<TcpStream>) -> io::Result<()> {
        let size = Size::default();
        let spawned = Spawned { number: self.spawn.number, session: 1, pid: None, size, replies: false };
        tell(socket, self.stream, Message::Spawned(spawned))
    }
}

/// Upgrades one connection after the other, and lets go of each.
pub(super) fn upgrade_all(listener: &TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        drop(tungstenite::accept_with_config(stream, Some(small_buffers())));
    }
}

/// Frames of messages that have come.
#[derive(Default)]
struct Inbox(std::collections::VecDeque<Frame>);

impl Inbox {
    fn next(&mut self, socket: &mut WebSocket<TcpStream>) -> io::Result<Frame> {
        loop {
            if let Some(frame) = self.0.pop_front() {
                return Ok(frame);
            }
            if let Packet::Binary(message) = socket.read().map_err(io::Error::other)? {
                let frames: Result<Vec<Frame>, _> = Frames::new(message, FRAME_MAX).collect();
                self.0.extend(frames.map_err(io::Error::other)?);
            }
        }
    }
}

fn meaning(frame: Frame) -> io::Result<Message> {
    Message::decode(frame).map_err(io::Error::other)?.ok_or_else(confused)
}

fn tell(socket: &mut WebSocket<TcpStream>, stream: StreamId, message: Message) -> io::Result<()> {
    send(socket, message.into_frame(stream).to_bytes())
}

fn send(socket: &mut WebSocket<TcpStream>, message: Bytes) -> io::Result<()> {
    socket.send(Packet::Binary(message)).map_err(io::Error::other)
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom(&mut bytes, GetRandomFlags::empty())?;
    Ok(bytes)
}

fn confused() -> io::Error {
    io::Error::other("the client does not speak as expected")
}

/// As the server's: with the library's own of 128 KiB a floor would not be one.
pub(crate) fn small_buffers() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(4 << 10).write_buffer_size(0)
}
