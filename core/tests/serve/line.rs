//! A transport in memory, and who speaks over it, frame by frame.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::channel::mpsc;
use futures::{Sink, SinkExt, Stream, StreamExt};
use orchflow_core::hub::Hub;
use orchflow_core::hub::serve::{Framing, Service, ServiceOptions, Transport};
use orchflow_core::limits::FRAME_MAX;
use orchflow_core::protocol::frame::{Frame, Frames, StreamId};
use orchflow_core::protocol::handshake::{Nonce, Transcript};
use orchflow_core::protocol::message::{ClientLimits, ErrorCode, Hello, Message, Proof, Welcome};
use orchflow_core::protocol::negotiation::{Features, VERSIONS};
use orchflow_core::protocol::token::{Role, Token};
use orchflow_core::pty::Command;
use orchflow_core::pty::scripted::{Script, ScriptedPtys};

use crate::shapes;

pub(crate) const AUTHORITY: &str = "127.0.0.1:7681";

/// Messages in memory.
pub(crate) struct Wire {
    incoming: mpsc::UnboundedReceiver<Bytes>,
    outgoing: mpsc::UnboundedSender<Bytes>,
}

impl Stream for Wire {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        self.incoming.poll_next_unpin(cx).map(|bytes| bytes.map(Ok))
    }
}

impl Sink<Bytes> for Wire {
    type Error = io::Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.poll_ready_unpin(cx).map_err(io::Error::other)
    }

    fn start_send(mut self: Pin<&mut Self>, bytes: Bytes) -> io::Result<()> {
        self.outgoing.start_send_unpin(bytes).map_err(io::Error::other)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.close_channel();
        Poll::Ready(Ok(()))
    }
}

impl Transport for Wire {
    fn framing(&self) -> Framing {
        Framing::Messages
    }

    fn set_message_max(&mut self, bytes: usize) {
        assert_eq!(bytes, FRAME_MAX);
    }
}

/// The other end, and the frames that came together.
pub(crate) struct Line {
    pub(crate) outgoing: mpsc::UnboundedSender<Bytes>,
    pub(crate) incoming: mpsc::UnboundedReceiver<Bytes>,
    rest: Vec<Frame>,
}

pub(crate) fn wire() -> (Wire, Line) {
    let ((to_server, from_client), (to_client, from_server)) = (mpsc::unbounded(), mpsc::unbounded());
    let line = Line { outgoing: to_server, incoming: from_server, rest: Vec::new() };
    (Wire { incoming: from_client, outgoing: to_client }, line)
}

impl Line {
    pub(crate) fn send(&self, stream: u16, message: Message) -> Bytes {
        let bytes = message.into_frame(StreamId::new(stream)).to_bytes();
        self.outgoing.unbounded_send(bytes.clone()).unwrap();
        bytes
    }

    pub(crate) async fn frame(&mut self) -> Frame {
        while self.rest.is_empty() {
            let message = self.incoming.next().await.expect("a frame, and not the end");
            shapes::hold_all(&message);
            self.rest = Frames::new(message, FRAME_MAX).map(Result::unwrap).collect();
            self.rest.reverse();
        }
        self.rest.pop().unwrap()
    }

    pub(crate) async fn message(&mut self) -> (u16, Message) {
        let frame = self.frame().await;
        (frame.stream.as_raw(), Message::decode(frame).unwrap().unwrap())
    }

    /// Comes in, or fails as the server says.
    pub(crate) async fn enter(&mut self, token: &Token, hello: Hello) -> Result<Welcome, ErrorCode> {
        let pass = token.pass(hello.role);
        let secret = None;
        self.enter_with(&pass, hello, secret).await
    }

    pub(crate) async fn enter_with(
        &mut self,
        pass: &orchflow_core::protocol::token::Pass,
        hello: Hello,
        before: Option<&Welcome>,
    ) -> Result<Welcome, ErrorCode> {
        let hello = self.send(0, Message::Hello(Box::new(hello)));
        let challenge = self.frame().await;
        if let Some(Message::Goodbye(goodbye)) = Message::decode(challenge.clone()).unwrap() {
            return Err(goodbye.code);
        }
        let challenge = challenge.to_bytes();
        let seen = Transcript { authority: AUTHORITY, hello: &hello, challenge: &challenge };
        let (_, Message::Proof(proof)) = self.message().await else { panic!("no proof") };
        if proof.mac != seen.server_proof(pass) {
            eprintln!("the server does not hold this pass");
        }
        let resume = before.map(|welcome| seen.resume_proof(&welcome.secret));
        self.send(0, Message::Proof(Box::new(Proof { mac: seen.client_proof(pass), resume })));
        match self.message().await {
            (0, Message::Welcome(welcome)) => Ok(*welcome),
            (0, Message::Goodbye(goodbye)) => Err(goodbye.code),
            other => panic!("{other:?}"),
        }
    }

    /// Collects output of `stream` until it has `count` bytes.
    pub(crate) async fn output(&mut self, stream: u16, count: usize) -> Vec<u8> {
        let mut text = Vec::new();
        while text.len() < count {
            match self.message().await {
                (on, Message::Output(output)) if on == stream => text.extend_from_slice(&output.bytes),
                (_, Message::InputAck { .. } | Message::Viewers(_) | Message::ProcessExited(_)) => {}
                other => panic!("{other:?}"),
            }
        }
        text
    }
}

pub(crate) fn hello(role: Role) -> Hello {
    Hello {
        versions: VERSIONS,
        role,
        nonce: Nonce::from_bytes([1; 32]),
        features: Features::known(),
        limits: ClientLimits::default(),
        agent: "test/1".into(),
        name: "tester".into(),
        client: None,
        instance: None,
        resume: Vec::new(),
    }
}

pub(crate) fn token() -> Token {
    Token::from_bytes([7; 32])
}

pub(crate) fn service() -> (Hub, Service) {
    let ptys =
        ScriptedPtys::new().with("cat", Script::new().raw().print("ready").cat()).with("hello", Script::new().raw().print("hello").exit(7));
    let hub = Hub::builder().backend(Arc::new(ptys)).events().threaded().unwrap();
    let options = ServiceOptions { command: Command::new("cat"), ..ServiceOptions::default() };
    let service = Service::new(&hub, token(), options).unwrap();
    (hub, service)
}
