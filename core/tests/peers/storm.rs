//! A thousand clients lose their links at once, and come back.

use std::time::Duration;

use orchflow_core::hub::serve::Framing;
use orchflow_core::limits::{RETRY_FIRST, RETRY_MAX};
use orchflow_core::protocol::frame::StreamId;
use orchflow_core::protocol::message::{Attach, Start};
use orchflow_core::protocol::token::Role;
use orchflow_core::pty::scripted::{Script, ScriptedPtys};
use orchflow_core::time::Time;

use crate::net::Net;
use crate::user::User;

const SESSIONS: usize = 50;
const WATCHERS: usize = 20;

/// Printed while nobody is there.
const MISSED: u64 = 48 << 10;

/// Typed by each owner while its link is broken.
const TYPED: &str = "typed while nobody listened\n";

/// A thousand who watch fifty programs, twenty each; the first of the twenty owns it.
fn thousand() -> (Net, Vec<(usize, StreamId)>) {
    let program = Script::new().raw().wait_gate("go").flood(MISSED).cat();
    let mut net = Net::new(ScriptedPtys::new().with("program", program), Framing::Messages, 1);
    let mut all = Vec::new();
    for session in 0..SESSIONS {
        let owner = net.join(User::new(Role::Owner, (session * WATCHERS) as u64));
        let stream = net.spawn(owner, "program");
        let number = net.users[owner].screen(stream).spawned.unwrap().session;
        all.push((owner, stream));
        for watcher in 1..WATCHERS {
            let user = net.join(User::new(Role::Writer, (session * WATCHERS + watcher) as u64));
            let attach = Attach { number: 0, session: number, start: Start::Offset(0), role: None, size: None, policy: None };
            let stream = net.users[user].client.attach(attach).unwrap();
            net.users[user].screens.entry(stream).or_default();
            all.push((user, stream));
        }
    }
    net.until("everybody", |net| all.iter().all(|(user, stream)| is_in(net, *user, *stream)));
    (net, all)
}

fn is_in(net: &Net, user: usize, stream: StreamId) -> bool {
    let screen = net.users[user].screen(stream);
    screen.spawned.is_some() || !screen.attached.is_empty()
}

/// Cuts all links at once, for `outage`, and has everybody come back. Returns when each was accepted.
fn storm(net: &mut Net, all: &[(usize, StreamId)], outage: Duration) -> Vec<Time> {
    let begun = net.now();
    net.down_until = begun + outage;
    for (user, _) in all {
        net.cut_user(*user);
    }
    net.accepted.clear();
    net.server.ptys.release("go");
    for (owner, stream) in all.iter().step_by(WATCHERS) {
        net.users[*owner].client.write(*stream, TYPED).unwrap();
    }
    let end = MISSED + TYPED.len() as u64;
    net.until("everybody and every byte", |net| all.iter().all(|(user, stream)| net.users[*user].screen(*stream).at == end));
    for (user, stream) in all {
        let screen = net.users[*user].screen(*stream);
        assert!(screen.bytes.ends_with(TYPED.as_bytes()), "what was typed came out otherwise");
        assert_eq!((screen.bytes.len() as u64, screen.gaps.len()), (end, 0));
    }
    std::mem::take(&mut net.accepted)
}

/// How many came within the busiest `span`.
fn busiest(accepted: &[Time], span: Duration) -> usize {
    let mut sorted = accepted.to_vec();
    sorted.sort();
    (0..sorted.len()).map(|at| sorted[at..].iter().take_while(|later| **later - sorted[at] < span).count()).max().unwrap_or(0)
}

#[test]
fn a_thousand_links_that_are_cut_at_once_are_back_at_once_and_never_come_twice_as_fast_as_on_average() {
    let (mut net, all) = thousand();
    let begun = net.now();
    let accepted = storm(&mut net, &all, Duration::ZERO);
    let (took, span) = (net.now() - begun, *accepted.last().unwrap() - accepted[0]);
    assert!(took < 2 * RETRY_FIRST, "{took:?} until everybody had everything");
    assert_eq!(accepted.len(), all.len(), "some came twice");
    let (peak, mean) = (busiest(&accepted, span / 10), accepted.len() / 10);
    assert!(peak <= 2 * mean, "{peak} came within a tenth of the time, {mean} on average");
}

#[test]
fn a_thousand_who_were_without_a_server_for_long_are_all_back_ten_seconds_later_and_come_more_slowly() {
    let (mut net, all) = thousand();
    net.tick = Duration::from_millis(10);
    let (begun, outage) = (net.now(), Duration::from_secs(5));
    let accepted = storm(&mut net, &all, outage);
    let took = net.now() - begun - outage;
    assert!(took <= RETRY_MAX + Duration::from_millis(100), "{took:?} until everybody had everything");
    let peak = busiest(&accepted, RETRY_FIRST);
    assert!(peak <= all.len() / 10, "{peak} came within {RETRY_FIRST:?}: after a cut all do");
}
