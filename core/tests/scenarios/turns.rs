//! The turn, one at a time: what a host that calls it finds done, and what left to the next.
//!
//! The terminals are scripted and the clock stands still, so each turn is the same every time.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use orchflow_core::hub::{Hub, Output, Reader, Session};
use orchflow_core::pty::Command;
use orchflow_core::pty::scripted::{Script, ScriptedPtys};
use orchflow_core::ring::Mode;
use orchflow_core::runtime::Turn;
use orchflow_core::session::SessionOptions;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::stage::watched;

const FLOODS: usize = 3;

/// A host with floods that nobody holds up, and a session that echoes and is typed into after them.
struct Host {
    hub: Hub,
    floods: Vec<Session>,
    echo: Session,
    reader: Reader,
}

impl Host {
    fn new() -> Host {
        let ptys =
            ScriptedPtys::new().with("flood", Script::new().raw().flood(u64::MAX)).with("echo", Script::new().raw().print("ready").cat());
        let hub = Hub::builder().backend(Arc::new(ptys)).manual_clock().hosted().unwrap();
        let spawn = |name: &str| hub.spawn(&Command::new(name), SessionOptions::default()).unwrap();
        let floods: Vec<Session> = (0..FLOODS).map(|_| spawn("flood")).collect();
        for flood in &floods {
            drop(flood.read_as(Mode::Lossy, None)); // Output waits for its first reader, and then for no lossy one.
        }
        let echo = spawn("echo");
        let mut host = Host { reader: echo.reader(), hub, floods, echo };
        while host.heard().is_empty() {
            host.turn();
        }
        host.settle();
        host
    }

    fn turn(&self) {
        self.hub.wait(Some(Duration::ZERO)).unwrap();
    }

    /// Turns in which nobody is answered, so that nothing is left of one that was cut short.
    fn settle(&self) {
        (0..2).for_each(|_| self.turn());
    }

    fn types(&self, text: &str) {
        self.echo.write(text.as_bytes()).unwrap();
    }

    /// What the echo has said since it was last asked.
    fn heard(&mut self) -> String {
        let mut heard = String::new();
        while let Some(Output::Chunk { bytes, .. }) = self.reader.try_read() {
            heard.push_str(std::str::from_utf8(&bytes).unwrap());
        }
        heard
    }

    fn reads(&self) -> u64 {
        self.hub.metrics().reads
    }

    /// How far each flood has been read.
    fn ends(&self) -> Vec<u64> {
        self.floods.iter().map(|flood| flood.range().end).collect()
    }

    fn is_readable(&self) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut [PollFd::from_borrowed_fd(self.hub.as_fd(), PollFlags::IN)], Some(&now)).unwrap() > 0
    }
}

#[test]
fn turn_reads_once_from_each_of_several_floods() {
    watched(|| {
        let host = Host::new();
        let (reads, ends) = (host.reads(), host.ends());
        host.turn();
        assert_eq!(host.reads() - reads, FLOODS as u64);
        assert!(host.ends().iter().zip(ends).all(|(&end, before)| end > before));
    });
}

#[test]
fn flood_that_is_alone_is_read_on_in_one_turn_but_not_for_ever() {
    watched(|| {
        let mut host = Host::new();
        host.floods.drain(1..).for_each(|flood| flood.close(Duration::ZERO));
        while host.hub.sessions() > 2 {
            host.hub.advance(Duration::from_millis(10)); // The kill is repeated, until nobody is left.
            host.turn();
        }
        host.settle();
        let reads = host.reads();
        host.turn();
        assert!((2..=8).contains(&(host.reads() - reads)), "{} reads in a turn", host.reads() - reads);
    });
}

#[test]
fn answer_comes_first_and_ends_the_turn() {
    watched(|| {
        let mut host = Host::new();
        let ends = host.ends();
        host.types("<key>");
        host.turn();
        assert_eq!((host.heard().as_str(), host.ends()), ("<key>", ends), "floods were read before somebody could hear the answer");
        // They were ready in that turn, and are not announced once more.
        assert!(host.is_readable(), "nothing shows that the turn ended early");
        let (reads, ends) = (host.reads(), host.ends());
        host.turn();
        assert_eq!(host.reads() - reads, FLOODS as u64);
        assert!(host.ends().iter().zip(ends).all(|(&end, before)| end > before));
    });
}

#[test]
fn answer_ends_the_dispatch_which_says_that_there_is_more() {
    watched(|| {
        let mut host = Host::new();
        for _ in 0..4 * FLOODS {
            let reads = host.reads();
            host.types("<key>");
            assert_eq!(host.hub.dispatch(1 << 20).unwrap(), Turn::More);
            assert_eq!(host.heard(), "<key>");
            assert!(host.reads() - reads <= 2, "{} reads before an answer could be heard", host.reads() - reads);
        }
    });
}

#[test]
fn spent_budget_says_that_there_is_more() {
    watched(|| {
        let host = Host::new();
        let ends = host.ends();
        for _ in 0..FLOODS {
            let reads = host.reads();
            assert_eq!(host.hub.dispatch(1).unwrap(), Turn::More);
            assert_eq!(host.reads() - reads, 1, "a budget is looked at after each read");
            assert!(host.is_readable());
        }
        assert!(host.ends().iter().zip(ends).all(|(&end, before)| end > before), "the same is read again and again");
    });
}

#[test]
fn floods_go_on_although_somebody_types_in_every_turn() {
    watched(|| {
        let mut host = Host::new();
        let ends = host.ends();
        for _ in 0..4 * FLOODS {
            host.types("<key>");
            host.turn();
            assert_eq!(host.heard(), "<key>");
        }
        let reads: Vec<u64> = host.ends().iter().zip(ends).map(|(end, before)| end - before).collect();
        assert!(reads.iter().all(|&bytes| bytes > 0), "{reads:?} bytes of each flood");
        let (least, most) = (reads.iter().min(), reads.iter().max());
        assert!(most.zip(least).is_some_and(|(most, least)| *most <= 2 * least), "{reads:?} bytes of each flood");
    });
}

#[test]
fn key_typed_in_the_middle_of_a_turn_is_answered_after_the_read_at_hand() {
    watched(|| {
        struct Type(Session);
        impl Wake for Type {
            fn wake(self: Arc<Self>) {
                self.0.write(b"<later>").unwrap();
            }
        }
        let mut host = Host::new();
        host.types("<key>");
        host.turn();
        host.settle();
        assert_eq!(host.heard(), "<key>");
        let mut reader = host.floods[0].read_as(Mode::Lossy, Some(u64::MAX));
        let waker = Waker::from(Arc::new(Type(host.echo.clone())));
        assert!(reader.poll_read(&mut Context::from_waker(&waker)).is_pending());
        let ends = host.ends();
        host.turn();
        assert_eq!(host.heard(), "<later>");
        assert!(host.ends()[0] > ends[0]);
        assert_eq!(host.ends()[1..], ends[1..], "other floods were read first");
    });
}
