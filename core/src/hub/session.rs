//! The handle to one session.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::cell::Cell;
use super::core::Core;
use super::events::DROPPED_MAX;
use super::faces::{Outputs, SessionIo};
use super::reader::Reader;
use crate::id::SessionId;
use crate::metrics::{ErrorKind, Operation};
use crate::pty::{Exit, Signal, Target};
use crate::ring::{self, Mode};
use crate::session::{Effects, ResumeError, Suspension, Terminal, WriteError};
use crate::size::Size;
use crate::time::Time;

/// One terminal and its process. Cheap to clone; readers count as clones. When the last one is dropped the session is
/// closed with the grace its options name.
#[derive(Clone)]
pub struct Session {
    handle: Arc<Handle>,
}

struct Handle {
    core: Arc<Core>,
    cell: Arc<Cell>,
}

impl Session {
    pub(super) fn new(core: Arc<Core>, cell: Arc<Cell>) -> Self {
        Session { handle: Arc::new(Handle { core, cell }) }
    }

    /// Its id, as events name it.
    pub fn id(&self) -> SessionId {
        self.cell().id
    }

    /// The process's id, until it has ended.
    pub fn pid(&self) -> Option<u32> {
        self.cell().state.lock().terminal.pid()
    }

    /// The size as last set.
    pub fn size(&self) -> Size {
        self.cell().state.lock().terminal.size()
    }

    /// Types `bytes`. When nothing waits before them this is one `write(2)` on the caller's thread; else they join the
    /// queue. Never blocks. Returns how many were accepted: all, unless the queue has no room for all.
    ///
    /// # Errors
    /// [`WriteError`]; then nothing was accepted.
    pub fn write(&self, bytes: &[u8]) -> Result<usize, WriteError> {
        self.input(bytes, false)
    }

    /// Types `bytes` (an interrupt key) ahead of what waits: where the terminal itself discards typed input at such a
    /// key (`ISIG` without `NOFLSH`), the input that still waits is discarded, and
    /// [`InputDropped`](crate::session::EventKind::InputDropped) says which. Elsewhere it keeps its place: a Ctrl-C that merely overtook a paste would
    /// have the rest of the paste run at the prompt.
    ///
    /// # Errors
    /// [`WriteError`]; then nothing was accepted.
    pub fn write_urgent(&self, bytes: &[u8]) -> Result<usize, WriteError> {
        let waiting = self.core().events.waiting(self.id());
        if waiting >= DROPPED_MAX {
            return self.counted(Err(WriteError::EventsUntaken { waiting }));
        }
        self.input(bytes, true)
    }

    fn input(&self, bytes: &[u8], urgent: bool) -> Result<usize, WriteError> {
        if !bytes.is_empty() {
            self.core().note_input(self.cell());
        }
        self.asked(Operation::Input, |terminal, now, effects| terminal.write(now, bytes, urgent, effects))
    }

    /// Bytes of input that were accepted and that the terminal has not taken yet.
    pub fn queued_input(&self) -> usize {
        self.cell().state.lock().terminal.queued_input()
    }

    /// Changes the size after the input accepted before it, and returns the request's number. The event
    /// [`Resized`](crate::session::EventKind::Resized) tells the size that resulted; requests that wait behind each other merge into the last.
    ///
    /// # Errors
    /// [`WriteError::Closed`], or what the system says.
    pub fn resize(&self, size: Size) -> Result<u64, WriteError> {
        self.asked(Operation::Resize, |terminal, now, effects| terminal.resize(now, size, effects))
    }

    /// Sends a signal. That nobody is left to receive it is no error.
    ///
    /// # Errors
    /// [`WriteError::Closed`], or what the system says.
    pub fn signal(&self, signal: Signal, target: Target) -> Result<(), WriteError> {
        self.asked(Operation::Signal, |terminal, _, _| terminal.signal(signal, target))
    }

    /// Asks the whole session to go and makes it: hang-up, terminate, kill, with `grace` after each, over the moment
    /// everybody is gone. Returns at once; [`exited`](Session::exited) tells the end. Zero grace kills at once.
    pub fn close(&self, grace: Duration) {
        if self.core().poller.is_forked() {
            return;
        }
        self.timed(Operation::Close, |terminal, now, effects| terminal.close(now, grace, effects));
    }

    /// The end, once it has come: after the last byte of output. Whoever has read the end knows it.
    pub fn exit(&self) -> Option<Exit> {
        // The log ends a moment before those who wait are told.
        self.cell().exit().or_else(|| self.cell().state.lock().terminal.exit())
    }

    /// Completes at the end.
    pub fn exited(&self) -> Exited {
        Exited { session: self.clone(), place: None }
    }

    // ---- Reading ----

    /// A reader for the program that owns the terminal: from the oldest byte held, lossless, waited for as long as it
    /// takes. Output waits for the first reader, so one made right after the spawn sees every byte.
    pub fn reader(&self) -> Reader {
        self.read_as(Mode::Owner, None)
    }

    /// A reader of the given mode, from byte `offset` on (`None`: the oldest held). If bytes from there on are gone it begins
    /// with a gap; if they are still to come it begins at the end.
    pub fn read_as(&self, mode: Mode, offset: Option<u64>) -> Reader {
        let reader = self.cell().state.lock().terminal.reader(mode, offset);
        self.adopt(reader)
    }

    /// All output from here on as a stream of chunks, gaps and the exit.
    pub fn output(&self) -> Outputs {
        Outputs::new(self.reader())
    }

    /// The session as `AsyncRead` and `AsyncWrite`.
    pub fn io(&self) -> SessionIo {
        SessionIo::new(self.clone(), self.reader())
    }

    /// Brings back a reader that was [suspended](Reader::suspend), at the place it had.
    ///
    /// # Errors
    /// [`ResumeError::Expired`] once its claim was given up.
    pub fn resume(&self, suspension: Suspension) -> Result<Reader, ResumeError> {
        let reader = self.cell().state.lock().terminal.resume(suspension)?;
        Ok(self.adopt(reader))
    }

    fn adopt(&self, reader: ring::Reader) -> Reader {
        // The claim that stood in for the first reader is gone, or another was added: look again at who is waited for.
        let reader = Reader::new(self.clone(), reader);
        self.reconsider();
        reader
    }

    /// The offsets of the oldest byte held and of the next one to come.
    pub fn range(&self) -> std::ops::Range<u64> {
        self.cell().state.lock().terminal.range()
    }

    /// When the byte at `offset` was read from the terminal, or up to 0.1 ms and an eighth of that longer ago; `None` if that is not known any more.
    pub fn read_at(&self, offset: u64) -> Option<Time> {
        self.cell().state.lock().terminal.read_at(offset)
    }

    // ---- For the hub's own parts ----

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.handle.core
    }

    pub(super) fn cell(&self) -> &Arc<Cell> {
        &self.handle.cell
    }

    pub(super) fn with<R>(&self, touch: impl FnOnce(&mut Terminal, Time, &mut Effects) -> R) -> R {
        self.core().with(self.cell(), touch)
    }

    /// Acknowledgements came or readers changed: perhaps the terminal may be read again.
    pub(super) fn reconsider(&self) {
        if self.core().poller.is_forked() {
            return;
        }
        self.with(|terminal, now, effects| terminal.handle_acknowledged(now, effects));
    }

    /// A request that may be refused. A fork's is, for the terminal is its parent's.
    fn asked<R>(
        &self,
        operation: Operation,
        touch: impl FnOnce(&mut Terminal, Time, &mut Effects) -> Result<R, WriteError>,
    ) -> Result<R, WriteError> {
        if self.core().poller.is_forked() {
            return Err(WriteError::Forked);
        }
        self.counted(self.timed(operation, touch))
    }

    fn counted<R>(&self, result: Result<R, WriteError>) -> Result<R, WriteError> {
        result.inspect_err(|error| {
            self.core().metrics.error(match error {
                WriteError::Full { .. } | WriteError::EventsUntaken { .. } => ErrorKind::InputFull,
                WriteError::LineTooLong { .. } => ErrorKind::InputLineTooLong,
                WriteError::Io(_) => ErrorKind::Io,
                WriteError::Closed | WriteError::Forked => ErrorKind::InputClosed,
            });
        })
    }

    fn timed<R>(&self, operation: Operation, touch: impl FnOnce(&mut Terminal, Time, &mut Effects) -> R) -> R {
        let (began, result) = self.with(|terminal, now, effects| (now, touch(terminal, now, effects)));
        self.core().metrics.operation(operation, self.core().now() - began);
        result
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if !self.core.poller.is_forked() {
            let grace = self.cell.options.close_grace;
            self.cell.let_go();
            self.core.events.purge(self.cell.id);
            self.core.with(&self.cell, |terminal, now, effects| {
                terminal.forget_readers(now, effects);
                terminal.close(now, grace, effects);
            });
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Session").field(&self.id()).finish()
    }
}

/// Completes when its session has ended: [`Session::exited`].
#[must_use = "futures do nothing unless polled"]
pub struct Exited {
    session: Session,
    place: Option<u64>,
}

impl Future for Exited {
    type Output = Exit;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Exit> {
        let this = self.get_mut();
        this.session.cell().exit_or_wake(&mut this.place, cx.waker()).map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for Exited {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.session.cell().leave(place);
        }
    }
}
