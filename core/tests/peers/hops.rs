//! What the legs of a keystroke's way take, as the server counts them.

use std::time::Duration;

use orchflow_core::hub::serve::Framing;
use orchflow_core::limits::{BATCH_WAIT, BULK_BYTES};
use orchflow_core::metrics::{Hop, MetricsSnapshot};
use orchflow_core::protocol::message::{Attach, Policy, Start};
use orchflow_core::protocol::token::Role;
use orchflow_core::pty::scripted::{Script, ScriptedPtys};

use crate::net::Net;
use crate::user::User;

const LATENCY: Duration = Duration::from_millis(20);

fn net() -> Net {
    let bulk = "x".repeat(BULK_BYTES as usize);
    let ptys = ScriptedPtys::new()
        .with("echo", Script::new().raw().cat())
        .with("two", Script::new().raw().wait_gate("first").print(bulk).wait_gate("then").print("y").cat());
    let mut net = Net::new(ptys, Framing::Messages, 1);
    net.latency = LATENCY;
    net.join(User::new(Role::Owner, 1));
    net
}

/// How often a leg was counted, and the longest.
fn leg(counted: &MetricsSnapshot, hop: Hop) -> (u64, Duration) {
    (counted.hop(hop).count(), Duration::from_nanos(counted.hop(hop).quantile_ns(1.0).unwrap_or_default()))
}

/// Whether `found` is `length`, or in the histogram's bucket of it.
fn is_about(found: Duration, length: Duration) -> bool {
    found >= length && found <= length + length / 8
}

#[test]
fn a_key_is_accepted_at_once_sent_at_once_and_rendered_after_a_round_trip() {
    let mut net = net();
    let stream = net.spawn(0, "echo");
    net.users[0].client.write(stream, "k").unwrap();
    net.until("echo", |net| net.users[0].screen(stream).bytes == b"k");
    net.until("word of it", |net| net.server.host.metrics.snapshot().hop(Hop::Render).count() > 0);
    let counted = net.server.host.metrics.snapshot();
    assert_eq!([Hop::Accept, Hop::Send].map(|hop| leg(&counted, hop)), [(1, Duration::ZERO); 2]);
    let (count, took) = leg(&counted, Hop::Render);
    assert!(count == 1 && is_about(took, 2 * LATENCY + net.tick), "{took:?}");
    assert_eq!(leg(&net.server.hub.metrics(), Hop::Program).0, 1);
}

#[test]
fn output_that_was_gathered_is_as_old_as_it_is_when_it_leaves() {
    let mut net = net();
    let stream = net.spawn(0, "two");
    net.tick = BATCH_WAIT / 10;
    net.server.ptys.release("first");
    net.until("the bulk", |net| net.server.host.metrics.snapshot().hop(Hop::Send).count() == 1);
    net.server.ptys.release("then");
    net.until("the rest", |net| net.users[0].screen(stream).at == BULK_BYTES + 1);
    let (count, took) = leg(&net.server.host.metrics.snapshot(), Hop::Send);
    assert!(count == 2 && took > Duration::ZERO && took <= BATCH_WAIT + BATCH_WAIT / 8, "{took:?}");
}

#[test]
fn input_that_the_terminal_has_no_room_for_is_counted_when_it_has() {
    let mut net = net();
    let (stream, waits) = (net.spawn(0, "two"), Duration::from_secs(2));
    let piece = vec![b'p'; 1 << 20];
    // The terminal's queue, the server's and the client's are full when nothing more is settled.
    let mut settled = None;
    while settled.replace(net.users[0].screen(stream).settled) != Some(net.users[0].screen(stream).settled) {
        while net.users[0].client.write(stream, piece.clone()).is_ok() {}
        net.pass(waits);
    }
    assert!(leg(&net.server.host.metrics.snapshot(), Hop::Accept).1 < waits, "what was accepted had not waited");
    net.server.ptys.release("first");
    net.server.ptys.release("then");
    net.until("room", |net| leg(&net.server.host.metrics.snapshot(), Hop::Accept).1 >= waits);
}

#[test]
fn what_is_replayed_to_one_who_comes_late_counts_for_no_leg() {
    let mut net = net();
    let stream = net.spawn(0, "echo");
    net.users[0].client.write(stream, "k").unwrap();
    net.until("echo", |net| net.users[0].screen(stream).bytes == b"k");
    net.pass(Duration::from_secs(5));
    let session = net.users[0].screen(stream).spawned.unwrap().session;
    let late = net.join(User::new(Role::Writer, 2));
    let attach = Attach { number: 0, session, start: Start::Offset(0), role: None, size: None, policy: Some(Policy::Backpressure) };
    let place = net.users[late].client.attach(attach).unwrap();
    net.users[late].screens.entry(place).or_default();
    net.until("replay", |net| net.users[late].screen(place).bytes == b"k");
    assert_eq!(leg(&net.server.host.metrics.snapshot(), Hop::Send), (1, Duration::ZERO), "it left five seconds ago, for the first time");
}
