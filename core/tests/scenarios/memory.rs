//! Memory: what readers hold on to is theirs, what all share is bounded, and who waits for it goes on.

use bytes::Bytes;
use futures::future::{join, join_all};
use orchflow_core::flow::FlowLimits;
use orchflow_core::hub::{Output, Session};
use orchflow_core::limits::{DRAIN_MAX, PINNED_BYTES, POOL_MIN, READ_MAX};
use orchflow_core::pty::Signal;
use orchflow_core::session::SessionOptions;

use crate::act::{Act, flood_bytes};
use crate::listener::{Listener, assert_same};
use crate::stage::{Setting, Stage, until, within};

scenarios! {
    both: reader_that_holds_too_many_chunks_waits_until_it_drops_some, spent_memory_stops_only_the_one_who_needs_more,
        memory_comes_back_when_a_reader_catches_up, session_that_is_over_leaves_no_memory_behind,
        memory_spent_at_the_end_of_an_orphan_does_not_hide_the_exit, smallest_pool_carries_two_floods,
        histories_nobody_claims_give_way_to_the_last_byte, largest_history_gives_way_first;
}

fn reader_that_holds_too_many_chunks_waits_until_it_drops_some(setting: Setting) {
    const COUNT: usize = PINNED_BYTES + (2 << 20);
    setting.play(async |stage| {
        let session = stage.spawn(Act::new().flood(COUNT));
        let mut reader = session.reader();
        let mut held: Vec<Bytes> = Vec::new();
        let mut taken = 0;
        // Takes all it is given, until it is given nothing although there is more.
        until("refusal", || {
            let end = session.range().end;
            while let Some(Output::Chunk { bytes, .. }) = reader.try_read() {
                taken += bytes.len();
                held.push(bytes);
            }
            end > taken as u64
        })
        .await;
        // Of each segment a page at the end may be unused.
        assert!((PINNED_BYTES / 8 * 7..=PINNED_BYTES).contains(&taken), "{taken} bytes are held");
        assert_same(&held.concat(), flood_bytes(0..taken));

        let (output, ()) = join(within("wake-up by the memory that was dropped", reader.read()), async { held.clear() }).await;
        let mut listener = Listener::new(reader);
        let Output::Chunk { at, bytes } = output else { panic!("{output:?}") };
        assert_eq!(at, taken as u64);
        let first = bytes.len();
        assert_same(&bytes, flood_bytes(taken..taken + first));
        drop(bytes);
        assert!(listener.end().await.status.success());
        assert_same(&listener.heard, flood_bytes(taken + first..COUNT));
    });
}

const POOL: usize = 1 << 20;
const FLOOD: usize = 2 << 20;

/// A flood, of which as much is read ahead as half the pool.
fn flooding(stage: &Stage) -> Session {
    let flow = FlowLimits { high_bytes: POOL / 2, low_bytes: POOL / 8, ..FlowLimits::default() };
    stage.spawn_with(Act::new().flood(FLOOD), SessionOptions { flow, ..SessionOptions::default() })
}

/// A session that echoes, a history nobody claims, and two floods whose owners have not read yet: more than the pool holds.
async fn crowd(stage: &Stage) -> (Listener, Session, [Listener; 2]) {
    let echo = stage.spawn(Act::raw_cat());
    let mut echo = Listener::new(echo.reader());
    echo.hear("ready").await;
    let history = stage.spawn(Act::new().flood(POOL - 2 * READ_MAX).print("<all>").gate("never"));
    let mut reader = Listener::new(history.reader());
    reader.hear("<all>").await;
    drop(reader);
    assert_eq!(history.range().start, 0);
    let floods = [flooding(stage), flooding(stage)].map(|flood| Listener::new(flood.reader()));
    let ends = || floods.each_ref().map(|flood| flood.reader.session().range().end as usize);
    until("spent pool", || stage.hub.metrics().pool_bytes as usize > POOL - READ_MAX && history.range().start > 0).await;
    until("floods that have all there is", || ends().iter().sum::<usize>() > POOL - 4 * READ_MAX && history.range().start > 0).await;
    while stage.turns_in(5).await > 2 {}
    assert!(ends().iter().sum::<usize>() < POOL, "more was read than there is memory for");
    (echo, history, floods)
}

fn spent_memory_stops_only_the_one_who_needs_more(setting: Setting) {
    setting.pool_bytes(POOL).play(async |stage| {
        let (mut echo, history, mut floods) = crowd(&stage).await;
        let mut turns = Vec::new();
        for _ in 0..10 {
            turns.push(stage.turns_in(5).await);
        }
        // Who looks again and again does so in each of them.
        assert!(turns.iter().any(|&turns| turns <= 2), "{turns:?} turns for sessions that wait for memory");
        for key in 0..20 {
            let word = format!("<{key}>");
            echo.reader.session().write(word.as_bytes()).unwrap();
            echo.hear(&word).await;
        }
        let [one, other] = &mut floods;
        join(one.end(), other.end()).await;
        for flood in &floods {
            assert_same(&flood.heard, flood_bytes(0..FLOOD));
        }
        assert!(stage.hub.metrics().pool_bytes as usize <= POOL);
        drop(history);
    });
}

fn memory_comes_back_when_a_reader_catches_up(setting: Setting) {
    setting.pool_bytes(POOL).play(async |stage| {
        let (_echo, _history, [mut one, mut other]) = crowd(&stage).await;
        // One after the other: while one is read, the memory that the other waits for is that one's history.
        within("whole flood, while another waits", one.end()).await;
        assert_same(&one.heard, flood_bytes(0..FLOOD));
        until("the other flood to go on", || other.reader.session().range().end >= POOL as u64 / 2).await;
        other.end().await;
        assert_same(&other.heard, flood_bytes(0..FLOOD));
    });
}

fn session_that_is_over_leaves_no_memory_behind(setting: Setting) {
    // However short a moment ago somebody typed into it.
    setting.manual_clock().play(async |stage| {
        let session = stage.spawn(Act::raw_cat());
        let mut listener = Listener::new(session.reader());
        listener.hear("ready").await;
        for _ in 0..20 {
            session.write(b"typed").unwrap();
            listener.hear("typed").await;
        }
        assert!(stage.hub.metrics().pool_bytes > 0);
        drop((session, listener));
        stage.emptied().await;
        until("pool without lenders", || stage.hub.metrics().pool_bytes == 0).await;
    });
}

fn memory_spent_at_the_end_of_an_orphan_does_not_hide_the_exit(setting: Setting) {
    const POOL: usize = 256 << 10;
    setting.manual_clock().pool_bytes(POOL).play(async |stage| {
        // One session has all the memory but a few pages, and an owner who does not read.
        let flow = FlowLimits { high_bytes: 2 * POOL, ..FlowLimits::default() };
        let holding = stage.spawn_with(Act::new().flood(POOL).gate("never"), SessionOptions { flow, ..SessionOptions::default() });
        let owner = holding.reader();
        until("spent pool", || stage.hub.metrics().pool_bytes as usize > POOL - READ_MAX).await;
        let orphan = Act::new().ignore(Signal::Hangup).wait_orphaned().gate("talk").flood_without_end();
        let session = stage.spawn(Act::new().background(orphan).exit(7));
        stage.process_exited(&session).await;
        let mut listener = Listener::new(session.reader());
        stage.release("talk");
        stage.advance(DRAIN_MAX).await; // The last look at what it says meets the end of the memory.
        stage.turns_in(5).await;
        drop((owner, holding));
        stage.advance(DRAIN_MAX).await;
        assert!(listener.end().await.orphaned);
        assert_same(&listener.heard, flood_bytes(0..listener.heard.len()));
    });
}

fn smallest_pool_carries_two_floods(setting: Setting) {
    setting.pool_bytes(POOL_MIN).play(async |stage| {
        let mut floods = [flooding(&stage), flooding(&stage)].map(|flood| Listener::new(flood.reader()));
        join_all(floods.iter_mut().map(Listener::end)).await;
        for flood in &floods {
            assert_same(&flood.heard, flood_bytes(0..FLOOD));
        }
    });
}

fn histories_nobody_claims_give_way_to_the_last_byte(setting: Setting) {
    const COUNT: usize = 21_000; // Into the third segment, the first of full size.
    const SESSIONS: usize = POOL / READ_MAX;
    setting.pool_bytes(POOL).play(async |stage| {
        let mut held = Vec::new();
        for number in 0..SESSIONS {
            // Some are over, some could go on.
            let act = Act::new().flood(COUNT);
            let session = stage.spawn(if number % 2 == 0 { act } else { act.gate("never") });
            let mut listener = Listener::new(session.reader());
            listener.hear_bytes(COUNT).await;
            held.push(session);
        }
        let mut flood = Listener::new(flooding(&stage).reader());
        flood.end().await;
        assert_same(&flood.heard, flood_bytes(0..FLOOD));
        assert!(held.iter().any(|session| session.range().is_empty()), "nothing had to be given up");
    });
}

fn largest_history_gives_way_first(setting: Setting) {
    const SMALL: usize = 100_000;
    setting.pool_bytes(POOL).play(async |stage| {
        let mut histories = Vec::new();
        for count in [SMALL, POOL - 3 * SMALL] {
            let session = stage.spawn(Act::new().flood(count).gate("never"));
            Listener::new(session.reader()).hear_bytes(count).await;
            histories.push(session);
        }
        let mut flood = Listener::new(flooding(&stage).reader());
        flood.end().await;
        assert_same(&flood.heard, flood_bytes(0..FLOOD));
        assert!(histories[1].range().start > 0, "nothing had to be given up");
        assert_eq!(histories[0].range(), 0..SMALL as u64, "a small history gave way before a large one");
    });
}
