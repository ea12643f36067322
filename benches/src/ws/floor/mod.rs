//! The least that can stand between a WebSocket and a terminal: one thread that owns both, and polls them.
//!
//! It speaks the same frames to the same client, so that a ratio to it is the price of the engine and the server around it. It keeps nothing:
//! no log, no second viewer, no second connection, no credit but TCP's, no way back after a break.

mod door;
mod relay;

use std::io;
use std::net::TcpListener;
use std::process::Command;

use orchflow_core::protocol::token::{Pass, Role, Token};
use rustix::rand::{GetRandomFlags, getrandom};

use super::{Process, Site};
use crate::child;
pub(super) use door::small_buffers;

/// The name under which `main` hands its arguments to [`play`].
pub(crate) const FLOOR: &str = "floor";

/// Such a process.
pub(crate) struct Floor {
    pub(crate) process: Process,
    pub(crate) site: Site,
}

impl Floor {
    /// Starts one on the CPUs of the calling thread. It serves one connection.
    pub(crate) fn start() -> io::Result<Floor> {
        Floor::of("terminal")
    }

    /// One that upgrades whoever connects, one after the other, and lets go of each.
    pub(crate) fn of_upgrades() -> io::Result<Floor> {
        Floor::of("upgrades")
    }

    fn of(kind: &str) -> io::Result<Floor> {
        let (process, line) = Process::start(Command::new(child::program()?).args([FLOOR, kind]))?;
        let told = line.split_once(' ').and_then(|(at, pass)| Some(Site { at: at.parse().ok()?, pass: Pass::from_text(pass).ok()? }));
        Ok(Floor { process, site: told.ok_or_else(|| io::Error::other("the floor does not say where it listens"))? })
    }
}

/// Is such a process.
pub(crate) fn play(args: &[String]) -> io::Result<()> {
    let mut secret = [0; 32];
    getrandom(&mut secret, GetRandomFlags::empty())?;
    let pass = Token::from_bytes(secret).pass(Role::Owner);
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let at = listener.local_addr()?;
    println!("{at} {}", pass.to_text());
    match args {
        [kind] if kind == "upgrades" => door::upgrade_all(&listener),
        [kind] if kind == "terminal" => {
            let (stream, _) = listener.accept()?;
            let (socket, spawn) = door::enter(stream, &at.to_string(), &pass)?;
            relay::relay(socket, &spawn)
        }
        _ => Err(io::Error::other("no such floor")),
    }
}
