//! A shell, spoken to inside smol. The hub is a task of the runtime; it has no thread of its own.
//!
//! `embed_threads.rs` and `embed_tokio.rs` are the same program without a runtime and inside another.

use std::error::Error;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::future::BoxFuture;
use orchflow_core::hub::{Hub, Output};
use orchflow_core::pty::Command;
use orchflow_core::runtime::{Readiness, Runtime, Turn};
use orchflow_core::session::SessionOptions;
use smol::Async;

/// What the hub needs of smol. Public for the engine's scenarios, which run on this very adapter.
pub struct Smol;

impl Runtime for Smol {
    fn spawn(&self, _name: &'static str, task: BoxFuture<'static, ()>) {
        smol::spawn(task).detach();
    }

    fn register(&self, fd: Arc<OwnedFd>) -> io::Result<Box<dyn Readiness>> {
        Ok(Box::new(Registered(Async::new_nonblocking(fd)?)))
    }
}

struct Registered(Async<Arc<OwnedFd>>);

impl Readiness for Registered {
    fn poll_turns(&mut self, cx: &mut Context<'_>, turn: &mut dyn FnMut() -> Turn) -> Poll<io::Error> {
        loop {
            // smol asks the system anew each time, so there is nothing to forget on `Idle`.
            if let Err(error) = ready!(self.0.poll_readable(cx)) {
                return Poll::Ready(error);
            }
            if turn() == Turn::More {
                cx.waker().wake_by_ref(); // After the other tasks have had their turn.
                return Poll::Pending;
            }
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    smol::block_on(async {
        let hub = Hub::new()?;
        hub.drive(&Smol)?;
        conversation(&hub).await
    })
}

/// Asks a shell a question, prints what it says, and returns once it has left.
async fn conversation(hub: &Hub) -> Result<(), Box<dyn Error>> {
    let shell = hub.spawn(&Command::new("/bin/sh"), SessionOptions::default())?;
    let mut reader = shell.reader();
    shell.write(b"echo the answer is $((6 * 7)); exit\n")?;
    loop {
        match reader.read().await {
            Output::Chunk { bytes, .. } => std::io::stdout().write_all(&bytes)?,
            Output::Gap { from, to } => println!("[bytes {from} to {to} are gone]"),
            Output::Exit(exit) if exit.status.success() => return Ok(()),
            Output::Exit(exit) => return Err(exit.status.to_string().into()),
        }
    }
}
