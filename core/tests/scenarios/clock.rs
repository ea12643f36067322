//! Time: every deadline is met once, whatever the clock does, and nothing happens in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::{FutureExt, join_all};
use orchflow_core::pty::{Exit, ExitStatus, Signal};
use orchflow_core::session::SessionOptions;

use crate::act::Act;
use crate::listener::Listener;
use crate::stage::{Driver, Setting, within};

scenarios! {
    both: clock_that_jumps_by_years_meets_every_deadline_once, idle_hub_makes_no_turn, events_nobody_takes_cost_no_turn,
        timer_wakes_the_hub_when_it_is_due;
}

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

fn clock_that_jumps_by_years_meets_every_deadline_once(setting: Setting) {
    setting.manual_clock().play(async |stage| {
        // Deadlines of each kind: sleeps, a drain, a hold, a climb to the kill.
        let orphaned = stage.spawn(Act::new().silent_orphan());
        stage.process_exited(&orphaned).await;
        let holding = stage.spawn(Act::raw_cat());
        let mut held = Listener::new(holding.reader());
        held.hear("ready").await;
        let suspension = held.reader.suspend();
        let stubborn = Act::new().ignore(Signal::Hangup).ignore(Signal::Terminate).print("ready").hang();
        let stubborn = stage.spawn(stubborn);
        let mut listener = Listener::new(stubborn.reader());
        listener.hear("ready").await;
        let woken = AtomicUsize::new(0);
        let mut sleeps = Box::pin(join_all((1..100u32).map(|n| {
            stage.hub.sleep(YEAR / 100 * n).map(|()| {
                woken.fetch_add(1, Ordering::SeqCst);
            })
        })));
        assert!(sleeps.as_mut().now_or_never().is_none());
        stubborn.close(Duration::from_secs(1));

        let before = stage.hub.metrics().dispatch_turns;
        stage.advance(40 * YEAR).await;
        within("every sleep", sleeps).await;
        assert_eq!(woken.load(Ordering::SeqCst), 99);
        let orphaned = within("the orphan's end", orphaned.exited()).await;
        assert_eq!(orphaned, Exit { status: ExitStatus::Code(0), orphaned: true });
        assert!(holding.resume(suspension).is_err());
        // One jump is one step of the ladder: each grace begins when its signal was sent.
        assert_eq!(stubborn.exit(), None);
        stage.advance(40 * YEAR).await;
        assert_eq!(listener.end().await.status, ExitStatus::Signal(9));
        let turns = stage.hub.metrics().dispatch_turns - before;
        assert!(turns < 60, "{turns} turns for three jumps");
    });
}

fn idle_hub_makes_no_turn(setting: Setting) {
    // Where `block_on` drives, the end of the idle stretch is itself a turn.
    let own = u64::from(setting.driver == Driver::Hosted);
    setting.play(async |stage| {
        let sessions = [stage.spawn(Act::raw_cat()), stage.spawn(Act::raw_cat())];
        for session in &sessions {
            Listener::new(session.reader()).hear("ready").await;
        }
        let far = stage.hub.sleep(YEAR);
        let mut far = Box::pin(far);
        assert!(far.as_mut().now_or_never().is_none());
        while stage.turns_in(10).await > own {} // Until the last of the beginning is over.
        assert!(stage.turns_in(60).await <= own);
    });
}

fn events_nobody_takes_cost_no_turn(setting: Setting) {
    let own = u64::from(setting.driver == Driver::Hosted);
    setting.play(async |stage| {
        let session = stage.spawn(Act::new());
        within("the exit", session.exited()).await;
        let other = stage.spawn(Act::raw_cat());
        Listener::new(other.reader()).hear("ready").await;
        // What has just ended may still make a turn or two; a hub that spins makes many in each of these stretches.
        let mut turns = u64::MAX;
        for _ in 0..20 {
            turns = turns.min(stage.turns_in(60).await);
        }
        assert!(turns <= own, "{turns} turns because events wait");
        assert!(stage.hub.next_event().is_some());
    });
}

fn timer_wakes_the_hub_when_it_is_due(setting: Setting) {
    setting.play(async |stage| {
        let due = stage.hub.now() + Duration::from_millis(30);
        within("the deadline", stage.hub.sleep_until(due)).await;
        assert!(stage.hub.now() >= due);
        // Many sleepers, of which some change their mind.
        let done = Arc::new(AtomicUsize::new(0));
        let sleepers = (0..50).map(|n| stage.hub.sleep(Duration::from_millis(n % 7)).map(|()| done.fetch_add(1, Ordering::SeqCst)));
        let mut given_up = Box::pin(stage.hub.sleep(Duration::from_millis(1)));
        assert!(given_up.as_mut().now_or_never().is_none());
        drop(given_up);
        within("all sleepers", join_all(sleepers)).await;
        assert_eq!(done.load(Ordering::SeqCst), 50);
        // A drain by the real clock, through the real alarm.
        let session = stage.spawn_with(Act::new().silent_orphan(), SessionOptions::default());
        assert!(within("the exit", session.exited()).await.orphaned);
    });
}
