//! Many sessions at once: nobody waits for a flood, and a host may do as little per turn as it likes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use orchflow_core::hub::{Hub, Output, Session};
use orchflow_core::ring::Mode;

use crate::act::{Act, flood_bytes};
use crate::listener::{Listener, assert_same};
use crate::stage::{Driver, Setting, Stage, until, within};

scenarios! {
    both: echo_goes_on_among_eight_floods, burst_arrives_whole_however_little_a_turn_may_read,
        burst_arrives_whole_one_read_at_a_time;
    scripted: echo_waits_for_no_more_than_one_read_of_each_flood;
}

const FLOODS: usize = 8;

/// Floods that nobody holds up, and a session that echoes.
async fn echo_among_floods(stage: &Stage) -> (Vec<Session>, Session, Listener) {
    let floods: Vec<Session> = (0..FLOODS).map(|_| stage.spawn(Act::new().flood_without_end())).collect();
    for flood in &floods {
        drop(flood.read_as(Mode::Lossy, None)); // Output waits for its first reader, and then for no lossy one.
    }
    let echo = stage.spawn(Act::raw_cat());
    let mut listener = Listener::new(echo.reader());
    listener.hear("ready").await;
    (floods, echo, listener)
}

fn echo_goes_on_among_eight_floods(setting: Setting) {
    setting.play(async |stage| {
        let (floods, echo, mut listener) = echo_among_floods(&stage).await;
        for round in 0..5 {
            let before: Vec<u64> = floods.iter().map(|flood| flood.range().end).collect();
            for key in 0..4 {
                let word = format!("<{round}.{key}>");
                echo.write(word.as_bytes()).unwrap();
                listener.hear(&word).await;
            }
            until("progress of every flood", || floods.iter().zip(&before).all(|(flood, &before)| flood.range().end > before)).await;
        }
    });
}

fn echo_waits_for_no_more_than_one_read_of_each_flood(setting: Setting) {
    let hosted = setting.driver == Driver::Hosted;
    // However long this thread is kept from running, the key was typed just now.
    setting.manual_clock().play(async |stage| {
        let (_floods, echo, mut listener) = echo_among_floods(&stage).await;
        let mut longest = 0;
        for key in 0..200 {
            let word = format!("<{key}>");
            let mark = Arc::new(Mark { hub: stage.hub.clone(), reads: AtomicU64::new(0) });
            let waker = Waker::from(Arc::clone(&mark));
            let parked = listener.reader.poll_read(&mut Context::from_waker(&waker));
            assert!(parked.is_pending());
            echo.write(word.as_bytes()).unwrap();
            let typed = stage.hub.metrics().reads; // The answer is there, and every read from now on delays it.
            until("wake-up of the reader", || mark.reads.load(Ordering::SeqCst) > 0).await;
            longest = longest.max(mark.reads.load(Ordering::SeqCst).saturating_sub(typed));
            let Poll::Ready(output) = listener.reader.poll_read(&mut Context::from_waker(Waker::noop())) else {
                panic!("woken for nothing")
            };
            assert!(matches!(&output, Output::Chunk { bytes, .. } if &bytes[..] == word.as_bytes()));
            listener.note(&output);
        }
        // The echo's own read, and those of a turn that had begun before the key. On one thread no turn had.
        let limit = 1 + if hosted { FLOODS } else { 2 * FLOODS } as u64;
        assert!(longest <= limit, "an echo waited for {longest} reads");
    });
}

/// Notes how many reads the hub had done when it woke the reader.
struct Mark {
    hub: Hub,
    reads: AtomicU64,
}

impl Wake for Mark {
    fn wake(self: Arc<Self>) {
        self.reads.store(self.hub.metrics().reads, Ordering::SeqCst);
    }
}

fn burst_arrives_whole_one_read_at_a_time(setting: Setting) {
    burst(setting.budget(1));
}

fn burst_arrives_whole_however_little_a_turn_may_read(setting: Setting) {
    burst(setting.budget(64 << 10));
}

/// After the burst nothing happens that could wake anybody once more.
fn burst(setting: Setting) {
    const COUNT: usize = 200 << 10;
    setting.play(async |stage| {
        let bursting = |_| stage.spawn(Act::new().gate("burst").flood(COUNT).gate("never"));
        let sessions: Vec<Session> = (0..2).map(bursting).collect();
        let mut listeners: Vec<Listener> = sessions.iter().map(|session| Listener::new(session.reader())).collect();
        stage.release("burst");
        for listener in &mut listeners {
            within("whole burst", listener.hear_bytes(COUNT)).await;
            assert_same(&listener.heard, flood_bytes(0..COUNT));
        }
    });
}
