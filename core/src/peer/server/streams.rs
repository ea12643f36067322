//! What flows on a stream: input in, output out, and what happens in between.

use std::time::Duration;

use bytes::Bytes;

use super::lane::Lane;
use super::requests::Asked;
use super::{Guest, ServerPeer, State, World, explain};
use crate::host::{Arrival, Notice, Settled, Watcher};
use crate::id::SessionId;
use crate::metrics::Hop;
use crate::pack::Gain;
use crate::protocol::frame::{HEADER_BYTES, StreamId, TIMESTAMP_BYTES};
use crate::protocol::message::{
    Attached, Control, Ended, ErrorCode, Exited, Fault, Gap, GapReason, Goodbye, Input, InputRefused, Message, Output, Policy, Refusal,
    Resized, ResumePoint, Viewer, Viewers,
};
use crate::protocol::negotiation::{TIMESTAMPS, VIEWERS};
use crate::protocol::token::Role;
use crate::pty::Exit;
use crate::ring::Mode;
use crate::size::Size;
use crate::time::Time;

/// A place among those who watch.
pub(super) struct Place {
    pub(super) session: SessionId,
    pub(super) role: Role,
    pub(super) policy: Policy,
    pub(super) size: Size,
    pub(super) replies: bool,
    pub(super) title: String,
}

impl ServerPeer {
    pub(super) fn guest(&self) -> Option<&Guest> {
        if let State::Inside(guest) = &self.state { Some(guest) } else { None }
    }

    /// What frames that carry the server's time carry, where that was agreed on.
    fn moment(&self, now: Time) -> Option<Time> {
        self.guest().is_some_and(|guest| guest.agreed.contains(TIMESTAMPS)).then_some(now)
    }

    /// Bytes that the items of a list may take in one frame to this client.
    pub(super) fn room(&self) -> usize {
        self.guest().map_or(0, |guest| guest.frame_max - LIST_BYTES)
    }

    // ---- Watching ----

    /// Takes a place among those who watch `session`; output begins at `start`.
    #[allow(clippy::too_many_arguments)] // Each is one fact about the place.
    pub(super) fn watch(
        &mut self,
        stream: StreamId,
        session: SessionId,
        role: Role,
        policy: Policy,
        start: u64,
        window: Option<Size>,
        world: &mut World<'_>,
    ) -> Place {
        let id = self.lane_id(stream);
        let replay_until = world.terminals.range(session).end;
        let guest = self.guest().expect("invariant: only who is inside watches");
        let watcher = Watcher::new(id, guest.client, guest.name.clone(), role, window);
        let is_secret = world.host.session(session).is_none_or(|known| known.secret);
        let mut lane = Lane::new(session, role, policy, guest.credit, start, replay_until);
        lane.gain = (!is_secret).then(Gain::default);
        self.lanes.insert(stream, lane);
        let known = world.host.session_mut(session).expect("invariant: only sessions that were looked up are watched");
        known.join(watcher);
        Place { session, role, policy, size: known.size, replies: known.replies(id), title: known.title.clone() }
    }

    pub(super) fn attached(&self, number: u64, start: u64, end: u64, place: &Place, world: &World<'_>) -> Message {
        let known = self.client().zip(world.host.session(place.session));
        let input = known.map_or(0, |(client, known)| known.inputs.settled(client));
        Message::Attached(Box::new(Attached {
            number,
            session: place.session.as_raw(),
            role: place.role,
            start,
            end,
            input,
            size: place.size,
            policy: place.policy,
            replies: place.replies,
            title: place.title.clone(),
        }))
    }

    /// Who comes after the process has ended hears of it now: the output that is left may take long.
    pub(super) fn tell_exited(&mut self, stream: StreamId, session: SessionId, world: &World<'_>) {
        if let Some(exited) = world.host.session(session).and_then(|known| known.exited) {
            self.send(stream, Message::ProcessExited(exited));
        }
    }

    /// Begins to read for a stream; what was cleared is told as a gap.
    pub(super) fn open_lane(&mut self, stream: StreamId, session: SessionId, policy: Policy, start: u64, world: &mut World<'_>) {
        let cleared = world.host.session(session).map_or(0, |known| known.cleared);
        if start < cleared {
            self.send_gap(stream, start, cleared, GapReason::Cleared);
        }
        let mode = if policy == Policy::Resync { Mode::Lossy } else { Mode::Viewer };
        let id = self.lane_id(stream);
        world.terminals.open(id, session, mode, start.max(cleared));
        if let Some(allowed) = self.lanes.get_mut(&stream).and_then(Lane::take_allowed) {
            world.terminals.allow(id, allowed);
        }
        // A place that was kept has kept the output up to here, and must hold nobody up any longer.
        let client = self.client().and_then(|id| world.host.clients.get_mut(id));
        if let Some(parked) = client.and_then(|client| client.unpark(session)) {
            world.terminals.forget(session, parked.claim);
        }
    }

    /// A client that has come back goes on at `point`.
    pub(super) fn resume(&mut self, point: &ResumePoint, world: &mut World<'_>) {
        let (stream, session) = (point.stream, SessionId::from_raw(point.session));
        let (role, client) = match self.guest() {
            Some(guest) => (guest.role, guest.client),
            None => return,
        };
        let range = world.terminals.range(session);
        let lost = match () {
            () if stream.is_connection() || self.lanes.contains_key(&stream) => Some((ErrorCode::StreamInUse, "the stream is in use")),
            () if self.watches(session) => Some((ErrorCode::StreamInUse, "the session is watched on another stream")),
            () if world.host.session(session).is_none() => Some((ErrorCode::NoSession, "the session is gone")),
            () if point.offset > range.end => Some((ErrorCode::OffsetAhead, "the session has not come that far")),
            () => None,
        };
        if let Some((code, message)) = lost {
            return self.refuse(stream, Refusal::new(0, code, message), world);
        }
        let parked = world.host.clients.get_mut(client).and_then(|client| client.unpark(session));
        let (role, policy) = parked.map_or((role, Policy::Backpressure), |parked| (role.at_most(parked.role), parked.policy));
        let place = self.watch(stream, session, role, policy, point.offset, parked.and_then(|parked| parked.window), world);
        if place.replies
            && let Some(lane) = self.lanes.get_mut(&stream)
        {
            // What came meanwhile nobody has answered, unless somebody else was there to do it and has left.
            let answered = world.host.session(session).map_or(0, |known| known.answered_by_others(client));
            lane.replay_until = answered.max(point.offset);
        }
        world.host.fit(session, world.terminals);
        let attached = self.attached(0, point.offset, range.end, &place, world);
        self.send(stream, attached);
        self.tell_exited(stream, session, world);
        let id = self.lane_id(stream);
        match parked.map(|parked| world.terminals.resume(id, session, parked.claim)) {
            Some(Ok(())) => {
                world.terminals.seek(id, point.offset);
                // Acknowledgements may have been lost with the link, and what the client has it does not acknowledge again.
                world.terminals.ack(id, point.offset);
            }
            _ => self.open_lane(stream, session, policy, point.offset, world),
        }
        self.tell_viewers(session, world);
    }

    /// Whether some stream watches `session`.
    pub(super) fn watches(&self, session: SessionId) -> bool {
        self.lanes.values().any(|lane| lane.session == session)
    }

    /// Stops watching on `stream`.
    pub(super) fn give_up(&mut self, stream: StreamId, world: &mut World<'_>) {
        let id = self.lane_id(stream);
        world.terminals.shut(id);
        self.packing.forget(stream);
        if let Some(lane) = self.lanes.remove(&stream) {
            world.host.leave(lane.session, id, lane.sent(), world.terminals, world.now);
        }
    }

    pub(super) fn tell_viewers(&self, session: SessionId, world: &mut World<'_>) {
        world.host.tell(session, &Notice::Viewers);
    }

    // ---- Input ----

    pub(super) fn type_in(&mut self, stream: StreamId, input: &Input, world: &mut World<'_>) {
        // Typed before the end of the stream was known; perhaps the client means another session by it already.
        let Some((session, role)) = self.lane(stream) else { return };
        if !role.types() {
            let message = "who watches as a viewer cannot type: connect with a writer's link".to_owned();
            return self.refuse_input(stream, input.sequence, Fault::new(ErrorCode::Forbidden, message), world);
        }
        let id = self.lane_id(stream);
        let answers = world.host.session(session).is_some_and(|known| known.replies(id));
        // A terminal's reply that nobody wants is as good as typed: dropping it must not break the count.
        let nothing = Input { bytes: Bytes::new(), ..input.clone() };
        let input = if input.reply && !answers { &nothing } else { input };
        let Some(client) = self.client() else { return };
        if let Some(lane) = self.lanes.get_mut(&stream) {
            lane.handle_input(world.now);
        }
        if !input.reply {
            world.host.note_typing(session, id, world.terminals);
        }
        match world.host.arrive(session, client, input, world.terminals, world.now) {
            Arrival::New if input.urgent => world.host.tell(session, &Notice::Interrupted),
            Arrival::New | Arrival::Void => {}
            Arrival::Known { settled } => self.send(stream, Message::InputAck { sequence: settled }),
            Arrival::Refused(refused) => self.send_refused(stream, refused, world),
        }
    }

    fn refuse_input(&mut self, stream: StreamId, sequence: u64, fault: Fault, world: &mut World<'_>) {
        let Fault { code, message } = fault;
        self.send_refused(stream, InputRefused { sequence, code, message, retryable: code.is_retryable() }, world);
    }

    fn send_refused(&mut self, stream: StreamId, refused: InputRefused, world: &mut World<'_>) {
        world.host.count(refused.code);
        self.send(stream, Message::InputRefused(refused));
    }

    // ---- Sizes ----

    /// The client's window has this size now; `request` is 0 where it did not ask.
    pub(super) fn apply_window(&mut self, stream: StreamId, window: Size, request: u64, world: &mut World<'_>) -> Asked {
        let Some((session, _)) = self.lane(stream) else { return Ok(()) };
        let (id, policy) = (self.lane_id(stream), world.host.options.sizes);
        let Some(known) = world.host.session_mut(session) else { return Ok(()) };
        let Some(size) = known.window(id, window, policy) else {
            let size = known.size;
            self.send(stream, Message::Resized(Resized { number: request, size }));
            return Ok(());
        };
        let number = world.terminals.resize(session, size).map_err(|error| Fault::new(ErrorCode::Ended, explain(&error)))?;
        if let Some(lane) = self.lanes.get_mut(&stream).filter(|_| request > 0) {
            lane.handle_resize(number, request);
        }
        Ok(())
    }

    // ---- Output ----

    /// How much output may be read for `stream` now, whose session has said as much as `end`; 0 for none.
    pub fn wants_output(&mut self, stream: StreamId, end: u64, now: Time) -> usize {
        self.lanes.get_mut(&stream).map_or(0, |lane| lane.may_send(end, now) as usize)
    }

    /// The streams on which a session is watched.
    pub fn streams(&self) -> impl Iterator<Item = StreamId> {
        self.lanes.keys().copied()
    }

    /// Output for `stream` was taken from the log.
    pub fn handle_output(&mut self, stream: StreamId, at: u64, mut bytes: Bytes, world: &mut World<'_>) {
        let (Some(guest), id) = (self.guest(), self.lane_id(stream)) else { return };
        let piece = guest.frame_max - HEADER_BYTES - TIMESTAMP_BYTES;
        let Some(session) = self.lanes.get(&stream).map(|lane| lane.session) else { return };
        let read = world.terminals.read_at(session, at);
        let moment = self.moment(read.unwrap_or(world.now));
        let Some(lane) = self.lanes.get_mut(&stream) else { return };
        let (replay_until, said) = (lane.replay_until, world.terminals.range(session).end);
        lane.handle_sent(at + bytes.len() as u64, world.now);
        lane.note_wait(at, said, read.map_or(Duration::ZERO, |read| world.now - read), world.now);
        if let Some(allowed) = lane.take_allowed() {
            world.terminals.allow(id, allowed);
        }
        if let Some(read) = read.filter(|_| at >= replay_until) {
            world.host.metrics.hop(Hop::Send, world.now - read);
        }
        let mut offset = at;
        while !bytes.is_empty() {
            let replayed = usize::try_from(replay_until.saturating_sub(offset)).unwrap_or(usize::MAX);
            let replay = replayed > 0;
            let len = bytes.len().min(piece).min(if replay { replayed } else { usize::MAX });
            let part = bytes.split_to(len);
            let output = Output { offset, bytes: part, replay, more: !bytes.is_empty() };
            let frame = self.output_frame(stream, output, moment, &world.host.packers);
            self.push(frame);
            offset += len as u64;
        }
    }

    pub(super) fn send_gap(&mut self, stream: StreamId, from: u64, to: u64, why: GapReason) {
        if let Some(lane) = self.lanes.get_mut(&stream) {
            lane.handle_gap(from, to);
        }
        self.send(stream, Message::Gap(Gap { from, to, why }));
    }

    /// All output was read on `stream`, and the session has ended: that is the stream's last frame.
    pub fn handle_exit(&mut self, stream: StreamId, exit: Exit, world: &mut World<'_>) {
        let Some(offset) = self.lanes.get(&stream).map(Lane::sent) else { return };
        self.send(stream, Message::Exit(Ended { offset, status: exit.status, orphaned: exit.orphaned }));
        self.give_up(stream, world);
    }

    pub(super) fn acknowledge(&mut self, stream: StreamId, rendered: u64, world: &mut World<'_>) {
        let id = self.lane_id(stream);
        let mut is_near = false;
        // One that crossed the stream's end on the way means nothing.
        if let Some(lane) = self.lanes.get_mut(&stream) {
            world.terminals.ack(id, lane.handle_rendered(rendered, world.now));
            if let Some(took) = lane.take_round_trip(world.now) {
                world.host.metrics.hop(Hop::Render, took);
                is_near = took < world.host.options.pack_from;
            }
            let end = world.terminals.range(lane.session).end;
            let lags = lane.lags(end);
            if is_near {
                self.pack_no_more();
            }
            if lags {
                self.skip(stream, GapReason::Resync, world);
            }
        }
    }

    // ---- What others did ----

    pub(super) fn pass_on(&mut self, stream: StreamId, notice: Notice, world: &mut World<'_>) {
        let notice = match notice {
            Notice::Replaced => {
                let goodbye = Goodbye::new(ErrorCode::Replaced, "this client has come back on another connection");
                self.say_goodbye(goodbye);
                return self.park(true, world);
            }
            Notice::Results(results) => return self.send_results(*results, world),
            other => other,
        };
        let Some(lane) = self.lanes.get_mut(&stream) else { return };
        let session = lane.session;
        match notice {
            Notice::Settled(Settled { sequence, refused, dropped }) => {
                let moment = self.moment(world.now);
                self.push_unhurried(Message::InputAck { sequence }.stamped(stream, moment), world.now);
                if let Some(dropped) = dropped {
                    self.send(stream, Message::InputDropped(dropped));
                }
                if let Some(refused) = refused {
                    self.send_refused(stream, refused, world);
                }
            }
            Notice::InputDropped(dropped) => self.send(stream, Message::InputDropped(dropped)),
            Notice::Resized { number, size } => {
                let number = lane.settle_resizes(number);
                self.send(stream, Message::Resized(Resized { number, size }));
            }
            Notice::ProcessExited { offset, status } => self.send(stream, Message::ProcessExited(Exited { offset, status })),
            Notice::Interrupted if lane.is_stale(world.terminals.range(session).end) => self.skip(stream, GapReason::Interrupt, world),
            Notice::Control(act) => self.send(stream, Message::Control(Control { number: 0, act })),
            Notice::Viewers => self.send_viewers(stream, session, world),
            Notice::Interrupted | Notice::Replaced | Notice::Results(_) => {}
        }
    }

    fn send_viewers(&mut self, stream: StreamId, session: SessionId, world: &World<'_>) {
        let agreed = self.guest().is_some_and(|guest| guest.agreed.contains(VIEWERS));
        let Some(known) = world.host.session(session).filter(|_| agreed) else { return };
        let id = self.lane_id(stream);
        let viewer = |watcher: &Watcher| Viewer {
            name: watcher.name.clone(),
            role: watcher.role,
            you: watcher.lane == id,
            replies: known.replies(watcher.lane),
        };
        let count = u32::try_from(known.watchers().len()).unwrap_or(u32::MAX);
        let mut room = self.room();
        let fits = |viewer: &Viewer| {
            let bytes = VIEWER_BYTES + viewer.name.len();
            let fits = bytes <= room;
            room = room.saturating_sub(bytes);
            fits
        };
        let viewers = known.watchers().iter().take(VIEWERS_TOLD).map(viewer).take_while(fits).collect();
        self.send(stream, Message::Viewers(Viewers { count, viewers }));
    }
}

/// Viewers of whom more than their number is told.
const VIEWERS_TOLD: usize = 64;

/// Bytes that one of them takes, at the most, besides its name.
const VIEWER_BYTES: usize = 64;

/// Bytes of a list's frame that are not its items: the header, the map, its keys.
const LIST_BYTES: usize = 64;
