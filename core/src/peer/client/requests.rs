//! What a host may ask for, and the requests that have no answer yet.
//!
//! What is asked while there is no link is asked once there is one. After a break, a Spawn is asked again under its number, which the
//! server carries out once; an Attach and the newest Resize are asked again, for they mean the same twice. Of anything else it
//! is not known whether it was carried out, and the host is told so.

use std::time::Duration;

use bytes::Bytes;

use super::event::too_many_requests;
use super::lane::Lane;
use super::outbox::Outbox;
use super::{AskError, ClientPeer, Event, InputError, Phase};
use crate::limits::{INPUT_ENTRY_BYTES, INPUT_PIECE_BYTES, REQUESTS_MAX, SPAWNS_REMEMBERED};
use crate::protocol::frame::StreamId;
use crate::protocol::message::{Act, Attach, Close, Control, ErrorCode, Message, Refusal, Resize, Spawn};
use crate::size::Size;
use crate::time::Time;

/// A request without an answer.
pub(super) struct Request {
    pub(super) stream: StreamId,
    pub(super) message: Message,
    /// Whether any connection has carried it.
    pub(super) sent: bool,
    /// How often it was tried.
    pub(super) tries: u32,
    /// The number its host knows it by.
    pub(super) told: u64,
}

impl ClientPeer {
    // ---- Sessions ----

    /// Starts a program; [`Event::Spawned`] or [`Event::Refused`] follows on the stream returned. However often the link
    /// breaks meanwhile, it is started once.
    ///
    /// # Errors
    /// [`AskError`] when too much is asked for at once.
    pub fn spawn(&mut self, spawn: Spawn) -> Result<StreamId, AskError> {
        let spawns = self.requests.values().filter(|request| matches!(request.message, Message::Spawn(_))).count();
        if spawns >= SPAWNS_REMEMBERED {
            return Err(AskError::Requests { limit: SPAWNS_REMEMBERED }); // The server tells no more of them apart.
        }
        let (stream, number) = (self.free_stream()?, self.number()?);
        self.lanes.insert(stream, Lane::spawning(number, spawn.size));
        self.ask(stream, number, Message::Spawn(Box::new(Spawn { number, ..spawn })));
        Ok(stream)
    }

    /// Watches a session; [`Event::Attached`] or [`Event::Refused`] follows on the stream returned. Its number is chosen here.
    ///
    /// # Errors
    /// [`AskError`] where the session is watched already, or too much is.
    pub fn attach(&mut self, attach: Attach) -> Result<StreamId, AskError> {
        let watched = self.lanes.iter().find(|(_, lane)| lane.session == Some(attach.session));
        if let Some((stream, _)) = watched {
            return Err(AskError::Watched { stream: *stream });
        }
        let (stream, number) = (self.free_stream()?, self.number()?);
        let attach = Attach { number, ..attach };
        self.lanes.insert(stream, Lane::attaching(&attach));
        self.ask(stream, number, Message::Attach(attach));
        Ok(stream)
    }

    /// Watches no longer; [`Event::Detached`] says when the stream is free.
    ///
    /// # Errors
    /// [`AskError::NotOpen`].
    pub fn detach(&mut self, stream: StreamId) -> Result<(), AskError> {
        let number = self.number()?;
        let lane = self.lanes.get_mut(&stream).filter(|lane| lane.is_held()).ok_or(AskError::NotOpen)?;
        if lane.is_open() {
            lane.phase = Phase::Closing(number);
            self.ask(stream, number, Message::Detach { number });
        } else {
            self.end_stream(stream, false);
            self.events.push_back(Event::Detached { stream, detached: Default::default() });
        }
        Ok(())
    }

    /// Asks whether the server is there and how far away: [`Event::Pong`] tells, unless the link breaks before. One at a time.
    ///
    /// # Errors
    /// [`AskError::NotOpen`] without a link, [`AskError::Requests`] while another waits.
    pub fn ping(&mut self, now: Time) -> Result<(), AskError> {
        if !self.is_open() {
            return Err(AskError::NotOpen);
        }
        if self.pinged.is_some() {
            return Err(AskError::Requests { limit: 1 });
        }
        self.pinged = Some(now);
        self.send_ping(now);
        Ok(())
    }

    /// Asks which sessions there are; returns the request's number, which [`Event::Sessions`] repeats.
    ///
    /// # Errors
    /// [`AskError::Requests`].
    pub fn list(&mut self) -> Result<u64, AskError> {
        let number = self.number()?;
        self.ask(StreamId::CONNECTION, number, Message::List { number });
        Ok(number)
    }

    /// Ends a session, with `grace` after each step; returns the request's number, which [`Event::Done`] repeats.
    ///
    /// # Errors
    /// [`AskError::Requests`].
    pub fn close(&mut self, session: u64, grace: Duration) -> Result<u64, AskError> {
        let number = self.number()?;
        let grace_ms = u32::try_from(grace.as_millis()).unwrap_or(u32::MAX);
        self.ask(StreamId::CONNECTION, number, Message::Close(Close { number, session: Some(session), grace_ms }));
        Ok(number)
    }

    /// Does something to the session watched on `stream`; returns the request's number, which [`Event::Done`] repeats.
    ///
    /// # Errors
    /// [`AskError::NotOpen`], [`AskError::Requests`].
    pub fn control(&mut self, stream: StreamId, act: Act) -> Result<u64, AskError> {
        self.held(stream)?;
        let number = self.number()?;
        self.ask(stream, number, Message::Control(Control { number, act }));
        Ok(number)
    }

    /// The host's window has this size now; [`Event::Resized`] tells the terminal's. The newest of several counts.
    ///
    /// # Errors
    /// [`AskError::NotOpen`], [`AskError::Requests`].
    pub fn resize(&mut self, stream: StreamId, size: Size) -> Result<u64, AskError> {
        self.held(stream)?.size = Some(size);
        self.requests.retain(|_, request| request.stream != stream || !matches!(request.message, Message::Resize(_)));
        let number = self.number()?;
        self.ask(stream, number, Message::Resize(Resize { number, size }));
        Ok(number)
    }

    // ---- Output ----

    /// Output, and gaps, before `offset` were rendered: handed to a terminal and parsed, not just received.
    pub fn rendered(&mut self, stream: StreamId, offset: u64) {
        let credit = self.limits.credit;
        let told = self.lanes.get_mut(&stream).and_then(|lane| lane.handle_rendered(offset, credit));
        if let Some(rendered) = told.filter(|_| self.is_open()) {
            self.send(stream, Message::Ack { rendered });
        }
    }

    // ---- Input ----

    /// Types `bytes`, also while the link is broken: they are kept until they are settled, and reach the program once. Returns
    /// the number of their last piece, which [`Event::Settled`] reaches.
    ///
    /// # Errors
    /// [`InputError`]; nothing was taken then.
    pub fn write(&mut self, stream: StreamId, bytes: impl Into<Bytes>) -> Result<u64, InputError> {
        self.type_in(stream, bytes.into(), false, false)
    }

    /// Types an interrupt key: what the terminal itself would discard before it is discarded.
    ///
    /// # Errors
    /// As [`write`](ClientPeer::write).
    pub fn interrupt(&mut self, stream: StreamId, bytes: impl Into<Bytes>) -> Result<u64, InputError> {
        self.type_in(stream, bytes.into(), true, false)
    }

    /// Types what the host's terminal answers to a program's query. Only one that was told `replies` shall.
    ///
    /// # Errors
    /// As [`write`](ClientPeer::write).
    pub fn reply(&mut self, stream: StreamId, bytes: impl Into<Bytes>) -> Result<u64, InputError> {
        self.type_in(stream, bytes.into(), false, true)
    }

    fn type_in(&mut self, stream: StreamId, mut bytes: Bytes, urgent: bool, reply: bool) -> Result<u64, InputError> {
        let limit = self.options.input_bytes_max;
        let session = self.held(stream).ok().and_then(|lane| lane.session).ok_or(InputError::NotOpen)?;
        let outbox = self.outboxes.get_mut(&session).ok_or(InputError::NotOpen)?;
        let pieces = bytes.len().div_ceil(INPUT_PIECE_BYTES).max(1);
        let cost = bytes.len().saturating_add(pieces * INPUT_ENTRY_BYTES);
        if outbox.cost().saturating_add(cost) > limit {
            return Err(InputError::Full { limit });
        }
        while bytes.len() > INPUT_PIECE_BYTES {
            outbox.push(bytes.split_to(INPUT_PIECE_BYTES), urgent, reply);
        }
        let sequence = outbox.push(bytes, urgent, reply);
        self.send_input(session);
        Ok(sequence)
    }

    /// Sends what may be sent of a session's input.
    pub(super) fn send_input(&mut self, session: u64) {
        let Some(outbox) = self.outboxes.get_mut(&session) else { return };
        let Some(stream) = outbox.stream.filter(|stream| self.lanes.get(stream).is_some_and(Lane::is_open)) else { return };
        let window = self.limits.input as usize;
        while let Some(input) = outbox.send_next(window) {
            let frame = Message::Input(input).into_frame(stream);
            self.queued += frame.encoded_len();
            self.frames.push_back(frame);
        }
    }

    pub(super) fn try_input_again(&mut self, now: Time) {
        let due: Vec<u64> =
            self.outboxes.iter_mut().filter_map(|(session, outbox)| outbox.handle_timeout(now).then_some(*session)).collect();
        for session in due {
            self.send_input(session);
        }
    }

    /// Gives up what is not settled of a session that will take no more.
    pub(super) fn drop_outbox(&mut self, session: u64) {
        if let Some((from, to)) = self.outboxes.remove(&session).and_then(|outbox| outbox.unsettled()) {
            self.events.push_back(Event::InputUncertain { session, from, to });
        }
    }

    /// The input of `session` goes over `stream` from now on; its first `settled` pieces are settled. Answers the last piece
    /// ever sent, where the server cannot have settled so many.
    pub(super) fn open_outbox(&mut self, session: u64, stream: StreamId, settled: u64) -> Result<(), u64> {
        let outbox = self.outboxes.entry(session).or_insert_with(|| Outbox::new(settled));
        outbox.stream = Some(stream);
        let news = outbox.settle(settled).ok_or(outbox.reached())?;
        if news {
            self.events.push_back(Event::Settled { stream, sequence: settled });
        }
        Ok(())
    }

    // ---- Asking ----

    fn held(&mut self, stream: StreamId) -> Result<&mut Lane, AskError> {
        self.lanes.get_mut(&stream).filter(|lane| lane.is_held()).ok_or(AskError::NotOpen)
    }

    fn free_stream(&self) -> Result<StreamId, AskError> {
        let limit = self.limits.streams;
        if self.lanes.len() >= usize::from(limit) {
            return Err(AskError::Streams { limit });
        }
        let free = (1..=u16::MAX).map(StreamId::new).find(|stream| !self.lanes.contains_key(stream));
        free.ok_or(AskError::Streams { limit })
    }

    pub(super) fn number(&mut self) -> Result<u64, AskError> {
        if self.requests.len() >= REQUESTS_MAX {
            return Err(too_many_requests());
        }
        self.last_number += 1;
        Ok(self.last_number)
    }

    pub(super) fn ask(&mut self, stream: StreamId, number: u64, message: Message) {
        self.patience.handle_first_try();
        self.requests.insert(number, Request { stream, message, sent: false, tries: 1, told: number });
        if self.is_open() {
            self.send_request(number);
        }
    }

    /// Sends request `number`, for the first time or again.
    pub(super) fn send_request(&mut self, number: u64) {
        let Some(request) = self.requests.get_mut(&number) else { return };
        let frame = request.message.clone().into_frame(request.stream);
        let (length, limit) = (frame.encoded_len(), self.limits.frame as usize);
        if length <= limit {
            request.sent = true;
            return self.push(frame);
        }
        let message = format!("the request takes {length} bytes, and the server takes {limit}: ask for less");
        self.take_refusal(frame.stream, Refusal::new(number, ErrorCode::BadRequest, message));
    }

    /// Asks once more for a stream that the server did not bring back by itself.
    pub(super) fn attach_again(&mut self, stream: StreamId) {
        self.last_number += 1;
        let number = self.last_number;
        let Some(lane) = self.lanes.get_mut(&stream) else { return };
        let Some(attach) = lane.attach_again(number) else { return };
        lane.phase = Phase::Opening(number);
        self.ask(stream, number, Message::Attach(attach));
    }

    /// The stream is free: what was asked on it needs no answer. Input of a session that is `gone` is given up.
    pub(super) fn end_stream(&mut self, stream: StreamId, gone: bool) {
        let Some(session) = self.lanes.remove(&stream).and_then(|lane| lane.session) else { return };
        let over = self.requests.extract_if(.., |_, request| request.stream == stream);
        let unanswered = over.filter(|(_, request)| matches!(request.message, Message::Control(_)));
        self.events.extend(unanswered.map(|(number, _)| Event::Unanswered { stream, number }));
        if gone || self.outboxes.get(&session).is_some_and(Outbox::is_empty) {
            self.drop_outbox(session);
        } else if let Some(outbox) = self.outboxes.get_mut(&session) {
            outbox.stream = None;
            outbox.handle_break(); // Nobody is told what of it gets settled, until it is watched again.
        }
        // Sessions that were left with something unsettled are remembered for a return, though not without end.
        let left = || self.outboxes.iter().filter(|(_, outbox)| outbox.stream.is_none()).map(|(session, _)| *session);
        if left().count() > usize::from(crate::limits::STREAMS_MAX)
            && let Some(oldest) = left().next()
        {
            self.drop_outbox(oldest);
        }
    }
}
