//! Packed output: to whom it is sent, that it comes out as it went in, and what becomes of a server that packs nonsense.

use std::time::Duration;

use bytes::Bytes;
use orchflow_core::host::HostOptions;
use orchflow_core::hub::serve::Framing;
use orchflow_core::limits::{CONTEXTS_MAX, PACKED_MAX};
use orchflow_core::pack::{Codec, Packer, UnpackError};
use orchflow_core::peer::client::{Breach, ClientOptions, Event, Loss};
use orchflow_core::protocol::frame::StreamId;
use orchflow_core::protocol::kind::Kind;
use orchflow_core::protocol::message::{ErrorCode, Message, MessageError, Packed, Spawn};
use orchflow_core::protocol::negotiation::{Agreed, Features};
use orchflow_core::protocol::token::Role;
use orchflow_core::pty::scripted::{Script, ScriptedPtys};
use orchflow_core::time::Time;

use crate::dice::Dice;
use crate::net::{Cuts, Net};
use crate::refusals::{guest_who_agreed, parting};
use crate::rig::on;
use crate::server::{AUTHORITY, token};
use crate::user::User;

const FAR: Duration = Duration::from_millis(20);

fn text() -> String {
    (0..3_000).map(|line| format!("\x1b[3{}mline {line:05}\x1b[m of what a program says\r\n", line % 8)).collect()
}

/// Bytes that do not pack, but for an eighth of them.
fn noise() -> Vec<u8> {
    let mut dice = Dice::new(7);
    let mut bytes = vec![b' '; 2 << 20];
    bytes.chunks_mut(1000).for_each(|chunk| {
        let noisy = chunk.len().min(880);
        dice.fill(&mut chunk[..noisy]);
    });
    bytes
}

fn random() -> Vec<u8> {
    let mut bytes = vec![0; 256 << 10];
    Dice::new(9).fill(&mut bytes);
    bytes
}

fn ptys() -> ScriptedPtys {
    ScriptedPtys::new()
        .with("text", Script::new().raw().print(text()).exit(0))
        .with("noise", Script::new().raw().print(noise()).exit(0))
        .with("random", Script::new().raw().print(random()).exit(0))
        .with("cat", Script::new().raw().cat())
}

fn user(features: Features) -> User {
    let options = ClientOptions { features, ..ClientOptions::new(token().pass(Role::Owner), AUTHORITY) };
    User::with(options, 1)
}

fn only(codec: Codec) -> Features {
    Features::known().without_codecs().with(codec.name(), &[])
}

/// One user so far away, who has seen all that `program` says.
fn seen(spawn: Spawn, features: Features, latency: Duration, cuts: Cuts) -> (Net, StreamId) {
    let mut net = Net::new(ptys(), Framing::Messages, 1);
    net.latency = latency;
    net.cuts = cuts;
    let user = net.join(user(features));
    let stream = net.users[user].client.spawn(spawn).unwrap();
    net.until("end", |net| net.users[user].screens.get(&stream).is_some_and(|screen| screen.ended.is_some()));
    (net, stream)
}

fn program(name: &str) -> Spawn {
    Spawn { program: Some(name.into()), ..Spawn::default() }
}

#[test]
fn output_comes_out_as_it_went_in_and_is_a_fraction_on_its_way() {
    for &codec in Codec::ALL {
        let (net, stream) = seen(program("text"), only(codec), FAR, Cuts::default());
        assert_eq!(net.users[0].screen(stream).bytes, text().as_bytes());
        assert!(net.server.outputs[usize::from(codec.number())] > 0);
        assert!(net.server.sent * 4 < text().len(), "{codec:?}: {} bytes for {}", net.server.sent, text().len());
    }
}

#[test]
fn of_several_codecs_the_one_that_packs_best_is_used() {
    let (net, _) = seen(program("text"), Features::known(), FAR, Cuts::default());
    let best = usize::from(Codec::ALL[0].number());
    assert!((1..4).all(|codec| (net.server.outputs[codec] > 0) == (codec == best)), "{:?}", net.server.outputs);
}

#[test]
fn every_byte_comes_once_across_links_that_are_cut_while_output_is_packed() {
    let cuts = Cuts { anywhere: 3, after_read: 3, in_handshake: 5, left: [30; 4], ..Cuts::default() };
    for &codec in Codec::ALL {
        let (net, stream) = seen(program("text"), only(codec), FAR, cuts);
        assert_eq!(net.users[0].screen(stream).bytes, text().as_bytes());
        assert!(net.cut.iter().sum::<usize>() > 5, "{:?}", net.cut);
    }
}

/// Frames of output that came packed, and those that did not.
fn outputs(net: &Net) -> (usize, usize) {
    let [plain, packed @ ..] = net.server.outputs;
    (packed.iter().sum(), plain)
}

#[test]
fn nothing_is_packed_for_who_is_near_or_did_not_offer_it_or_watches_what_is_secret() {
    let near = Duration::from_millis(1);
    let secret = Spawn { secret: true, ..program("text") };
    let plain = Features::known().without_codecs();
    for (spawn, features, latency) in
        [(program("text"), Features::known(), near), (program("text"), plain, FAR), (secret, Features::known(), FAR)]
    {
        let (net, stream) = seen(spawn, features, latency, Cuts::default());
        assert_eq!(net.users[0].screen(stream).bytes, text().as_bytes());
        assert!(matches!(outputs(&net), (0, 1..)), "{:?}", outputs(&net));
    }
}

#[test]
fn who_turns_out_to_be_near_is_sent_output_as_it_is() {
    let (mut net, user) = (Net::new(ptys(), Framing::Messages, 1), user(Features::known()));
    net.latency = FAR;
    let user = net.join(user);
    let stream = net.spawn(user, "cat");
    let line = "some words that are long enough to be packed, and come again and again\n";
    let echo = |net: &mut Net, rounds: usize| {
        net.users[user].client.write(stream, line).unwrap();
        net.until("echo", |net| net.users[user].screen(stream).bytes == line.repeat(rounds).as_bytes());
        net.pass(Duration::from_secs(1)); // It is acknowledged.
        outputs(net)
    };
    assert_eq!(echo(&mut net, 1), (1, 0));
    net.latency = Duration::from_millis(1);
    assert_eq!(echo(&mut net, 2), (2, 0), "nothing has shown that the way is short");
    assert_eq!(echo(&mut net, 3), (2, 1));
    assert_eq!(echo(&mut net, 4), (2, 2));
}

#[test]
fn a_server_that_is_told_never_to_pack_does_not() {
    let options = HostOptions { pack_from: Duration::MAX, ..HostOptions::default() };
    let mut net = Net::with(ptys(), Framing::Messages, options, 1);
    net.latency = FAR;
    let user = net.join(user(Features::known()));
    let stream = net.users[user].client.spawn(program("text")).unwrap();
    net.until("end", |net| net.users[user].screens.get(&stream).is_some_and(|screen| screen.ended.is_some()));
    assert!(matches!(outputs(&net), (0, 1..)), "{:?}", outputs(&net));
}

#[test]
fn what_does_not_shrink_is_soon_left_as_it_is() {
    let (net, stream) = seen(program("noise"), Features::known(), FAR, Cuts::default());
    assert_eq!(net.users[0].screen(stream).bytes, noise());
    let (packed, plain) = outputs(&net);
    assert!(packed > 0 && plain > 2 * packed, "{packed} packed, {plain} not");
}

#[test]
fn what_would_grow_goes_as_it_is() {
    let (net, stream) = seen(program("random"), Features::known(), FAR, Cuts::default());
    assert_eq!(net.users[0].screen(stream).bytes, random());
    assert!(matches!(outputs(&net), (0, 1..)), "{:?}", outputs(&net));
}

#[test]
fn a_key_is_echoed_as_it_is() {
    let (mut net, user) = (Net::new(ptys(), Framing::Messages, 1), user(Features::known()));
    net.latency = FAR;
    let user = net.join(user);
    let stream = net.spawn(user, "cat");
    net.users[user].client.write(stream, "k").unwrap();
    net.until("echo", |net| net.users[user].screen(stream).bytes == b"k");
    assert_eq!(outputs(&net), (0, 1));
}

#[test]
fn streams_beyond_the_contexts_there_are_begin_anew_and_lose_nothing() {
    let (mut net, user) = (Net::new(ptys(), Framing::Messages, 1), user(Features::known()));
    net.latency = FAR;
    let user = net.join(user);
    let streams: Vec<StreamId> = (0..CONTEXTS_MAX + 8).map(|_| net.spawn(user, "cat")).collect();
    let line = "some words that are long enough to be packed, and come again and again\n";
    for round in 1..=3 {
        for &stream in &streams {
            net.users[user].client.write(stream, line).unwrap();
        }
        net.until("echoes", |net| streams.iter().all(|stream| net.users[user].screen(*stream).bytes == line.repeat(round).as_bytes()));
    }
    assert!(outputs(&net).0 >= 3 * streams.len(), "{:?}", outputs(&net));
}

// ---- What a client does not take ----

fn deflate() -> Agreed {
    only(Codec::Deflate).agree(&only(Codec::Deflate))
}

fn packed(codec: Codec, text: &[u8]) -> Packed {
    let data = Packer::new(codec).pack(text);
    Packed { offset: 0, codec, begins: true, length: text.len(), data, replay: false, more: false }
}

/// Why a client that agreed on deflate leaves a server that sends this.
fn breach(frames: &[Packed]) -> Breach {
    let (mut client, stream) = guest_who_agreed(deflate());
    for frame in frames {
        client.handle_message(on(stream.as_raw(), Message::Packed(frame.clone())), Time::ZERO);
    }
    match parting(client) {
        (Loss::Breach(breach), Some(ErrorCode::Malformed)) => breach,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_codec_that_was_not_agreed_on_is_a_breach() {
    let error = MessageError::Codec { kind: Kind::Output.code(), codec: Codec::Lz4.number() };
    assert_eq!(breach(&[packed(Codec::Lz4, b"hello")]), Breach::Message(error));
}

#[test]
fn a_context_that_is_not_there_or_is_anothers_is_a_breach() {
    let (_, stream) = guest_who_agreed(deflate());
    let late = Packed { begins: false, ..packed(Codec::Deflate, b"hello") };
    assert_eq!(breach(&[late]), Breach::Context { stream });
    // A context belongs to its stream alone.
    let (mut client, first) = guest_who_agreed(deflate());
    let mut packer = Packer::new(Codec::Deflate);
    let mut next = |begins, offset| {
        let data = packer.pack(b"hello hello hello");
        Packed { begins, offset, data, length: 17, ..packed(Codec::Deflate, b"-") }
    };
    client.handle_message(on(first.as_raw(), Message::Packed(next(true, 0))), Time::ZERO);
    client.handle_message(on(first.as_raw() + 1, Message::Packed(next(false, 17))), Time::ZERO);
    let other = StreamId::new(first.as_raw() + 1);
    assert_eq!(parting(client), (Loss::Breach(Breach::Context { stream: other }), Some(ErrorCode::Malformed)));
}

#[test]
fn what_unpacks_to_more_or_less_than_it_says_is_a_breach_before_anybody_sees_it() {
    let (_, stream) = guest_who_agreed(deflate());
    let good = packed(Codec::Deflate, &[b'x'; 1000]);
    let short = Packed { length: 999, ..good.clone() };
    assert_eq!(breach(&[short]), Breach::Packed { stream, source: UnpackError::Length { said: 999, found: 1000 } });
    let long = Packed { length: 1001, ..good.clone() };
    assert_eq!(breach(&[long]), Breach::Packed { stream, source: UnpackError::Length { said: 1001, found: 1000 } });
    let junk = Packed { data: Bytes::from_static(&[0xff; 30]), ..good.clone() };
    assert_eq!(breach(&[junk]), Breach::Packed { stream, source: UnpackError::Data(Codec::Deflate) });
    let bomb = Packed { data: Packer::new(Codec::Deflate).pack(&vec![0; 16 << 20]), length: PACKED_MAX, ..good };
    assert!(bomb.data.len() < PACKED_MAX * 4, "{} bytes", bomb.data.len());
    assert_eq!(breach(&[bomb]), Breach::Packed { stream, source: UnpackError::Length { said: PACKED_MAX, found: PACKED_MAX + 1 } });
}

#[test]
fn packed_output_out_of_its_place_is_noticed() {
    let (_, stream) = guest_who_agreed(deflate());
    let wrong = Packed { offset: 4, ..packed(Codec::Deflate, b"hello") };
    assert_eq!(breach_of_order(&wrong), Breach::Offset { kind: Kind::Output, stream, expected: 0, found: 4 });
}

fn breach_of_order(frame: &Packed) -> Breach {
    let (mut client, stream) = guest_who_agreed(deflate());
    client.handle_message(on(stream.as_raw(), Message::Packed(frame.clone())), Time::ZERO);
    assert!(!std::iter::from_fn(|| client.poll_event()).any(|event| matches!(event, Event::Output { .. })));
    let (mut client, stream) = guest_who_agreed(deflate());
    client.handle_message(on(stream.as_raw(), Message::Packed(frame.clone())), Time::ZERO);
    match parting(client) {
        (Loss::Breach(breach), Some(ErrorCode::Unexpected)) => breach,
        other => panic!("{other:?}"),
    }
}
