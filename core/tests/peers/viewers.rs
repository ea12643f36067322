//! Several who watch one session: the slow, the curious, and the one who comes twice.

use std::time::Duration;

use orchflow_core::hub::serve::Framing;
use orchflow_core::limits::CREDIT_MIN;
use orchflow_core::peer::client::{AskError, ClientOptions, Event, InputError, Loss};
use orchflow_core::protocol::frame::StreamId;
use orchflow_core::protocol::message::{Attach, Credit, ErrorCode, GapReason, Policy, Start};
use orchflow_core::protocol::token::Role;
use orchflow_core::pty::ExitStatus;
use orchflow_core::pty::scripted::{Script, ScriptedPtys};

use crate::net::{Cuts, Net};
use crate::server::{AUTHORITY, token};
use crate::user::User;

const FLOOD: u64 = 8 << 20;

fn ptys() -> ScriptedPtys {
    ScriptedPtys::new()
        .with("flood", Script::new().raw().wait_gate("go").flood(FLOOD).exit(0))
        .with("cat", Script::new().raw().cat())
        .with("deaf", Script::new().raw().hang())
}

fn attach(session: u64, policy: Policy) -> Attach {
    Attach { number: 0, session, start: Start::Offset(0), role: None, size: None, policy: Some(policy) }
}

/// Has `user` watch the session of `owner`'s `stream`.
fn watch(net: &mut Net, owner: usize, stream: StreamId, user: usize, policy: Policy) -> StreamId {
    let session = net.users[owner].screen(stream).spawned.unwrap().session;
    let stream = net.users[user].client.attach(attach(session, policy)).unwrap();
    net.users[user].screens.entry(stream).or_default().floods = true;
    net.until("place", |net| !net.users[user].screen(stream).attached.is_empty());
    stream
}

/// Everything was shown once, or its gap is named; and the end came.
fn check_whole(user: &User, stream: StreamId) -> u64 {
    let screen = user.screen(stream);
    assert_eq!((screen.at, screen.ended.map(|ended| ended.offset)), (FLOOD, Some(FLOOD)));
    screen.gaps.iter().map(|gap| gap.to - gap.from).sum()
}

#[test]
fn many_who_watch_all_see_every_byte() {
    let mut net = Net::new(ptys(), Framing::Messages, 1);
    let owner = net.join(User::new(Role::Owner, 1));
    let stream = net.spawn(owner, "flood");
    net.users[owner].screens.get_mut(&stream).unwrap().floods = true;
    let others: Vec<_> = (2..6)
        .map(|seed| {
            let user = net.join(User::new(Role::Viewer, seed));
            (user, watch(&mut net, owner, stream, user, Policy::Backpressure))
        })
        .collect();
    net.server.ptys.release("go");
    net.until("end", |net| others.iter().all(|(user, stream)| net.users[*user].screen(*stream).ended.is_some()));
    net.until("end", |net| net.users[owner].screen(stream).ended.is_some());
    for (user, stream) in others.into_iter().chain([(owner, stream)]) {
        assert_eq!(check_whole(&net.users[user], stream), 0);
    }
}

#[test]
fn the_tail_of_a_program_that_ended_while_its_viewer_did_not_render_comes_once_it_does() {
    const TAIL: u64 = 300 << 10; // Much more than the viewer takes unrendered.
    let ptys = ScriptedPtys::new().with("short", Script::new().raw().flood(TAIL).exit(4));
    let mut net = Net::new(ptys, Framing::Messages, 9);
    let mut options = ClientOptions::new(token().pass(Role::Owner), AUTHORITY);
    options.limits.credit = Credit::new(CREDIT_MIN);
    let user = net.join(User::with(options, 1));
    net.users[user].renders = false;
    let stream = net.spawn(user, "short");
    net.users[user].screens.get_mut(&stream).unwrap().floods = true;
    net.pass(Duration::from_secs(60));
    let screen = net.users[user].screen(stream);
    assert_eq!((&screen.exits[..], screen.ended), (&[ExitStatus::Code(4)][..], None));
    assert!(screen.at < TAIL, "{} bytes came unrendered", screen.at);
    net.users[user].renders = true;
    net.users[user].render(stream);
    net.until("end", |net| net.users[user].screen(stream).ended.is_some());
    let screen = net.users[user].screen(stream);
    let ended = screen.ended.unwrap();
    assert_eq!((ended.offset, ended.status, &screen.gaps[..]), (TAIL, ExitStatus::Code(4), &[][..]));
}

#[test]
fn who_holds_others_up_for_long_is_demoted_and_told_each_gap() {
    let mut net = Net::new(ptys(), Framing::Messages, 2);
    let owner = net.join(User::new(Role::Owner, 1));
    let stream = net.spawn(owner, "flood");
    net.users[owner].screens.get_mut(&stream).unwrap().floods = true;
    let slow = net.join(User::new(Role::Viewer, 2));
    let place = watch(&mut net, owner, stream, slow, Policy::Backpressure);
    net.users[slow].renders = false;
    net.server.ptys.release("go");
    let before = net.now();
    net.until("end", |net| net.users[owner].screen(stream).ended.is_some());
    assert!(net.now() - before < Duration::from_secs(20));
    assert_eq!(check_whole(&net.users[owner], stream), 0);
    net.users[slow].renders = true;
    net.users[slow].render(place);
    net.until("end", |net| net.users[slow].screen(place).ended.is_some());
    assert!(check_whole(&net.users[slow], place) > 0);
    assert!(net.users[slow].screen(place).gaps.iter().all(|gap| gap.why == GapReason::Demoted));
}

#[test]
fn one_who_would_rather_miss_some_misses_what_the_gaps_name_through_outages_too() {
    for seed in 0..4 {
        let mut net = Net::new(ptys(), if seed % 2 == 0 { Framing::Messages } else { Framing::Stream }, seed);
        let owner = net.join(User::new(Role::Owner, seed));
        let stream = net.spawn(owner, "flood");
        net.users[owner].screens.get_mut(&stream).unwrap().floods = true;
        let lossy = net.join(User::new(Role::Viewer, seed + 100));
        let place = watch(&mut net, owner, stream, lossy, Policy::Resync);
        net.cuts = Cuts { anywhere: 200, after_read: 100, outage: Duration::from_secs(30), left: [4; 4], ..Cuts::default() };
        net.server.ptys.release("go");
        net.until("ends", |net| net.users[owner].screen(stream).ended.is_some() && net.users[lossy].screen(place).ended.is_some());
        check_whole(&net.users[owner], stream);
        check_whole(&net.users[lossy], place);
        assert!(net.users[lossy].screen(place).gaps.iter().all(|gap| gap.why != GapReason::Demoted));
    }
}

#[test]
fn a_viewer_who_types_is_refused_and_nothing_reaches_the_program() {
    let mut net = Net::new(ptys(), Framing::Messages, 3);
    let owner = net.join(User::new(Role::Owner, 1));
    let stream = net.spawn(owner, "cat");
    let viewer = net.join(User::new(Role::Viewer, 2));
    let place = watch(&mut net, owner, stream, viewer, Policy::Backpressure);
    net.users[viewer].screens.get_mut(&place).unwrap().floods = false;
    for text in ["rm", " -rf", " /"] {
        net.users[viewer].client.write(place, text).unwrap();
    }
    let forbidden = |event: &Event| matches!(event, Event::InputRefused { refused, .. } if refused.code == ErrorCode::Forbidden);
    net.until("refusal", |net| net.users[viewer].saw(forbidden));
    net.users[owner].client.write(stream, "ls").unwrap();
    net.until("echo", |net| net.users[viewer].screen(place).bytes == b"ls");
    assert!(net.server.refusals(ErrorCode::Forbidden) > 0);
    assert!(net.users[viewer].client.is_open() && net.users[owner].told.is_empty());
}

#[test]
fn input_that_a_program_does_not_read_fills_up_to_a_typed_error_and_all_of_it_arrives() {
    let ptys = ScriptedPtys::new().with("late", Script::new().raw().print(".").wait_gate("read").cat());
    let mut net = Net::new(ptys, Framing::Messages, 4);
    let mut options = ClientOptions::new(token().pass(Role::Owner), AUTHORITY);
    options.input_bytes_max = 4 << 20;
    let user = net.join(User::with(options, 1));
    let stream = net.spawn(user, "late");
    let piece = vec![b'x'; 1 << 20];
    let mut written = 0;
    let error = loop {
        match net.users[user].client.write(stream, piece.clone()) {
            Ok(_) => written += piece.len(),
            Err(error) => {
                let before = net.users[user].screen(stream).settled;
                net.pass(Duration::from_secs(2));
                if net.users[user].screen(stream).settled == before {
                    break error; // The terminal's queue, the server's and the client's are full.
                }
            }
        }
    };
    assert_eq!(error, InputError::Full { limit: 4 << 20 });
    net.cut_user(user);
    net.server.ptys.release("read");
    net.until("echo", |net| net.users[user].screen(stream).bytes.len() > written);
    net.pass(Duration::from_secs(1));
    assert_eq!(net.users[user].screen(stream).bytes.len(), written + 1);
    assert_eq!(net.users[user].told, []);
}

#[test]
fn a_client_that_came_twice_leaves_the_first_place_and_stays_away() {
    let mut net = Net::new(ptys(), Framing::Messages, 5);
    let user = net.join(User::new(Role::Owner, 1));
    let stream = net.spawn(user, "cat");
    // The same machine dials again, as a copy of it would; its first link hears of that.
    let first = net.copy_link(user);
    net.until("return", |net| !net.users[user].screen(stream).attached.is_empty());
    assert_eq!(net.last_words(first), Some(ErrorCode::Replaced));
    net.users[user].client.write(stream, "typed").unwrap();
    net.until("echo", |net| net.users[user].screen(stream).bytes == b"typed");

    let goodbye = orchflow_core::protocol::message::Goodbye::new(ErrorCode::Replaced, "");
    net.say_goodbye(user, goodbye.clone());
    net.until("end", |net| net.users[user].client.is_over());
    net.pass(Duration::from_secs(60));
    assert_eq!(net.users[user].losses, [Loss::Broke, Loss::Goodbye(goodbye)]);
    let before = net.users[user].client.client();
    net.users[user].client.dial();
    net.until("return", |net| net.users[user].client.is_open());
    assert_ne!(net.users[user].client.client(), before, "it comes as a new one");
}

#[test]
fn word_that_input_was_taken_waits_for_an_echo_but_not_for_long() {
    let mut net = Net::new(ptys(), Framing::Messages, 1);
    let user = net.join(User::new(Role::Owner, 1));
    let stream = net.spawn(user, "deaf");
    let number = net.users[user].client.write(stream, "x").unwrap();
    let typed = net.now();
    net.until("word", |net| net.users[user].screen(stream).settled == number);
    assert!(net.now() - typed < Duration::from_millis(100), "{:?}", net.now() - typed);
    assert!(net.users[user].screen(stream).bytes.is_empty());
}

#[test]
fn a_ping_tells_how_far_away_the_server_is() {
    let mut net = Net::new(ptys(), Framing::Messages, 1);
    net.latency = Duration::from_millis(40);
    let user = net.join(User::new(Role::Viewer, 1));
    let now = net.now();
    assert_eq!(net.users[user].client.ping(now), Err(AskError::NotOpen));
    net.until("way in", |net| net.users[user].client.is_open());
    let now = net.now();
    net.users[user].client.ping(now).unwrap();
    assert_eq!(net.users[user].client.ping(now), Err(AskError::Requests { limit: 1 }));
    net.until("pong", |net| !net.users[user].told.is_empty());
    let [Event::Pong { after, sent: Some(sent) }] = net.users[user].told[..] else { panic!("{:?}", net.users[user].told) };
    assert!(after >= 2 * net.latency && after == net.now() - now, "{after:?}");
    assert!(sent > now && sent < net.now());
    let now = net.now();
    net.users[user].client.ping(now).unwrap();
}
