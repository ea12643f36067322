//! The faces of a session: streams and byte streams for executors, plain values for everybody else.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use futures::future::{BoxFuture, join};
use futures::{AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use orchflow_core::hub::{Hub, Output};
use orchflow_core::pty::{Command, ExitStatus, Signal, Target};
use orchflow_core::runtime::{Readiness, Runtime};
use orchflow_core::session::{EventKind, SessionOptions};

use crate::act::{Act, flood_bytes};
use crate::listener::{Listener, assert_same};
use crate::stage::{Setting, Smol, Tokio, until, watched, within};

scenarios! {
    both: stream_of_output_ends_after_the_exit, byte_stream_copies_both_ways_under_pressure,
        byte_stream_that_waits_for_room_is_woken_by_room, tasks_share_the_events;
}

fn stream_of_output_ends_after_the_exit(setting: Setting) {
    const COUNT: usize = 100_000;
    setting.play(async |stage| {
        let session = stage.spawn(Act::new().flood(COUNT).exit(5));
        let mut output = session.output();
        let outputs: Vec<Output> = within("end of the stream", output.by_ref().collect()).await;
        let (last, chunks) = outputs.split_last().unwrap();
        assert!(matches!(last, Output::Exit(exit) if exit.status == ExitStatus::Code(5)));
        let bytes = chunks.iter().map(|chunk| match chunk {
            Output::Chunk { bytes, .. } => &bytes[..],
            other => panic!("{other:?}"),
        });
        assert_same(&bytes.collect::<Vec<_>>().concat(), flood_bytes(0..COUNT));
        assert_eq!(output.next().await, None);
    });
}

fn byte_stream_copies_both_ways_under_pressure(setting: Setting) {
    const COUNT: usize = 1 << 20;
    const QUEUE: usize = 64 << 10;
    setting.play(async |stage| {
        let session = stage.spawn_with(Act::raw_cat(), SessionOptions { input_queue_bytes: QUEUE, ..SessionOptions::default() });
        let (mut output, mut input) = session.io().split();
        let mut ready = [0; 5];
        within("the child", output.read_exact(&mut ready)).await.unwrap();
        let mut heard = vec![0; COUNT];
        let typing = async {
            input.write_all(flood_bytes(0..COUNT)).await.unwrap();
            input.flush().await.unwrap();
        };
        let (read, ()) = within("the echo", join(output.read_exact(&mut heard), typing)).await;
        read.unwrap();
        assert_same(&heard, flood_bytes(0..COUNT));
        session.close(Duration::ZERO);
        assert_eq!(within("the end", output.read(&mut [0; 9])).await.unwrap(), 0);
        assert_eq!(input.write(b"x").await.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
    });
}

fn byte_stream_that_waits_for_room_is_woken_by_room(setting: Setting) {
    struct Woken(AtomicUsize);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    const QUEUE: usize = 64 << 10;
    setting.play(async |stage| {
        let session = stage.spawn_with(Act::raw_cat(), SessionOptions { input_queue_bytes: QUEUE, ..SessionOptions::default() });
        Listener::new(session.reader()).hear("ready").await;
        session.signal(Signal::Stop, Target::Session).unwrap();
        let woken = Arc::new(Woken(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&woken));
        let mut input = session.io();
        // Nothing else this task does is to wake it.
        while Pin::new(&mut input).poll_write(&mut Context::from_waker(&waker), &[b'x'; 10_000]).is_ready() {}
        assert_eq!(woken.0.load(Ordering::SeqCst), 0);
        session.signal(Signal::Continue, Target::Session).unwrap();
        until("wake-up by the room there is", || woken.0.load(Ordering::SeqCst) > 0).await;
        assert!(Pin::new(&mut input).poll_write(&mut Context::from_waker(&waker), b"x").is_ready());
    });
}

fn tasks_share_the_events(setting: Setting) {
    setting.play(async |stage| {
        drop(stage.hub.event()); // Somebody who changed their mind.
        let session = stage.spawn(Act::new().gate("go"));
        let (mut one, mut other) = (Vec::new(), Vec::new());
        let listen = async |told: &mut Vec<EventKind>| told.push(stage.hub.event().await.kind);
        let release = async { stage.release("go") };
        within("two events", join(release, join(listen(&mut one), listen(&mut other)))).await;
        let exit = session.exited().await;
        let mut told = [one[0], other[0]];
        told.sort_by_key(|kind| matches!(kind, EventKind::Exit(_)));
        assert_eq!(told, [EventKind::ProcessExited(exit.status), EventKind::Exit(exit)]);
    });
}

/// The face for hosts without futures, on a hub they drive and on one that drives itself.
#[test]
fn plain_values_tell_everything_to_a_host() {
    watched(|| plain_values(&Hub::builder().events().hosted().unwrap()));
}

#[test]
fn plain_values_tell_everything_beside_the_hubs_thread() {
    watched(|| plain_values(&Hub::builder().events().threaded().unwrap()));
}

fn plain_values(hub: &Hub) {
    const COUNT: usize = 100_000;
    let flood = Command::new("/bin/sh").args(["-c", "head -c \"$0\" \"$1\"; exit 4"]);
    let flood = flood.arg(COUNT.to_string()).arg(crate::act::flood_file());
    let session = hub.spawn(&flood, SessionOptions::default()).unwrap();
    let mut reader = session.reader();
    let mut heard = Vec::new();
    let (mut exit, mut ended) = (None, false);
    reader.notify();
    while exit.is_none() {
        hub.wait(None).unwrap();
        while let Some(event) = hub.next_event() {
            assert_eq!(event.session, session.id());
            match event.kind {
                EventKind::Output => {
                    while let Some(output) = reader.try_read() {
                        match output {
                            Output::Chunk { bytes, .. } => heard.extend_from_slice(&bytes),
                            Output::Gap { .. } => panic!("{output:?}"),
                            Output::Exit(_) => {
                                ended = true;
                                break;
                            }
                        }
                    }
                    if !ended {
                        reader.notify();
                    }
                }
                EventKind::Exit(told) => exit = Some(told),
                EventKind::ProcessExited(status) => assert_eq!(status, ExitStatus::Code(4)),
                other => panic!("{other:?}"),
            }
        }
    }
    while let Some(Output::Chunk { bytes, .. }) = reader.try_read() {
        heard.extend_from_slice(&bytes);
    }
    assert_same(&heard, flood_bytes(0..COUNT));
    assert_eq!(reader.try_read(), exit.map(Output::Exit));
    assert_eq!(session.exit(), exit);
}

#[test]
fn block_on_runs_futures_on_a_hub_that_drives_itself() {
    watched(|| {
        let hub = Hub::threaded().unwrap();
        let session = hub.spawn(&Command::new("true"), SessionOptions::default()).unwrap();
        let exit = hub.block_on(async { join(session.exited(), hub.sleep(Duration::from_millis(1))).await.0 }).unwrap();
        assert!(exit.status.success());
    });
}

/// A runtime that counts the tasks it runs.
struct Counting<R>(R, Arc<AtomicUsize>);

impl<R: Runtime> Runtime for Counting<R> {
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) {
        let running = Arc::clone(&self.1);
        running.fetch_add(1, Ordering::SeqCst);
        let counted = async move {
            task.await;
            running.fetch_sub(1, Ordering::SeqCst);
        };
        self.0.spawn(name, Box::pin(counted));
    }

    fn register(&self, fd: Arc<std::os::fd::OwnedFd>) -> std::io::Result<Box<dyn Readiness>> {
        self.0.register(fd)
    }
}

/// Drives a hub by `runtime` and gives it up, in either way.
async fn task_ends(runtime: &dyn Runtime, running: &AtomicUsize) {
    for is_closed in [true, false] {
        let hub = Hub::new().unwrap();
        hub.drive(runtime).unwrap();
        let session = hub.spawn(&Command::new("true"), SessionOptions::default()).unwrap();
        within("the exit", session.exited()).await;
        assert_eq!(running.load(Ordering::SeqCst), 1);
        let kept = is_closed.then(|| hub.clone());
        if is_closed {
            hub.close();
        }
        drop((hub, session));
        until("end of the hub's task", || running.load(Ordering::SeqCst) == 0).await;
        drop(kept);
    }
}

#[test]
fn task_on_smol_ends_with_its_hub() {
    watched(|| {
        let running = Arc::new(AtomicUsize::new(0));
        smol::block_on(task_ends(&Counting(Smol, Arc::clone(&running)), &running));
    });
}

#[test]
fn task_on_tokio_ends_with_its_hub() {
    watched(|| {
        let running = Arc::new(AtomicUsize::new(0));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(task_ends(&Counting(Tokio, Arc::clone(&running)), &running));
    });
}
