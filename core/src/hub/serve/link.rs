//! One connection: a transport, and the machine that speaks for the server on it.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::guarded::Wakers;
use super::{Framing, Service, State, Transport};
use crate::host::{ConnectionId, LaneId};
use crate::hub::{Output, Sleep};
use crate::limits::READ_MAX;
use crate::protocol::frame::{FrameDecoder, StreamId};
use crate::protocol::message::ErrorCode;
use crate::time::Time;

/// Output that waits for the transport before more is read from the log.
const QUEUED_MAX: usize = 2 * READ_MAX;

/// Answers that wait for the transport, in bytes, before nothing more is heard.
const ANSWERS_MAX: usize = 4 * READ_MAX;

/// How a connection ended.
#[derive(Debug)]
pub enum Farewell {
    /// One of the two sides said goodbye, for this reason.
    Goodbye(ErrorCode),
    /// The other side closed without a word; its places are kept for a while.
    Closed,
    /// The transport broke; the same.
    Broke(io::Error),
}

impl Service {
    /// Serves one connection to its end. `authority` is what the client dialled, once that was found to be an address of
    /// this server: `host:port` in lower case, or `unix`.
    pub async fn serve<T: Transport>(&self, transport: T, authority: String) -> Farewell {
        let id = self.shared.state.lock().open(authority, self.shared.hub.now());
        let decoder = FrameDecoder::new(crate::limits::FRAME_BEFORE_PROOF_MAX);
        let link = Unlink { service: self, id, broke: true };
        let mut driver = Driver {
            link,
            transport,
            decoder,
            sleep: None,
            next: 0,
            welcomed: false,
            has_turn: false,
            was_heard: false,
            wakers: Wakers::default(),
        };
        let farewell = poll_fn(|cx| driver.poll(cx)).await;
        driver.link.broke = !matches!(farewell, Farewell::Goodbye(_));
        farewell
    }
}

struct Driver<'a, T> {
    link: Unlink<'a>,
    transport: T,
    /// Of a byte stream.
    decoder: FrameDecoder,
    sleep: Option<(Time, Pin<Box<Sleep>>)>,
    /// Whose output is looked at first, so that no stream waits for another.
    next: usize,
    welcomed: bool,
    /// It is its turn, of those who ask for a lot; something was heard of it since it was last polled.
    has_turn: bool,
    was_heard: bool,
    wakers: Wakers,
}

impl<T: Transport> Driver<'_, T> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Farewell> {
        self.was_heard = false;
        loop {
            let came = self.poll_transport(cx);
            let (sent, reason) = match self.poll_send(cx) {
                Ok(progress) => progress,
                // Where both ways have ended, reading knows better how.
                Err(error) => {
                    return Poll::Ready(match came {
                        Poll::Ready(None) => Farewell::Closed,
                        Poll::Ready(Some(Err(first))) => Farewell::Broke(first),
                        _ => Farewell::Broke(error),
                    });
                }
            };
            if let Some(reason) = reason {
                return self.poll_close(cx).map(|closed| closed.map_or_else(Farewell::Broke, |()| Farewell::Goodbye(reason)));
            }
            match came {
                Poll::Ready(Some(Ok(bytes))) => self.handle_bytes(bytes),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Farewell::Broke(error)),
                Poll::Ready(None) => return Poll::Ready(Farewell::Closed),
                Poll::Pending if !sent && self.poll_timeout(cx).is_pending() => return Poll::Pending,
                Poll::Pending => {}
            }
        }
    }

    /// What came, unless as many answers wait to be sent as may: who does not listen is not listened to.
    fn poll_transport(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if !self.may_be_heard(cx) {
            return Poll::Pending; // Sending goes on, or somebody else's turn, and looks here again.
        }
        let came = Pin::new(&mut self.transport).poll_next(cx);
        self.was_heard |= came.is_ready();
        if self.has_turn && came.is_pending() {
            self.has_turn = false;
            self.link.service.shared.state.lock().leave_turns(self.link.id);
        }
        came
    }

    /// Whether it is its turn, if it is one of those who ask for a lot.
    fn may_be_heard(&mut self, cx: &mut Context<'_>) -> bool {
        let (id, shared) = (self.link.id, &self.link.service.shared);
        let mut state = shared.state.lock();
        let now = shared.hub.now();
        let State { links, turns, .. } = &mut *state;
        let Some(link) = links.get_mut(&id) else { return true };
        let is_full = link.peer.queued() >= ANSWERS_MAX;
        self.has_turn = false;
        // However long it waits, it is not let in before others who did.
        let takes_turns = turns.knows(id) || link.peer.asks_for_much(now);
        if is_full || !takes_turns {
            state.leave_turns(id);
            return !is_full;
        }
        let waker = self.wakers.of(cx.waker(), &shared.state);
        link.waker = Some(waker.clone());
        if self.was_heard {
            state.leave_turns(id);
            if state.turns.ask(id) {
                waker.wake_by_ref(); // Nobody else waits for a turn; but whatever else the runtime has to do comes first.
            }
            return false;
        }
        self.has_turn = turns.ask(id);
        self.has_turn
    }

    fn handle_bytes(&mut self, bytes: Bytes) {
        let (framing, decoder) = (self.transport.framing(), &mut self.decoder);
        let max = self.link.with(|peer, world| {
            match framing {
                Framing::Messages => peer.handle_message(bytes, world),
                Framing::Stream => {
                    decoder.handle_bytes(&bytes);
                    while !peer.is_over() {
                        decoder.set_frame_max(peer.frame_max(world.host));
                        match decoder.poll_frame() {
                            Ok(Some(frame)) => peer.handle_frame(frame, world),
                            Ok(None) => break,
                            Err(error) => peer.turn_away(ErrorCode::Malformed, error.to_string(), world),
                        }
                    }
                }
            }
            peer.client().map(|_| peer.frame_max(world.host))
        });
        if let Some(max) = max.filter(|_| !std::mem::replace(&mut self.welcomed, max.is_some())) {
            self.transport.set_message_max(max);
        }
    }

    /// Sends what waits, reading more output as there is room. Answers whether something was sent, and why that was all
    /// there will ever be, if it was.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> io::Result<(bool, Option<ErrorCode>)> {
        let mut sent = false;
        loop {
            if Pin::new(&mut self.transport).poll_ready(cx)?.is_pending() {
                return Ok((sent, None));
            }
            let (message, reason) = self.gather(cx);
            let Some(message) = message else {
                let _flushed = Pin::new(&mut self.transport).poll_flush(cx)?;
                return Ok((sent, reason));
            };
            Pin::new(&mut self.transport).start_send(message)?;
            sent = true;
        }
    }

    /// The next message to send.
    fn gather(&mut self, cx: &mut Context<'_>) -> (Option<Bytes>, Option<ErrorCode>) {
        let shared = &self.link.service.shared;
        let waker = self.wakers.of(cx.waker(), &shared.state);
        let mut state = shared.state.lock();
        pump(&mut state, self.link.id, &mut self.next, shared.hub.now(), &mut Context::from_waker(waker));
        let Some(link) = state.links.get_mut(&self.link.id) else { return (None, Some(ErrorCode::Internal)) };
        link.waker = Some(waker.clone());
        (link.peer.poll_message(), link.peer.reason())
    }

    /// Ready when a deadline had passed, and something may have come of it.
    fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let due = {
            let state = self.link.service.shared.state.lock();
            state.links.get(&self.link.id).and_then(|link| link.peer.poll_timeout(&state.host))
        };
        let Some(due) = due else { return Poll::Pending };
        // With each message that comes the deadline moves on. An alarm that rings early costs less than moving it each time.
        if self.sleep.as_ref().is_none_or(|(at, _)| *at > due) {
            self.sleep = Some((due, Box::pin(self.link.service.shared.hub.sleep_until(due))));
        }
        if let Some((_, sleep)) = &mut self.sleep {
            ready!(sleep.as_mut().poll(cx));
        }
        self.sleep = None;
        self.link.with(|peer, world| peer.handle_timeout(world));
        Poll::Ready(())
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_close(cx)
    }
}

/// Reads output for the streams that want it, one read each, as long as little waits to be sent.
fn pump(state: &mut State, id: ConnectionId, next: &mut usize, now: Time, cx: &mut Context<'_>) {
    let Some(link) = state.links.get(&id) else { return };
    let mut streams: Vec<StreamId> = link.peer.streams().collect();
    if streams.is_empty() {
        return;
    }
    let count = streams.len();
    streams.rotate_left(*next % count);
    *next = (*next + 1) % count;
    for stream in streams {
        let Some(link) = state.links.get_mut(&id) else { return };
        let Some(reader) = state.table.reader(LaneId { connection: id, stream }) else { continue };
        if link.peer.queued() >= QUEUED_MAX {
            continue;
        }
        let wanted = link.peer.wants_output(stream, reader.session().range().end, now);
        if wanted == 0 {
            continue;
        }
        match reader.poll_read_some(cx, wanted) {
            Poll::Pending => {}
            Poll::Ready(Output::Chunk { at, bytes }) => {
                state.touch(id, now, |peer, world| peer.handle_output(stream, at, bytes, world));
            }
            Poll::Ready(Output::Gap { from, to }) => {
                state.with(id, now, |peer, world| peer.handle_gap(stream, from, to, world));
            }
            Poll::Ready(Output::Exit(exit)) => {
                state.with(id, now, |peer, world| peer.handle_exit(stream, exit, world));
                state.wake_runner();
            }
        }
    }
}

/// A connection's entry in its service, gone with it.
struct Unlink<'a> {
    service: &'a Service,
    id: ConnectionId,
    broke: bool,
}

impl Unlink<'_> {
    /// Does something with the connection's machine.
    fn with<R>(&self, touch: impl FnOnce(&mut crate::peer::server::ServerPeer, &mut crate::peer::server::World<'_>) -> R) -> R {
        let mut state = self.service.shared.state.lock();
        let now = self.service.shared.hub.now();
        state.with(self.id, now, touch).expect("invariant: a link stays until this is dropped")
    }
}

impl Drop for Unlink<'_> {
    fn drop(&mut self) {
        let broke = self.broke;
        self.with(|peer, world| peer.park(broke, world));
        let mut state = self.service.shared.state.lock();
        state.links.remove(&self.id);
        state.leave_turns(self.id);
        state.wake_runner(); // Sessions that have ended may be watched by nobody now.
    }
}
