//! Readers that fall behind: who is waited for, for how long, and what the others are told.

use std::time::Duration;

use futures::future::{FutureExt, join};
use orchflow_core::flow::FlowLimits;
use orchflow_core::hub::{Output, Session};
use orchflow_core::limits::READ_MAX;
use orchflow_core::ring::Mode;
use orchflow_core::session::{EventKind, ResumeError, SessionOptions};

use crate::act::{Act, flood_bytes};
use crate::listener::{Listener, assert_same};
use crate::stage::{Setting, Stage, provoke, until, within};

scenarios! {
    both: lossy_reader_is_told_exactly_what_it_missed, slow_owner_stops_the_child_and_loses_nothing,
        acknowledgement_alone_has_the_terminal_read_on, what_an_owner_takes_is_debt_until_it_says_otherwise,
        viewer_that_stalls_others_is_demoted_and_told, owner_is_waited_for_without_end,
        suspended_reader_keeps_its_place_for_a_while, suspended_reader_is_given_up_after_the_hold;
}

const COUNT: usize = 1 << 20;
const HIGH: usize = 64 << 10;
const MOMENT: Duration = Duration::from_millis(1);

fn options() -> SessionOptions {
    let flow = FlowLimits { high_bytes: HIGH, low_bytes: 8 << 10, stall_max: Duration::from_secs(10) };
    SessionOptions { flow, history_bytes: HIGH + 2 * READ_MAX, resume_hold: Duration::from_secs(5), ..SessionOptions::default() }
}

/// Waits until `session` is not read any further, for somebody's debt.
async fn stopped(stage: &Stage, session: &Session) {
    until("stopped terminal", || session.range().end >= HIGH as u64 && stage.hub.metrics().paused == 1).await;
}

fn lossy_reader_is_told_exactly_what_it_missed(setting: Setting) {
    setting.play(async |stage| {
        let session = stage.spawn_with(Act::new().print("0").gate("go").flood(COUNT), options());
        let mut slow = Listener::new(session.read_as(Mode::Lossy, None));
        slow.hear("0").await;
        slow.forget();
        stage.release("go");
        within("the exit", session.exited()).await;
        slow.end().await;
        assert_eq!(slow.missed() + slow.heard.len() as u64, COUNT as u64);
        assert!(slow.gaps.len() == 1 && slow.missed() > 0, "{:?}", slow.gaps);
        assert_same(&slow.heard, flood_bytes(slow.missed() as usize..COUNT));
        let metrics = stage.hub.metrics();
        assert_eq!((metrics.gaps, metrics.gap_bytes, metrics.pauses), (1, slow.missed(), 0));
        assert!(metrics.pool_bytes <= (HIGH + 3 * READ_MAX) as u64, "{} bytes held", metrics.pool_bytes);
    });
}

fn slow_owner_stops_the_child_and_loses_nothing(setting: Setting) {
    setting.play(async |stage| {
        let session = stage.spawn_with(Act::new().flood(COUNT), options());
        let mut owner = Listener::new(session.reader());
        stopped(&stage, &session).await;
        let debt = session.range().end;
        assert!((HIGH..HIGH + READ_MAX).contains(&(debt as usize)), "{debt} bytes were read for nobody");
        let turns = stage.turns_in(20).await; // A child that would print on, and a terminal that is readable all the time.
        assert_eq!(session.range(), 0..debt);
        assert!(turns < 5, "{turns} turns while nothing may be read");
        // Each time it comes back for more, at most the same again is read ahead of it.
        while owner.heard.len() < COUNT {
            within("more of the flood", owner.next()).await;
            let ahead = session.range().end - owner.heard.len() as u64;
            assert!((ahead as usize) < HIGH + 2 * READ_MAX, "{ahead} bytes ahead");
        }
        assert!(owner.end().await.status.success());
        assert_same(&owner.heard, flood_bytes(0..COUNT));
    });
}

/// A host that asks for more only when it has dealt with what it got, and not by a waker.
fn acknowledgement_alone_has_the_terminal_read_on(setting: Setting) {
    setting.play(async |stage| {
        let session = stage.spawn_with(Act::new().flood(COUNT), options());
        let mut viewer = Listener::new(session.read_as(Mode::Viewer, None));
        stopped(&stage, &session).await;
        let end = session.range().end;
        while (viewer.heard.len() as u64) < end {
            let output = viewer.reader.try_read().expect("what was read");
            viewer.note(&output);
        }
        stage.turns_in(5).await; // A child that would print on.
        assert_eq!(session.range().end, end, "what was taken is not yet dealt with");
        viewer.reader.ack(end);
        until("terminal that is read on", || session.range().end > end).await;
    });
}

/// An owner that keeps what it took for a while, as one does that lends it on.
fn what_an_owner_takes_is_debt_until_it_says_otherwise(setting: Setting) {
    setting.play(async |stage| {
        let session = stage.spawn_with(Act::new().flood(COUNT), options());
        let mut owner = session.reader();
        stopped(&stage, &session).await;
        let (end, mut taken) = (session.range().end, 0);
        while let Some(Output::Chunk { bytes, .. }) = owner.try_take(READ_MAX) {
            taken += bytes.len() as u64;
        }
        assert_eq!(taken, end);
        stage.turns_in(5).await; // A child that would print on.
        assert_eq!(session.range().end, end, "what was taken is not yet dealt with");
        owner.ack(taken);
        until("terminal that is read on", || session.range().end > end).await;
    });
}

fn viewer_that_stalls_others_is_demoted_and_told(setting: Setting) {
    setting.manual_clock().play(async |stage| {
        let session = stage.spawn_with(Act::new().flood(COUNT), options());
        let mut viewer = Listener::new(session.read_as(Mode::Viewer, None));
        let mut owner = Listener::new(session.reader());
        let patience = async {
            stopped(&stage, &session).await;
            stage.advance(Duration::from_secs(10) - MOMENT).await;
            assert_eq!((viewer.reader.mode(), stage.hub.metrics().viewers_demoted), (Mode::Viewer, 0));
            stage.advance(MOMENT).await;
            let demoted = |event: &orchflow_core::session::Event| (event.kind == EventKind::ViewerDemoted).then_some(event.session);
            assert_eq!(stage.event("report of the demotion", demoted).await, session.id());
        };
        let (exit, ()) = join(owner.end(), patience).await;
        assert!(exit.status.success());
        assert_same(&owner.heard, flood_bytes(0..COUNT));
        assert_eq!((viewer.reader.mode(), stage.hub.metrics().viewers_demoted), (Mode::Lossy, 1));
        viewer.end().await;
        assert_eq!(viewer.missed() + viewer.heard.len() as u64, COUNT as u64);
        assert!(viewer.missed() > 0);
    });
}

fn owner_is_waited_for_without_end(setting: Setting) {
    setting.manual_clock().play(async |stage| {
        let session = stage.spawn_with(Act::new().flood(COUNT), options());
        let mut owner = Listener::new(session.reader());
        let mut viewer = Listener::new(session.read_as(Mode::Viewer, None));
        stopped(&stage, &session).await;
        // The viewer has dealt with everything and waits.
        while let Some(output) = viewer.next().now_or_never() {
            assert!(matches!(output, Output::Chunk { .. }));
            viewer.reader.ack(viewer.reader.offset());
        }
        for _ in 0..10 {
            stage.advance(Duration::from_secs(3600)).await;
        }
        assert_eq!((owner.reader.mode(), stage.hub.metrics().viewers_demoted), (Mode::Owner, 0));
        let watching = async {
            while !matches!(viewer.next().await, Output::Exit(_)) {
                viewer.reader.ack(viewer.reader.offset());
            }
        };
        join(owner.end(), watching).await;
        assert_same(&owner.heard, flood_bytes(0..COUNT));
        assert_same(&viewer.heard, flood_bytes(0..COUNT));
    });
}

/// A viewer of a flood that has dealt with 10,000 bytes when its link breaks.
async fn viewer_on_a_broken_link(session: &Session) -> Listener {
    let mut viewer = Listener::new(session.read_as(Mode::Viewer, None));
    viewer.hear_bytes(10_000).await;
    viewer.reader.ack(10_000);
    viewer.reader.seek(10_000);
    viewer
}

fn suspended_reader_keeps_its_place_for_a_while(setting: Setting) {
    setting.manual_clock().play(async |stage| {
        let session = stage.spawn_with(Act::new().flood(COUNT), options());
        let viewer = viewer_on_a_broken_link(&session).await;
        let suspension = viewer.reader.suspend();
        stopped(&stage, &session).await;
        let end = session.range().end;
        stage.advance(Duration::from_secs(5) - MOMENT).await;
        provoke(5).await; // A child that would print on.
        assert_eq!(session.range().end, end, "nobody waited for the reader whose link broke");

        let reader = session.resume(suspension).unwrap();
        assert_eq!((reader.offset(), reader.mode()), (10_000, Mode::Viewer));
        assert_eq!(session.resume(suspension).unwrap_err(), ResumeError::Expired);
        stage.advance(Duration::from_secs(5)).await; // It is back: the hold is over, and means nothing.
        let mut viewer = Listener::new(reader);
        while !matches!(within("more of the flood", viewer.next()).await, Output::Exit(_)) {
            viewer.reader.ack(viewer.reader.offset());
        }
        assert_same(&viewer.heard, flood_bytes(10_000..COUNT));
    });
}

fn suspended_reader_is_given_up_after_the_hold(setting: Setting) {
    setting.manual_clock().play(async |stage| {
        let session = stage.spawn_with(Act::new().flood(COUNT), options());
        let viewer = viewer_on_a_broken_link(&session).await;
        let suspension = viewer.reader.suspend();
        stopped(&stage, &session).await;
        stage.advance(Duration::from_secs(5)).await;
        within("the exit, now that nobody is waited for", session.exited()).await;
        assert_eq!(session.resume(suspension).unwrap_err(), ResumeError::Expired);
        let mut late = Listener::new(session.read_as(Mode::Viewer, Some(10_000)));
        late.end().await;
        assert_eq!(late.missed() + late.heard.len() as u64, (COUNT - 10_000) as u64);
    });
}
