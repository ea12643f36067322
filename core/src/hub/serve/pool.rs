//! Threads for work that takes long: started when there is some, ended when there has been none for a while.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;

use parking_lot::{Condvar, Mutex};

use crate::limits::{WORKER_IDLE, WORKERS_MAX};

/// Something to do.
pub(super) type Job = Box<dyn FnOnce() + Send>;

/// The threads, as many as the machine has processors but few. What runs when this is dropped ends by itself; what waits is not begun.
pub(super) struct Pool {
    shared: Arc<Shared>,
    threads_max: usize,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    closed: bool,
}

impl Default for Pool {
    fn default() -> Self {
        Pool::new(thread::available_parallelism().map_or(1, usize::from).min(WORKERS_MAX))
    }
}

impl Pool {
    fn new(threads_max: usize) -> Pool {
        Pool { shared: Arc::default(), threads_max }
    }

    /// Has `job` done on a thread. Where the system gives none it is done here: late is better than never.
    pub(super) fn run(&self, job: Job) {
        let mut state = self.shared.state.lock();
        state.jobs.push_back(job);
        if state.idle >= state.jobs.len() || state.threads >= self.threads_max {
            self.shared.changed.notify_one();
            return;
        }
        let shared = Arc::clone(&self.shared);
        match thread::Builder::new().name("orchflow-work".into()).spawn(move || work(&shared)) {
            Ok(_) => state.threads += 1,
            Err(_) if state.threads > 0 => {}
            Err(_) => {
                let job = state.jobs.pop_back();
                drop(state);
                job.into_iter().for_each(|job| job());
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.closed = true;
        let jobs = std::mem::take(&mut state.jobs);
        drop(state);
        drop(jobs); // They may hold anything, locks of their own included.
        self.shared.changed.notify_all();
    }
}

/// What each thread does.
fn work(shared: &Shared) {
    let mut state = shared.state.lock();
    while !state.closed {
        if let Some(job) = state.jobs.pop_front() {
            drop(state);
            job();
            state = shared.state.lock();
            continue;
        }
        state.idle += 1;
        let timeout = shared.changed.wait_for(&mut state, WORKER_IDLE);
        state.idle -= 1;
        if timeout.timed_out() && state.jobs.is_empty() {
            break;
        }
    }
    state.threads -= 1;
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    #[test]
    fn there_is_no_thread_before_there_is_work_and_never_more_than_so_many() {
        let pool = Pool::new(2);
        assert_eq!(pool.shared.state.lock().threads, 0);
        let (done, wait) = mpsc::channel();
        let (go, held) = mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        for _ in 0..8 {
            let (done, held) = (done.clone(), Arc::clone(&held));
            pool.run(Box::new(move || {
                held.lock().recv().unwrap();
                done.send(thread::current().id()).unwrap();
            }));
        }
        assert_eq!(pool.shared.state.lock().threads, 2);
        (0..8).for_each(|_| go.send(()).unwrap());
        let who: std::collections::HashSet<_> = (0..8).map(|_| wait.recv_timeout(SOON).unwrap()).collect();
        assert!(who.len() <= 2 && !who.contains(&thread::current().id()));
    }

    #[test]
    fn what_waits_when_the_pool_goes_is_not_begun_and_what_it_holds_is_let_go() {
        let pool = Pool::new(1);
        let (go, held) = mpsc::channel::<()>();
        let (begun, has_begun) = mpsc::channel();
        pool.run(Box::new(move || {
            begun.send(()).unwrap();
            held.recv().ok();
        }));
        has_begun.recv_timeout(SOON).unwrap();
        let (kept, gone) = mpsc::channel::<()>();
        pool.run(Box::new(move || drop(kept)));
        drop(pool);
        assert!(gone.recv_timeout(SOON).is_err());
        drop(go);
    }
}
