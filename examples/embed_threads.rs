//! A shell, spoken to from plain threads: no async runtime anywhere. The hub runs on one thread of its own.
//!
//! `embed_tokio.rs` and `embed_smol.rs` are the same program inside a runtime.

use std::error::Error;
use std::io::Write;

use orchflow_core::hub::{Hub, Output};
use orchflow_core::pty::Command;
use orchflow_core::session::SessionOptions;

fn main() -> Result<(), Box<dyn Error>> {
    let hub = Hub::threaded()?;
    hub.block_on(conversation(&hub))?
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
