//! Our side: the engine as a program would use it, through its public face only.

mod idle;
mod looped;
mod many;
mod spawner;
mod thread;

use std::ffi::OsStr;
use std::io;

use orchflow_core::pty::Command;

pub(crate) use idle::Idle;
pub(crate) use looped::EngineLoop;
pub(crate) use many::EngineMany;
pub(crate) use spawner::EngineSpawner;
pub(crate) use thread::EngineThread;

fn command(program: impl AsRef<OsStr>, args: &[&str]) -> Command {
    Command::new(program.as_ref()).args(args.iter().copied())
}

/// Errors of the engine, for those who only want to say why a figure is missing.
fn failed(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(error)
}

/// The output ended although the program should still run.
fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the program ended")
}
