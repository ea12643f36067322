//! Terminals behind a WebSocket: the real server, and the least that could stand in its place.
//!
//! Each is a process of its own, which says on its first line where it listens, and is killed with its sessions when we let go of it.
//! One client serves both: `orchflow_examples::remote`, which speaks the whole protocol.

mod asker;
pub(crate) mod floor;
mod newcomer;
mod process;
mod ready;
mod server;
mod terminado;
mod terminal;

pub(crate) use asker::{Asker, sleeper, start_sleeper};
pub(crate) use floor::Floor;
pub(crate) use newcomer::{answered, upgraded};
pub(crate) use process::Process;
pub(crate) use ready::ready;
pub(crate) use server::Server;
pub(crate) use terminado::Terminado;
pub(crate) use terminal::{RemoteTerminal, Site, next, spawned};
