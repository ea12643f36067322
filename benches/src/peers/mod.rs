//! Programs that people use today for the same work, measured beside ours where they are installed.
//!
//! Each but terminado is a small script in `benches/peers/` that does one block of work per request line, so that blocks of both sides
//! take turns although they are different processes.

mod install;

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub(crate) use install::install;

use crate::child;

/// A peer we have a script for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Node's, as in VS Code.
    NodePty,
    /// Python's, as in pexpect and terminado.
    Ptyprocess,
}

impl Kind {
    /// Whether it was installed by [`install()`].
    pub(crate) fn is_installed(self) -> bool {
        match self {
            Kind::NodePty => folder().join("node_modules/node-pty").is_dir(),
            Kind::Ptyprocess => has_module("ptyprocess"),
        }
    }

    /// Its script, and all it needs.
    fn command(self) -> Command {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        match self {
            Kind::NodePty => {
                let mut node = Command::new("node");
                node.arg(scripts.join("node_pty.js")).arg(folder());
                node
            }
            Kind::Ptyprocess => {
                let mut python = Command::new(python());
                python.arg(scripts.join("ptyprocess_echo.py"));
                python
            }
        }
    }
}

/// A running script. It ends when its standard input does.
pub(crate) struct Peer {
    process: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts the script, whose flooding child will write as `flood` says, and waits until it is ready.
    pub(crate) fn start(kind: Kind, flood: &[&str]) -> io::Result<Peer> {
        let mut process = kind
            .command()
            .arg(child::program()?)
            .args(flood)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()?;
        let requests = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().expect("it was piped"));
        let mut peer = Peer { process, requests, answers };
        peer.answer()?;
        Ok(peer)
    }

    /// Has it do one block of work; returns the block's figures.
    pub(crate) fn ask(&mut self, request: &str, amount: u64) -> io::Result<Vec<f64>> {
        let requests = self.requests.as_mut().expect("taken only on drop");
        writeln!(requests, "{request} {amount}")?;
        self.answer()
    }

    fn answer(&mut self) -> io::Result<Vec<f64>> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        parse(&line).ok_or_else(|| io::Error::other(format!("the peer answered {line:?}")))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.requests = None; // Ends it.
        drop(self.process.wait());
    }
}

/// `ok`, and numbers.
fn parse(line: &str) -> Option<Vec<f64>> {
    let numbers = line.trim().strip_prefix("ok")?;
    numbers.split_whitespace().map(|number| number.parse().ok()).collect()
}

/// Where peers are installed: beside what is built, so that `cargo clean` removes them.
fn folder() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default(); // Then they are nowhere, and so not installed.
    program.ancestors().nth(2).unwrap_or(Path::new("")).join("peers")
}

/// Whether terminado was installed by [`install()`]. It has no [`Kind`]: it is a server, and its client is ours.
pub(crate) fn has_terminado() -> bool {
    has_module("terminado")
}

/// The Python that has the peers, with a script of `benches/peers/` to run.
pub(crate) fn python_with(script: impl AsRef<Path>) -> Command {
    let mut command = Command::new(python());
    command.arg(script.as_ref());
    command
}

/// Whether a module was installed; it is not loaded.
fn has_module(name: &str) -> bool {
    let found = format!("import importlib.util, sys; sys.exit(importlib.util.find_spec({name:?}) is None)");
    Command::new(python()).args(["-c", &found]).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn python() -> PathBuf {
    folder().join("venv/bin/python")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_ok_and_numbers_or_none_at_all() {
        assert_eq!(parse("ok 12.5 80\n"), Some(vec![12.5, 80.0]));
        assert_eq!(parse("ok\n"), Some(vec![]));
        assert_eq!(parse("Error: no PTY"), None);
        assert_eq!(parse("ok twelve"), None);
    }
}
