//! What a host promises of operations, with a driver that carries them out in any order and at any time.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::limits::{ANSWER_BYTES_MAX, ANSWERS_BYTES_MAX, KEYS_REMEMBERED, OPERATION_COST, REMEMBERED_BYTES_MAX};
use crate::protocol::message::Answer;

const NOW: Time = Time::from_millis(1);
const ADA: Owner = Owner::Client(ClientId::from_bytes([1; 16]));
const BOB: Owner = Owner::Client(ClientId::from_bytes([2; 16]));

fn asker(owner: Owner, number: u64) -> Asker {
    Asker { owner, number, connection: Some(ConnectionId(1)) }
}

/// Asks about a session: the least of what works on one.
fn on(session: u64) -> Operation {
    Operation::Query { session }
}

fn ordered(mode: Mode, operations: impl IntoIterator<Item = Operation>) -> Batch {
    Batch { mode, ..Batch::new(operations) }
}

fn keyed(key: &str, operations: impl IntoIterator<Item = Operation>) -> Batch {
    Batch { key: Some(key.into()), ..Batch::new(operations) }
}

impl Operations {
    fn ask(&mut self, owner: Owner, number: u64, batch: Batch) -> Result<(), Fault> {
        self.submit(asker(owner, number), Role::Owner, batch, NOW)
    }

    /// Begins all that may begin now; answers where each stands in its batch.
    fn begun(&mut self) -> Vec<(u64, u32)> {
        std::iter::from_fn(|| self.next(NOW)).map(|next| (next.task.batch, next.task.at)).collect()
    }

    fn done(&mut self, batch: u64, at: u32) {
        self.finish(Task { batch, at }, Ok(None), NOW);
    }

    /// Carries out all there is.
    fn drain(&mut self) {
        while let Some(next) = self.next(NOW) {
            self.finish(next.task, Ok(None), NOW);
        }
    }

    fn told(&mut self) -> Vec<(Asker, Results)> {
        std::iter::from_fn(|| self.poll_told()).collect()
    }

    /// What one who asked was told, all together.
    fn told_to(&mut self, owner: Owner, number: u64) -> Results {
        let mut all = Results::default();
        for (_, results) in self.told().into_iter().filter(|(to, _)| (to.owner, to.number) == (owner, number)) {
            all.more = results.more;
            all.extend(results);
        }
        all
    }
}

fn code(results: &Results) -> Vec<(u32, u32, ErrorCode)> {
    results.refused.iter().map(|refused| (refused.from, refused.to, refused.code)).collect()
}

#[test]
fn on_one_session_one_comes_after_the_other_across_batches_and_askers_and_others_do_not_wait() {
    let mut operations = Operations::default();
    operations.ask(ADA, 1, Batch::new([on(7), on(8), on(7)])).unwrap();
    operations.ask(BOB, 1, Batch::new([on(7), on(9)])).unwrap();
    assert_eq!(operations.begun(), [(1, 0), (1, 1), (2, 1)]);
    operations.done(1, 0);
    assert_eq!(operations.begun(), [(1, 2)]);
    operations.done(1, 2);
    assert_eq!(operations.begun(), [(2, 0)]);
}

#[test]
fn an_ordered_batch_waits_for_each_and_goes_on_after_a_refusal() {
    let mut operations = Operations::default();
    operations.ask(ADA, 1, ordered(Mode::Ordered, [on(1), on(2), on(3)])).unwrap();
    assert_eq!(operations.begun(), [(1, 0)]);
    operations.finish(Task { batch: 1, at: 0 }, Err(Fault::new(ErrorCode::Ended, "it has ended")), NOW);
    assert_eq!(operations.begun(), [(1, 1)]);
    operations.done(1, 1);
    assert_eq!(operations.begun(), [(1, 2)]);
    operations.done(1, 2);
    let results = operations.told_to(ADA, 1);
    assert_eq!((code(&results), results.done, results.more), (vec![(0, 0, ErrorCode::Ended)], vec![(1, 2)], false));
}

#[test]
fn what_follows_a_refusal_is_skipped_where_that_was_asked_for_and_holds_nobody_up() {
    let mut operations = Operations::default();
    operations.ask(ADA, 1, ordered(Mode::StopOnError, [on(1), on(2), on(2)])).unwrap();
    operations.ask(BOB, 1, Batch::new([on(2)])).unwrap();
    assert_eq!(operations.begun(), [(1, 0)], "session 2 is for those who asked before");
    operations.finish(Task { batch: 1, at: 0 }, Err(Fault::new(ErrorCode::Ended, "it has ended")), NOW);
    assert_eq!(operations.begun(), [(2, 0)]);
    assert_eq!(code(&operations.told_to(ADA, 1)), [(0, 0, ErrorCode::Ended), (1, 2, ErrorCode::Skipped)]);
}

#[test]
fn what_was_called_off_is_not_begun_and_what_has_begun_ends() {
    let mut operations = Operations::default();
    operations.ask(ADA, 1, Batch::new([on(1), on(1), on(1)])).unwrap();
    assert_eq!(operations.begun(), [(1, 0)]);
    operations.cancel(BOB, 1, NOW);
    operations.cancel(ADA, 1, NOW);
    assert_eq!(operations.begun(), []);
    let first = operations.told_to(ADA, 1);
    assert_eq!((code(&first), first.more), (vec![(1, 2, ErrorCode::Cancelled)], true));
    operations.done(1, 0);
    let last = operations.told_to(ADA, 1);
    assert_eq!((last.done, last.more), (vec![(0, 0)], false));
}

#[test]
fn what_has_not_begun_in_time_is_refused_and_no_time_at_all_is_refused_at_once() {
    let mut operations = Operations::default();
    let within = |within_ms| Batch { within_ms: Some(within_ms), ..Batch::new([on(1), on(1)]) };
    assert_eq!(operations.ask(ADA, 1, within(0)).unwrap_err().code, ErrorCode::Expired);
    operations.ask(ADA, 2, within(10)).unwrap();
    assert_eq!(operations.begun(), [(1, 0)]);
    let due = NOW + Duration::from_millis(10);
    assert_eq!(operations.poll_timeout(), Some(due));
    operations.handle_timeout(due);
    assert_eq!(code(&operations.told_to(ADA, 2)), [(1, 1, ErrorCode::Expired)]);
    assert_eq!(operations.poll_timeout(), None);
    operations.done(1, 0);
    assert!(!operations.told_to(ADA, 2).more);
    operations.ask(ADA, 3, within(10)).unwrap();
    operations.drain();
    operations.told();
    assert_eq!(operations.poll_timeout(), None, "what is done has no deadline");
}

#[test]
fn input_that_waits_for_room_goes_on_where_it_was_and_says_how_far_it_got() {
    let mut operations = Operations::default();
    let typed = |bytes: &'static [u8]| Operation::Input { session: 1, bytes: Bytes::from_static(bytes), urgent: false };
    operations.ask(ADA, 1, Batch::new([typed(b"abcdef"), on(1)])).unwrap();
    let next = operations.next(NOW).unwrap();
    operations.block(next.task, typed(b"def"));
    assert_eq!(operations.begun(), []);
    operations.wake(SessionId::from_raw(2), NOW);
    assert_eq!(operations.begun(), []);
    operations.wake(SessionId::from_raw(1), NOW);
    let next = operations.next(NOW).unwrap();
    assert_eq!(next.operation, typed(b"def"));
    operations.block(next.task, typed(b"f"));
    operations.cancel(ADA, 1, NOW);
    let results = operations.told_to(ADA, 1);
    assert_eq!(results.refused[0].message, "it was called off before it began, but for 5 bytes that were typed");
    assert!(!results.more);
}

#[test]
fn what_an_urgent_one_waits_for_is_as_urgent() {
    let mut operations = Operations::default();
    let class = |class, batch: Batch| Batch { class, ..batch };
    let many = (0..64).map(|n| on(100 + n));
    operations.ask(ADA, 1, class(Class::Background, Batch::new([on(1)]))).unwrap();
    operations.ask(ADA, 2, class(Class::Bulk, Batch::new(many))).unwrap();
    operations.ask(BOB, 1, class(Class::Interactive, Batch::new([on(1)]))).unwrap();
    assert_eq!(operations.next(NOW).map(|next| next.task), Some(Task { batch: 1, at: 0 }));
    operations.done(1, 0);
    assert_eq!(operations.next(NOW).map(|next| next.task), Some(Task { batch: 3, at: 0 }));
}

#[test]
fn whoever_repeats_a_request_is_told_all_of_it_again_and_nothing_is_done_twice() {
    let mut operations = Operations::default();
    operations.ask(ADA, 1, Batch::new([on(1), on(2)])).unwrap();
    assert_eq!(operations.begun(), [(1, 0), (1, 1)]);
    operations.done(1, 0);
    assert_eq!(operations.told_to(ADA, 1).done, [(0, 0)]);
    // The link broke; it comes again, while the rest is being done.
    operations.ask(ADA, 1, Batch::new([on(1), on(2)])).unwrap();
    assert_eq!(operations.begun(), []);
    let again = operations.told_to(ADA, 1);
    assert_eq!((again.done, again.more), (vec![(0, 0)], true));
    operations.done(1, 1);
    assert_eq!(operations.told_to(ADA, 1).done, [(1, 1)]);
    operations.ask(ADA, 1, Batch::new([on(1), on(2)])).unwrap();
    let after = operations.told_to(ADA, 1);
    assert_eq!((after.done, after.more), (vec![(0, 0), (1, 1)], false));
    operations.ask(BOB, 1, Batch::new([on(1)])).unwrap();
    assert_eq!(operations.begun(), [(2, 0)], "another client's numbers are its own");
}

#[test]
fn a_key_stands_for_one_batch_whoever_asks() {
    let mut operations = Operations::default();
    operations.ask(ADA, 1, keyed("deploy", [on(1), on(2)])).unwrap();
    operations.ask(BOB, 7, Batch { within_ms: Some(5), ..keyed("deploy", [on(1), on(2)]) }).unwrap();
    assert_eq!(operations.begun(), [(1, 0), (1, 1)]);
    operations.finish(Task { batch: 1, at: 0 }, Ok(Some(Answer::Host("x".into()))), NOW);
    operations.done(1, 1);
    let told = operations.told();
    let last: Vec<_> = told.iter().filter(|(_, results)| !results.more).map(|(to, results)| (to.owner, results.number)).collect();
    assert_eq!(last, [(ADA, 1), (BOB, 7)]);
    operations.ask(BOB, 8, keyed("deploy", [on(1), on(2)])).unwrap();
    let again = operations.told_to(BOB, 8);
    assert_eq!((again.answers.len(), again.done, again.more), (1, vec![(1, 1)], false));
    let other = operations.ask(ADA, 2, keyed("deploy", [on(3)]));
    assert_eq!(other.unwrap_err().code, ErrorCode::KeyInUse);
    let viewer = operations.submit(asker(BOB, 9), Role::Viewer, keyed("deploy", [on(1), on(2)]), NOW);
    assert_eq!(viewer.unwrap_err().code, ErrorCode::Forbidden, "who may do less learns nothing");
}

#[test]
fn what_is_remembered_is_bounded_and_what_is_forgotten_is_not_done_again() {
    let mut operations = Operations::default();
    for number in 1..=BATCHES_MAX as u64 + 1 {
        operations.ask(ADA, number, Batch::new([on(1)])).unwrap();
        operations.drain();
        operations.told();
    }
    assert_eq!(operations.batches.len(), BATCHES_MAX);
    assert_eq!(operations.ask(ADA, 1, Batch::new([on(1)])).unwrap_err().code, ErrorCode::Forgotten);
    operations.forget_client(ClientId::from_bytes([1; 16]));
    assert!(operations.batches.is_empty());
    for number in 0..KEYS_REMEMBERED as u64 + 10 {
        operations.ask(Owner::Local, number, keyed(&number.to_string(), [on(1)])).unwrap();
        operations.drain();
        operations.told();
    }
    assert_eq!(operations.batches.len(), KEYS_REMEMBERED);
}

#[test]
fn what_is_remembered_of_one_client_is_bounded_in_bytes_too() {
    let mut operations = Operations::default();
    let answer = |_| Ok(Some(Answer::Host(vec![7; ANSWER_BYTES_MAX].into())));
    for number in 1..=10 {
        operations.ask(ADA, number, Batch::new((0..20).map(|_| on(0)))).unwrap();
        while let Some(next) = operations.next(NOW) {
            operations.finish(next.task, answer(()), NOW);
        }
        let told = operations.told_to(ADA, number);
        assert!(told.answers.len() * ANSWER_BYTES_MAX <= ANSWERS_BYTES_MAX && told.refused[0].code == ErrorCode::TooMany);
    }
    assert!(operations.batches.len() <= REMEMBERED_BYTES_MAX / (ANSWERS_BYTES_MAX / 2), "{}", operations.batches.len());
    assert_eq!(operations.ask(ADA, 1, Batch::new([on(1)])).unwrap_err().code, ErrorCode::Forgotten);
    operations.ask(ADA, 10, Batch::new([on(1)])).unwrap();
    assert!(!operations.told_to(ADA, 10).answers.is_empty());
}

/// One that always panics.
struct Panics;

impl Operator for Panics {
    fn resource(&self, body: &[u8]) -> Option<u64> {
        if body.is_empty() { panic!("as was wanted") } else { None }
    }

    fn run(&mut self, _: Bytes) -> Run {
        panic!("as was wanted")
    }
}

#[test]
fn an_operation_that_panics_is_refused_and_nobody_else_notices() {
    let mut operations = Operations::default();
    operations.operators.add("panics", Panics);
    let own = |body: &'static str| Operation::Host { name: "panics".into(), body: body.into() };
    operations.ask(ADA, 1, Batch::new([own(""), own("x"), on(1)])).unwrap();
    assert_eq!(code(&operations.told_to(ADA, 1)), [(0, 0, ErrorCode::Internal)], "where it belongs is not known");
    assert_eq!(operations.begun(), [(1, 1), (1, 2)]);
    assert_eq!(operations.operators.run("panics", Bytes::new(), Role::Owner).err().unwrap().code, ErrorCode::Internal);
}

#[test]
fn a_host_that_ends_begins_no_more_and_says_so() {
    let mut operations = Operations::default();
    operations.ask(ADA, 1, Batch::new([on(1), on(1)])).unwrap();
    assert_eq!(operations.begun(), [(1, 0)]);
    operations.close(NOW);
    operations.done(1, 0);
    let results = operations.told_to(ADA, 1);
    assert_eq!((code(&results), results.more), (vec![(1, 1, ErrorCode::ShuttingDown)], false));
    assert_eq!(operations.ask(BOB, 1, Batch::new([on(1)])).unwrap_err().code, ErrorCode::ShuttingDown);
}

#[test]
fn more_than_is_taken_is_refused_whole() {
    let mut operations = Operations::default();
    let refused = |operations: &mut Operations, batch| operations.ask(ADA, 1_000, batch).unwrap_err().code;
    assert_eq!(refused(&mut operations, Batch::default()), ErrorCode::BadRequest);
    assert_eq!(refused(&mut operations, Batch::new((0..=OPERATIONS_MAX as u64).map(on))), ErrorCode::BadRequest);
    assert_eq!(refused(&mut operations, keyed("", [on(1)])), ErrorCode::BadRequest);
    assert_eq!(refused(&mut operations, keyed(&"k".repeat(BATCH_KEY_BYTES_MAX + 1), [on(1)])), ErrorCode::BadRequest);
    let paste = Operation::Input { session: 1, bytes: vec![0; OPERATION_BYTES_MAX].into(), urgent: false };
    assert_eq!(refused(&mut operations, Batch::new([paste])), ErrorCode::Overloaded);
    for number in 0..BATCHES_MAX as u64 {
        operations.ask(ADA, number, Batch::new([on(1)])).unwrap();
    }
    assert_eq!(refused(&mut operations, Batch::new([on(1)])), ErrorCode::TooMany);
    operations.ask(BOB, 1, Batch::new([on(1)])).unwrap();
    operations.drain();
    operations.told();
    operations.ask(ADA, 1_001, Batch::new([on(1)])).unwrap();
}

/// An operation whose resource is its body's first byte.
struct Own;

impl Operator for Own {
    fn resource(&self, body: &[u8]) -> Option<u64> {
        body.first().map(|first| u64::from(*first))
    }

    fn run(&mut self, body: Bytes) -> Run {
        Run::Done(Ok(body))
    }
}

#[test]
fn operations_of_the_hosts_own_are_in_order_where_it_says_so_and_cost_what_it_says() {
    let mut operations = Operations::default();
    operations.operators.add("own", Own);
    let own = |body: &'static str| Operation::Host { name: "own".into(), body: body.into() };
    operations.ask(ADA, 1, Batch::new([own("a1"), own("a2"), own("b"), own("")])).unwrap();
    let first = operations.next(NOW).unwrap();
    assert_eq!((first.task.at, first.cost), (0, OPERATION_COST + 2));
    assert_eq!(operations.begun(), [(1, 2), (1, 3)]);
    let outcome = operations.operators.run("none\u{1b}", Bytes::new(), Role::Owner).err().unwrap();
    assert_eq!(outcome.to_string(), "no_operation: this server has no operation `none\\u{1b}`");
    assert_eq!(operations.operators.run("own", Bytes::new(), Role::Writer).err().unwrap().code, ErrorCode::Forbidden);
}

// ---- Whatever is asked for ----

#[derive(Clone, Debug)]
enum Step {
    Submit { owner: bool, mode: usize, class: usize, sessions: Vec<u64> },
    Begin,
    End { which: usize, refused: bool },
    Block { which: usize },
    Wake { session: u64 },
    Cancel { which: usize },
    Pass,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let sessions = prop::collection::vec(0..5u64, 1..6);
    let step = prop_oneof![
        3 => (any::<bool>(), 0..3usize, 0..4usize, sessions).prop_map(|(owner, mode, class, sessions)| Step::Submit { owner, mode, class, sessions }),
        6 => Just(Step::Begin),
        6 => (any::<usize>(), prop::bool::weighted(0.1)).prop_map(|(which, refused)| Step::End { which, refused }),
        1 => any::<usize>().prop_map(|which| Step::Block { which }),
        2 => (1..5u64).prop_map(|session| Step::Wake { session }),
        1 => any::<usize>().prop_map(|which| Step::Cancel { which }),
        1 => Just(Step::Pass),
    ];
    prop::collection::vec(step, 1..200)
}

/// What was asked for, and what became of it.
#[derive(Default)]
struct World {
    operations: Operations,
    now: Time,
    /// By batch, as it is counted there: whose it is, its mode, and what each works on.
    asked: BTreeMap<u64, (Asker, Mode, Vec<u64>)>,
    /// In what order things began, on each session.
    begun: BTreeMap<u64, Vec<(u64, u32)>>,
    /// In what order things began at all, those that had to wait and begin again included.
    order: Vec<(u64, u32)>,
    running: Vec<Task>,
    blocked: Vec<(u64, Task)>,
    told: BTreeMap<u64, Vec<u32>>,
    over: Vec<u64>,
}

impl World {
    fn play(&mut self, step: Step) {
        match step {
            Step::Submit { owner, mode, class, sessions } => {
                let number = self.asked.len() as u64 + 1;
                let asker = asker(if owner { ADA } else { BOB }, number);
                // Session 0 stands for what works on nothing.
                let operation = |session: &u64| if *session == 0 { Operation::Spawn(Box::default()) } else { on(*session) };
                let batch = Batch {
                    mode: Mode::ALL[mode],
                    class: Class::ALL[class],
                    within_ms: Some(50),
                    ..Batch::new(sessions.iter().map(operation))
                };
                if self.operations.submit(asker, Role::Owner, batch, self.now).is_ok() {
                    self.asked.insert(self.operations.last, (asker, Mode::ALL[mode], sessions));
                }
            }
            Step::Begin => {
                if let Some(next) = self.operations.next(self.now) {
                    let session = self.asked[&next.task.batch].2[next.task.at as usize];
                    self.begun.entry(session).or_default().push((next.task.batch, next.task.at));
                    self.order.push((next.task.batch, next.task.at));
                    self.running.push(next.task);
                }
            }
            Step::End { which, refused } if !self.running.is_empty() => {
                let task = self.running.swap_remove(which % self.running.len());
                let outcome = if refused { Err(Fault::new(ErrorCode::Ended, "it has ended")) } else { Ok(None) };
                self.operations.finish(task, outcome, self.now);
            }
            Step::Block { which } if !self.running.is_empty() => {
                let at = which % self.running.len();
                let session = self.asked[&self.running[at].batch].2[self.running[at].at as usize];
                if session > 0 {
                    let task = self.running.swap_remove(at);
                    self.begun.get_mut(&session).and_then(Vec::pop);
                    self.operations.block(task, on(session));
                    self.blocked.push((session, task));
                }
            }
            Step::Wake { session } => {
                self.blocked.retain(|(of, _)| *of != session);
                self.operations.wake(SessionId::from_raw(session), self.now);
            }
            Step::Cancel { which } if !self.asked.is_empty() => {
                let (asker, ..) = self.asked.values().nth(which % self.asked.len()).cloned().unwrap();
                self.operations.cancel(asker.owner, asker.number, self.now);
            }
            Step::Pass => {
                self.now = self.now + Duration::from_millis(20);
                self.operations.handle_timeout(self.now);
            }
            _ => {}
        }
        self.listen();
    }

    fn listen(&mut self) {
        while let Some((to, results)) = self.operations.poll_told() {
            let (batch, _) = self.asked.iter().find(|(_, (asker, ..))| *asker == to).expect("only who asked is told");
            let told = self.told.entry(*batch).or_default();
            told.extend(results.outcomes().map(|(at, _)| at));
            if !results.more {
                self.over.push(*batch);
            }
        }
    }

    fn finish_all(&mut self) {
        for session in 1..5 {
            self.play(Step::Wake { session });
        }
        while !self.running.is_empty() || !self.operations.is_idle() {
            self.play(Step::Begin);
            self.play(Step::End { which: 0, refused: false });
        }
    }
}

proptest! {
    #[test]
    fn each_operation_ends_once_and_on_one_session_in_the_order_asked_for(steps in steps()) {
        let mut world = World::default();
        for step in steps {
            world.play(step);
            for (session, begun) in world.begun.iter().filter(|(session, _)| **session > 0) {
                prop_assert!(begun.is_sorted(), "on session {session}: {begun:?}");
                let running = world.running.iter().filter(|task| world.asked[&task.batch].2[task.at as usize] == *session).count();
                prop_assert!(running <= 1, "{running} at once on session {session}");
            }
        }
        world.finish_all();
        for (batch, (asker, mode, sessions)) in &world.asked {
            let mut told = world.told.get(batch).cloned().unwrap_or_default();
            if *mode != Mode::Parallel {
                let begun = world.order.iter().filter(|(of, _)| of == batch);
                prop_assert!(begun.is_sorted(), "each waits for the one before it");
            }
            told.sort_unstable();
            prop_assert_eq!(told, (0..sessions.len() as u32).collect::<Vec<_>>(), "{:?}", asker);
            prop_assert_eq!(world.over.iter().filter(|over| *over == batch).count(), 1);
        }
        prop_assert!(world.operations.open.is_empty() && world.operations.due.is_empty(), "nothing is left of what is over");
        prop_assert!(world.operations.lines.is_empty());
    }
}
