//! The link is cut, again and again, at the worst moments: every byte of output comes once, and every line of input is read
//! once.

use std::time::Duration;

use orchflow_core::hub::serve::Framing;
use orchflow_core::protocol::frame::StreamId;
use orchflow_core::protocol::token::Role;
use orchflow_core::pty::scripted::{Script, ScriptedPtys};

use crate::net::{Cuts, Net};
use crate::user::User;

/// Output per run, in bytes, and lines of input. Fewer where nothing is optimised.
const FLOOD: u64 = if cfg!(debug_assertions) { 1 << 20 } else { 5 << 20 };
const LINES: u64 = if cfg!(debug_assertions) { 500 } else { 1_000 };
const SEEDS: u64 = 10;

fn ptys(flood: u64) -> ScriptedPtys {
    let lines = Script::new().echo(false).cat();
    ScriptedPtys::new().with("flood", Script::new().raw().flood(flood).exit(3)).with("lines", lines)
}

fn line(number: u64) -> String {
    format!("line {number:06} of many\n")
}

/// Types lines as fast as they are taken, until there are `LINES`.
struct Typist {
    stream: StreamId,
    typed: u64,
}

impl Typist {
    fn go_on(&mut self, net: &mut Net, user: usize) {
        for _ in 0..2 {
            if self.typed < LINES && net.users[user].client.write(self.stream, line(self.typed)).is_ok() {
                self.typed += 1;
            }
        }
    }
}

/// One user with a flood and a typist, over links that are cut as `cuts` says. Returns the net as it is at the end.
fn play(framing: Framing, cuts: Cuts, seed: u64) -> Net {
    let mut net = Net::new(ptys(FLOOD), framing, seed);
    net.speed = 16 << 10;
    let user = net.join(User::new(Role::Owner, seed));
    let spawn = |program: &str| orchflow_core::protocol::message::Spawn { program: Some(program.into()), ..Default::default() };
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
    net.cuts.left = 0;
    net.pass(Duration::from_secs(1)); // Whatever would come twice comes now.
    let screen = net.users[user].screen(lines);
    assert!(screen.bytes == expected.as_bytes(), "lines were lost, doubled or out of order");
    assert!(screen.gaps.is_empty() && net.users[user].screen(flood).gaps.is_empty());
    assert_eq!(net.users[user].screen(flood).at, FLOOD);
    assert_eq!(net.users[user].told, []);
    assert_eq!(net.server.table.spawned, 2, "each program was started once");
    net
}

fn cuts() -> Cuts {
    Cuts { anywhere: 40, after_input: 40, after_read: 40, in_handshake: 12, outage: Duration::ZERO, left: 100 }
}

#[test]
fn a_quiet_link_brings_everything_once() {
    play(Framing::Messages, Cuts::default(), 1);
}

#[test]
fn a_hundred_cuts_of_messages_lose_and_double_nothing() {
    let mut sum = [0; 4];
    for seed in 0..SEEDS {
        let net = play(Framing::Messages, cuts(), seed);
        sum.iter_mut().zip(net.cut).for_each(|(sum, cut)| *sum += cut);
    }
    assert!(sum.iter().all(|cuts| *cuts > 20), "each kind of cut fell: {sum:?}");
}

#[test]
fn a_hundred_cuts_within_frames_lose_and_double_nothing() {
    for seed in 100..100 + SEEDS {
        play(Framing::Stream, cuts(), seed);
    }
}
