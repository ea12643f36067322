//! A shell, spoken to inside tokio. The hub is a task of the runtime; it has no thread of its own.
//!
//! `embed_threads.rs` and `embed_smol.rs` are the same program without a runtime and inside another.

use std::error::Error;
use std::future::Future;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::future::BoxFuture;
use orchflow_core::hub::{Hub, Output};
use orchflow_core::pty::Command;
use orchflow_core::runtime::{Readiness, Runtime, Turn};
use orchflow_core::session::SessionOptions;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// What the hub needs of tokio. Public for the engine's scenarios, which run on this very adapter.
pub struct Tokio;

impl Runtime for Tokio {
    fn spawn(&self, _name: &'static str, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    fn register(&self, fd: Arc<OwnedFd>) -> io::Result<Box<dyn Readiness>> {
        // SAFETY: the `Arc<OwnedFd>` owns the descriptor, so it stays open and the same for as long as it is registered.
        let fd = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }?;
        Ok(Box::new(Registered(fd)))
    }
}

struct Registered(AsyncFd<Arc<OwnedFd>>);

impl Readiness for Registered {
    fn poll_turns(&mut self, cx: &mut Context<'_>, turn: &mut dyn FnMut() -> Turn) -> Poll<io::Error> {
        loop {
            let mut ready = match ready!(self.0.poll_read_ready(cx)) {
                Ok(ready) => ready,
                Err(error) => return Poll::Ready(error),
            };
            match turn() {
                Turn::Idle => ready.clear_ready(),
                Turn::More => {
                    // After the other tasks have had their turn, and the sockets. A task that wakes itself instead has
                    // tokio look at its sockets, and at what runs in `block_on`, every 61 turns only.
                    let _yielded = pin!(tokio::task::yield_now()).poll(cx);
                    return Poll::Pending;
                }
            }
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let hub = Hub::new()?;
        hub.drive(&Tokio)?;
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
