//! What a client asks for, as far as its role allows.

use std::time::Duration;

use super::{ServerPeer, State, World};
use crate::flow::Lines;
use crate::id::SessionId;
use crate::limits::SESSIONS_PER_FRAME;
use crate::protocol::frame::StreamId;
use crate::protocol::message::{
    Attach, Close, Control, Detached, ErrorCode, Fault, Message, Policy, Refusal, Resize, Sessions, Spawn, Spawned, Start,
};
use crate::protocol::token::Role;

impl ServerPeer {
    /// A message called `name` from somebody inside.
    pub(super) fn serve(&mut self, stream: StreamId, message: Message, name: &str, world: &mut World<'_>) {
        let (number, result) = match message {
            Message::Ping { echo } => return self.push(Message::Pong { echo }.stamped(StreamId::CONNECTION, Some(world.now))),
            Message::Pong { .. } => return,
            Message::Goodbye(goodbye) => return self.state = State::Over(goodbye.code),
            Message::Input(input) => return self.type_in(stream, &input, world),
            Message::Ack { rendered } => return self.acknowledge(stream, rendered, world),
            Message::Spawn(spawn) => (spawn.number, self.spawn(stream, &spawn, world)),
            Message::Attach(attach) => (attach.number, self.attach(stream, &attach, world)),
            Message::Detach { number } => return self.detach(stream, number, world),
            Message::List { number } => return self.list(number, world),
            Message::Close(close) => (close.number, self.close(stream, &close, world)),
            Message::Control(control) => (control.number, self.control(stream, control, world)),
            Message::Resize(resize) => (resize.number, self.resize(stream, &resize, world)),
            Message::Batch(batch) => (batch.number, self.submit(*batch, world)),
            Message::Cancel { number } => return self.cancel(number, world),
            _ => {
                let message = format!("{name} is not for a client to send now");
                return self.turn_away(ErrorCode::Unexpected, message, world);
            }
        };
        if let Err(Fault { code, message }) = result {
            self.refuse(stream, Refusal::new(number, code, message), world);
        }
    }

    pub(super) fn role(&self) -> Role {
        if let State::Inside(guest) = &self.state { guest.role } else { Role::Metrics }
    }

    // ---- Sessions ----

    fn spawn(&mut self, stream: StreamId, spawn: &Spawn, world: &mut World<'_>) -> Asked {
        if !self.role().owns() {
            return forbidden("start programs", Role::Owner);
        }
        self.check_free(stream, world)?;
        let Some(client) = self.client() else { return Ok(()) };
        let before = world.host.clients.get(client).and_then(|client| client.spawned(spawn.number));
        let (session, pid) = match before {
            // The answer was lost with the link.
            Some(session) if world.host.session(session).is_some() => (session, None),
            Some(_) => return refuse(ErrorCode::Ended, "the program was started, and has ended long ago"),
            None => {
                let started = world.host.spawn(spawn, world.terminals, world.now)?;
                if let Some(client) = world.host.clients.get_mut(client) {
                    client.remember_spawn(spawn.number, started.0);
                }
                started
            }
        };
        let place = self.watch(stream, session, Role::Owner, Policy::Backpressure, 0, spawn.size, world);
        let spawned = Spawned { number: spawn.number, session: session.as_raw(), pid, size: place.size, replies: place.replies };
        self.send(stream, Message::Spawned(spawned));
        self.tell_exited(stream, session, world);
        self.open_lane(stream, session, Policy::Backpressure, 0, world);
        self.tell_viewers(session, world);
        Ok(())
    }

    fn attach(&mut self, stream: StreamId, attach: &Attach, world: &mut World<'_>) -> Asked {
        if !self.role().watches() {
            return forbidden("watch sessions", Role::Viewer);
        }
        self.check_free(stream, world)?;
        let session = self.known(attach.session, world)?;
        if self.watches(session) {
            return refuse(ErrorCode::StreamInUse, "the session is watched on another stream of this connection already");
        }
        let range = world.terminals.range(session);
        let start = match attach.start {
            Start::Offset(offset) if offset > range.end => {
                return refuse(ErrorCode::OffsetAhead, format!("output ends at {}: attach there, or before", range.end));
            }
            Start::Offset(offset) => offset,
            Start::Tail(bytes) => self.cut(session, range.end.saturating_sub(bytes).max(range.start), Lines::Any, world),
        };
        let others = world.host.session(session).is_some_and(|known| !known.watchers().is_empty());
        let policy = attach.policy.unwrap_or(if others { Policy::Resync } else { Policy::Backpressure });
        let role = self.role().at_most(attach.role.unwrap_or(Role::Owner));
        let place = self.watch(stream, session, role, policy, start, attach.size, world);
        let attached = self.attached(attach.number, start, range.end, &place, world);
        self.send(stream, attached);
        self.tell_exited(stream, session, world);
        self.open_lane(stream, session, policy, start, world);
        if let Some(size) = attach.size {
            // Refused where the session has ended; its size is of no importance then.
            let _ended = self.apply_window(stream, size, 0, world);
        }
        self.tell_viewers(session, world);
        Ok(())
    }

    fn detach(&mut self, stream: StreamId, number: u64, world: &mut World<'_>) {
        if self.lanes.contains_key(&stream) {
            self.give_up(stream, world);
            self.send(stream, Message::Detached(Detached { number, ..Detached::default() }));
        }
    }

    fn list(&mut self, number: u64, world: &mut World<'_>) {
        let all: Vec<SessionId> = if self.role().watches() { world.host.sessions().map(|(id, _)| id).collect() } else { Vec::new() };
        let all = all.into_iter().filter_map(|id| world.host.info(id, world.terminals, world.now));
        let room = self.room();
        let (mut sessions, mut bytes) = (Vec::new(), 0);
        for info in all {
            let more = INFO_BYTES + info.title.len() + info.program.len();
            if !sessions.is_empty() && (sessions.len() == SESSIONS_PER_FRAME || bytes + more > room) {
                let sessions = std::mem::take(&mut sessions);
                self.send(StreamId::CONNECTION, Message::Sessions(Sessions { number, more: true, sessions }));
                bytes = 0;
            }
            bytes += more;
            sessions.push(info);
        }
        self.send(StreamId::CONNECTION, Message::Sessions(Sessions { number, more: false, sessions }));
    }

    fn close(&mut self, stream: StreamId, close: &Close, world: &mut World<'_>) -> Asked {
        if !self.role().owns() {
            return forbidden("end sessions", Role::Owner);
        }
        let session = match (close.session, self.lanes.get(&stream)) {
            (_, Some(lane)) => lane.session,
            (_, None) if !stream.is_connection() => return Ok(()), // It has ended meanwhile.
            (Some(session), None) => self.known(session, world)?,
            (None, None) => return refuse(ErrorCode::BadRequest, "name the session, or ask on its stream"),
        };
        world.terminals.close(session, Duration::from_millis(close.grace_ms.into()));
        self.send(stream, Message::Done { number: close.number });
        Ok(())
    }

    fn control(&mut self, stream: StreamId, control: Control, world: &mut World<'_>) -> Asked {
        let Some((session, role)) = self.lane(stream) else { return Ok(()) };
        if !role.types() {
            return forbidden("change sessions", Role::Writer);
        }
        world.host.control(session, control.act, Some(self.lane_id(stream)), world.terminals)?;
        self.send(stream, Message::Done { number: control.number });
        Ok(())
    }

    fn resize(&mut self, stream: StreamId, resize: &Resize, world: &mut World<'_>) -> Asked {
        let Some((_, role)) = self.lane(stream) else { return Ok(()) };
        if !role.types() {
            return forbidden("change sizes", Role::Writer);
        }
        self.apply_window(stream, resize.size, resize.number, world)
    }

    // ---- Checks ----

    /// The session and the role of a stream, if it is open. What comes on another crossed with its end on the way, and is
    /// ignored.
    pub(super) fn lane(&self, stream: StreamId) -> Option<(SessionId, Role)> {
        self.lanes.get(&stream).map(|lane| (lane.session, lane.role))
    }

    fn known(&self, number: u64, world: &World<'_>) -> Result<SessionId, Fault> {
        let session = SessionId::from_raw(number);
        let missing = || Fault::new(ErrorCode::NoSession, format!("there is no session {number}: List tells which there are"));
        world.host.session(session).map(|_| session).ok_or_else(missing)
    }

    fn check_free(&self, stream: StreamId, world: &World<'_>) -> Asked {
        if self.lanes.contains_key(&stream) {
            return refuse(ErrorCode::StreamInUse, "the stream is in use: take another number, or detach it first");
        }
        let limit = usize::from(world.host.options.limits.streams);
        if self.lanes.len() >= limit {
            return refuse(ErrorCode::TooMany, format!("{limit} streams are open: detach one first"));
        }
        Ok(())
    }
}

/// Bytes that one session takes in a list, at the most, besides its title and program: keys, numbers, sizes.
pub(super) const INFO_BYTES: usize = 192;

/// What came of a request.
pub(super) type Asked = Result<(), Fault>;

fn refuse(code: ErrorCode, message: impl Into<String>) -> Asked {
    Err(Fault::new(code, message))
}

fn forbidden(what: &str, needed: Role) -> Asked {
    refuse(ErrorCode::Forbidden, format!("to {what} one must be {needed}: connect with that link"))
}
