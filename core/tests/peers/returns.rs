//! Coming back, one break at a time.

use std::time::Duration;

use orchflow_core::hub::serve::Framing;
use orchflow_core::limits::{CREDIT_MIN, HIGH_WATER_BYTES, WINDOW_FIRST_BYTES};
use orchflow_core::peer::client::{ClientOptions, Event, Past};
use orchflow_core::protocol::message::{Attach, Credit, Spawn, Start};
use orchflow_core::protocol::token::Role;
use orchflow_core::pty::ExitStatus;
use orchflow_core::pty::scripted::{Script, ScriptedPtys};

use crate::net::Net;
use crate::server::{AUTHORITY, token};
use crate::user::User;

fn ptys() -> ScriptedPtys {
    let flood = |count| Script::new().raw().flood(count);
    ScriptedPtys::new()
        .with("cat", Script::new().raw().print("ready").cat())
        .with("flood", flood(4 << 20).exit(0))
        .with("stretch", flood(HIGH_WATER_BYTES as u64).wait_gate("more").print("more").hang())
        .with("tail", Script::new().raw().flood(100 << 10).wait_gate("go").exit(3))
        .with("three", Script::new().raw().print("one").wait_gate("two").print("two").wait_gate("three").print("three").hang())
        .with("short", Script::new().raw().print("short").exit(0))
}

fn net(seed: u64) -> (Net, usize) {
    let mut net = Net::new(ptys(), Framing::Messages, seed);
    let user = net.join(User::new(Role::Owner, seed));
    (net, user)
}

fn program(name: &str) -> Spawn {
    Spawn { program: Some(name.into()), ..Spawn::default() }
}

#[test]
fn a_client_whose_welcome_was_lost_is_still_the_same() {
    let (mut net, user) = net(1);
    let stream = net.spawn(user, "cat");
    for _ in 0..3 {
        net.cut_user(user);
        net.until("call", |net| net.user_is_known(user) && !net.users[user].client.is_open());
    }
    net.cut_user(user);
    net.users[user].client.write(stream, "typed").unwrap();
    net.until("answer", |net| net.users[user].screen(stream).bytes == b"readytyped");
    assert!(net.users[user].pasts[1..].iter().all(|past| *past == Past::Resumed));
}

#[test]
fn acknowledgements_that_are_lost_do_not_stop_the_program_for_good() {
    let (mut net, user) = net(2);
    net.users[user].renders = false;
    let stream = net.users[user].client.spawn(program("stretch")).unwrap();
    net.users[user].screens.entry(stream).or_default().floods = true;
    net.until("all that may be under way", |net| net.users[user].screen(stream).at == WINDOW_FIRST_BYTES);
    net.users[user].renders = true;
    net.users[user].render(stream); // It acknowledges all of it, and nobody hears.
    net.cut_users_words(user);
    net.until("return", |net| net.users[user].client.is_open());
    net.until("stretch", |net| net.users[user].screen(stream).at == HIGH_WATER_BYTES as u64);
    net.users[user].screens.get_mut(&stream).unwrap().floods = false;
    net.server.ptys.release("more");
    net.until("more", |net| net.users[user].screen(stream).bytes == b"more");
}

#[test]
fn a_program_whose_start_was_not_answered_is_started_once_and_loses_no_byte() {
    let (mut net, user) = net(3);
    net.until("welcome", |net| net.users[user].client.is_open());
    let stream = net.users[user].client.spawn(program("flood")).unwrap();
    net.users[user].screens.entry(stream).or_default().floods = true;
    net.until("start", |net| net.server.hub.metrics().sessions == 1);
    net.cut_user_unheard(user);
    net.until("end", |net| net.users[user].screen(stream).ended.is_some());
    assert_eq!((net.server.hub.metrics().sessions, net.users[user].screen(stream).gaps.len()), (1, 0));
}

#[test]
fn a_program_that_was_started_and_is_forgotten_is_not_started_again() {
    let (mut net, user) = net(4);
    net.until("welcome", |net| net.users[user].client.is_open());
    let stream = net.users[user].client.spawn(program("short")).unwrap();
    net.until("start", |net| net.server.hub.metrics().sessions == 1);
    net.down_until = net.now() + Duration::from_secs(400);
    net.cut_user_unheard(user);
    let refused = |event: &Event| matches!(event, Event::Refused { stream: on, .. } if *on == stream);
    net.until("refusal", |net| net.users[user].saw(refused));
    assert_eq!(net.server.hub.metrics().sessions, 1);
}

#[test]
fn a_server_that_was_started_anew_has_no_sessions_and_the_client_says_so() {
    let (mut net, user) = net(5);
    let stream = net.spawn(user, "cat");
    net.down_until = net.now() + Duration::from_secs(1);
    net.cut_user(user);
    net.users[user].client.write(stream, "lost").unwrap();
    let number = net.users[user].client.control(stream, orchflow_core::protocol::message::Act::Clear).unwrap();
    net.restart(ptys());
    net.until("return", |net| net.users[user].client.is_open());
    assert_eq!(net.users[user].pasts, [Past::None, Past::Restarted]);
    let user = &net.users[user];
    assert!(user.saw(|event| matches!(event, Event::Detached { stream: on, .. } if *on == stream)));
    assert!(user.saw(|event| matches!(event, Event::InputUncertain { from: 1, to: 1, .. })));
    assert!(user.saw(|event| *event == Event::Unanswered { stream, number }));
}

#[test]
fn a_client_that_was_forgotten_attaches_again_and_types_nothing_twice() {
    let (mut net, user) = net(6);
    let stream = net.spawn(user, "cat");
    net.until("prompt", |net| net.users[user].screen(stream).at == 5);
    net.cut_user(user);
    net.users[user].client.write(stream, "perhaps").unwrap();
    net.server.host.clients = Default::default();
    net.until("return", |net| net.users[user].client.is_open());
    assert_eq!(net.users[user].pasts, [Past::None, Past::Forgotten]);
    net.until("stream", |net| net.users[user].screen(stream).attached.len() == 1);
    net.users[user].client.write(stream, "again").unwrap();
    net.until("answer", |net| net.users[user].screen(stream).bytes == b"readyagain");
    assert!(net.users[user].saw(|event| matches!(event, Event::InputUncertain { .. })));
}

#[test]
fn a_half_open_link_is_noticed_and_replaced() {
    let (mut net, user) = net(7);
    let stream = net.spawn(user, "cat");
    net.mute(user);
    net.users[user].client.write(stream, "typed").unwrap();
    let before = net.now();
    net.until("answer", |net| net.users[user].screen(stream).bytes == b"readytyped");
    let waited = net.now() - before;
    assert!(waited >= Duration::from_secs(29) && waited < Duration::from_secs(41), "{waited:?}");
    assert_eq!(net.users[user].losses, [orchflow_core::peer::client::Loss::Silent]);
}

#[test]
fn more_streams_than_a_hello_can_name_all_come_back() {
    let (mut net, user) = net(8);
    let streams: Vec<_> = (0..150).map(|_| net.spawn(user, "cat")).collect();
    net.until("prompts", |net| streams.iter().all(|stream| net.users[user].screen(*stream).at == 5));
    net.cut_user(user);
    for stream in &streams {
        net.users[user].client.write(*stream, "typed").unwrap();
    }
    let all = |net: &mut Net| streams.iter().all(|stream| net.users[user].screen(*stream).bytes == b"readytyped");
    net.until("answers", all);
    assert_eq!((net.users[user].pasts.as_slice(), net.users[user].told.len()), (&[Past::None, Past::Resumed][..], 0));
}

#[test]
fn a_start_that_was_not_answered_is_waited_for_beside_streams_that_come_back() {
    let (mut net, user) = net(9);
    let cat = net.spawn(user, "cat");
    let flood = net.users[user].client.spawn(program("flood")).unwrap();
    net.users[user].screens.entry(flood).or_default().floods = true;
    net.until("start", |net| net.server.hub.metrics().sessions == 2);
    net.cut_user_unheard(user);
    let before = net.now();
    net.until("end", |net| net.users[user].screen(flood).ended.is_some());
    assert!(net.now() - before < Duration::from_secs(5), "its old place held it up");
    assert_eq!((net.server.hub.metrics().sessions, net.users[user].screen(flood).gaps.len()), (2, 0));
    assert_eq!(net.users[user].screen(cat).attached.len(), 1);
}

#[test]
fn places_that_nobody_comes_back_for_do_not_pile_up() {
    let (mut net, user) = net(10);
    let id = |net: &Net| net.users[user].client.client().unwrap();
    for _ in 0..5 {
        let stream = net.spawn(user, "cat");
        net.cut_user(user);
        net.users[user].client.detach(stream).unwrap();
        net.pass(Duration::from_secs(50)); // The server has noticed by now.
        net.until("return", |net| net.users[user].client.is_open());
        assert!(net.server.host.clients.get(id(&net)).unwrap().parked.len() <= 1);
    }
}

#[test]
fn a_session_that_ended_is_kept_for_who_watched_it_last() {
    let (mut net, user) = net(11);
    net.users[user].renders = false;
    let stream = net.users[user].client.spawn(program("stretch")).unwrap();
    net.users[user].screens.entry(stream).or_default().floods = true;
    net.until("all that may be under way", |net| net.users[user].screen(stream).at == WINDOW_FIRST_BYTES);
    let session = net.users[user].screen(stream).spawned.unwrap().session;
    net.users[user].client.close(session, Duration::ZERO).unwrap();
    net.pass(Duration::from_secs(400)); // It is over, and the user has not looked at the rest.
    net.down_until = net.now() + Duration::from_secs(200);
    net.cut_user_unheard(user);
    net.users[user].renders = true;
    net.users[user].render(stream);
    net.until("end", |net| net.users[user].screen(stream).ended.is_some());
}

#[test]
fn who_comes_back_after_the_process_has_ended_hears_so_before_the_last_byte() {
    let mut net = Net::new(ptys(), Framing::Messages, 12);
    let mut options = ClientOptions::new(token().pass(Role::Owner), AUTHORITY);
    options.limits.credit = Credit::new(CREDIT_MIN);
    let user = net.join(User::with(options, 12));
    net.users[user].renders = false;
    let stream = net.users[user].client.spawn(program("tail")).unwrap();
    net.users[user].screens.entry(stream).or_default().floods = true;
    net.until("all the credit", |net| net.users[user].screen(stream).at >= u64::from(CREDIT_MIN));
    net.down_until = net.now() + Duration::from_secs(60);
    net.cut_user(user);
    net.server.ptys.release("go");
    let exited = |net: &Net| net.server.host.sessions().any(|(_, known)| known.status.is_some());
    net.until("exit", |net| exited(net));
    assert_eq!(net.users[user].screen(stream).exits, []);
    net.until("word of it", |net| net.users[user].screen(stream).exits == [ExitStatus::Code(3)]);
    assert_eq!(net.users[user].screen(stream).ended, None);
    // Somebody who only comes now hears of it as well.
    let late = net.join(User::new(Role::Viewer, 13));
    let session = net.users[user].screen(stream).spawned.unwrap().session;
    let attach = Attach { number: 0, session, start: Start::Tail(9), role: None, size: None, policy: None };
    let place = net.users[late].client.attach(attach).unwrap();
    net.users[late].screens.entry(place).or_default().floods = true;
    net.until("end", |net| net.users[late].screen(place).ended.is_some());
    assert_eq!(net.users[late].screen(place).exits, [ExitStatus::Code(3)]);
    net.users[user].renders = true;
    net.users[user].render(stream);
    net.until("end", |net| net.users[user].screen(stream).ended.is_some());
    assert_eq!(net.users[user].screen(stream).at, 100 << 10);
}

/// An owner of `three` whose link breaks after the first word; `meanwhile` sees the second. Returns where it was told not to answer, once it
/// is back and has all.
fn replayed(meanwhile: impl Fn(&mut Net, u64)) -> u64 {
    let (mut net, user) = net(14);
    let stream = net.spawn(user, "three");
    net.until("one", |net| net.users[user].screen(stream).bytes == b"one");
    let session = net.users[user].screen(stream).spawned.unwrap().session;
    net.down_until = net.now() + Duration::from_secs(200);
    net.cut_user(user);
    let unwatched = |net: &Net| net.server.host.sessions().all(|(_, known)| known.watchers().is_empty());
    net.until("break", |net| unwatched(net));
    meanwhile(&mut net, session);
    net.until("nobody", |net| unwatched(net));
    net.server.ptys.release("three");
    net.until("return", |net| net.users[user].screen(stream).bytes == b"onetwothree");
    net.users[user].screen(stream).replayed
}

#[test]
fn what_came_while_nobody_was_there_to_answer_is_answered_by_who_comes_back() {
    let nobody = |net: &mut Net, _| {
        net.server.ptys.release("two");
        net.pass(Duration::from_secs(1));
    };
    assert_eq!(replayed(nobody), 0);
}

#[test]
fn what_somebody_else_answered_meanwhile_is_not_answered_again() {
    let somebody = |role| {
        move |net: &mut Net, session| {
            let (down, now) = (net.down_until, net.now());
            net.down_until = now;
            let other = net.join(User::new(role, 15));
            let attach = Attach { number: 0, session, start: Start::Offset(0), role: None, size: None, policy: None };
            let place = net.users[other].client.attach(attach).unwrap();
            net.users[other].screens.entry(place).or_default();
            net.until("place", |net| !net.users[other].screen(place).attached.is_empty());
            net.down_until = down;
            net.server.ptys.release("two");
            net.until("two", |net| net.users[other].screen(place).bytes == b"onetwo");
            assert_eq!(net.users[other].screen(place).replayed, 3);
            net.users[other].client.leave(now);
        }
    };
    assert_eq!(replayed(somebody(Role::Writer)), 6);
    assert_eq!(replayed(somebody(Role::Viewer)), 0, "who only watches answers nothing");
}
