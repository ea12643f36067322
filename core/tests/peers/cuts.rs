//! The link is cut, again and again, at the worst moments: every byte of output comes once, and every line of input is read
//! once.

use std::time::Duration;

use orchflow_core::hub::serve::Framing;
use orchflow_core::limits::CREDIT_MIN;
use orchflow_core::peer::client::ClientOptions;
use orchflow_core::protocol::frame::StreamId;
use orchflow_core::protocol::message::{Credit, GapReason, Spawn};
use orchflow_core::protocol::token::Role;
use orchflow_core::pty::scripted::{Script, ScriptedPtys};

use crate::net::{Cuts, Net};
use crate::server::{AUTHORITY, token};
use crate::user::User;

/// Output per run, in bytes, and lines of input. Fewer where nothing is optimised.
const FLOOD: u64 = if cfg!(debug_assertions) { 2 << 20 } else { 5 << 20 };
const LINES: u64 = if cfg!(debug_assertions) { 500 } else { 1_000 };
const SEEDS: u64 = if cfg!(debug_assertions) { 3 } else { 10 };

fn ptys(flood: u64) -> ScriptedPtys {
    let lines = Script::new().echo(false).cat();
    ScriptedPtys::new().with("flood", Script::new().raw().flood(flood).exit(3)).with("lines", lines)
}

fn line(number: u64) -> String {
    format!("line {number:06} of many\n")
}

/// Types a line now and then, until there are `LINES`.
struct Typist {
    stream: StreamId,
    typed: u64,
}

impl Typist {
    fn go_on(&mut self, net: &mut Net, user: usize) {
        let pauses = !net.users[user].client.is_open() || !net.dice.one_in(4);
        if self.typed < LINES && !pauses && net.users[user].client.write(self.stream, line(self.typed)).is_ok() {
            self.typed += 1;
        }
    }
}

/// One user with a flood and a typist, over links that are cut as `cuts` says. Returns the net as it is at the end, and which
/// stream had the flood.
fn play(framing: Framing, cuts: Cuts, seed: u64) -> (Net, StreamId) {
    let mut net = Net::new(ptys(FLOOD), framing, seed);
    net.latency = Duration::from_millis(5);
    let mut options = ClientOptions::new(token().pass(Role::Owner), AUTHORITY);
    options.schedule.max = Duration::from_millis(200);
    if !seed.is_multiple_of(3) {
        options.limits.credit = Credit::new(CREDIT_MIN);
    }
    let user = net.join(User::with(options, seed));
    let spawn = |program: &str| Spawn { program: Some(program.into()), ..Default::default() };
    net.cuts = cuts;
    let flood = net.users[user].client.spawn(spawn("flood")).unwrap();
    let lines = net.users[user].client.spawn(spawn("lines")).unwrap();
    net.users[user].screens.entry(flood).or_default().floods = true;
    net.until("both sessions", |net| net.users[user].screens.get(&lines).is_some_and(|screen| screen.spawned.is_some()));
    let mut typist = Typist { stream: lines, typed: 0 };
    let expected: String = (0..LINES).map(|number| line(number).replace('\n', "\r\n")).collect();
    net.until("end", |net| {
        typist.go_on(net, user);
        let all_read = net.users[user].screen(lines).bytes.len() >= expected.len();
        all_read && net.users[user].screen(flood).ended.is_some() && net.users[user].screen(lines).settled == LINES
    });
    net.cuts.left = [0; 4];
    net.pass(Duration::from_secs(1)); // Whatever would come twice comes now.
    let screen = net.users[user].screen(lines);
    assert!(screen.bytes == expected.as_bytes(), "lines were lost, doubled or out of order");
    assert!(screen.gaps.is_empty());
    assert_eq!(net.users[user].screen(flood).at, FLOOD);
    assert_eq!(net.users[user].told, []);
    assert_eq!(net.server.hub.metrics().sessions, 2, "each program was started once");
    (net, flood)
}

/// The same, where nothing may be missing.
fn play_whole(framing: Framing, cuts: Cuts, seed: u64) -> Net {
    let (net, flood) = play(framing, cuts, seed);
    assert_eq!(net.users[0].screen(flood).gaps, []);
    net
}

fn cuts() -> Cuts {
    Cuts { anywhere: 20, after_input: 5, after_read: 15, in_handshake: 10, outage: Duration::ZERO, left: [25; 4] }
}

#[test]
fn a_quiet_link_brings_everything_once() {
    let net = play_whole(Framing::Messages, Cuts::default(), 1);
    assert!(net.slipped_in > 5, "{} frames of a later version came and were skipped", net.slipped_in);
}

#[test]
fn a_hundred_cuts_of_messages_lose_and_double_nothing() {
    let mut sum = [0; 4];
    for seed in 0..SEEDS {
        let net = play_whole(Framing::Messages, cuts(), seed);
        sum.iter_mut().zip(net.cut).for_each(|(sum, cut)| *sum += cut);
    }
    assert!(sum.iter().all(|cuts| *cuts > 20 * SEEDS as usize), "each kind of cut fell: {sum:?}");
}

#[test]
fn a_hundred_cuts_within_frames_lose_and_double_nothing() {
    for seed in 100..100 + SEEDS {
        play_whole(Framing::Stream, cuts(), seed);
    }
}

#[test]
fn outages_longer_than_a_place_is_kept_cost_what_the_gaps_name_and_no_input() {
    let mut sum = 0;
    for seed in 200..204 {
        let framing = if seed % 2 == 0 { Framing::Messages } else { Framing::Stream };
        let outages = Cuts { outage: Duration::from_secs(30), left: [3; 4], ..cuts() };
        let (net, flood) = play(framing, outages, seed);
        let gaps = &net.users[0].screen(flood).gaps;
        assert!(gaps.iter().all(|gap| gap.why == GapReason::History));
        sum += gaps.iter().map(|gap| gap.to - gap.from).sum::<u64>();
    }
    assert!(sum > 0, "nothing was missed in half a minute");
}
