//! What becomes of viewers who fall behind, and whose window decides the size.

use std::time::Duration;

use orchflow_core::host::{HostOptions, SizePolicy, Terminals as _};
use orchflow_core::hub::serve::Framing;
use orchflow_core::id::SessionId;
use orchflow_core::limits::{CREDIT_MIN, HIGH_WATER_BYTES, HISTORY_BYTES, READ_MAX, STALE_BYTES, TAIL_BYTES, WINDOW_FIRST_BYTES};
use orchflow_core::peer::client::{ClientOptions, Event};
use orchflow_core::protocol::frame::StreamId;
use orchflow_core::protocol::message::{Attach, Credit, Gap, GapReason, Policy, Start};
use orchflow_core::protocol::token::Role;
use orchflow_core::pty::scripted::{Script, ScriptedPtys};
use orchflow_core::size::Size;

use crate::net::Net;
use crate::server::{AUTHORITY, token};
use crate::user::User;

const FLOOD: u64 = 16 << 20;
const LINES: u64 = 50_000;

fn lines() -> String {
    (0..LINES).map(|line| format!("\x1b[3{}mline {line:06} \u{1f980}\x1b[m\n", line % 8)).collect()
}

fn ptys() -> ScriptedPtys {
    ScriptedPtys::new()
        .with("flood", Script::new().raw().wait_gate("go").flood(FLOOD).exit(0))
        .with("lines", Script::new().raw().wait_gate("go").print(lines()).wait_gate("more").print("more").cat())
        .with("cat", Script::new().raw().cat())
}

/// Somebody with little credit.
fn user(net: &mut Net, role: Role, seed: u64) -> usize {
    let mut options = ClientOptions::new(token().pass(role), AUTHORITY);
    options.limits.credit = Credit::new(CREDIT_MIN);
    net.join(User::with(options, seed))
}

/// Has `user` watch what `owner` has on `stream`.
fn watch(net: &mut Net, (owner, stream): (usize, StreamId), user: usize, policy: Option<Policy>, size: Option<Size>) -> StreamId {
    let session = net.users[owner].screen(stream).spawned.unwrap().session;
    let attach = Attach { number: 0, session, start: Start::Offset(0), role: None, size, policy };
    let place = net.users[user].client.attach(attach).unwrap();
    net.users[user].screens.entry(place).or_default();
    net.until("place", |net| !net.users[user].screen(place).attached.is_empty());
    place
}

/// One who owns `program`; one who watches it under `policy`, and renders nothing; others who do, and may miss nothing.
fn stalled(program: &str, others: usize, policy: Option<Policy>) -> (Net, Vec<(usize, StreamId)>) {
    let mut net = Net::new(ptys(), Framing::Messages, 1);
    net.latency = Duration::from_millis(50);
    let owner = user(&mut net, Role::Owner, 1);
    let stream = net.spawn(owner, program);
    let mut all = vec![(owner, stream)];
    for number in 0..others {
        let viewer = user(&mut net, Role::Writer, 2 + number as u64);
        let policy = if number == 0 { policy } else { Some(Policy::Backpressure) };
        let place = watch(&mut net, all[0], viewer, policy, None);
        all.push((viewer, place));
    }
    for (user, stream) in &all {
        net.users[*user].screens.get_mut(stream).unwrap().floods = program == "flood";
    }
    net.users[all[1].0].renders = false;
    (net, all)
}

fn at(net: &Net, (user, stream): (usize, StreamId)) -> u64 {
    net.users[user].screen(stream).at
}

fn look_again(net: &mut Net, (user, stream): (usize, StreamId)) {
    net.users[user].renders = true;
    net.users[user].render(stream);
}

/// The gaps of one who missed something: they and what was shown are all there was.
fn gaps(net: &Net, (user, stream): (usize, StreamId)) -> Vec<Gap> {
    net.users[user].screen(stream).gaps.clone()
}

/// How far each of twenty got in a minute, of whom the second stops if it `stops`; and the most memory that took meanwhile.
fn a_minute_of_twenty(stops: bool) -> (Net, Vec<(usize, StreamId)>, Vec<u64>, u64) {
    let (mut net, all) = stalled("flood", 19, None);
    net.users[all[1].0].renders = !stops;
    net.server.ptys.release("go");
    let end = net.now() + Duration::from_secs(60);
    let mut held = 0;
    while net.now() < end {
        net.step();
        held = held.max(net.server.hub.metrics().pool_bytes);
    }
    let far = all.iter().map(|place| at(&net, *place)).collect();
    (net, all, far, held)
}

#[test]
fn one_of_twenty_viewers_who_stops_for_a_minute_slows_nobody_costs_nothing_and_is_told_exactly() {
    let (_, _, all_read, _) = a_minute_of_twenty(false);
    let (mut net, all, far, held) = a_minute_of_twenty(true);
    // Virtual time: what nobody is slowed by is the same to the byte.
    assert_eq!([&far[..1], &far[2..]].concat(), [&all_read[..1], &all_read[2..]].concat());
    assert!(far[0] > 4 << 20, "a minute's flood is {} bytes", far[0]);
    assert_eq!(far[1], u64::from(CREDIT_MIN), "who does not render is sent its credit");
    // The log, one segment being filled, and one that what is under way to the one who stopped keeps alive.
    assert!(held <= (HISTORY_BYTES + 2 * READ_MAX) as u64, "{held} bytes of output were held");
    look_again(&mut net, all[1]);
    net.until("everybody", |net| all.iter().all(|(user, stream)| net.users[*user].screen(*stream).ended.is_some()));
    let gaps = gaps(&net, all[1]);
    assert!(gaps[0].from == far[1] && gaps.iter().all(|gap| gap.why == GapReason::Resync), "{gaps:?}");
    assert!(gaps[0].to > far[0] - TAIL_BYTES, "it goes on with the newest");
    assert_eq!(at(&net, all[1]), FLOOD);
    assert!(all.iter().filter(|place| **place != all[1]).all(|(user, stream)| net.users[*user].screen(*stream).gaps.is_empty()));
}

#[test]
fn who_falls_behind_goes_on_where_a_line_begins() {
    let (mut net, all) = stalled("lines", 1, Some(Policy::Resync));
    net.server.ptys.release("go");
    let text = lines();
    net.until("owner", |net| at(net, all[0]) == text.len() as u64);
    look_again(&mut net, all[1]);
    net.until("end", |net| at(net, all[1]) == text.len() as u64);
    let gap = gaps(&net, all[1])[0];
    assert_eq!(gap.why, GapReason::Resync);
    let rest = &text[gap.to as usize..];
    assert!(rest.starts_with("\x1b[3") && rest.len() <= TAIL_BYTES as usize && rest.len() > 32_000, "{:?}", rest.get(..20));
    assert!(net.users[all[1].0].screen(all[1].1).bytes.ends_with(rest.as_bytes()));
}

#[test]
fn who_is_demoted_goes_on_where_a_line_begins_and_misses_more_only_as_one_who_asked_to() {
    let (mut net, all) = stalled("lines", 1, Some(Policy::Backpressure));
    net.server.ptys.release("go");
    let end = lines().len() as u64;
    net.until("owner", |net| at(net, all[0]) == end);
    look_again(&mut net, all[1]);
    net.until("end", |net| at(net, all[1]) == end);
    let gap = gaps(&net, all[1])[0];
    assert_eq!(gap.why, GapReason::Demoted);
    assert!(lines()[gap.to as usize..].starts_with("\x1b[3"));
}

#[test]
fn first_who_watches_is_waited_for_and_those_who_join_are_not_unless_they_ask() {
    let mut net = Net::new(ptys(), Framing::Messages, 1);
    let owner = user(&mut net, Role::Owner, 1);
    let stream = net.spawn(owner, "cat");
    let policy = |net: &mut Net, asked| {
        let viewer = user(net, Role::Viewer, 2);
        let place = watch(net, (owner, stream), viewer, asked, None);
        net.users[viewer].screen(place).attached[0].policy
    };
    assert_eq!(policy(&mut net, None), Policy::Resync);
    assert_eq!(policy(&mut net, Some(Policy::Backpressure)), Policy::Backpressure);
    for user in 0..net.users.len() {
        let now = net.now();
        net.users[user].client.leave(now);
    }
    net.pass(Duration::from_secs(1));
    let alone = user(&mut net, Role::Viewer, 9);
    let place = watch(&mut net, (owner, stream), alone, None, None);
    assert_eq!(net.users[alone].screen(place).attached[0].policy, Policy::Backpressure);
}

#[test]
fn an_interrupt_key_makes_what_nobody_was_sent_yet_stale_for_all_who_may_miss_it() {
    let (mut net, mut all) = stalled("lines", 1, Some(Policy::Resync));
    for seed in 3..5 {
        let viewer = user(&mut net, Role::Viewer, seed);
        all.push((viewer, watch(&mut net, all[0], viewer, None, None)));
        net.users[viewer].renders = false;
    }
    net.server.ptys.release("go");
    let end = lines().len() as u64;
    net.until("owner", |net| at(net, all[0]) == end);
    net.users[all[0].0].client.interrupt(all[0].1, "\x03").unwrap();
    let told = |net: &Net, place| gaps(net, place).first().map(|gap| gap.why) == Some(GapReason::Interrupt);
    net.until("word", |net| all[1..].iter().all(|place| told(net, *place)));
    assert!(gaps(&net, all[0]).is_empty(), "the owner may miss nothing");
    for place in &all[1..] {
        assert!(gaps(&net, *place)[0].to >= end - TAIL_BYTES);
    }
}

#[test]
fn an_interrupt_key_skips_nothing_where_little_waits() {
    let (mut net, all) = stalled("cat", 1, Some(Policy::Resync));
    let text = vec![b'x'; STALE_BYTES as usize];
    net.users[all[0].0].client.write(all[0].1, text).unwrap();
    net.users[all[0].0].client.interrupt(all[0].1, "\x03").unwrap();
    net.until("echo", |net| at(net, all[0]) > STALE_BYTES);
    look_again(&mut net, all[1]);
    net.until("echo", |net| at(net, all[1]) > STALE_BYTES);
    assert!(gaps(&net, all[1]).is_empty());
}

#[test]
fn a_session_that_ends_while_a_viewer_is_stale_tells_it_the_end_after_the_gap() {
    let (mut net, all) = stalled("flood", 1, Some(Policy::Resync));
    net.server.ptys.release("go");
    net.until("end", |net| net.users[all[0].0].screen(all[0].1).ended.is_some());
    look_again(&mut net, all[1]);
    net.until("end", |net| net.users[all[1].0].screen(all[1].1).ended.is_some());
    assert_eq!(at(&net, all[1]), FLOOD);
}

/// How much the session of `place` has said.
fn said(net: &Net, (user, stream): (usize, StreamId)) -> u64 {
    let session = net.users[user].screen(stream).spawned.unwrap().session;
    net.server.table.range(SessionId::from_raw(session)).end
}

/// A flood before somebody who renders nothing: it is held back at once.
fn held_back() -> (Net, (usize, StreamId)) {
    let mut net = Net::new(ptys(), Framing::Messages, 1);
    let user = net.join(User::new(Role::Owner, 1));
    let stream = net.spawn(user, "flood");
    net.users[user].screens.get_mut(&stream).unwrap().floods = true;
    net.users[user].renders = false;
    net.server.ptys.release("go");
    net.pass(Duration::from_secs(1));
    assert_eq!(at(&net, (user, stream)), WINDOW_FIRST_BYTES);
    assert_eq!(said(&net, (user, stream)), 2 * WINDOW_FIRST_BYTES, "it is read a window ahead");
    (net, (user, stream))
}

#[test]
fn a_program_whose_viewer_is_away_goes_on_as_far_as_a_debt_may_grow() {
    let (mut net, owner) = held_back();
    net.down_until = net.now() + Duration::from_secs(5);
    net.cut_user_unheard(owner.0);
    net.until("debt", |net| said(net, owner) >= HIGH_WATER_BYTES as u64);
    look_again(&mut net, owner);
    net.until("end", |net| net.users[owner.0].screen(owner.1).ended.is_some());
    assert_eq!((at(&net, owner), gaps(&net, owner)), (FLOOD, Vec::new()));
}

#[test]
fn where_others_watch_nobody_is_held_back_early_for_one() {
    let (mut net, owner) = held_back();
    let viewer = user(&mut net, Role::Viewer, 2);
    let place = watch(&mut net, owner, viewer, None, None);
    net.users[viewer].screens.get_mut(&place).unwrap().floods = true;
    net.until("debt", |net| said(net, owner) >= HIGH_WATER_BYTES as u64);
}

fn size(cols: u16, rows: u16) -> Size {
    Size::new(cols, rows).unwrap()
}

/// A session of an owner, a writer with a high and narrow window, and a viewer with a tiny one; under `sizes`.
fn windows(sizes: SizePolicy) -> (Net, [(usize, StreamId); 3]) {
    let mut net = Net::with(ptys(), Framing::Messages, HostOptions { sizes, ..HostOptions::default() }, 1);
    let owner = user(&mut net, Role::Owner, 1);
    let stream = net.spawn(owner, "cat");
    net.users[owner].client.resize(stream, size(200, 20)).unwrap();
    let writer = user(&mut net, Role::Writer, 2);
    let writers = watch(&mut net, (owner, stream), writer, None, Some(size(90, 60)));
    let viewer = user(&mut net, Role::Viewer, 3);
    let viewers = watch(&mut net, (owner, stream), viewer, None, Some(size(2, 1)));
    net.pass(Duration::from_secs(1));
    (net, [(owner, stream), (writer, writers), (viewer, viewers)])
}

/// The size of the session, as everybody was told it.
fn agreed(net: &Net, all: &[(usize, StreamId)]) -> Size {
    let told = |(user, stream): &(usize, StreamId)| {
        let resized = net.users[*user].told.iter().rev().find_map(|event| match event {
            Event::Resized { stream: on, resized } if on == stream => Some(resized.size),
            _ => None,
        });
        resized.unwrap_or_else(|| net.users[*user].screen(*stream).attached[0].size)
    };
    let (_, known) = net.server.host.sessions().next().unwrap();
    assert!(all.iter().all(|place| told(place) == known.size), "somebody was told another size than {:?}", known.size);
    known.size
}

fn leave(net: &mut Net, (user, _): (usize, StreamId)) {
    let now = net.now();
    net.users[user].client.leave(now);
    net.pass(Duration::from_secs(1));
}

#[test]
fn the_latest_window_counts_and_who_types_has_the_latest() {
    let (mut net, all) = windows(SizePolicy::Latest);
    assert_eq!(agreed(&net, &all), size(90, 60));
    net.users[all[0].0].client.write(all[0].1, "x").unwrap();
    net.pass(Duration::from_secs(1));
    assert_eq!(agreed(&net, &all), size(200, 20));
    net.users[all[1].0].client.reply(all[1].1, "\x1b[?1;2c").unwrap();
    net.pass(Duration::from_secs(1));
    assert_eq!(agreed(&net, &all), size(200, 20), "what a terminal answers by itself nobody has typed");
    leave(&mut net, all[0]);
    assert_eq!(agreed(&net, &all[1..]), size(90, 60));
}

#[test]
fn the_smallest_window_of_those_who_may_type_counts_until_it_leaves() {
    let (mut net, all) = windows(SizePolicy::Smallest);
    assert_eq!(agreed(&net, &all), size(90, 20));
    leave(&mut net, all[1]);
    assert_eq!(agreed(&net, &[all[0], all[2]]), size(200, 20));
}

#[test]
fn a_fixed_size_stays_whoever_comes() {
    let (net, all) = windows(SizePolicy::Fixed);
    assert_eq!(agreed(&net, &all), Size::DEFAULT);
}

#[test]
fn a_window_has_its_say_again_when_its_link_comes_back() {
    let (mut net, all) = windows(SizePolicy::Smallest);
    net.down_until = net.now() + Duration::from_secs(3);
    net.cut_user(all[1].0);
    net.until("break", |net| net.server.host.sessions().next().unwrap().1.watchers().len() == 2);
    net.until("room", |net| net.server.host.sessions().next().unwrap().1.size == size(200, 20));
    net.until("return", |net| net.server.host.sessions().next().unwrap().1.watchers().len() == 3);
    net.pass(Duration::from_secs(1));
    assert_eq!(agreed(&net, &all), size(90, 20));
}

#[test]
fn what_an_old_connection_is_late_with_hurts_no_new_one() {
    let mut net = Net::new(ptys(), Framing::Messages, 1);
    let owner = user(&mut net, Role::Owner, 1);
    let stream = net.spawn(owner, "cat");
    let old = net.copy_link(owner); // The server has not noticed that it is gone,
    net.until("return", |net| !net.users[owner].screen(stream).attached.is_empty());
    net.users[owner].client.write(stream, "typed").unwrap();
    net.until("echo", |net| net.users[owner].screen(stream).bytes == b"typed");
    net.server.lose(old); // and cleans up only now.
    net.pass(Duration::from_secs(30)); // Longer than a place is kept.
    net.users[owner].client.write(stream, " on").unwrap();
    net.until("echo", |net| net.users[owner].screen(stream).bytes == b"typed on");
    assert_eq!(net.server.host.sessions().next().unwrap().1.watchers().len(), 1);
    net.cut_user(owner);
    net.until("return", |net| net.users[owner].screen(stream).attached.len() == 2);
    assert!(net.users[owner].screen(stream).gaps.is_empty());
}
