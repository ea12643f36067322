//! What a server says to a client that is in, or is about to be.

use super::outbox::Refusal as Given;
use super::{Breach, ClientPeer, Event, Identity, Loss, Past, Phase, State, Welcomed};
use crate::protocol::frame::StreamId;
use crate::protocol::kind::Kind;
use crate::protocol::message::{
    Attached, Detached, ErrorCode, InputRefused, InstanceId, Message, Output, Refusal, Sessions, Spawned, Start, Welcome,
};
use crate::time::Time;

type Taken = Result<(), Breach>;

impl ClientPeer {
    /// A message that came after the server's proof.
    pub(super) fn take(&mut self, stream: StreamId, kind: Kind, message: Message, sent: Option<Time>, now: Time) -> Taken {
        if let State::Proved { instance, .. } = self.state {
            match message {
                Message::Welcome(welcome) => self.welcome(*welcome, instance, now),
                Message::Goodbye(goodbye) => self.lose(Loss::Goodbye(*goodbye), now),
                Message::Ping { echo } => self.send_pong(echo),
                Message::Pong { echo } => self.take_pong(echo, sent, now),
                _ => return Err(Breach::Unexpected { kind, stream }),
            }
            return Ok(());
        }
        match message {
            Message::Ping { echo } => self.send_pong(echo),
            Message::Pong { echo } => self.take_pong(echo, sent, now),
            Message::Goodbye(goodbye) => self.lose(Loss::Goodbye(*goodbye), now),
            Message::Error(refusal) => {
                if !self.keeps(&refusal, now) {
                    self.take_refusal(stream, refusal);
                }
            }
            Message::Done { number } => {
                if self.requests.remove(&number).is_some() {
                    self.events.push_back(Event::Done { number });
                }
            }
            Message::Sessions(sessions) => {
                if let Some(told) = self.requests.get(&sessions.number).map(|request| request.told) {
                    if !sessions.more {
                        self.requests.remove(&sessions.number);
                        self.patience.handle_success();
                    }
                    self.events.push_back(Event::Sessions(Sessions { number: told, ..sessions }));
                }
            }
            Message::Spawned(spawned) => return self.take_spawned(stream, spawned),
            Message::Attached(attached) => return self.take_attached(stream, *attached),
            Message::Detached(detached) => self.take_detached(stream, detached),
            Message::Output(output) => return self.take_output(stream, output, sent),
            Message::Packed(packed) => {
                let output = self.unpack(stream, packed)?;
                return self.take_output(stream, output, sent);
            }
            Message::Gap(gap) => {
                if gap.to < gap.from {
                    return Err(Breach::Offset { kind, stream, expected: gap.from, found: gap.to });
                }
                if self.flow(stream, kind, gap.from, gap.to)? {
                    self.events.push_back(Event::Gap { stream, gap });
                }
            }
            Message::Exit(ended) => {
                let is_shown = self.flow(stream, kind, ended.offset, ended.offset)?;
                self.end_stream(stream, true);
                self.events.push_back(match is_shown {
                    true => Event::Exit { stream, ended },
                    false => Event::Detached { stream, detached: Detached::default() },
                });
            }
            Message::Results(results) => return self.take_results(*results),
            Message::InputAck { sequence } => return self.settle(stream, sequence),
            Message::InputRefused(refused) => self.take_input_refused(stream, refused, now),
            told => self.take_told(stream, kind, told)?,
        }
        Ok(())
    }

    /// What is only passed on, where the stream is open.
    fn take_told(&mut self, stream: StreamId, kind: Kind, message: Message) -> Taken {
        let event = match message {
            Message::InputDropped(dropped) => Event::InputDropped { stream, dropped },
            Message::ProcessExited(exited) => Event::ProcessExited { stream, exited },
            Message::Viewers(viewers) => Event::Viewers { stream, viewers },
            Message::Control(control) => Event::Control { stream, act: control.act },
            Message::Resized(resized) => {
                let settled = |at: u64, request: &super::Request| {
                    at <= resized.number && request.stream == stream && matches!(request.message, Message::Resize(_))
                };
                self.requests.retain(|at, request| !settled(*at, request));
                Event::Resized { stream, resized }
            }
            _ => return Err(Breach::Unexpected { kind, stream }),
        };
        if self.lanes.get(&stream).is_some_and(super::Lane::is_open) {
            self.events.push_back(event);
        }
        Ok(())
    }

    fn take_output(&mut self, stream: StreamId, output: Output, sent: Option<Time>) -> Taken {
        let Output { offset, bytes, replay, .. } = output;
        if self.flow(stream, Kind::Output, offset, offset + bytes.len() as u64)? {
            self.events.push_back(Event::Output { stream, offset, bytes, replay, sent });
        }
        Ok(())
    }

    /// Output from `from` to `to` came on `stream`. Answers whether the host is to see it.
    fn flow(&mut self, stream: StreamId, kind: Kind, from: u64, to: u64) -> Result<bool, Breach> {
        let lane = self.lanes.get_mut(&stream).filter(|lane| matches!(lane.phase, Phase::Open | Phase::Closing(_)));
        let lane = lane.ok_or(Breach::Unexpected { kind, stream })?;
        lane.handle_output(from, to).map_err(|expected| Breach::Offset { kind, stream, expected, found: from })?;
        Ok(lane.is_open())
    }

    // ---- Being let in ----

    fn welcome(&mut self, welcome: Welcome, instance: InstanceId, now: Time) {
        let Welcome { client, secret, role, resumed, limits, .. } = welcome;
        let past = match &self.known {
            _ if resumed => Past::Resumed,
            Some(known) if known.instance == instance => Past::Forgotten,
            Some(_) => Past::Restarted,
            None => Past::None,
        };
        self.known = Some(Identity { client, secret, instance, role, replaced: false });
        self.limits = limits;
        self.limits.credit = limits.credit.min(self.options.limits.credit);
        self.state = State::Open;
        self.backoff.handle_up(now);
        self.events.push_back(Event::Welcome(Welcomed { client, instance, role, past }));
        if matches!(past, Past::Forgotten | Past::Restarted) {
            self.outboxes.keys().copied().collect::<Vec<_>>().into_iter().for_each(|session| self.begin_input_anew(session));
        }
        let unanswered = self.requests.keys().copied().collect();
        self.bring_streams_back(past);
        self.ask_again(unanswered, past, now);
    }

    fn begin_input_anew(&mut self, session: u64) {
        let stream = self.outboxes.get(&session).and_then(|outbox| outbox.stream);
        self.drop_outbox(session);
        if stream.is_some() {
            self.outboxes.insert(session, super::Outbox::new(0));
        }
    }

    /// Streams that were open: brought back by the server, asked for again, or gone.
    fn bring_streams_back(&mut self, past: Past) {
        let streams: Vec<StreamId> = self.lanes.keys().copied().collect();
        for stream in streams {
            let Some(lane) = self.lanes.get(&stream) else { continue };
            let is_old = lane.phase == Phase::Returning || lane.session.is_some();
            if past == Past::Restarted && is_old {
                self.end_stream(stream, true);
                let message = "the server was started anew, and its sessions are gone".to_owned();
                let detached = Detached { number: 0, code: Some(ErrorCode::NoSession), message };
                self.events.push_back(Event::Detached { stream, detached });
            } else if lane.phase == Phase::Returning && !(past == Past::Resumed && self.listed.contains(&stream)) {
                self.attach_again(stream);
            }
        }
    }

    /// Requests without an answer: those that were never sent, and those that mean the same twice.
    fn ask_again(&mut self, unanswered: Vec<u64>, past: Past, now: Time) {
        let resumed = past == Past::Resumed;
        for number in unanswered {
            let Some(request) = self.requests.get(&number) else { continue };
            let again = match request.message {
                Message::Spawn(_) => resumed || !request.sent,
                Message::Attach(_) | Message::Resize(_) => true,
                Message::Close(_) => !request.sent && past != Past::Restarted,
                // Its sessions are those of the server it was meant for.
                Message::Batch(_) => resumed || !request.sent && past != Past::Restarted,
                _ => !request.sent,
            };
            if again {
                match request.message {
                    Message::Batch(_) => self.send_batch_again(number, now),
                    _ => self.send_request(number),
                }
                continue;
            }
            self.batches.remove(&number);
            let Some(request) = self.requests.remove(&number) else { continue };
            if matches!(request.message, Message::Spawn(_)) {
                self.lanes.remove(&request.stream);
            }
            self.events.push_back(Event::Unanswered { stream: request.stream, number: request.told });
        }
    }

    /// The link is gone: streams wait for the next one.
    pub(super) fn suspend_streams(&mut self) {
        self.outboxes.values_mut().for_each(super::Outbox::handle_break);
        self.listed.clear();
        self.patience.handle_break();
        let streams: Vec<StreamId> = self.lanes.keys().copied().collect();
        for stream in streams {
            let Some(lane) = self.lanes.get_mut(&stream) else { continue };
            match lane.phase {
                Phase::Open => lane.phase = Phase::Returning,
                Phase::Closing(_) => {
                    self.end_stream(stream, false);
                    self.events.push_back(Event::Detached { stream, detached: Detached::default() });
                }
                Phase::Opening(_) | Phase::Returning => {}
            }
        }
    }

    // ---- Answers ----

    fn take_spawned(&mut self, stream: StreamId, spawned: Spawned) -> Taken {
        let asked = self.opening(stream).filter(|number| *number == spawned.number);
        let asked = asked.and_then(|number| self.requests.remove(&number)).filter(|request| matches!(request.message, Message::Spawn(_)));
        let (Some(_), Some(lane)) = (asked, self.lanes.get_mut(&stream)) else {
            return Err(Breach::Unexpected { kind: Kind::Spawned, stream });
        };
        self.patience.handle_success();
        lane.open(spawned.session, 0);
        self.events.push_back(Event::Spawned { stream, spawned });
        self.outboxes.remove(&spawned.session); // Its number is new, whatever there was.
        self.open_outbox(spawned.session, stream, 0).map_err(|sent| Breach::Sequence { stream, sent, found: 0 })
    }

    fn take_attached(&mut self, stream: StreamId, attached: Attached) -> Taken {
        let kind = Kind::Attached;
        let opening = self.opening(stream).filter(|number| attached.number == *number);
        let Some(lane) = self.lanes.get_mut(&stream).filter(|lane| lane.session == Some(attached.session)) else {
            return Err(Breach::Unexpected { kind, stream });
        };
        let expected = match (opening.and_then(|number| self.requests.remove(&number)), lane.phase) {
            (Some(request), _) => match request.message {
                Message::Attach(attach) => match attach.start {
                    Start::Offset(offset) => offset,
                    Start::Tail(_) => attached.start,
                },
                _ => return Err(Breach::Unexpected { kind, stream }),
            },
            (None, Phase::Returning) if attached.number == 0 => lane.received(),
            _ => return Err(Breach::Unexpected { kind, stream }),
        };
        if attached.start != expected {
            return Err(Breach::Offset { kind, stream, expected, found: attached.start });
        }
        lane.policy = Some(attached.policy);
        if lane.phase == Phase::Returning {
            lane.reopen()
        } else {
            lane.open(attached.session, attached.start)
        }
        self.patience.handle_success();
        let (session, settled) = (attached.session, attached.input);
        self.events.push_back(Event::Attached { stream, attached });
        self.open_outbox(session, stream, settled).map_err(|sent| Breach::Sequence { stream, sent, found: settled })?;
        self.send_input(session);
        Ok(())
    }

    /// The request that `stream` waits for.
    fn opening(&self, stream: StreamId) -> Option<u64> {
        self.lanes.get(&stream).and_then(|lane| if let Phase::Opening(number) = lane.phase { Some(number) } else { None })
    }

    fn take_detached(&mut self, stream: StreamId, detached: Detached) {
        let phase = self.lanes.get(&stream).map(|lane| lane.phase);
        let is_ours = match phase {
            Some(Phase::Closing(number)) => detached.number == number || detached.number == 0,
            Some(Phase::Open | Phase::Returning) => detached.number == 0,
            Some(Phase::Opening(_)) | None => false, // About the stream's life before.
        };
        if is_ours {
            self.requests.remove(&detached.number);
            self.end_stream(stream, matches!(detached.code, Some(ErrorCode::NoSession | ErrorCode::Ended)));
            self.events.push_back(Event::Detached { stream, detached });
        }
    }

    pub(super) fn take_refusal(&mut self, stream: StreamId, mut refusal: Refusal) {
        let is_returning = self.lanes.get(&stream).is_some_and(|lane| lane.phase == Phase::Returning);
        if refusal.number == 0 && is_returning {
            let detached = Detached { number: 0, code: Some(refusal.code), message: refusal.message };
            return self.take_detached(stream, detached);
        }
        let request = self.requests.remove(&refusal.number);
        self.batches.remove(&refusal.number);
        if refusal.number > 0 && request.is_none() {
            return;
        }
        match self.lanes.get(&stream).map(|lane| lane.phase) {
            Some(Phase::Opening(number)) if number == refusal.number => {
                self.end_stream(stream, matches!(refusal.code, ErrorCode::NoSession | ErrorCode::Ended));
                self.lanes.remove(&stream);
            }
            Some(Phase::Closing(number)) if number == refusal.number => self.end_stream(stream, false),
            _ => {}
        }
        refusal.number = request.map_or(refusal.number, |request| request.told);
        self.events.push_back(Event::Refused { stream, refusal });
    }

    // ---- Input ----

    fn settle(&mut self, stream: StreamId, sequence: u64) -> Taken {
        let Some(session) = self.lanes.get(&stream).filter(|lane| lane.is_open()).and_then(|lane| lane.session) else { return Ok(()) };
        let Some(outbox) = self.outboxes.get_mut(&session) else { return Ok(()) };
        let sent = outbox.reached();
        if outbox.settle(sequence).ok_or(Breach::Sequence { stream, sent, found: sequence })? {
            self.events.push_back(Event::Settled { stream, sequence });
            self.send_input(session);
        }
        Ok(())
    }

    fn take_input_refused(&mut self, stream: StreamId, refused: InputRefused, now: Time) {
        let Some(session) = self.lanes.get(&stream).filter(|lane| lane.is_open()).and_then(|lane| lane.session) else { return };
        let Some(outbox) = self.outboxes.get_mut(&session) else { return };
        let may_succeed = refused.retryable || refused.code == ErrorCode::InputGap;
        match outbox.refuse(refused.sequence, may_succeed, now) {
            Given::Stale | Given::Later => {}
            Given::GivenUp(to) => self.events.push_back(Event::InputRefused { stream, refused, to }),
            Given::Uncertain(lost) => self.events.extend(lost.map(|(from, to)| Event::InputUncertain { session, from, to })),
        }
    }
}
