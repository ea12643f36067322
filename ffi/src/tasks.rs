//! Futures of this library's own, run beside the hub: on a hosted one within the host's calls, on a threaded one on a thread.

use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Wake, Waker};
use std::thread::{self, JoinHandle};

use orchflow_core::hub::{Hub, Poster};
use parking_lot::{Condvar, Mutex};

use crate::failure::Failure;

/// Something to be run to its end.
type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The tasks of one hub.
pub(crate) struct Tasks {
    poster: Poster,
    is_threaded: bool,
    queue: Mutex<Queue>,
    /// For the thread of a threaded hub: something is ready, or it is to stop.
    changed: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Queue {
    ready: VecDeque<Arc<Task>>,
    /// Those that may not have ended. What they wait for holds them, and they hold what they wait for.
    all: Vec<Weak<Task>>,
    stopped: bool,
}

/// One of them.
struct Task {
    tasks: Weak<Tasks>,
    /// `None` once it has ended.
    job: Mutex<Option<Job>>,
    /// It is among those that are ready.
    queued: AtomicBool,
}

/// Tasks that are run within one call: more wait for the next, so that a host's other tasks have their turn.
const TURNS_MAX: usize = 256;

impl Tasks {
    pub(crate) fn new(hub: &Hub, is_threaded: bool) -> Arc<Tasks> {
        Arc::new(Tasks { poster: hub.poster(), is_threaded, queue: Mutex::default(), changed: Condvar::new(), thread: Mutex::default() })
    }

    /// Runs `future` from now on.
    pub(crate) fn spawn(self: &Arc<Self>, future: impl Future<Output = ()> + Send + 'static) -> Result<(), Failure> {
        if self.is_threaded {
            let mut thread = self.thread.lock();
            if thread.is_none() {
                let tasks = Arc::clone(self);
                *thread = Some(thread::Builder::new().name("orchflow-tasks".into()).spawn(move || tasks.run_for_ever())?);
            }
        }
        let task = Task { tasks: Arc::downgrade(self), job: Mutex::new(Some(Box::pin(future))), queued: AtomicBool::new(false) };
        let task = Arc::new(task);
        let mut queue = self.queue.lock();
        if queue.all.len() == queue.all.capacity() {
            queue.all.retain(|task| task.strong_count() > 0); // As often as it would have to grow.
        }
        queue.all.push(Arc::downgrade(&task));
        drop(queue);
        task.wake();
        Ok(())
    }

    /// Runs what is ready, within the host's call. Answers whether more is.
    pub(crate) fn run(&self) -> bool {
        if self.is_threaded {
            return false;
        }
        for _ in 0..TURNS_MAX {
            let Some(task) = self.queue.lock().ready.pop_front() else { return false };
            task.run();
        }
        let more = !self.queue.lock().ready.is_empty();
        if more {
            self.poster.wake(); // The descriptor is to show it.
        }
        more
    }

    fn run_for_ever(&self) {
        loop {
            let mut queue = self.queue.lock();
            let task = loop {
                match queue.ready.pop_front() {
                    _ if queue.stopped => return,
                    Some(task) => break task,
                    None => self.changed.wait(&mut queue),
                }
            };
            drop(queue);
            // A panic is a bug of ours, and was logged; the other tasks go on.
            let running = Arc::clone(&task);
            if catch_unwind(AssertUnwindSafe(|| running.run())).is_err() {
                let broken = task.job.lock().take();
                drop(catch_unwind(AssertUnwindSafe(|| drop(broken))));
            }
        }
    }

    /// Runs nothing any more, and drops all tasks.
    pub(crate) fn stop(&self) {
        let mut queue = self.queue.lock();
        queue.stopped = true;
        let (waiting, all) = (std::mem::take(&mut queue.ready), std::mem::take(&mut queue.all));
        drop(queue);
        self.changed.notify_all();
        if let Some(thread) = self.thread.lock().take() {
            let _it_panicked = thread.join();
        }
        drop(waiting);
        for task in all.iter().filter_map(Weak::upgrade) {
            let job = task.job.lock().take();
            drop(job); // With no lock held, for it wakes others.
        }
    }
}

impl Task {
    fn run(self: Arc<Self>) {
        self.queued.store(false, Ordering::Release); // Woken from here on, it is run again.
        let waker = Waker::from(Arc::clone(&self));
        let mut job = self.job.lock();
        if let Some(future) = job.as_mut()
            && future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
        {
            let over = job.take();
            drop(job);
            drop(over);
        }
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let Some(tasks) = self.tasks.upgrade() else { return };
        if self.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut queue = tasks.queue.lock();
        if queue.stopped {
            return;
        }
        queue.ready.push_back(self);
        drop(queue);
        if tasks.is_threaded {
            tasks.changed.notify_one();
        } else {
            tasks.poster.wake();
        }
    }
}
