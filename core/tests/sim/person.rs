//! A client and whoever sits before it: types, looks, and holds what it is shown against what really happened.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use orchflow_core::host::HostOptions;
use orchflow_core::id::SessionId;
use orchflow_core::limits::{READ_MAX, RESUME_HOLD, STALL_MAX};
use orchflow_core::pack::Codec;
use orchflow_core::peer::client::{ClientOptions, ClientPeer, Event, Loss, Past};
use orchflow_core::protocol::frame::{FrameDecoder, StreamId};
use orchflow_core::protocol::message::{Attach, Attached, Credit, Ended, Gap, GapReason, Policy, Start};
use orchflow_core::protocol::negotiation::Features;
use orchflow_core::protocol::token::Role;
use orchflow_core::size::Size;
use orchflow_core::time::Time;

use crate::marks::{Asked, Marks};
use crate::plan::World;
use crate::server::{AUTHORITY, token};
use crate::truth::Truth;
use crate::typed::Typed;

type Truths = BTreeMap<SessionId, Truth>;

pub(crate) struct Person {
    pub(crate) client: ClientPeer,
    pub(crate) decoder: FrameDecoder,
    pub(crate) number: usize,
    pub(crate) places: BTreeMap<StreamId, Place>,
    /// What it typed into each session.
    pub(crate) typed: BTreeMap<u64, Typed>,
    /// How often it asked for a program.
    pub(crate) spawns: usize,
    /// The batches it asked for.
    pub(crate) operations: Asked,
    /// Requests that concern an open stream, or none.
    pub(crate) asked: BTreeSet<u64>,
    /// Whether it renders what it is shown.
    pub(crate) looks: bool,
    /// Whether it has to dial; whether it has hung up.
    pub(crate) dials: bool,
    pub(crate) hung_up: bool,
    /// Since when the server knows that its link is gone; a server that heard nothing of that finds out when it comes back.
    pub(crate) missed: Option<Time>,
    /// Its link is too thin for what may wait for it, or was slow or worse at some time, so that what it rendered was not heard of.
    pub(crate) is_slow: bool,
    /// It said goodbye, so that nothing is kept for it.
    pub(crate) left: bool,
    credit: u64,
}

/// One stream, as it was shown.
#[derive(Debug, Default)]
pub(crate) struct Place {
    pub(crate) session: Option<u64>,
    /// Whether it misses output rather than hold others up.
    lossy: bool,
    /// The next byte.
    pub(crate) at: u64,
    pub(crate) is_open: bool,
    /// The person wants no more of it.
    pub(crate) leaves: bool,
    /// Where it last began, and when; and whether it may miss something there, for its place was not kept, or not long enough.
    start: u64,
    since: Time,
    excused: bool,
    /// Bytes missed at the beginning.
    gone: u64,
    /// It has missed something for holding others up.
    demoted: bool,
    /// Bytes that were shown since it began there and are not rendered.
    unrendered: u64,
    /// When it last rendered all that it had, and the longest that it ever let others wait for that.
    rendered: Time,
    longest: Duration,
    /// Bytes missed.
    pub(crate) missed: u64,
    /// The terminal's size, as it was last told.
    pub(crate) size: Option<Size>,
}

impl Place {
    pub(crate) fn asked(session: Option<u64>, now: Time) -> Place {
        Place { session, rendered: now, ..Place::default() }
    }
}

/// As what each person comes.
const ROLES: [Role; 5] = [Role::Owner, Role::Writer, Role::Owner, Role::Owner, Role::Viewer];

/// What a client offers: any codec, one of them, or none.
fn features(choice: usize) -> Features {
    let plain = Features::known().without_codecs();
    match choice % (Codec::ALL.len() + 2) {
        0 => plain,
        1 => Features::known(),
        one => plain.with(Codec::ALL[one - 2].name(), &[]),
    }
}

impl Person {
    pub(crate) fn new(number: usize, world: &World, seed: u64) -> Person {
        let mut options = ClientOptions::new(token().pass(ROLES[number]), AUTHORITY);
        options.limits.credit = Credit::new(world.credit);
        options.input_bytes_max = 64 << 10;
        options.features = features(world.codecs + number);
        let credit = Credit::new(world.credit).min(HostOptions::default().limits.credit);
        // What one renders while others have patience, at a credit for each round trip.
        let rendered = u128::from(credit.high_bytes()) * STALL_MAX.as_nanos() / (2 * world.latency).as_nanos();
        Person {
            client: ClientPeer::new(options, seed),
            decoder: FrameDecoder::new(4096),
            number,
            places: BTreeMap::new(),
            typed: BTreeMap::new(),
            spawns: 0,
            operations: Asked::default(),
            asked: BTreeSet::new(),
            looks: true,
            dials: false,
            hung_up: false,
            missed: None,
            is_slow: rendered < 2 * world.high_bytes as u128,
            left: false,
            credit: u64::from(credit.high_bytes()),
        }
    }

    /// Deals with what happened.
    pub(crate) fn look(&mut self, truths: &Truths, marks: &Marks, now: Time, tells: bool) {
        while let Some(event) = self.client.poll_event() {
            if tells {
                println!("{:>14.6} s  person {}: {event:?}", (now - Time::ZERO).as_secs_f64(), self.number);
            }
            match event {
                Event::Dial => self.dials = true,
                Event::HangUp => self.hung_up = true,
                Event::Lost { why, .. } => self.handle_lost(&why),
                Event::Welcome(welcomed) => self.handle_welcome(welcomed.past, now),
                Event::Spawned { stream, spawned } => {
                    let place = self.places.get_mut(&stream).expect("law 8: a stream that nobody asked for");
                    assert!(place.session.is_none_or(|session| session == spawned.session), "law 8: one Spawn has started two programs");
                    (place.session, place.is_open, place.since) = (Some(spawned.session), true, now);
                    place.size = Some(spawned.size);
                    self.typed.entry(spawned.session).or_insert_with(|| Typed::new(self.number));
                }
                Event::Attached { stream, attached } => self.handle_attached(stream, &attached, now),
                Event::Output { stream, offset, bytes, .. } => {
                    let (place, truth) = shown(&mut self.places, truths, stream);
                    assert_eq!(offset, place.at, "law 1: bytes are missing or doubled on stream {}", stream.as_raw());
                    assert!(truth.said(offset, &bytes), "law 1: other bytes than the terminal said, from {offset} on");
                    place.at += bytes.len() as u64;
                    place.unrendered += bytes.len() as u64;
                    let limit = self.credit + READ_MAX as u64;
                    assert!(place.unrendered <= limit, "law 4: {} bytes are under way, and {limit} may be", place.unrendered);
                    self.render(stream, now);
                }
                Event::Gap { stream, gap } => self.handle_gap(stream, gap, truths, now),
                Event::Exit { stream, ended } => self.handle_exit(stream, &ended, truths),
                Event::Resized { stream, resized } => {
                    let place = self.places.get_mut(&stream).filter(|place| place.is_open);
                    place.expect("law 2: something comes on a stream that is not open").size = Some(resized.size);
                }
                Event::ProcessExited { stream, exited } => {
                    let (_, truth) = shown(&mut self.places, truths, stream);
                    assert!(exited.offset <= truth.end(), "law 2: the process ended after more than the terminal ever said");
                }
                Event::Detached { stream, .. } => drop(self.places.remove(&stream)),
                Event::Results(results) => self.operations.handle_results(&results, marks),
                Event::Refused { stream, refusal } => self.handle_refused(stream, refusal.number),
                Event::Unanswered { stream, number } => self.handle_refused(stream, number),
                Event::Settled { stream, sequence } => self.with_typed(stream, truths, |typed| typed.settle(sequence)),
                Event::InputRefused { stream, refused, to } => {
                    self.with_typed(stream, truths, |typed| typed.refuse(refused.sequence, to));
                }
                Event::InputDropped { stream, dropped } => {
                    self.with_typed(stream, truths, |typed| typed.cut(dropped.from, dropped.to));
                }
                Event::InputUncertain { session, from, to } => {
                    if let Some(typed) = self.typed.get_mut(&session) {
                        typed.doubt(from, to);
                    }
                }
                _ => {}
            }
        }
    }

    /// Where it was no request on an open stream, the stream is gone.
    fn handle_refused(&mut self, stream: StreamId, number: u64) {
        if !self.asked.remove(&number) && !self.operations.give_up(number) {
            self.places.remove(&stream);
        }
    }

    fn handle_lost(&mut self, why: &Loss) {
        assert!(!matches!(why, Loss::Breach(_) | Loss::Impostor), "law 8: two of ours do not understand each other: {why:?}");
        if let Loss::Goodbye(goodbye) = why {
            use orchflow_core::protocol::message::ErrorCode::{Replaced, Timeout};
            assert!(matches!(goodbye.code, Replaced | Timeout), "law 8: a server of ours turned one of ours away: {goodbye:?}");
        }
        for place in self.places.values_mut().filter(|place| place.is_open) {
            // Where nothing was shown yet, word of what it may miss can have been lost with the link.
            (place.is_open, place.excused) = (false, place.excused && place.at == place.start);
        }
    }

    fn handle_welcome(&mut self, past: Past, now: Time) {
        let too_late = self.missed.take().is_some_and(|since| now - since >= RESUME_HOLD);
        if too_late || std::mem::take(&mut self.left) || past != Past::Resumed {
            self.places.values_mut().for_each(|place| place.excused = true);
        }
    }

    fn handle_attached(&mut self, stream: StreamId, attached: &Attached, now: Time) {
        let place = self.places.get_mut(&stream).expect("law 8: a stream that nobody asked for");
        if place.since > Time::ZERO {
            assert_eq!(attached.start, place.at, "law 8: a stream does not go on where it was");
        } else {
            (place.at, place.excused) = (attached.start, true);
        }
        // A session that ended meanwhile has nobody who could be held up, and what such a one missed is gone.
        place.excused |= place.lossy;
        place.lossy = attached.policy == Policy::Resync;
        (place.gone, place.size) = (0, Some(attached.size));
        (place.is_open, place.start, place.since, place.unrendered) = (true, attached.start, now, 0);
        let number = self.number;
        let typed = self.typed.entry(attached.session).or_insert_with(|| Typed::new(number));
        typed.settle(attached.input);
    }

    fn handle_gap(&mut self, stream: StreamId, gap: Gap, truths: &Truths, now: Time) {
        let (place, truth) = shown(&mut self.places, truths, stream);
        assert_eq!(gap.from, place.at, "law 1: a gap does not begin where output stopped");
        assert!(gap.to > gap.from && gap.to <= truth.end(), "law 1: a gap of what was never said: {gap:?} of {}", truth.end());
        let begins = gap.from == place.start + place.gone;
        let held_up = self.is_slow || place.longest.max(now - place.rendered) >= STALL_MAX;
        let allowed = match gap.why {
            GapReason::Cleared => truth.cleared,
            GapReason::Demoted => !place.lossy && !place.demoted && held_up,
            GapReason::Interrupt => (place.lossy || place.demoted) && truth.interrupted,
            GapReason::History => begins && (place.excused || place.lossy || place.demoted || held_up),
            _ => place.lossy || place.demoted,
        };
        assert!(allowed, "law 1: bytes are missing for no reason: {gap:?} on {place:?}");
        place.demoted |= gap.why == GapReason::Demoted;
        place.missed += gap.to - gap.from;
        place.gone += if begins { gap.to - gap.from } else { 0 };
        place.at = gap.to;
        self.render(stream, now);
    }

    fn handle_exit(&mut self, stream: StreamId, ended: &Ended, truths: &Truths) {
        let (place, truth) = shown(&mut self.places, truths, stream);
        assert_eq!((ended.offset, truth.end()), (place.at, place.at), "law 2: the exit does not come after the last byte");
        self.places.remove(&stream);
    }

    fn with_typed(&mut self, stream: StreamId, truths: &Truths, touch: impl FnOnce(&mut Typed)) {
        let Some(session) = self.places.get(&stream).and_then(|place| place.session) else { return };
        let Some(typed) = self.typed.get_mut(&session) else { return };
        touch(typed);
        if let Some(truth) = truths.get(&SessionId::from_raw(session)) {
            typed.check(&truth.accepted, false);
        }
    }

    /// Renders what it has, if it looks.
    fn render(&mut self, stream: StreamId, now: Time) {
        if self.looks
            && let Some(place) = self.places.get_mut(&stream)
        {
            place.unrendered = 0;
            place.longest = place.longest.max(now - place.rendered);
            // Who has no link is not heard of.
            place.rendered = if self.client.is_open() { now } else { place.rendered };
            self.client.rendered(stream, place.at);
        }
    }

    pub(crate) fn look_again(&mut self, now: Time) {
        self.looks = true;
        let streams: Vec<StreamId> = self.places.keys().copied().collect();
        streams.into_iter().for_each(|stream| self.render(stream, now));
    }

    /// Streams that are open.
    pub(crate) fn open(&self) -> Vec<StreamId> {
        self.places.iter().filter(|(_, place)| place.is_open && !place.leaves).map(|(stream, _)| *stream).collect()
    }

    /// Watches `session` from `start`, unless it does already.
    pub(crate) fn attach(&mut self, session: u64, start: Start, policy: Option<Policy>, now: Time) {
        if self.places.values().any(|place| place.session == Some(session)) {
            return;
        }
        let attach = Attach { number: 0, session, start, role: None, size: None, policy };
        if let Ok(stream) = self.client.attach(attach) {
            self.places.insert(stream, Place::asked(Some(session), now));
        }
    }

    /// Whether it must be told of every byte by now, and of the end of all that ended.
    pub(crate) fn check_end(&self, truths: &Truths) {
        self.operations.check_end(self.number);
        for (stream, place) in &self.places {
            let Some(truth) = place.session.and_then(|session| truths.get(&SessionId::from_raw(session))) else { continue };
            let what = format!("person {} on stream {} of `{}`: {place:?}", self.number, stream.as_raw(), truth.program);
            assert!(place.is_open, "law 8: a stream did not come back: {what}");
            assert_eq!(place.at, truth.end(), "law 1: output did not come: {what}");
        }
        for (session, typed) in &self.typed {
            let Some(truth) = truths.get(&SessionId::from_raw(*session)) else { continue };
            typed.check(&truth.accepted, true);
            let watches = self.places.values().any(|place| place.session == Some(*session));
            if watches && truth.reads() {
                assert_eq!(typed.pending(), 0, "law 8: input was neither taken nor refused by `{}`", truth.program);
            }
        }
    }
}

fn shown<'a>(places: &'a mut BTreeMap<StreamId, Place>, truths: &'a Truths, stream: StreamId) -> (&'a mut Place, &'a Truth) {
    let place = places.get_mut(&stream).filter(|place| place.is_open).expect("law 2: something comes on a stream that is not open");
    let session = place.session.expect("law 8: an open stream has a session");
    let truth = truths.get(&SessionId::from_raw(session)).expect("law 8: a session that was never started");
    (place, truth)
}
