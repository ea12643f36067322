//! Stands between a client and the server, and cuts what passes at the worst moments.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use bytes::{Bytes, BytesMut};
use orchflow_core::limits::FRAME_MAX;
use orchflow_core::protocol::frame::Frames;
use orchflow_core::protocol::kind::Kind;

use crate::server::PATIENCE;

/// When a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// After so many bytes to the client: mostly within a frame, and in the handshake where they are few.
    Down(usize),
    /// After so many bytes to the server: mostly within a frame.
    Up(usize),
    /// After so many bytes to the client, and as many more as the server says that never arrive.
    Lost(usize, usize),
    /// Where the client would hear that its input was accepted: so often it does, and then it does not.
    BeforeInputAck(usize),
}

/// A proxy, until it is dropped.
pub(crate) struct Proxy {
    pub(crate) at: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    plan: Mutex<VecDeque<Cut>>,
    /// Those that were made.
    made: Mutex<Vec<Cut>>,
    /// Nobody is let through.
    is_down: AtomicBool,
    is_over: AtomicBool,
    refused: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// To the server on `port`, for now in one piece.
    pub(crate) fn start(port: u16) -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let at = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let proxy = Proxy { at, shared: Arc::clone(&shared) };
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if shared.is_over.load(Ordering::SeqCst) {
                    return;
                }
                if shared.is_down.load(Ordering::SeqCst) {
                    shared.refused.fetch_add(1, Ordering::SeqCst);
                    continue;
                }
                let _ = shared.pass(client, port); // The server may be gone already, or the client.
            }
        });
        proxy
    }

    /// Cuts everybody off. Each connection from now on suffers the next cut of `plan`; those after the last are whole.
    pub(crate) fn cut(&self, plan: Vec<Cut>) {
        *self.shared.plan.lock().unwrap() = plan.into();
        self.break_all();
    }

    /// The cuts that were made.
    pub(crate) fn made(&self) -> Vec<Cut> {
        self.shared.made.lock().unwrap().clone()
    }

    /// Cuts everybody off, and lets nobody through until [`mend`](Proxy::mend).
    pub(crate) fn go_down(&self) {
        self.shared.is_down.store(true, Ordering::SeqCst);
        self.break_all();
    }

    /// Lets everybody through again; returns how many were not meanwhile.
    pub(crate) fn mend(&self) -> usize {
        self.shared.is_down.store(false, Ordering::SeqCst);
        self.shared.refused.swap(0, Ordering::SeqCst)
    }

    fn break_all(&self) {
        self.shared.open.lock().unwrap().drain(..).for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        self.go_down();
        drop(TcpStream::connect(self.at)); // The listener looks once more.
    }
}

impl Shared {
    /// Starts to pass a connection on, in both directions.
    fn pass(self: &Arc<Self>, client: TcpStream, port: u16) -> io::Result<()> {
        let server = TcpStream::connect(("127.0.0.1", port))?;
        for stream in [&client, &server] {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            self.open.lock().unwrap().push(stream.try_clone()?);
        }
        let cut = self.plan.lock().unwrap().pop_front();
        let up = Way { from: client.try_clone()?, to: server.try_clone()?, shared: Arc::clone(self) };
        let down = Way { from: server, to: client, shared: Arc::clone(self) };
        thread::spawn(move || up.pass(cut.filter(|cut| matches!(cut, Cut::Up(_)))));
        thread::spawn(move || down.pass(cut.filter(|cut| !matches!(cut, Cut::Up(_)))));
        Ok(())
    }
}

/// One direction of a connection.
struct Way {
    from: TcpStream,
    to: TcpStream,
    shared: Arc<Shared>,
}

impl Way {
    /// Passes on what comes until one side ends, or `cut`.
    fn pass(mut self, cut: Option<Cut>) {
        let passed = match cut {
            None => self.copy(usize::MAX, true),
            Some(Cut::Down(bytes) | Cut::Up(bytes)) => self.copy(bytes, true),
            Some(Cut::Lost(bytes, lost)) => self.copy(bytes, true).and_then(|whole| if whole { self.copy(lost, false) } else { Ok(false) }),
            Some(Cut::BeforeInputAck(heard)) => self.copy_to_ack(heard),
        };
        if let Some(cut) = cut {
            match passed {
                Ok(true) => self.shared.made.lock().unwrap().push(cut),
                _ => self.shared.plan.lock().unwrap().push_front(cut), // One side had ended before; the next suffers it.
            }
        }
        for stream in [&self.from, &self.to] {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Copies so many bytes, or only takes them. Whether all of them came before the end.
    fn copy(&mut self, mut left: usize, arrives: bool) -> io::Result<bool> {
        let mut bytes = [0; 16 << 10];
        while left > 0 {
            let wanted = left.min(bytes.len());
            let count = self.from.read(&mut bytes[..wanted])?;
            if count == 0 {
                return Ok(false);
            }
            if arrives {
                self.to.write_all(&bytes[..count])?;
            }
            left -= count;
        }
        Ok(true)
    }

    /// Copies message after message, to the one that would tell the client once more than `heard` times that its input was accepted.
    fn copy_to_ack(&mut self, mut heard: usize) -> io::Result<bool> {
        let mut came = BytesMut::new();
        // The answer to the request for a WebSocket.
        while !came.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.from.read_exact(&mut byte)?;
            came.extend_from_slice(&byte);
        }
        self.to.write_all(&came)?;
        loop {
            let mut head = vec![0; 2];
            self.from.read_exact(&mut head)?;
            let more = [(126, 2), (127, 8)].iter().find(|(mark, _)| *mark == head[1]).map_or(0, |(_, more)| *more);
            head.resize(2 + more, 0);
            self.from.read_exact(&mut head[2..])?;
            let length = match more {
                0 => usize::from(head[1]),
                _ => head[2..].iter().fold(0, |length, byte| length << 8 | usize::from(*byte)),
            };
            assert!(length <= FRAME_MAX, "the server sent a message of {length} bytes");
            let mut message = vec![0; length];
            self.from.read_exact(&mut message)?;
            let message = Bytes::from(message);
            let is_binary = head[0] & 0xf == 2;
            if is_binary
                && Frames::new(message.clone(), FRAME_MAX).any(|frame| frame.is_ok_and(|frame| frame.kind == Kind::InputAck.code()))
            {
                if heard == 0 {
                    return Ok(true);
                }
                heard -= 1;
            }
            self.to.write_all(&head)?;
            self.to.write_all(&message)?;
        }
    }
}
