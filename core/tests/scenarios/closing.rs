//! How sessions and hubs are closed: processes go or are made to, and whoever holds a handle is told.

use std::time::Duration;

use orchflow_core::hub::Output;
use orchflow_core::pty::{Command, ExitStatus, Signal, SpawnError};
use orchflow_core::session::{SessionOptions, WriteError};

use crate::act::Act;
use crate::listener::{Listener, assert_same};
use crate::stage::{Driver, Provider, Setting, Stage, until, within};

scenarios! {
    both: stubborn_processes_end_by_the_kill, polite_process_ends_at_once, stopped_process_is_woken_to_end,
        last_handle_dropped_ends_the_processes, unread_session_ends_when_its_handle_is_dropped,
        closed_hub_answers_that_it_is, dropped_hub_leaves_no_process;
}

const GRACE: Duration = Duration::from_secs(1);
const MOMENT: Duration = Duration::from_millis(1);

/// Waits until the system has none of the stage's processes.
async fn nobody_left(stage: &Stage) {
    if stage.provider == Provider::Unix {
        until("last process gone", || stage.processes() == 0).await;
    }
}

fn stubborn_processes_end_by_the_kill(setting: Setting) {
    setting.manual_clock().play(async |stage| {
        let stubborn = || Act::new().ignore(Signal::Hangup).ignore(Signal::Terminate);
        let act = stubborn().background(stubborn().hang()).background(stubborn().hang()).print("ready").hang();
        let session = stage.spawn(act);
        let mut listener = Listener::new(session.reader());
        listener.hear("ready").await;
        session.close(GRACE);
        stage.advance(GRACE - MOMENT).await;
        stage.advance(MOMENT).await; // Terminate.
        stage.advance(GRACE - MOMENT).await;
        assert_eq!((session.exit(), stage.hub.sessions()), (None, 1), "killed before its grace was over");
        stage.advance(MOMENT).await;
        assert_eq!(listener.end().await.status, ExitStatus::Signal(9));
        nobody_left(&stage).await;
        stage.advance(GRACE).await;
        stage.emptied().await;
    });
}

fn polite_process_ends_at_once(setting: Setting) {
    setting.manual_clock().play(async |stage| {
        let session = stage.spawn(Act::new().background(Act::new().hang()).print("ready").hang());
        let mut listener = Listener::new(session.reader());
        listener.hear("ready").await;
        session.close(Duration::from_secs(3600)); // No grace is waited for that nobody needs.
        let exit = listener.end().await;
        assert_eq!((exit.status, exit.orphaned), (ExitStatus::Signal(1), false));
        assert!(matches!(session.write(b"x"), Err(WriteError::Closed)));
        nobody_left(&stage).await;
    });
}

fn stopped_process_is_woken_to_end(setting: Setting) {
    setting.manual_clock().play(async |stage| {
        let session = stage.spawn(Act::raw_cat());
        let mut listener = Listener::new(session.reader());
        listener.hear("ready").await;
        session.signal(Signal::Stop, orchflow_core::pty::Target::Session).unwrap();
        session.write(&[b'x'; 100_000]).unwrap();
        session.close(Duration::from_secs(3600));
        assert_eq!(session.queued_input(), 0);
        assert_eq!(listener.end().await.status, ExitStatus::Signal(1));
    });
}

fn last_handle_dropped_ends_the_processes(setting: Setting) {
    setting.manual_clock().play(async |stage| {
        let stubborn = Act::new().ignore(Signal::Hangup).background(Act::new().ignore(Signal::Hangup).hang()).print("ready").hang();
        let session = stage.spawn_with(stubborn, SessionOptions { close_grace: GRACE, ..SessionOptions::default() });
        let mut listener = Listener::new(session.reader());
        listener.hear("ready").await;
        drop(session);
        stage.advance(3 * GRACE).await;
        assert_eq!(stage.hub.sessions(), 1, "a reader is a handle");
        drop(listener);
        stage.advance(GRACE).await; // Terminate ends them.
        nobody_left(&stage).await;
        stage.advance(2 * GRACE).await;
        stage.emptied().await;
    });
}

fn unread_session_ends_when_its_handle_is_dropped(setting: Setting) {
    setting.manual_clock().play(async |stage| {
        let session = stage.spawn(Act::new().flood_without_end());
        until("terminal that is not read further", || stage.hub.metrics().paused == 1).await;
        drop(session);
        // Nobody can ask for these bytes any more.
        nobody_left(&stage).await;
        for _ in 0..4 {
            stage.advance(GRACE).await;
        }
        stage.emptied().await;
        until("pool without lenders", || stage.hub.metrics().pool_bytes == 0).await;
    });
}

fn closed_hub_answers_that_it_is(setting: Setting) {
    setting.play(async |stage| {
        let session = stage.spawn(Act::raw_cat());
        let mut listener = Listener::new(session.reader());
        listener.hear("ready").await;
        session.write(b"<typed>").unwrap();
        listener.hear("<typed>").await;
        stage.hub.close();
        assert_eq!(stage.hub.sessions(), 0);
        assert!(matches!(session.write(b"x"), Err(WriteError::Closed)));
        assert!(matches!(session.resize(session.size()), Err(WriteError::Closed)));
        assert!(matches!(session.signal(Signal::Kill, orchflow_core::pty::Target::Leader), Err(WriteError::Closed)));
        let refused = stage.hub.spawn(&Command::new("/bin/sh"), SessionOptions::default());
        assert!(matches!(refused, Err(SpawnError::Closed)));
        let exit = within("the exit", session.exited()).await;
        assert_eq!(listener.end().await, exit);
        let mut late = Listener::new(session.reader());
        late.end().await;
        assert_same(&late.heard, &listener.heard);
        nobody_left(&stage).await;
        session.close(Duration::ZERO);
        stage.hub.close();
    });
}

fn dropped_hub_leaves_no_process(setting: Setting) {
    if setting.driver == Driver::Hosted {
        return; // `block_on` holds the hub.
    }
    setting.play(async |stage| {
        let stubborn = Act::new().ignore(Signal::Hangup).ignore(Signal::Terminate);
        let session = stage.spawn(stubborn.clone().background(stubborn.hang()).raw().print("ready").cat());
        let mut listener = Listener::new(session.reader());
        listener.hear("ready").await;
        let after = stage.without_hub(); // Whoever drives it may be in the middle of a turn.
        assert!(matches!(within("the end", listener.next()).await, Output::Exit(_)));
        assert!(matches!(session.write(b"x"), Err(WriteError::Closed)));
        within("the exit", session.exited()).await;
        until("last process gone", || after.processes().is_empty()).await;
    });
}
