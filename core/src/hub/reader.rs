//! Reading a session.

use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;

use super::core::Core;
use super::session::Session;
use crate::id::SessionId;
use crate::limits::READ_MAX;
use crate::pty::Exit;
use crate::ring::{self, Mode, Read, Wakes};
use crate::session::{EventKind, Suspension};

/// What a reader finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// The next bytes.
    Chunk {
        /// Offset of the first of them since the terminal opened.
        at: u64,
        /// The bytes, sharing the log's memory. Holding many of them holds the reader up: see
        /// [`PINNED_BYTES`](crate::limits::PINNED_BYTES).
        bytes: Bytes,
    },
    /// These bytes are no longer held; reading goes on after them. A lossless reader meets this only if it asked for
    /// bytes that were gone already.
    Gap {
        /// The first byte missed.
        from: u64,
        /// The byte after the last one missed.
        to: u64,
    },
    /// The session has ended, and this reader has read all of it. Told as often as it is asked.
    Exit(Exit),
}

/// A place in a session's output.
///
/// A reader keeps its session open. A lossless one holds the terminal up when it falls behind; what counts is what it
/// acknowledged: an owner's reader does so by asking for more, a viewer's by [`ack`](Reader::ack).
pub struct Reader {
    /// `None` once suspended.
    reader: Option<ring::Reader>,
    session: Session,
    /// As far as it has acknowledged since it was made.
    acked: AtomicU64,
}

impl Reader {
    pub(super) fn new(session: Session, reader: ring::Reader) -> Self {
        Reader { reader: Some(reader), session, acked: AtomicU64::new(0) }
    }

    /// Takes what is there, if anything. Does not wait.
    pub fn try_read(&mut self) -> Option<Output> {
        self.acknowledge_what_was_read();
        let read = self.ring_mut().try_read(READ_MAX);
        self.told(read)
    }

    /// Takes at most `max` bytes of what is there, if anything, and does not say that what was taken before has been dealt with, also where this is
    /// an owner's: that is said by [`ack`](Reader::ack), and until then it counts as debt.
    pub fn try_take(&mut self, max: usize) -> Option<Output> {
        let read = self.ring_mut().try_read(max);
        self.told(read)
    }

    /// Has `waker` woken once there is something to read, unless there is already: then answers `true`, and wakes nobody.
    pub fn park(&mut self, waker: &Waker) -> bool {
        self.ring_mut().park(waker)
    }

    /// Takes what is there, or has the task woken when there is something.
    pub fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Output> {
        self.poll_read_some(cx, READ_MAX)
    }

    /// Takes what is there, but no more than `max` bytes, or has the task woken when there is something.
    pub fn poll_read_some(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<Output> {
        self.acknowledge_what_was_read();
        let read = self.ring_mut().poll_read(cx, max);
        match read {
            Poll::Ready(read) => self.told(read).map_or(Poll::Pending, Poll::Ready),
            Poll::Pending => {
                if self.ring().writer_waits() {
                    self.session.reconsider(); // Somebody holds the terminal up, and now there is somebody who waits.
                }
                Poll::Pending
            }
        }
    }

    /// Waits for what comes next.
    pub fn read(&mut self) -> impl Future<Output = Output> + '_ {
        poll_fn(|cx| self.poll_read(cx))
    }

    /// Asks for one [`EventKind::Output`] as soon as there is something to read, at once if there is already. Only a hub that
    /// [tells events](crate::hub::HubBuilder::events) answers.
    pub fn notify(&mut self) {
        self.acknowledge_what_was_read();
        let notify = Notify { core: Arc::downgrade(self.session.core()), session: self.session.id() };
        let waker = Waker::from(Arc::new(notify));
        if self.ring_mut().park(&waker) {
            waker.wake();
        }
    }

    /// Says that everything before `offset` has been dealt with (rendered, sent on). At most what was read; never back.
    pub fn ack(&self, offset: u64) {
        if self.ring().ack(offset) {
            self.session.reconsider();
        }
        let offset = offset.min(self.offset());
        if self.acked.fetch_max(offset, Ordering::Relaxed) < offset {
            self.session.core().ease();
        }
    }

    /// Has the terminal read no further than `offset`, `u64::MAX` for as far as it likes, as long as this is its only reader and may miss nothing.
    pub fn allow(&self, offset: u64) {
        if self.ring().allow(offset) {
            self.session.reconsider();
        }
    }

    /// The next byte to be read.
    pub fn offset(&self) -> u64 {
        self.ring().offset()
    }

    /// Goes on at `offset`, backwards or forwards; bytes that are gone are told as a gap.
    pub fn seek(&mut self, offset: u64) {
        self.ring_mut().seek(offset);
    }

    /// Owner, viewer, or lossy; a viewer that held others up for too long has become lossy.
    pub fn mode(&self) -> Mode {
        self.ring().mode()
    }

    /// The session read.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Keeps this reader's claim while its link is broken: what it has not acknowledged is kept until
    /// [`Session::resume`], or given up after the session's `resume_hold`.
    pub fn suspend(mut self) -> Suspension {
        let reader = self.reader.take().expect("invariant: only this method takes the reader, and the value with it");
        let suspension = self.session.with(|terminal, now, _| terminal.suspend(now, reader));
        self.session.reconsider();
        suspension
    }

    /// An owner that asks for more has dealt with what it got.
    fn acknowledge_what_was_read(&self) {
        if self.mode() == Mode::Owner {
            self.ack(self.offset());
        }
    }

    fn told(&self, read: Read) -> Option<Output> {
        match read {
            Read::Chunk { at, bytes } => Some(Output::Chunk { at, bytes }),
            Read::Gap { from, to } => {
                self.session.core().metrics.gap(to - from);
                Some(Output::Gap { from, to })
            }
            Read::Pending => None,
            // The log ends under the session's lock, together with the exit; so the exit is there once that is free.
            Read::End => self.session.cell().state.lock().terminal.exit().map(Output::Exit),
        }
    }

    fn ring(&self) -> &ring::Reader {
        self.reader.as_ref().expect("invariant: a suspended reader is gone")
    }

    fn ring_mut(&mut self) -> &mut ring::Reader {
        self.reader.as_mut().expect("invariant: a suspended reader is gone")
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(reader) = self.reader.take() {
            let waited_for = reader.leave();
            let core = self.session.core();
            if waited_for && !core.poller.is_forked() {
                self.session.reconsider(); // Perhaps it was the one that was waited for.
            }
            core.ease();
        }
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("session", &self.session.id()).field("offset", &self.offset()).finish()
    }
}

/// Tells the host that a reader has something to read.
struct Notify {
    core: Weak<Core>,
    session: SessionId,
}

impl Wake for Notify {
    fn wake(self: Arc<Self>) {
        if let Some(core) = self.core.upgrade() {
            core.events.push(self.session, [EventKind::Output], &mut Wakes::new()); // Dropped, and so woken, at once.
        }
    }
}
