//! Somebody who speaks the protocol frame by frame, over either carrier, and as wrongly as a test wants.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use bytes::Bytes;
use orchflow_core::limits::FRAME_MAX;
use orchflow_core::protocol::frame::{Frame, FrameDecoder, Frames, StreamId};
use orchflow_core::protocol::handshake::{Nonce, Transcript};
use orchflow_core::protocol::message::{ErrorCode, Goodbye, Hello, Message, Output, Proof, Welcome};
use orchflow_core::protocol::negotiation::{Features, VERSIONS};
use orchflow_core::protocol::token::{Pass, Role, Token};

use crate::browser::WebSocket;
use crate::server::{PATIENCE, Server};

/// What carries the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    WebSocket,
    Unix,
}

pub(crate) const CARRIERS: [Carrier; 2] = [Carrier::WebSocket, Carrier::Unix];

enum Wire {
    WebSocket(WebSocket),
    Unix(UnixStream, FrameDecoder),
}

pub(crate) struct Speaker {
    wire: Wire,
    authority: String,
    token: Token,
    rest: VecDeque<Frame>,
    /// What the close frame of a WebSocket said.
    closed: Option<(u16, String)>,
}

/// How a connection ended.
#[derive(Debug)]
pub(crate) struct Parting {
    pub(crate) goodbye: Goodbye,
    /// The close frame's code and reason, over a WebSocket.
    pub(crate) close: Option<(u16, String)>,
}

impl Speaker {
    /// One who has said nothing yet.
    pub(crate) fn open(server: &Server, carrier: Carrier) -> Speaker {
        let (wire, authority) = match carrier {
            Carrier::WebSocket => (Wire::WebSocket(WebSocket::open(server)), server.host()),
            Carrier::Unix => {
                let stream = UnixStream::connect(server.socket()).expect("the server listens");
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.set_write_timeout(Some(PATIENCE)).unwrap();
                (Wire::Unix(stream, FrameDecoder::new(FRAME_MAX)), "unix".to_owned())
            }
        };
        let token = Token::from_text(&server.token).unwrap();
        Speaker { wire, authority, token, rest: VecDeque::new(), closed: None }
    }

    /// One who is in.
    pub(crate) fn inside(server: &Server, carrier: Carrier, role: Role) -> Speaker {
        let mut speaker = Speaker::open(server, carrier);
        speaker.enter(role);
        speaker
    }

    // ---- Saying ----

    /// Sends bytes as they are, in one message where there are messages. The server may be gone already: what it said is there to read.
    pub(crate) fn say(&mut self, bytes: &[u8]) {
        let _said = match &mut self.wire {
            Wire::WebSocket(socket) => socket.send(0x82, bytes),
            Wire::Unix(stream, _) => stream.write_all(bytes),
        };
    }

    /// The same over a WebSocket, in a frame with this first byte.
    pub(crate) fn say_as(&mut self, first: u8, bytes: &[u8]) {
        let Wire::WebSocket(socket) = &mut self.wire else { panic!("a Unix socket has no messages") };
        let _said = socket.send(first, bytes);
    }

    pub(crate) fn tell(&mut self, stream: u16, message: Message) -> Bytes {
        let bytes = on(stream, message);
        self.say(&bytes);
        bytes
    }

    /// Sends these again and again and reads nothing, until the server does not listen either or `bytes_max` have left. Returns how many did.
    pub(crate) fn flood(&mut self, bytes: &[u8], bytes_max: usize) -> usize {
        let frame = crate::browser::frame(0x82, bytes);
        let mut sent = 0;
        while sent < bytes_max {
            let written = match &mut self.wire {
                Wire::WebSocket(socket) => socket.0.write_all(&frame),
                Wire::Unix(stream, _) => stream.write_all(bytes),
            };
            match written {
                Ok(()) => sent += bytes.len(),
                Err(_) => break,
            }
        }
        sent
    }

    /// How long a write may wait for room.
    pub(crate) fn set_write_patience(&mut self, patience: std::time::Duration) {
        match &mut self.wire {
            Wire::WebSocket(socket) => socket.0.set_write_timeout(Some(patience)),
            Wire::Unix(stream, _) => stream.set_write_timeout(Some(patience)),
        }
        .unwrap();
    }

    // ---- Hearing ----

    /// The next frame; none once the connection is over. Answers pings by the way.
    pub(crate) fn hear(&mut self) -> Option<Frame> {
        loop {
            let Some(frame) = self.rest.pop_front() else {
                self.receive()?;
                continue;
            };
            match Message::decode(frame.clone()) {
                Ok(Some(Message::Ping { echo })) => drop(self.tell(0, Message::Pong { echo })),
                Ok(_) => return Some(frame),
                Err(error) => panic!("the server says what makes no sense: {error}"),
            }
        }
    }

    fn receive(&mut self) -> Option<()> {
        match &mut self.wire {
            Wire::WebSocket(socket) if self.closed.is_none() => match socket.message() {
                Ok(message) => self.rest.extend(Frames::new(message.into(), FRAME_MAX).map(|frame| frame.expect("whole frames"))),
                Err(closed) => self.closed = Some(closed),
            },
            Wire::WebSocket(_) => return None,
            Wire::Unix(stream, decoder) => {
                let mut bytes = [0; 16 << 10];
                match stream.read(&mut bytes).expect("the server says something or closes") {
                    0 => return None,
                    count => decoder.handle_bytes(&bytes[..count]),
                }
                while let Some(frame) = decoder.poll_frame().expect("frames") {
                    self.rest.push_back(frame);
                }
            }
        }
        Some(())
    }

    /// The next message that is no news of who watches, with its stream.
    pub(crate) fn message(&mut self) -> (u16, Message) {
        loop {
            let frame = self.hear().expect("a frame, and not the end");
            let stream = frame.stream.as_raw();
            match Message::decode(frame).unwrap() {
                Some(Message::Viewers(_)) | None => {}
                Some(message) => return (stream, message),
            }
        }
    }

    /// The next message that is no output or news about it; output is acknowledged.
    pub(crate) fn answer(&mut self) -> Message {
        loop {
            match self.message() {
                (stream, Message::Output(output)) => self.acknowledge(stream, &output),
                (_, Message::InputAck { .. } | Message::ProcessExited(_) | Message::Resized(_)) => {}
                (_, message) => return message,
            }
        }
    }

    pub(crate) fn acknowledge(&mut self, stream: u16, output: &Output) {
        self.tell(stream, Message::Ack { rendered: output.offset + output.bytes.len() as u64 });
    }

    /// Listens until the connection is over. The goodbye must be the last frame.
    pub(crate) fn parting(mut self) -> Parting {
        let mut last = None;
        while let Some(frame) = self.hear() {
            last = Message::decode(frame).unwrap();
        }
        match last {
            Some(Message::Goodbye(goodbye)) => Parting { goodbye: *goodbye, close: self.closed },
            other => panic!("no goodbye, but {other:?}"),
        }
    }

    // ---- Coming in ----

    /// Says Hello and hears the Challenge; returns both as they travelled.
    pub(crate) fn call(&mut self, hello: Hello) -> (Bytes, Bytes) {
        let hello = self.tell(0, Message::Hello(Box::new(hello)));
        let challenge = self.hear().expect("a challenge").to_bytes();
        self.hear().expect("the server's proof");
        (hello, challenge)
    }

    /// The proof that `pass` makes of a call.
    pub(crate) fn proof(&self, pass: &Pass, (hello, challenge): &(Bytes, Bytes)) -> Message {
        let seen = Transcript { authority: &self.authority, hello, challenge };
        Message::Proof(Box::new(Proof { mac: seen.client_proof(pass), resume: None }))
    }

    pub(crate) fn enter(&mut self, role: Role) -> Welcome {
        let call = self.call(hello(role));
        let proof = self.proof(&self.token.pass(role), &call);
        self.tell(0, proof);
        let (0, Message::Welcome(welcome)) = self.message() else { panic!("not let in") };
        *welcome
    }

    /// Shows that the connection lives and is listened to.
    pub(crate) fn is_served(&mut self) {
        self.tell(0, Message::Ping { echo: 77 });
        assert_eq!(self.answer(), Message::Pong { echo: 77 });
    }
}

pub(crate) fn hello(role: Role) -> Hello {
    Hello {
        versions: VERSIONS,
        role,
        nonce: Nonce::from_bytes([1; 32]),
        features: Features::known(),
        limits: Default::default(),
        agent: "test/1".into(),
        name: String::new(),
        client: None,
        instance: None,
        resume: Vec::new(),
    }
}

pub(crate) fn on(stream: u16, message: Message) -> Bytes {
    message.into_frame(StreamId::new(stream)).to_bytes()
}

/// How often the server refused for this reason by the protocol's rules.
pub(crate) fn refusals(server: &Server, code: ErrorCode) -> u64 {
    server.metric(&format!("terminal_protocol_refusals_total{{code=\"{code}\"}}"))
}
