//! Running a future and the hub together, on a thread that has no executor.

use std::future::Future;
use std::io;
use std::os::fd::BorrowedFd;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::core::Core;
use super::poller::Poller;

/// Polls `future` to its end. In between it drives the hub, or sleeps if the hub `drives_itself`.
pub(super) fn block_on<F: Future>(core: &Core, drives_itself: bool, future: F) -> io::Result<F::Output> {
    let mut future = pin!(future);
    let alert =
        Arc::new(Alert { woken: AtomicBool::new(false), thread: thread::current(), poller: Arc::clone(&core.poller), drives_itself });
    let waker = Waker::from(Arc::clone(&alert));
    let mut cx = Context::from_waker(&waker);
    let _quiet = if drives_itself { None } else { Some(core.quietly()?) };
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Ok(output);
        }
        while !alert.woken.swap(false, Ordering::SeqCst) {
            if drives_itself {
                thread::park();
            } else {
                core.turn(None)?;
            }
        }
    }
}

/// Wakes the thread in [`block_on`], wherever it waits.
struct Alert {
    woken: AtomicBool,
    thread: Thread,
    poller: Arc<Poller>,
    drives_itself: bool,
}

impl Wake for Alert {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        if self.drives_itself {
            self.thread.unpark();
        } else if thread::current().id() != self.thread.id() {
            self.poller.ring_bell(); // On its own thread it looks before it waits.
        }
    }
}

/// Waits until `fd` is readable; `false` when `timeout` came first.
pub(super) fn wait_readable(fd: BorrowedFd<'_>, timeout: Option<Duration>) -> io::Result<bool> {
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    match poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], timeout.as_ref()) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
