//! Fetching the peers, each by its language's own client, into a folder beside what is built.

use std::fs;
use std::process::{Command, Stdio};

use super::{folder, python};

/// The releases we compare with.
const NODE_PTY: &str = "node-pty@1.1.0";
const PTYPROCESS: &str = "ptyprocess==0.7.0";
const TERMINADO: [&str; 2] = ["terminado==0.18.1", "tornado==6.6.1"];

/// Installs them. Says on standard error what it runs; one that cannot be installed is left out.
pub(crate) fn install() {
    if let Err(error) = fs::create_dir_all(folder()) {
        eprintln!("{}: {error}", folder().display());
        return;
    }
    // node-pty is compiled here; where the headers of Node are installed, they need not be fetched.
    run(Command::new("npm").args(["install", "--no-save", "--no-audit", "--no-fund", "--prefix"]).arg(folder()).arg(NODE_PTY));
    run(Command::new("python3").args(["-m", "venv"]).arg(folder().join("venv")));
    run(Command::new(python()).args(["-m", "pip", "install", "--quiet", PTYPROCESS]));
    run(Command::new(python()).args(["-m", "pip", "install", "--quiet"]).args(TERMINADO));
}

/// Standard output is for the figures alone.
fn run(command: &mut Command) {
    eprintln!("{command:?}");
    match command.stdout(Stdio::null()).status() {
        Ok(status) if status.success() => {}
        Ok(status) => eprintln!("  failed: {status}"),
        Err(error) => eprintln!("  failed: {error}"),
    }
}
