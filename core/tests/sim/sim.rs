//! The world of one run: a server, people, links, one clock; and the plan that is played in it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use orchflow_core::flow::FlowLimits;
use orchflow_core::host::{ConnectionId, HostOptions, SizePolicy};
use orchflow_core::hub::Hub;
use orchflow_core::hub::serve::{Framing, Table};
use orchflow_core::limits::READ_MAX;
use orchflow_core::pty::Command;
use orchflow_core::pty::scripted::{Script, ScriptedPtys};
use orchflow_core::session::SessionOptions;
use orchflow_core::time::Time;

use crate::dice::Dice;
use crate::marks::Marks;
use crate::person::Person;
use crate::plan::{Plan, World};
use crate::server::Server;
use crate::shapes;
use crate::truth::{Ledger, Recorder};
use crate::wire::Wire;

/// What a run came to, where every law held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Things that happened.
    pub(crate) events: usize,
    /// Bytes of output that people were shown.
    pub(crate) shown: u64,
    /// Frames of output that went packed.
    pub(crate) packed: usize,
    /// Follows from everything that ever went over a link, and when.
    pub(crate) digest: u64,
}

pub(crate) struct Sim {
    pub(crate) world: World,
    pub(crate) server: Server<Ledger>,
    pub(crate) people: Vec<Person>,
    pub(crate) wires: Vec<Wire>,
    /// Nobody can dial before.
    pub(crate) down_until: Time,
    pub(crate) dice: Dice,
    pub(crate) outcome: Outcome,
    /// Operations that were carried out, by whatever server.
    marks: Marks,
    /// Whether what happens is told as it does.
    pub(crate) tells: bool,
}

/// How long everything may take, once nothing goes wrong any more.
const PATIENCE: Duration = Duration::from_secs(300);

/// Bytes that wait to be sent, after which a server's driver hears nothing more.
const ANSWERS_MAX: usize = 4 * READ_MAX;

/// Clients a server knows after a run: five people, each of whom is forgotten now and then by a server that restarts or a Welcome that is lost.
const CLIENTS_MOST: usize = 64;

/// Things that may happen at the same moment.
const AT_ONCE_MAX: usize = 10_000;

impl Sim {
    /// Plays `plan`, or the first `events_max` events of it, and then until everything is at rest. Panics where a law is broken.
    pub(crate) fn play(plan: &Plan, events_max: usize, tells: bool) -> Outcome {
        let mut sim = Sim::new(plan, tells);
        let mut actions = plan.actions.iter().enumerate();
        let mut next = actions.next();
        let mut due = next.map_or(Time::MAX, |(_, action)| Time::ZERO + action.after);
        while let Some((at, action)) = next.filter(|_| sim.outcome.events < events_max) {
            sim.go_to(due);
            sim.tell(format_args!("{at}: {action:?}"));
            sim.outcome.events += 1;
            sim.act(action);
            sim.settle();
            next = actions.next();
            due = sim.now() + next.map_or(Duration::ZERO, |(_, action)| action.after);
        }
        sim.come_to_rest();
        sim.outcome
    }

    fn new(plan: &Plan, tells: bool) -> Sim {
        let mut dice = Dice::new(plan.seed ^ 0xd1ce);
        let world = plan.world;
        let marks = Marks::default();
        let server = server(&world, &marks, &mut dice);
        let people = (0..world.users).map(|number| Person::new(number, &world, dice.next())).collect();
        let outcome = Outcome::default();
        Sim { world, server, people, wires: Vec::new(), down_until: Time::ZERO, dice, outcome, marks, tells }
    }

    pub(crate) fn now(&self) -> Time {
        self.server.now()
    }

    pub(crate) fn tell(&self, what: std::fmt::Arguments<'_>) {
        if self.tells {
            println!("{:>14.6} s  {what}", (self.now() - Time::ZERO).as_secs_f64());
        }
    }

    /// Another server begins, which knows nobody; the clock goes on.
    pub(crate) fn restart(&mut self) {
        let now = self.now();
        self.server = server(&self.world, &self.marks, &mut self.dice);
        self.server.hub.advance(now - Time::ZERO);
        for person in &mut self.people {
            person.typed.clear();
            person.spawns = person.places.len(); // Those without an answer are asked for again.
        }
        for wire in std::mem::take(&mut self.wires).into_iter().filter(Wire::is_used) {
            self.people[wire.person].client.handle_broken(now);
        }
    }

    // ---- Time ----

    /// Lets everything happen that is due before `end`, and then it is `end`.
    fn go_to(&mut self, end: Time) {
        let mut at_once = 0;
        while let Some(next) = self.next().filter(|next| *next <= end) {
            let step = next - self.now();
            at_once = if step.is_zero() { at_once + 1 } else { 0 };
            assert!(at_once < AT_ONCE_MAX, "law 5: the same moment goes on for ever: {:?}", self.now());
            self.server.hub.advance(step);
            self.settle();
        }
        self.server.hub.advance(end - self.now());
    }

    /// When something happens next by itself.
    fn next(&self) -> Option<Time> {
        let ways = self.wires.iter().flat_map(|wire| {
            let gets = self.server.links.get(&wire.id).is_some_and(|link| link.peer.queued() < ANSWERS_MAX);
            [wire.up.next().filter(|_| gets), wire.down.next(), wire.cut.filter(|at| *at < Time::MAX)]
        });
        let clients = self.people.iter().map(|person| person.client.poll_timeout());
        let links = self.server.links.values().map(|link| link.peer.poll_timeout(&self.server.host));
        let rest = [self.server.host.poll_timeout(), self.server.hub.poll_timeout(), self.server.works_due()];
        ways.chain(clients).chain(links).chain(rest).flatten().min()
    }

    /// Lets everything happen that happens now.
    pub(crate) fn settle(&mut self) {
        while self.turn() {}
        self.check();
    }

    /// One round. Answers whether anything went anywhere.
    fn turn(&mut self) -> bool {
        let before = self.outcome.events;
        self.bring_up();
        self.server.turn();
        self.bring_down();
        for number in 0..self.people.len() {
            self.drive(number);
        }
        self.close_links();
        self.outcome.events > before
    }

    // ---- The links ----

    fn bring_up(&mut self) {
        let now = self.now();
        for at in 0..self.wires.len() {
            let id = self.wires[at].id;
            while self.server.links.get(&id).is_some_and(|link| link.peer.queued() < ANSWERS_MAX)
                && let Some(bytes) = self.wires[at].up.take_due(now)
            {
                self.count(at, &bytes);
                if !self.wires[at].is_mute {
                    self.server.receive(id, bytes);
                }
            }
        }
    }

    fn bring_down(&mut self) {
        let (now, latency) = (self.now(), self.world.latency);
        for at in 0..self.wires.len() {
            let wire = &mut self.wires[at];
            while wire.is_used()
                && wire.down.has_room()
                && let Some(message) = self.server.send(wire.id)
            {
                wire.down.push(message, now, latency);
            }
            while let Some(bytes) = self.wires[at].down.take_due(now) {
                self.count(at, &bytes);
                if !self.wires[at].is_mute && self.wires[at].is_used() {
                    self.hand_over(at, bytes);
                }
            }
        }
    }

    /// Bytes reach the person at the end of a link; in pieces, where they are a stream.
    pub(crate) fn hand_over(&mut self, at: usize, mut bytes: Bytes) {
        let now = self.now();
        let person = &mut self.people[self.wires[at].person];
        if self.world.messages {
            person.client.handle_message(bytes, now);
            return person.look(&self.server.table.truths, &self.marks, now, self.tells);
        }
        while !bytes.is_empty() {
            let piece = 1 + self.dice.below(bytes.len());
            person.decoder.handle_bytes(&bytes.split_to(piece));
            loop {
                person.decoder.set_frame_max(person.client.frame_max());
                match person.decoder.poll_frame() {
                    Ok(Some(frame)) => person.client.handle_frame(frame, now),
                    Ok(None) => break,
                    Err(error) => return person.client.handle_garbage(error, now),
                }
            }
            person.look(&self.server.table.truths, &self.marks, now, self.tells);
        }
    }

    fn count(&mut self, at: usize, bytes: &[u8]) {
        self.outcome.events += 1;
        let place = (self.now().as_nanos() ^ self.wires[at].person as u64).to_le_bytes();
        for byte in place.iter().chain(bytes) {
            self.outcome.digest = (self.outcome.digest ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    /// A person's machine gets what is due, and gives what it has.
    fn drive(&mut self, number: usize) {
        let now = self.now();
        self.hang_up(number);
        let person = &mut self.people[number];
        if person.client.poll_timeout().is_some_and(|at| at <= now) {
            person.client.handle_timeout(now);
        }
        person.look(&self.server.table.truths, &self.marks, now, self.tells);
        if std::mem::take(&mut person.dials) {
            self.dial(number);
        }
        let wire = self.wires.iter().position(|wire| wire.person == number && wire.is_used());
        let mut message = BytesMut::new();
        while let Some(frame) = self.people[number].client.poll_frame().inspect(shapes::hold) {
            frame.append_to(&mut message);
            if message.len() >= 16 << 10 || self.people[number].client.queued() == 0 || self.dice.one_in(3) {
                let Some(wire) = wire else { continue };
                self.wires[wire].up.push(message.split().freeze(), now, self.world.latency);
            }
        }
        self.hang_up(number);
    }

    fn dial(&mut self, number: usize) {
        let now = self.now();
        if now < self.down_until {
            return self.people[number].client.handle_broken(now);
        }
        self.tell(format_args!("person {number} dials"));
        let id = self.server.accept(if self.world.messages { Framing::Messages } else { Framing::Stream });
        self.wires.push(Wire::new(number, id));
        let mut dice = Dice::new(self.dice.next());
        self.people[number].decoder = orchflow_core::protocol::frame::FrameDecoder::new(4096);
        self.people[number].client.handle_connected(&mut |bytes| dice.fill(bytes), now);
    }

    /// Who has hung up: what it said last arrives, and then the end.
    fn hang_up(&mut self, number: usize) {
        let now = self.now();
        let person = &mut self.people[number];
        person.look(&self.server.table.truths, &self.marks, now, self.tells);
        if !std::mem::take(&mut person.hung_up) {
            return;
        }
        let Some(at) = self.wires.iter().position(|wire| wire.person == number && wire.is_used()) else { return };
        let mut last = BytesMut::new();
        while let Some(frame) = person.client.poll_frame().inspect(shapes::hold) {
            frame.append_to(&mut last);
        }
        let mut wire = self.wires.remove(at);
        if !wire.is_mute {
            wire.up.drain().into_iter().for_each(|bytes| self.server.receive(wire.id, bytes));
            self.server.receive(wire.id, last.freeze());
        }
        self.lose(wire.id, number);
    }

    /// The server learns that a link is gone.
    pub(crate) fn lose(&mut self, id: ConnectionId, person: usize) {
        let is_last = self.wires.iter().all(|wire| wire.person != person || !wire.is_used() || wire.id == id);
        self.tell(format_args!("the server loses {id:?} of person {person}"));
        let was_in = self.server.links.get(&id).is_some_and(|link| link.peer.streams().next().is_some());
        self.server.lose(id);
        if is_last && was_in {
            let now = self.now();
            self.people[person].missed.get_or_insert(now);
        }
    }

    fn close_links(&mut self) {
        let now = self.now();
        for at in (0..self.wires.len()).rev() {
            let wire = &self.wires[at];
            let (id, person) = (wire.id, wire.person);
            match wire.cut {
                Some(noticed) if noticed <= now || self.server.is_over(id) => {
                    self.wires.remove(at);
                    self.lose(id, person);
                }
                None if self.server.is_over(id) && (wire.is_mute || wire.down.next().is_none()) => {
                    self.lose(id, person);
                    if !self.wires[at].is_mute {
                        self.wires.remove(at);
                        self.people[person].client.handle_broken(now);
                    }
                }
                _ => {}
            }
        }
    }

    // ---- The laws ----

    /// What holds after every step.
    fn check(&self) {
        self.marks.check();
        for (id, link) in &self.server.links {
            let limit = ANSWERS_MAX + 2 * READ_MAX;
            assert!(link.peer.queued() <= limit, "law 4: {} bytes wait for {id:?}, and {limit} may", link.peer.queued());
        }
        let mut inside = BTreeSet::new();
        for client in self.server.links.values().filter_map(|link| link.peer.client()) {
            assert!(inside.insert(client), "law 8: {client:?} is there twice");
        }
        let clients = self.server.host.clients.len();
        assert!(clients <= CLIENTS_MOST, "law 4: {clients} clients are known, of {}", self.people.len());
        for (session, truth) in &self.server.table.truths {
            let (input, accepted) = (truth.input(), &truth.accepted);
            let is_whole = truth.interrupted || truth.disturbed || accepted.starts_with(&input);
            assert!(is_whole, "law 1: input reached {session:?} in another order than it was accepted");
        }
        let held = self.server.hub.metrics().pool_bytes;
        let limit = self.server.table.truths.len() * (self.world.history_bytes + 4 * READ_MAX);
        assert!(held as usize <= limit, "law 4: {held} bytes of output are held, and {limit} may be");
    }

    /// Nothing goes wrong any more, everybody looks, every program may go on: then everything arrives.
    fn come_to_rest(&mut self) {
        let now = self.now();
        self.tell(format_args!("all is well from here on"));
        self.down_until = now;
        for at in 0..GATES {
            self.server.ptys.release(&format!("g{at}"));
        }
        for wire in &mut self.wires {
            let is_stuck = wire.is_mute || wire.cut == Some(Time::MAX);
            wire.cut = wire.cut.map(|_| now).or(is_stuck.then_some(now));
            wire.up.hurry(now, self.world.latency);
            wire.down.hurry(now, self.world.latency);
        }
        for number in 0..self.people.len() {
            let is_used = self.wires.iter().any(|wire| wire.person == number && wire.is_used());
            let person = &mut self.people[number];
            if person.client.is_open() && !is_used {
                person.client.handle_broken(now);
            }
            person.look_again(now);
            person.client.dial();
        }
        self.settle();
        let end = now + PATIENCE;
        self.go_to(end);
        self.outcome.packed = self.server.outputs[1..].iter().sum();
        let truths = &self.server.table.truths;
        for person in &self.people {
            assert!(person.client.is_open(), "law 8: person {} did not come back", person.number);
            person.check_end(truths);
            self.outcome.shown += person.places.values().map(|place| place.at - place.missed).sum::<u64>();
        }
        for (session, truth) in truths {
            let is_read = !truth.reads() || truth.input() == truth.accepted;
            assert!(is_read, "law 1: accepted input did not reach {session:?}");
            let says = PROGRAMS.iter().find(|(name, _)| *name == truth.program).and_then(|(_, says)| *says);
            let is_whole = truth.disturbed || truth.interrupted || says.is_none_or(|says| says == truth.end());
            assert!(is_whole, "law 1: `{}` says {says:?} bytes, and {} were read of it", truth.program, truth.end());
        }
        let asked: usize = self.people.iter().map(|person| person.spawns).sum();
        assert!(truths.len() <= asked, "law 8: {} programs were started, and {asked} were asked for", truths.len());
        self.check_watchers();
    }

    /// Who watches is who the server thinks does, and everybody knows the size.
    fn check_watchers(&self) {
        for (session, known) in self.server.host.sessions() {
            let places = self.people.iter().flat_map(|person| person.places.values());
            let here: Vec<_> = places.filter(|place| place.session == Some(session.as_raw())).collect();
            let (there, here_too) = (known.watchers().len(), here.len());
            assert_eq!(there, here_too, "law 4: {there} are held to watch {session:?}, and {here_too} do");
            for place in here {
                assert_eq!(place.size, Some(known.size), "law 8: somebody was told another size of {session:?} than it has");
            }
        }
    }
}

/// Gates that programs wait at.
pub(crate) const GATES: usize = 4;

/// Programs there are, and how many bytes each says if that depends on nobody.
pub(crate) const PROGRAMS: [(&str, Option<u64>); 10] = [
    ("cat", None),
    ("lines", None),
    ("flood", Some(700_000)),
    ("deaf", Some(14)),
    ("gates", Some(360_000)),
    ("tail", Some(160_000)),
    ("orphan", None),
    ("editor", None),
    ("short", Some(5)),
    ("late", None),
];

fn server(world: &World, marks: &Marks, dice: &mut Dice) -> Server<Ledger> {
    let flood = |bytes: u64| Script::new().raw().flood(bytes);
    let gates = (0..GATES).fold(Script::new().raw(), |script, at| script.wait_gate(format!("g{at}")).flood(90_000));
    let scripts = [
        Script::new().raw().cat(),
        Script::new().echo(false).cat(),
        flood(700_000).exit(3),
        Script::new().raw().print("nobody listens").hang(),
        gates.hang(),
        flood(100_000).wait_gate("g0").flood(60_000).exit(0),
        Script::new().orphan("still here", true).wait_gate("g1").print("bye").exit(0),
        Script::new().on_signal(orchflow_core::pty::Signal::Interrupt, "interrupted").report_resizes().cat(),
        Script::new().print("short").exit(7),
        Script::new().raw().wait_gate("g2").cat(),
    ];
    let ptys = PROGRAMS.into_iter().zip(scripts).fold(ScriptedPtys::new(), |ptys, ((name, _), script)| ptys.with(name, script));
    let recorder = Recorder::new(ptys.clone());
    let hub = Hub::builder().backend(Arc::new(recorder.clone())).events().manual_clock().hosted().expect("a hub");
    let low_bytes = world.high_bytes / 8;
    let session = SessionOptions {
        history_bytes: world.history_bytes,
        flow: FlowLimits { high_bytes: world.high_bytes, low_bytes, ..FlowLimits::default() },
        input_queue_bytes: world.queue_bytes,
        ..SessionOptions::default()
    };
    let table = Table::new(hub.clone(), Command::new("cat"), session);
    let mut options = HostOptions::default();
    options.limits.input = world.input_bytes;
    options.sizes = [SizePolicy::Latest, SizePolicy::Smallest, SizePolicy::Fixed][world.sizes];
    let mut server = Server::over(hub, ptys, Ledger::new(table, recorder), options, Dice::new(dice.next()));
    server.host.operators().add("mark", marks.clone());
    server
}
