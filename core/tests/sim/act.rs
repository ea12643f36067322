//! What each thing of a plan does to the world as it is by then.

use std::time::Duration;

use bytes::Bytes;
use orchflow_core::hub::serve::Framing;
use orchflow_core::id::SessionId;
use orchflow_core::protocol::frame::StreamId;
use orchflow_core::protocol::message::{Act, Policy, Spawn, Start};
use orchflow_core::protocol::negotiation::grease_frame;
use orchflow_core::pty::{Signal, Target};
use orchflow_core::size::Size;
use orchflow_core::time::Time;

use crate::marks::Asked;
use crate::person::Place;
use crate::plan::{Action, What};
use crate::sim::{GATES, PROGRAMS, Sim};

/// Streams that one person opens.
const PLACES_MAX: usize = 6;

/// The longest outage.
const OUTAGE_MAX_MS: usize = 25_000;

/// The most that is typed at once, in bytes: it fits one frame.
const TYPED_MAX: usize = 3_000;

impl Sim {
    pub(crate) fn act(&mut self, action: &Action) {
        let Action { what, who, which, size, .. } = *action;
        let number = who % self.people.len();
        let now = self.now();
        let session = self.session(which);
        let person = &mut self.people[number];
        let open = person.open();
        let stream = (!open.is_empty()).then(|| open[which % open.len()]);
        match (what, stream) {
            (What::Spawn, _) if person.places.len() < PLACES_MAX => {
                let program = PROGRAMS[which % PROGRAMS.len()].0.to_owned();
                person.spawns += 1;
                if let Ok(stream) = person.client.spawn(Spawn { program: Some(program), ..Spawn::default() }) {
                    person.places.insert(stream, Place::asked(None, now));
                }
            }
            (What::Attach, _) if person.places.len() < PLACES_MAX => {
                let Some((session, range)) = session else { return };
                let start = match size % 4 {
                    0 => Start::Offset(0),
                    1 => Start::Offset(range.start),
                    2 => Start::Offset(range.end),
                    _ => Start::Tail((size >> 2) as u64),
                };
                let policy = [None, Some(Policy::Backpressure), Some(Policy::Resync)][(size >> 3) % 3];
                person.attach(session, start, policy, now);
            }
            (What::Detach, Some(stream)) => {
                if person.client.detach(stream).is_ok()
                    && let Some(place) = person.places.get_mut(&stream)
                {
                    place.leaves = true;
                }
            }
            (What::Type, Some(stream)) => self.write(number, stream, size, which),
            (What::Interrupt, Some(stream)) => self.interrupt(number, stream),
            (What::Resize, Some(stream)) => {
                let size = Size::new(1 + (size % 300) as u16, 1 + (which % 100) as u16).expect("a size that fits");
                person.asked.extend(person.client.resize(stream, size));
            }
            (What::Clear, Some(stream)) => self.clear(number, stream),
            (What::Title, Some(stream)) => person.asked.extend(person.client.control(stream, Act::Title(format!("title {size}")))),
            (What::Signal, Some(stream)) => {
                let act = Act::Signal { name: [Signal::Interrupt, Signal::Terminate][size % 2], to: Target::Foreground };
                person.asked.extend(person.client.control(stream, act));
            }
            (What::Close, _) => {
                let Some((session, _)) = session else { return };
                person.asked.extend(person.client.close(session, Duration::from_millis(size as u64 % 500)));
            }
            (What::List, _) => person.asked.extend(person.client.list()),
            (What::Ping, _) => drop(person.client.ping(now)),
            (What::Batch, _) => self.batch(number, which, size),
            (What::Cancel, _) => {
                if let Some(number) = person.operations.any(which) {
                    person.client.cancel(number);
                }
            }
            (What::LookAway, _) => person.looks = false,
            (What::LookAgain, _) => person.look_again(now),
            (What::LeaveAndReturn, _) => {
                person.client.leave(now);
                person.left = true;
                self.settle();
                self.people[number].client.dial();
            }
            (What::OpenGate, _) => self.server.ptys.release(&format!("g{}", which % GATES)),
            (What::Outage, _) => self.down_until = now + Duration::from_millis((size % OUTAGE_MAX_MS) as u64),
            (What::Herd, _) => {
                self.down_until = now + Duration::from_millis((size % OUTAGE_MAX_MS) as u64);
                (0..self.wires.len()).rev().for_each(|at| self.cut(at, which + at));
            }
            (What::Restart, _) => self.restart(),
            (What::Stranger, _) => self.stranger(which, size),
            (What::Cut | What::Mute | What::Copy | What::Slow | What::Nonsense, _) => self.harm(what, number, which, size),
            _ => {}
        }
    }

    /// Some session, and what of its output is held.
    fn session(&self, which: usize) -> Option<(u64, std::ops::Range<u64>)> {
        let sessions: Vec<SessionId> = self.server.host.sessions().map(|(id, _)| id).collect();
        let session = *sessions.get(which % sessions.len().max(1))?;
        Some((session.as_raw(), orchflow_core::host::Terminals::range(&self.server.table, session)))
    }

    // ---- People ----

    fn write(&mut self, number: usize, stream: StreamId, size: usize, which: usize) {
        let person = &mut self.people[number];
        let Some(session) = person.places[&stream].session else { return };
        let Some(typed) = person.typed.get_mut(&session) else { return };
        // Keys mostly, a paste now and then.
        let mut bytes = typed.next(1 + if size.is_multiple_of(8) { size % TYPED_MAX } else { size % 5 });
        if which.is_multiple_of(3) {
            bytes.push(b'\n');
        }
        if let Ok(sequence) = person.client.write(stream, Bytes::from(bytes.clone())) {
            typed.push(sequence, &bytes);
        }
    }

    fn interrupt(&mut self, number: usize, stream: StreamId) {
        let person = &mut self.people[number];
        let Some(session) = person.places[&stream].session else { return };
        let Some(typed) = person.typed.get_mut(&session) else { return };
        if let Ok(sequence) = person.client.interrupt(stream, Bytes::from_static(&[3])) {
            typed.push(sequence, &[3]);
            self.server.table.truths.entry(SessionId::from_raw(session)).and_modify(|truth| truth.interrupted = true);
        }
    }

    fn clear(&mut self, number: usize, stream: StreamId) {
        let person = &mut self.people[number];
        let asked = person.client.control(stream, Act::Clear);
        if let (Ok(number), Some(session)) = (asked, person.places[&stream].session) {
            person.asked.insert(number);
            self.server.table.truths.entry(SessionId::from_raw(session)).and_modify(|truth| truth.cleared = true);
        }
    }

    fn batch(&mut self, number: usize, which: usize, size: usize) {
        let (now, people) = (self.now(), self.people.len());
        // Until somebody watches it a program is read only so far; this one says little.
        let batch = self.people[number].operations.draw(number, which, size, "short");
        let askers = if batch.key.is_some() && size.is_multiple_of(3) { vec![number, (number + 1) % people] } else { vec![number] };
        for asker in askers {
            let person = &mut self.people[asker];
            if let Ok(asked) = person.client.batch(batch.clone(), now) {
                person.operations.ask(asked, &batch);
                self.people[number].spawns += Asked::spawns(&batch);
            }
        }
    }

    // ---- The network ----

    fn harm(&mut self, what: What, number: usize, which: usize, size: usize) {
        let Some(at) = self.wires.iter().position(|wire| wire.person == number && wire.is_used()) else { return };
        let (now, latency) = (self.now(), self.world.latency);
        match what {
            What::Cut => self.cut(at, which),
            What::Mute => {
                self.wires[at].is_mute = true;
                self.people[number].is_slow = true;
            }
            What::Copy => {
                self.wires[at].cut = Some(Time::MAX);
                self.people[number].client.handle_broken(now);
            }
            What::Slow if size.is_multiple_of(3) => self.wires[at].down.hurry(now, latency),
            What::Slow => {
                self.wires[at].down.is_slow = true;
                self.people[number].is_slow = true;
            }
            What::Nonsense => {
                let nonsense = grease_frame(which as u64).to_bytes();
                let wire = &mut self.wires[at];
                let way = if size.is_multiple_of(2) { &mut wire.up } else { &mut wire.down };
                way.push(nonsense, now, latency);
            }
            _ => {}
        }
    }

    /// Cuts a link. Of what is on its way some arrives, the last of it perhaps in part. The server notices at once, or only later.
    fn cut(&mut self, at: usize, which: usize) {
        if !self.wires[at].is_used() {
            return;
        }
        let now = self.now();
        let (id, is_mute) = (self.wires[at].id, self.wires[at].is_mute);
        let up = self.wires[at].up.drain();
        for bytes in self.arriving(up).into_iter().filter(|_| !is_mute) {
            self.server.receive(id, bytes);
        }
        let down = self.wires[at].down.drain();
        for bytes in self.arriving(down).into_iter().filter(|_| !is_mute) {
            self.hand_over(at, bytes);
        }
        let late = if which.is_multiple_of(2) { 0 } else { self.dice.below(40_000) };
        self.wires[at].cut = Some(now + Duration::from_millis(late as u64));
        self.people[self.wires[at].person].client.handle_broken(now);
    }

    fn arriving(&mut self, mut things: Vec<Bytes>) -> Vec<Bytes> {
        let arrive = self.dice.below(things.len() + 1);
        let rest = things.split_off(arrive);
        if let Some(next) = rest.first().filter(|_| !self.world.messages) {
            things.push(next.slice(..self.dice.below(next.len())));
        }
        things
    }

    /// Somebody with a random tongue: it is shown out, or waited for in vain, and nobody else notices.
    fn stranger(&mut self, which: usize, size: usize) {
        let framing = if self.world.messages { Framing::Messages } else { Framing::Stream };
        let id = self.server.accept(framing);
        let mut bytes = vec![0; 1 + size % 6_000];
        self.dice.fill(&mut bytes);
        if which.is_multiple_of(2) {
            // Looks like a Hello.
            bytes.resize(bytes.len().max(16), 0);
            let length = (bytes.len() as u32 - 16).to_le_bytes();
            bytes[..16].fill(0);
            bytes[0] = 1;
            bytes[4..8].copy_from_slice(&length);
        }
        self.server.receive(id, Bytes::from(bytes));
        let is_in = self.server.links.get(&id).is_some_and(|link| link.peer.client().is_some());
        assert!(!is_in, "law 6: somebody is in who has proved nothing");
        self.server.lose(id);
    }
}
