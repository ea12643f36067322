//! Many sessions of a hosted hub: only those whose reader was woken are looked at, as an executor does it.

use std::ffi::OsStr;
use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use orchflow_core::hub::{Hub, Output, Reader, Session};
use orchflow_core::session::SessionOptions;

use super::looped::is_ready;
use super::{command, ended, failed};
use crate::terminals::Terminals;

/// Sessions of one hub, the reader of each, and what wakes it.
pub(crate) struct EngineMany {
    hub: Hub,
    sessions: Vec<(Session, Reader, Waker)>,
    woken: Woken,
    /// Woken in this turn; kept for its memory.
    turn: Vec<usize>,
}

/// The terminals whose reader was woken.
type Woken = Arc<Mutex<Vec<usize>>>;

impl EngineMany {
    /// Starts one session for each command and waits until all are ready.
    pub(crate) fn start<P: AsRef<OsStr>>(commands: &[(P, &[&str])]) -> io::Result<EngineMany> {
        let hub = Hub::new()?;
        let woken = Woken::default();
        let mut sessions = Vec::with_capacity(commands.len());
        for (terminal, (program, args)) in commands.iter().enumerate() {
            let session = hub.spawn(&command(program, args), SessionOptions::default()).map_err(failed)?;
            let mut reader = session.reader();
            while !is_ready(&mut reader)? {
                hub.wait(None)?;
            }
            let waker = Waker::from(Arc::new(WakeOne { terminal, woken: Arc::clone(&woken) }));
            waker.wake_by_ref(); // Nobody sleeps before having looked.
            sessions.push((session, reader, waker));
        }
        Ok(EngineMany { hub, sessions, woken, turn: Vec::new() })
    }
}

impl Terminals for EngineMany {
    fn write(&mut self, terminal: usize, bytes: &[u8]) -> io::Result<()> {
        self.sessions[terminal].0.write(bytes).map_err(failed)?;
        Ok(())
    }

    fn turn(&mut self, timeout: Duration, on_read: &mut dyn FnMut(usize, &[u8])) -> io::Result<()> {
        self.hub.wait(Some(timeout))?;
        std::mem::swap(&mut self.turn, &mut self.woken.lock().expect("no holder panics"));
        for terminal in self.turn.drain(..) {
            let (_, reader, waker) = &mut self.sessions[terminal];
            while let Poll::Ready(output) = reader.poll_read(&mut Context::from_waker(waker)) {
                match output {
                    Output::Chunk { bytes, .. } => on_read(terminal, &bytes),
                    Output::Gap { .. } => return Err(io::Error::other("an owner's reader missed bytes")),
                    Output::Exit(_) => return Err(ended()),
                }
            }
        }
        Ok(())
    }
}

/// Notes which reader has something to read.
struct WakeOne {
    terminal: usize,
    woken: Woken,
}

impl Wake for WakeOne {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.lock().expect("no holder panics").push(self.terminal);
    }
}
