//! Wakers that misbehave: they panic, call back into the hub, or give it up. All of that is allowed.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use orchflow_core::hub::{Hub, Output, Reader};
use orchflow_core::pty::Command;
use orchflow_core::pty::scripted::{Script, ScriptedPtys};
use orchflow_core::ring::Mode;
use orchflow_core::session::SessionOptions;

use crate::act::Act;
use crate::listener::Listener;
use crate::stage::{Driver, Setting, until, watched, within};

scenarios! {
    both: waker_that_panics_keeps_nobody_asleep, waker_may_call_the_hub, waker_may_drop_the_last_handle;
}

/// Has `wake` called when `reader` has something to read; it has nothing yet.
fn on_output(reader: &mut Reader, wake: impl Fn() + Send + Sync + 'static) {
    struct Call<F>(F);
    impl<F: Fn() + Send + Sync> Wake for Call<F> {
        fn wake(self: Arc<Self>) {
            self.0();
        }
    }
    let waker = Waker::from(Arc::new(Call(wake)));
    assert!(reader.poll_read(&mut Context::from_waker(&waker)).is_pending());
}

fn waker_that_panics_keeps_nobody_asleep(setting: Setting) {
    if setting.driver == Driver::Hosted {
        return; // There the panic is the caller's: see below.
    }
    setting.play(async |stage| {
        let act = || Act::new().gate("go").print("first").gate("on").print("second");
        let sessions: Vec<_> = (0..4).map(|_| stage.spawn(act())).collect();
        let panics = Arc::new(AtomicUsize::new(0));
        let mut readers: Vec<_> = sessions.iter().map(|session| session.reader()).collect();
        for reader in &mut readers {
            let panics = Arc::clone(&panics);
            on_output(reader, move || {
                panics.fetch_add(1, Ordering::SeqCst);
                std::panic::resume_unwind(Box::new("a waker's own bug")); // Quietly: no hook is called.
            });
        }
        // Behind each of them somebody else waits for the same bytes.
        let woken = Arc::new(AtomicUsize::new(0));
        let mut others: Vec<_> = sessions.iter().map(|session| session.reader()).collect();
        for reader in &mut others {
            let woken = Arc::clone(&woken);
            on_output(reader, move || {
                woken.fetch_add(1, Ordering::SeqCst);
            });
        }
        stage.release("go");
        until("all four panics", || panics.load(Ordering::SeqCst) == 4).await;
        until("wake-up of the four behind them", || woken.load(Ordering::SeqCst) == 4).await;
        drop(others);
        stage.release("on");
        for reader in readers {
            let mut listener = Listener::new(reader);
            assert!(listener.end().await.status.success());
            assert_eq!(listener.text(), "firstsecond");
        }
    });
}

fn waker_may_call_the_hub(setting: Setting) {
    setting.play(async |stage| {
        let session = stage.spawn(Act::raw_cat());
        let mut listener = Listener::new(session.reader());
        listener.hear("ready").await;
        let (hub, same) = (stage.hub.clone(), session.clone());
        let other = Arc::new(Mutex::new(None));
        let command = Command::new("/bin/sh").args(["-c", "echo spawned"]);
        let mut caller = session.read_as(Mode::Lossy, Some(session.range().end));
        on_output(&mut caller, {
            let other = Arc::clone(&other);
            move || {
                same.write(b"<written>").unwrap();
                same.resize(same.size()).unwrap();
                hub.dispatch(1 << 20).unwrap();
                let (mut reader, spawned) = (same.reader(), hub.spawn(&command, SessionOptions::default()).ok());
                assert!(reader.try_read().is_some());
                drop((hub.metrics(), hub.sessions(), hub.next_event()));
                *other.lock().unwrap() = Some(spawned);
            }
        });
        session.write(b"<typed>").unwrap();
        listener.hear("<typed>").await;
        listener.hear("<written>").await;
        until("end of the waker", || other.lock().unwrap().is_some()).await;
        let spawned = other.lock().unwrap().take().flatten();
        if let Some(spawned) = spawned {
            let mut listener = Listener::new(spawned.reader()); // Scripts have no such program.
            listener.end().await;
            assert_eq!(listener.text(), "spawned\r\n");
        }
    });
}

fn waker_may_drop_the_last_handle(setting: Setting) {
    setting.play(async |stage| {
        let session = stage.spawn(Act::raw_cat());
        let mut listener = Listener::new(session.reader());
        listener.hear("ready").await;
        let last = Arc::new(Mutex::new(Some(stage.hub.clone())));
        on_output(&mut listener.reader, {
            let last = Arc::clone(&last);
            move || drop(last.lock().unwrap().take())
        });
        drop(stage); // `block_on` keeps its hub; under every other driver the waker has the last handle now.
        session.write(b"<typed>").unwrap();
        until("last handle dropped", || last.try_lock().is_ok_and(|last| last.is_none())).await;
        if let Output::Exit(exit) = within("output or the end", listener.next()).await {
            panic!("{exit:?} before the last byte");
        }
    });
}

/// Nobody but the caller can take a panic on the caller's thread: it gets it, after everybody else was woken.
#[test]
fn hosted_dispatch_passes_a_panic_on_and_loses_nothing() {
    watched(passes_a_panic_on);
}

fn passes_a_panic_on() {
    let ptys = ScriptedPtys::new().with("child", Script::new().wait_gate("go").print("out").hang());
    let hub = Hub::builder().backend(Arc::new(ptys.clone())).manual_clock().hosted().unwrap();
    let sessions: Vec<_> = (0..4).map(|_| hub.spawn(&Command::new("child"), SessionOptions::default()).unwrap()).collect();
    let mut readers: Vec<Reader> = sessions.iter().map(|session| session.reader()).collect();
    let woken = Arc::new(AtomicUsize::new(0));
    let mut sleeps: Vec<_> = (0..4).map(|_| Box::pin(hub.sleep(Duration::from_secs(1)))).collect();
    for reader in &mut readers {
        let woken = Arc::clone(&woken);
        on_output(reader, move || {
            woken.fetch_add(1, Ordering::SeqCst);
            std::panic::resume_unwind(Box::new("a waker's own bug"));
        });
    }
    for sleep in &mut sleeps {
        struct Panics(Arc<AtomicUsize>);
        impl Wake for Panics {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::SeqCst);
                std::panic::resume_unwind(Box::new("a waker's own bug"));
            }
        }
        let waker = Waker::from(Arc::new(Panics(Arc::clone(&woken))));
        assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    ptys.release("go");
    hub.advance(Duration::from_secs(1));
    let told = catch_unwind(AssertUnwindSafe(|| while hub.wait(Some(Duration::ZERO)).unwrap() {}));
    assert!(told.is_err(), "the panic was swallowed");
    while catch_unwind(AssertUnwindSafe(|| hub.wait(Some(Duration::ZERO)).unwrap())).unwrap_or(true) {}
    assert_eq!(woken.load(Ordering::SeqCst), 8, "a panic kept others asleep");
    for mut reader in readers {
        assert!(matches!(reader.try_read(), Some(Output::Chunk { bytes, .. }) if &bytes[..] == b"out"));
    }
}
