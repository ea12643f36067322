//! A system that cannot start programs is left alone for a while, and clients ask again by themselves before they give up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use orchflow_core::host::HostOptions;
use orchflow_core::hub::serve::Framing;
use orchflow_core::limits::{AGAIN_LEAST, BREAKER_CALLS_LEAST, BREAKER_OPEN_FIRST, TRIES_MAX};
use orchflow_core::peer::client::{Event, Loss};
use orchflow_core::protocol::frame::StreamId;
use orchflow_core::protocol::message::{ErrorCode, Message, Refusal, Spawn};
use orchflow_core::protocol::token::Role;
use orchflow_core::pty::scripted::{Script, ScriptedPtys};
use orchflow_core::pty::{Command, Pty, PtyBackend, SpawnError};
use orchflow_core::resilience::{BreakerState, Force};
use orchflow_core::size::Size;

use crate::dice::Dice;
use crate::net::Net;
use crate::server::Server;
use crate::user::User;

/// A system that has no process left when it is told so.
struct Poor {
    ptys: ScriptedPtys,
    has_nothing: AtomicBool,
    asked: AtomicUsize,
}

impl PtyBackend for Poor {
    fn spawn(&self, command: &Command, size: Size) -> Result<Box<dyn Pty>, SpawnError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.has_nothing.load(Ordering::Relaxed) {
            return Err(SpawnError::Exhausted { source: std::io::ErrorKind::WouldBlock.into() });
        }
        self.ptys.spawn(command, size)
    }
}

/// A server over such a system, with an owner who is in.
struct Bench {
    net: Net,
    system: Arc<Poor>,
    user: usize,
}

impl Bench {
    fn new() -> Bench {
        let ptys = ScriptedPtys::new().with("cat", Script::new().raw().cat());
        let system = Arc::new(Poor { ptys: ptys.clone(), has_nothing: AtomicBool::new(false), asked: AtomicUsize::new(0) });
        let mut net = Net::new(ptys.clone(), Framing::Messages, 1);
        net.server = Server::with(Arc::clone(&system) as Arc<dyn PtyBackend>, ptys, HostOptions::default(), Dice::new(2));
        let user = net.join(User::new(Role::Owner, 1));
        net.until("welcome", |net| net.users[user].client.is_open());
        Bench { net, system, user }
    }

    fn spawn(&mut self) -> StreamId {
        let spawn = Spawn { program: Some("cat".into()), ..Spawn::default() };
        self.net.users[self.user].client.spawn(spawn).unwrap()
    }

    fn refusals(&self) -> Vec<&Refusal> {
        let told = self.net.users[self.user].told.iter();
        told.filter_map(|event| if let Event::Refused { refusal, .. } = event { Some(refusal) } else { None }).collect()
    }

    fn breaker(&self) -> BreakerState {
        self.net.server.table.spawn_breaker()
    }

    fn force(&mut self, force: Option<Force>) {
        self.net.server.table.force_spawn_breaker(force);
    }

    /// Has the system fail until it is left alone.
    fn exhaust(&mut self) {
        self.system.has_nothing.store(true, Ordering::Relaxed);
        for refused in 1..=BREAKER_CALLS_LEAST {
            self.spawn();
            self.net.until("refusal", |net| net.users[0].told.len() >= refused);
        }
        assert!(self.refusals().iter().all(|refusal| refusal.code == ErrorCode::TooMany));
    }
}

#[test]
fn a_system_without_a_process_left_is_asked_no_more_until_it_is_time() {
    let mut bench = Bench::new();
    bench.exhaust();
    assert_eq!((bench.breaker(), bench.system.asked.load(Ordering::Relaxed)), (BreakerState::Open, BREAKER_CALLS_LEAST));
    bench.spawn();
    bench.net.pass(AGAIN_LEAST);
    assert_eq!(bench.system.asked.load(Ordering::Relaxed), BREAKER_CALLS_LEAST, "it is left alone");
    assert!(bench.net.server.refusals(ErrorCode::Overloaded) > 0);
    bench.net.pass(BREAKER_OPEN_FIRST);
    assert_eq!(bench.breaker(), BreakerState::HalfOpen);

    bench.system.has_nothing.store(false, Ordering::Relaxed);
    let user = bench.user;
    bench.net.spawn(user, "cat");
    assert_eq!(bench.breaker(), BreakerState::Closed);
}

#[test]
fn a_spawn_that_is_refused_for_a_moment_is_asked_again_and_its_host_does_not_notice() {
    let mut bench = Bench::new();
    bench.force(Some(Force::Open));
    let stream = bench.spawn();
    bench.net.pass(Duration::from_millis(100));
    assert_eq!(bench.net.server.refusals(ErrorCode::Overloaded), 1);
    bench.force(None);
    bench.net.until("session", |net| net.users[0].screens.get(&stream).is_some_and(|screen| screen.spawned.is_some()));
    assert_eq!((bench.refusals().len(), bench.system.asked.load(Ordering::Relaxed)), (0, 1));
}

#[test]
fn after_three_tries_the_host_is_told_under_the_number_it_knows() {
    let mut bench = Bench::new();
    bench.force(Some(Force::Open));
    bench.spawn();
    bench.net.until("refusal", |net| !net.users[0].told.is_empty());
    assert_eq!(bench.refusals().iter().map(|refusal| (refusal.number, refusal.code)).collect::<Vec<_>>(), [(1, ErrorCode::Overloaded)]);
    assert_eq!(bench.net.server.refusals(ErrorCode::Overloaded), u64::from(TRIES_MAX));
}

#[test]
fn when_all_is_refused_only_what_the_budget_has_is_asked_again() {
    let mut bench = Bench::new();
    bench.force(Some(Force::Open));
    for _ in 0..50 {
        bench.spawn();
    }
    bench.net.until("refusals", |net| net.users[0].told.len() == 50);
    let asked = bench.net.server.refusals(ErrorCode::Overloaded);
    assert!((60..=66).contains(&asked), "{asked}: ten retries at first, a tenth of fifty more, and the reserve");
}

#[test]
fn a_list_that_was_asked_for_again_answers_the_number_its_host_has() {
    let mut bench = Bench::new();
    let number = bench.net.users[bench.user].client.list().unwrap();
    let refusal = Message::Error(Refusal::new(number, ErrorCode::Overloaded, "a moment"));
    let now = bench.net.now();
    bench.net.users[bench.user].client.handle_frame(refusal.into_frame(StreamId::CONNECTION), now);
    bench.net.until("sessions", |net| net.users[0].saw(|event| matches!(event, Event::Sessions(sessions) if sessions.number == number)));
    bench.net.pass(AGAIN_LEAST * 4);
    assert_eq!(bench.net.users[bench.user].told.len(), 1, "only one answer");
}

#[test]
fn what_waits_to_be_asked_again_goes_over_the_next_link() {
    let mut bench = Bench::new();
    bench.force(Some(Force::Open));
    let stream = bench.spawn();
    bench.net.pass(Duration::from_millis(20));
    let user = bench.user;
    bench.net.cut_user(user);
    bench.force(None);
    bench.net.until("session", |net| net.users[0].screens.get(&stream).is_some_and(|screen| screen.spawned.is_some()));
    assert_eq!(bench.net.users[user].losses, [Loss::Broke]);
    bench.net.pass(AGAIN_LEAST * 4);
    assert_eq!(bench.system.asked.load(Ordering::Relaxed), 1, "once");
}

#[test]
fn a_client_that_nobody_looks_at_waits_for_longer_and_dials_when_somebody_does() {
    let mut bench = Bench::new();
    let client = &mut bench.net.users[bench.user].client;
    let mut now = bench.net.server.now();
    client.set_hidden(true);
    let mut longest = Duration::ZERO;
    for _ in 0..60 {
        client.handle_broken(now);
        let again = client.poll_timeout().unwrap();
        longest = longest.max(again - now);
        now = again;
        client.handle_timeout(now);
    }
    assert!(longest > Duration::from_secs(10) && longest <= Duration::from_secs(30), "{longest:?}");
    client.handle_broken(now);
    while client.poll_event().is_some() {}
    client.set_hidden(false);
    assert_eq!(client.poll_event(), Some(Event::Dial));
}
