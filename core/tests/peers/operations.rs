//! Operations over links that break: each is carried out once and told once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use orchflow_core::batch::Class;
use orchflow_core::host::{Arrival, Asker, ConnectionId, Host, HostOptions, Operator, Owner, Run};
use orchflow_core::hub::serve::Framing;
use orchflow_core::limits::{FRAME_TAKEN_MIN, OPERATIONS_MAX};
use orchflow_core::metrics::Urgency;
use orchflow_core::peer::client::{ClientOptions, Event, Past};
use orchflow_core::protocol::message::{
    Act, Answer, Batch, ClientId, ErrorCode, Fault, Input, Mode, Operation, Outcome, Results, SessionInfo, Spawn,
};
use orchflow_core::protocol::token::Role;
use orchflow_core::pty::scripted::{Script, ScriptedPtys};
use orchflow_core::pty::{Signal, Target};
use orchflow_core::session::EventKind;
use orchflow_core::size::Size;
use orchflow_core::time::Time;

use crate::dice::Dice;
use crate::net::Net;
use crate::rig::{INPUT_MAX, INSTANCE, Pretended};
use crate::server::{AUTHORITY, token};
use crate::user::User;

fn ptys() -> ScriptedPtys {
    ScriptedPtys::new()
        .with("cat", Script::new().raw().cat())
        .with("late", Script::new().raw().wait_gate("read").cat())
        .with("trap", Script::new().raw().on_signal(Signal::Interrupt, "interrupted").report_resizes().cat())
}

fn net(seed: u64) -> (Net, usize) {
    let mut net = Net::new(ptys(), Framing::Messages, seed);
    let user = net.join(User::new(Role::Owner, seed));
    net.until("welcome", |net| net.users[user].client.is_open());
    (net, user)
}

fn program(name: &str) -> Operation {
    Operation::Spawn(Box::new(Spawn { program: Some(name.into()), ..Spawn::default() }))
}

fn ask(net: &mut Net, user: usize, batch: Batch) -> u64 {
    let now = net.now();
    net.users[user].client.batch(batch, now).unwrap()
}

/// What came of a batch so far, and whether that is all.
fn told(user: &User, number: u64) -> (BTreeMap<u32, Outcome>, bool) {
    let (mut all, mut is_over) = (BTreeMap::new(), false);
    for event in &user.told {
        if let Event::Results(results) = event
            && results.number == number
        {
            assert!(!is_over, "something comes after the last");
            is_over = !results.more;
            for (at, outcome) in results.outcomes() {
                assert!(all.insert(at, outcome).is_none(), "operation {at} is told twice");
            }
        }
    }
    (all, is_over)
}

fn is_over(user: &User, number: u64) -> bool {
    user.told.iter().rev().any(|event| matches!(event, Event::Results(results) if results.number == number && !results.more))
}

fn done(net: &mut Net, user: usize, number: u64) -> BTreeMap<u32, Outcome> {
    net.until("results", |net| is_over(&net.users[user], number));
    told(&net.users[user], number).0
}

fn codes(outcomes: &BTreeMap<u32, Outcome>) -> Vec<Option<ErrorCode>> {
    outcomes.values().map(|outcome| outcome.as_ref().err().map(|fault| fault.code)).collect()
}

fn spawned(outcome: &Outcome) -> u64 {
    let Ok(Some(Answer::Spawned { session, .. })) = outcome else { panic!("{outcome:?}") };
    *session
}

fn info(outcome: &Outcome) -> &SessionInfo {
    let Ok(Some(Answer::Session(info))) = outcome else { panic!("{outcome:?}") };
    info
}

/// Counts how often each body was carried out: at once, or elsewhere where it ends with `w`. What ends with `x` fails.
#[derive(Clone, Default)]
struct Mark(Arc<Mutex<BTreeMap<Bytes, u32>>>);

impl Operator for Mark {
    fn resource(&self, body: &[u8]) -> Option<u64> {
        body.first().filter(|first| first.is_ascii_digit()).map(|first| u64::from(*first))
    }

    fn run(&mut self, body: Bytes) -> Run {
        *self.0.lock().unwrap().entry(body.clone()).or_default() += 1;
        let result = if body.ends_with(b"x") { Err(Fault::new(ErrorCode::System, "as was wanted")) } else { Ok(body.clone()) };
        if body.ends_with(b"w") { Run::Work(Box::new(move || result)) } else { Run::Done(result) }
    }
}

fn mark(body: String) -> Operation {
    Operation::Host { name: "mark".into(), body: body.into() }
}

#[test]
fn every_operation_does_what_it_says() {
    let (mut net, user) = net(1);
    let number = ask(&mut net, user, Batch::new([program("trap"), program("none")]));
    let outcomes = done(&mut net, user, number);
    let session = spawned(&outcomes[&0]);
    assert_eq!(codes(&outcomes), [None, Some(ErrorCode::SpawnFailed)]);
    let size = Size::new(100, 30).unwrap();
    let interrupt = Act::Signal { name: Signal::Interrupt, to: Target::Foreground };
    let all = [
        Operation::Resize { session, size },
        Operation::Control { session, act: interrupt },
        Operation::Control { session, act: Act::Title("deploy\u{1b}".into()) },
        Operation::Input { session, bytes: "typed".into(), urgent: false },
        Operation::Query { session },
        Operation::Query { session: 99 },
        Operation::Host { name: "none".into(), body: Bytes::new() },
        Operation::Close { session, grace_ms: 0 },
    ];
    let number = ask(&mut net, user, Batch { mode: Mode::Ordered, class: Class::Interactive, ..Batch::new(all) });
    let outcomes = done(&mut net, user, number);
    assert_eq!(codes(&outcomes)[..5], [None; 5]);
    assert_eq!(net.server.host.metrics.snapshot().waited(Urgency::Interactive).count(), 8);
    assert_eq!(codes(&outcomes)[5..], [Some(ErrorCode::NoSession), Some(ErrorCode::NoOperation), None]);
    assert_eq!((&info(&outcomes[&4]).title[..], info(&outcomes[&4]).viewers), ("deploy", 0));
    net.until("end", |net| net.server.host.sessions().all(|(_, known)| known.ended.is_some()));
    let stream = net.users[user].client.attach(from_start(session)).unwrap();
    net.until("output", |net| net.users[user].screens.get(&stream).is_some_and(|screen| screen.ended.is_some()));
    let shown = String::from_utf8_lossy(&net.users[user].screen(stream).bytes).into_owned();
    for said in ["interrupted", "100", "typed"] {
        assert!(shown.contains(said), "{said} is not in {shown:?}");
    }
}

fn from_start(session: u64) -> orchflow_core::protocol::message::Attach {
    use orchflow_core::protocol::message::{Attach, Start};
    Attach { number: 0, session, start: Start::Offset(0), role: None, size: None, policy: None }
}

#[test]
fn a_role_allows_as_much_as_on_a_stream() {
    let (mut net, owner) = net(2);
    let stream = net.spawn(owner, "cat");
    let session = net.users[owner].screen(stream).spawned.unwrap().session;
    let all = || {
        Batch::new([
            Operation::Query { session },
            Operation::Input { session, bytes: "x".into(), urgent: false },
            Operation::Resize { session, size: Size::default() },
            Operation::Control { session, act: Act::Clear },
            program("cat"),
            mark("1".into()),
            Operation::Close { session, grace_ms: 0 },
        ])
    };
    net.server.host.operators().add("mark", Mark::default());
    let no = Some(ErrorCode::Forbidden);
    for (role, allowed) in [(Role::Metrics, 0), (Role::Viewer, 1), (Role::Writer, 4)] {
        let user = net.join(User::new(role, 3 + allowed as u64));
        net.until("welcome", |net| net.users[user].client.is_open());
        let number = ask(&mut net, user, all());
        let outcomes = codes(&done(&mut net, user, number));
        assert!(
            outcomes[..allowed].iter().all(Option::is_none) && outcomes[allowed..].iter().all(|code| *code == no),
            "{role}: {outcomes:?}"
        );
    }
}

#[test]
fn input_waits_for_room_behind_what_was_typed_and_other_sessions_do_not_wait_for_it() {
    let (mut net, user) = net(3);
    let stream = net.spawn(user, "late");
    let session = net.users[user].screen(stream).spawned.unwrap().session;
    let full = vec![b'a'; 9 << 20];
    for piece in full.chunks(1 << 20) {
        net.until("room", |net| net.users[user].client.write(stream, Bytes::copy_from_slice(piece)).is_ok());
    }
    net.pass(Duration::from_secs(1)); // The last of it has come, and waits.
    let typed = Operation::Input { session, bytes: "the last".into(), urgent: false };
    let number = ask(&mut net, user, Batch::new([typed, program("cat"), Operation::Query { session }]));
    net.until("the other", |net| told(&net.users[user], number).0.contains_key(&1));
    net.pass(Duration::from_secs(1));
    assert_eq!(told(&net.users[user], number).0.keys().collect::<Vec<_>>(), [&1], "the first waits for room, and the third for the first");
    net.server.ptys.release("read");
    assert_eq!(codes(&done(&mut net, user, number)), [None; 3]);
    net.until("echo", |net| net.users[user].screen(stream).at == full.len() as u64 + 8);
    assert!(net.users[user].screen(stream).bytes.ends_with(b"aathe last"));
}

#[test]
fn input_does_not_pass_what_was_typed_while_nobody_has_noticed_that_there_is_room() {
    let (mut host, mut terminals) = (Host::new(INSTANCE, token(), HostOptions::default()), Pretended::default());
    let (session, _) = host.spawn(&Spawn::default(), &mut terminals, Time::ZERO).unwrap();
    let client = ClientId::from_bytes([5; 16]);
    terminals.sessions.get_mut(&session).unwrap().1 = INPUT_MAX;
    let typed = Input { sequence: 1, bytes: "typed".into(), urgent: false, reply: false };
    assert_eq!(host.arrive(session, client, &typed, &mut terminals, Time::ZERO), Arrival::New);
    terminals.sessions.get_mut(&session).unwrap().1 = 0; // The program has read; the word of it is on its way.
    let asker = Asker { owner: Owner::Client(client), number: 1, connection: Some(ConnectionId(1)) };
    let batch = Batch::new([Operation::Input { session: session.as_raw(), bytes: "the next".into(), urgent: false }]);
    host.submit(asker, Role::Owner, batch, Time::ZERO).unwrap();
    while host.run_operations(&mut terminals, Time::ZERO) {}
    assert_eq!(terminals.sessions[&session].1, 0, "it waits");
    host.handle_event(session, &EventKind::InputReady, &mut terminals, Time::ZERO);
    assert_eq!(terminals.sessions[&session].1, "typed".len());
    while host.run_operations(&mut terminals, Time::ZERO) {}
    assert_eq!(terminals.sessions[&session].1, "typedthe next".len());
}

#[test]
fn input_that_waits_when_its_time_is_over_says_how_far_it_got() {
    let (mut net, user) = net(4);
    let number = ask(&mut net, user, Batch::new([program("late")]));
    let session = spawned(&done(&mut net, user, number)[&0]);
    let paste = |bytes| Operation::Input { session, bytes: vec![b'a'; bytes].into(), urgent: false };
    for _ in 0..8 {
        let number = ask(&mut net, user, Batch::new([paste(1_000_000)]));
        assert_eq!(codes(&done(&mut net, user, number)), [None]);
    }
    let before = net.now();
    let number = ask(&mut net, user, Batch { within_ms: Some(500), ..Batch::new([paste(1_000_000), paste(1)]) });
    let outcomes = done(&mut net, user, number);
    assert!(net.now() - before >= Duration::from_millis(500) && net.now() - before < Duration::from_millis(600));
    assert_eq!(codes(&outcomes), [Some(ErrorCode::Expired); 2]);
    let message = &outcomes[&0].as_ref().unwrap_err().message;
    assert!(message.ends_with("bytes that were typed"), "{message}");
}

#[test]
fn each_is_carried_out_once_and_told_once_however_often_links_break_and_whoever_asks() {
    let (mut net, first) = net(5);
    let second = net.join(User::new(Role::Owner, 6));
    let marks = Mark::default();
    net.server.host.operators().add("mark", marks.clone());
    let (mut dice, mut asked, mut shared) = (Dice::new(7), Vec::new(), Vec::new());
    for round in 0..150u32 {
        let user = if dice.one_in(2) { first } else { second };
        let count = 1 + dice.below(40);
        let body = |at: usize, dice: &mut Dice| format!("{}-{round}-{at}{}", dice.below(4), ["", "w", "x"][dice.below(3)]);
        let operations: Vec<Operation> = (0..count).map(|at| mark(body(at, &mut dice))).collect();
        let batch = Batch { mode: Mode::ALL[dice.below(3)], class: Class::ALL[dice.below(4)], ..Batch::new(operations) };
        let key = dice.one_in(3).then(|| format!("key {round}"));
        let batch = Batch { key: key.clone(), ..batch };
        asked.push((user, ask(&mut net, user, batch.clone()), batch.clone()));
        if key.is_some() {
            let other = if user == first { second } else { first };
            shared.push((asked.len() - 1, other, ask(&mut net, other, batch.clone()), batch));
        }
        net.pass(Duration::from_millis(dice.below(100) as u64));
        if round % 20 == 0 {
            // Or more would be without an answer than may.
            net.until("all answers", |net| asked.iter().all(|(user, number, _)| is_over(&net.users[*user], *number)));
        }
        for user in [first, second] {
            if net.users[user].client.is_open() && dice.one_in(3) {
                match dice.below(3) {
                    0 => net.cut_user(user),
                    1 => net.cut_users_words(user),
                    _ => net.cut_user_unheard(user),
                }
            }
        }
    }
    for (user, number, batch) in &asked {
        let outcomes = done(&mut net, *user, *number);
        assert_eq!(outcomes.len(), batch.operations.len());
        let counts = marks.0.lock().unwrap();
        for (at, outcome) in outcomes {
            let Operation::Host { body, .. } = &batch.operations[at as usize] else { unreachable!("only those were asked for") };
            let count = counts.get(body).copied().unwrap_or_default();
            let was_skipped = matches!(&outcome, Err(fault) if fault.code == ErrorCode::Skipped);
            assert_eq!(count, u32::from(!was_skipped), "{body:?}: {outcome:?}");
        }
    }
    for (at, other, number, _) in shared {
        let theirs = done(&mut net, other, number);
        let (user, number, _) = asked[at];
        assert_eq!(theirs, done(&mut net, user, number), "everybody is told the same");
    }
    let came = net.users.iter().map(|user| user.pasts.len()).sum::<usize>();
    assert!(came > 20, "links broke, but {came} is how often somebody came");
    assert!(net.users.iter().all(|user| user.pasts[1..].iter().all(|past| *past == Past::Resumed)));
}

#[test]
fn what_is_called_off_while_the_link_is_broken_is_called_off_when_it_is_back() {
    let (mut net, user) = net(8);
    let number = ask(&mut net, user, Batch::new([program("late")]));
    let session = spawned(&done(&mut net, user, number)[&0]);
    let paste = Operation::Input { session, bytes: vec![b'a'; 6 << 20].into(), urgent: false };
    let blocked = (0..2).map(|_| paste.clone());
    // Too long for one frame: refused before it is sent.
    let long = ask(&mut net, user, Batch::new(blocked));
    net.until("refusal", |net| net.users[user].saw(|event| matches!(event, Event::Refused { refusal, .. } if refusal.number == long)));
    let marks = Mark::default();
    net.server.host.operators().add("mark", marks.clone());
    net.cut_user(user);
    let unsent = ask(&mut net, user, Batch::new([mark("1".into())]));
    net.users[user].client.cancel(unsent);
    assert_eq!(codes(&done(&mut net, user, unsent)), [Some(ErrorCode::Cancelled)]);
    net.until("return", |net| net.users[user].client.is_open());
    let piece = || Operation::Input { session, bytes: vec![b'a'; 900_000].into(), urgent: false };
    let fill: Vec<u64> = (0..9).map(|_| ask(&mut net, user, Batch::new([piece()]))).collect();
    for number in &fill {
        net.until("room", |net| is_over(&net.users[user], *number));
    }
    let waits = ask(&mut net, user, Batch { mode: Mode::Ordered, ..Batch::new([piece(), mark("2".into())]) });
    net.pass(Duration::from_millis(100));
    net.cut_user(user);
    net.users[user].client.cancel(waits);
    assert_eq!(codes(&done(&mut net, user, waits)), [Some(ErrorCode::Cancelled); 2]);
    assert!(marks.0.lock().unwrap().is_empty());
}

#[test]
fn what_could_not_be_asked_in_time_is_not_asked_and_what_was_asked_in_vain_is_refused() {
    let (mut net, user) = net(9);
    let marks = Mark::default();
    net.server.host.operators().add("mark", marks.clone());
    let soon = |body: &str| Batch { within_ms: Some(200), ..Batch::new([mark(body.into())]) };
    net.down_until = net.now() + Duration::from_secs(1);
    let unheard = ask(&mut net, user, soon("1"));
    net.cut_users_words(user);
    let unsent = ask(&mut net, user, soon("2"));
    assert_eq!(codes(&done(&mut net, user, unsent)), [Some(ErrorCode::Expired)]);
    let refused =
        |event: &Event| matches!(event, Event::Refused { refusal, .. } if refusal.number == unheard && refusal.code == ErrorCode::Expired);
    net.until("refusal", |net| net.users[user].saw(refused));
    assert!(marks.0.lock().unwrap().is_empty());
}

#[test]
fn a_server_that_does_not_know_the_client_is_not_asked_again_and_the_client_says_so() {
    let (mut net, user) = net(10);
    let number = ask(&mut net, user, Batch::new([program("late")]));
    let session = spawned(&done(&mut net, user, number)[&0]);
    let number = ask(&mut net, user, Batch::new([Operation::Close { session, grace_ms: 5 }, program("cat")]));
    net.restart(ptys());
    net.until("return", |net| net.users[user].client.is_open());
    net.until("word", |net| net.users[user].saw(|event| matches!(event, Event::Unanswered { number: of, .. } if *of == number)));
    assert_eq!(net.server.host.sessions().count(), 0);
}

#[test]
fn what_was_asked_for_while_the_server_was_started_anew_is_not_asked_of_the_new_one() {
    let (mut net, user) = net(12);
    net.cut_user(user);
    let unsent = ask(&mut net, user, Batch::new([program("late")]));
    net.restart(ptys());
    let is_told = |event: &Event| matches!(event, Event::Unanswered { number, .. } if *number == unsent);
    net.until("word of it", |net| net.users[user].saw(is_told));
    net.pass(Duration::from_secs(1));
    assert_eq!(net.server.hub.metrics().sessions, 0, "its sessions are those of the server it was meant for");
}

#[test]
fn results_fit_the_frames_that_a_client_takes() {
    let mut options = ClientOptions::new(token().pass(Role::Owner), AUTHORITY);
    options.limits.frame = FRAME_TAKEN_MIN;
    let mut net = Net::with(ptys(), Framing::Messages, HostOptions::default(), 11);
    let user = net.join(User::with(options, 11));
    net.until("welcome", |net| net.users[user].client.is_open());
    net.server.host.operators().add("mark", Mark::default());
    let number = ask(&mut net, user, Batch::new([program("cat")]));
    let session = spawned(&done(&mut net, user, number)[&0]);
    let title = Operation::Control { session, act: Act::Title("é".repeat(300)) };
    let mut all = vec![title];
    all.extend((0..300).map(|_| Operation::Query { session }));
    all.extend((0..300).map(|at| if at % 2 == 0 { Operation::Query { session: 1_000 + at } } else { mark(format!("{at}")) }));
    all.push(mark("y".repeat(FRAME_TAKEN_MIN as usize)));
    let number = ask(&mut net, user, Batch::new(all));
    let outcomes = done(&mut net, user, number);
    assert_eq!(outcomes.len(), 602);
    assert_eq!(info(&outcomes[&300]).title, "é".repeat(256));
    assert_eq!(codes(&outcomes).iter().filter(|code| **code == Some(ErrorCode::NoSession)).count(), 150);
    assert_eq!(outcomes[&601].as_ref().unwrap_err().code, ErrorCode::TooMany, "an answer that does not fit any frame is named");
}

#[test]
fn more_operations_than_a_batch_may_have_are_refused_by_both_sides() {
    let (mut net, user) = net(12);
    let number = ask(&mut net, user, Batch::new((0..=OPERATIONS_MAX as u64).map(|session| Operation::Query { session })));
    let refused = |number| move |event: &Event| matches!(event, Event::Refused { refusal, .. } if refusal.number == number && refusal.code == ErrorCode::BadRequest);
    net.until("refusal", |net| net.users[user].saw(refused(number)));
    let number = ask(&mut net, user, Batch::new((0..1_000_000u64).map(|session| Operation::Query { session })));
    net.until("refusal", |net| net.users[user].saw(refused(number)));
    assert!(net.users[user].losses.is_empty(), "the link holds");
    let results = Results::default();
    assert_eq!(results.count_within(0), Some(0));
}
