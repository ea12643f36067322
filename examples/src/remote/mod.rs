//! A client of a server elsewhere: the engine's client machine, with hands.
//!
//! Sockets of the standard library, `poll(2)`, and no thread: what a host with a loop of its own needs. It waits for [`Remote::fd`]
//! beside whatever else it waits for, and calls [`Remote::turn`].

mod link;

use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use orchflow_core::peer::client::{ClientOptions, ClientPeer, Event};
use orchflow_core::protocol::token::Pass;
use orchflow_core::time::Time;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::rand::{GetRandomFlags, getrandom};

use link::Link;

/// Where a server is.
#[derive(Clone, Debug)]
pub enum Address {
    /// Its WebSocket.
    WebSocket {
        /// Where to dial.
        at: SocketAddr,
        /// Whom one means to reach there: `host:port`, in lower case.
        authority: String,
    },
    /// Its Unix socket.
    Unix(PathBuf),
}

impl Address {
    /// The WebSocket of a server that listens at `at` under that name.
    pub fn web_socket(at: SocketAddr) -> Address {
        Address::WebSocket { at, authority: at.to_string() }
    }

    fn authority(&self) -> &str {
        match self {
            Address::WebSocket { authority, .. } => authority,
            Address::Unix(_) => "unix",
        }
    }
}

/// A client that dials, comes back, and never blocks outside of [`wait`](Remote::wait), but to dial.
pub struct Remote {
    address: Address,
    peer: ClientPeer,
    link: Option<Link>,
    dial_error: Option<io::Error>,
    started: Instant,
}

impl Remote {
    /// A client that dials at its first [`turn`](Remote::turn).
    ///
    /// # Errors
    /// When the kernel gives no random bytes.
    pub fn new(address: Address, pass: Pass) -> io::Result<Remote> {
        let options = ClientOptions::new(pass, address.authority());
        Remote::with_options(address, options)
    }

    /// The same, as `options` say. Their authority must be that of the address.
    ///
    /// # Errors
    /// When the kernel gives no random bytes.
    pub fn with_options(address: Address, options: ClientOptions) -> io::Result<Remote> {
        let mut seed = [0; 8];
        fill(&mut seed)?;
        let peer = ClientPeer::new(options, u64::from_le_bytes(seed));
        Ok(Remote { address, peer, link: None, dial_error: None, started: Instant::now() })
    }

    /// The machine, to ask for sessions and to type. What it wants to say leaves with the next turn, or [at once](Remote::flush).
    pub fn peer(&mut self) -> &mut ClientPeer {
        &mut self.peer
    }

    /// Why nobody answered, where the last try failed.
    pub fn dial_error(&self) -> Option<&io::Error> {
        self.dial_error.as_ref()
    }

    /// What to wait for, while there is a link, and whether for room to write too.
    pub fn fd(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        let link = self.link.as_ref()?;
        Some((link.fd(), if link.is_held_up() { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN }))
    }

    /// How long from now something is due, if nothing happens before.
    pub fn timeout(&self) -> Option<Duration> {
        self.peer.poll_timeout().map(|at| at - self.now())
    }

    /// The time as the machine counts it: since the start.
    pub fn now(&self) -> Time {
        Time::ZERO + self.started.elapsed()
    }

    /// Reads and writes what can be without waiting, and sees to what is due. Take the [events](Remote::poll_event) afterwards.
    pub fn turn(&mut self) {
        let now = self.now();
        if let Some(link) = &mut self.link
            && link.receive(&mut self.peer, now).is_err()
        {
            self.break_off();
        }
        self.peer.handle_timeout(now);
        self.flush();
    }

    /// The next thing that happened. Sees to the link by itself.
    pub fn poll_event(&mut self) -> Option<Event> {
        loop {
            match self.peer.poll_event()? {
                Event::Dial => self.dial(),
                Event::HangUp => {
                    self.flush();
                    self.link = None;
                }
                event => return Some(event),
            }
        }
    }

    /// Turns until something happens, at the most for `patience`.
    ///
    /// # Errors
    /// When the kernel cannot wait.
    pub fn wait(&mut self, patience: Duration) -> io::Result<Option<Event>> {
        let until = Instant::now() + patience;
        loop {
            if let Some(event) = self.poll_event() {
                return Ok(Some(event)); // Of the last turn. What was said to those before leaves with the next.
            }
            self.turn();
            if let Some(event) = self.poll_event() {
                return Ok(Some(event));
            }
            self.flush();
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            let left = left.min(self.timeout().unwrap_or(left));
            let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
            let waited = match self.fd() {
                Some((fd, flags)) => poll(&mut [PollFd::from_borrowed_fd(fd, flags)], Some(&timeout)),
                None => poll(&mut [], Some(&timeout)),
            };
            match waited {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn dial(&mut self) {
        let dialled = Link::dial(&self.address);
        let now = self.now();
        match dialled {
            Ok(link) => {
                (self.link, self.dial_error) = (Some(link), None);
                // Without random bytes there is no nonce, and so no proof worth anything: that link is none.
                let mut failed = false;
                self.peer.handle_connected(&mut |bytes| failed |= fill(bytes).is_err(), now);
                if failed {
                    self.break_off();
                }
            }
            Err(error) => {
                self.dial_error = Some(error);
                self.peer.handle_broken(now);
            }
        }
    }

    /// Writes what waits, as far as there is room, without looking for what has come: a keystroke is one system call. Also after the events of a
    /// [`turn`](Remote::turn), for what was said to them.
    pub fn flush(&mut self) {
        if let Some(link) = &mut self.link
            && link.send(&mut self.peer).is_err()
        {
            self.break_off();
        }
    }

    fn break_off(&mut self) {
        self.link = None;
        let now = self.now();
        self.peer.handle_broken(now);
    }
}

fn fill(bytes: &mut [u8]) -> io::Result<()> {
    // Up to 256 bytes are given whole or not at all.
    if getrandom(&mut *bytes, GetRandomFlags::empty())? == bytes.len() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
