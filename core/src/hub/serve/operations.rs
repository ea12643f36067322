//! Operations that are asked for within this process, and the turns in which all of them are carried out.

use std::pin::Pin;
use std::sync::Weak;
use std::task::{Context, Poll, Waker};

use futures::{Stream, StreamExt};

use super::guarded::{Guarded, Wakers};
use super::pool::Job;
use super::{Service, State};
use crate::host::{Asker, ConnectionId, Operator, Owner, Task, Work};
use crate::hub::Session;
use crate::id::SessionId;
use crate::protocol::message::{Batch, Fault, Results};
use crate::protocol::token::Role;
use crate::time::Time;

impl Service {
    /// Carries a batch out; what comes of it is in the stream that is returned. As much as is done at a time is done before this returns, in the order
    /// in which everybody's operations are due. What waits for something, or for others, goes on while the stream or
    /// [`run`](Service::run) is polled.
    ///
    /// # Errors
    /// Why nothing of it will be.
    ///
    /// # Examples
    /// ```
    /// # use orchflow_core::hub::{Hub, serve::{Service, ServiceOptions}};
    /// # use orchflow_core::protocol::{message::{Act, Answer, Batch, Mode, Operation, Spawn}, token::Token};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::builder().events().hosted()?;
    /// let service = Service::new(&hub, Token::from_bytes([7; 32]), ServiceOptions::default())?;
    /// let spawn = Spawn { program: Some("sh".into()), ..Spawn::default() };
    /// let spawned = hub.block_on(service.submit(Batch::new([Operation::Spawn(spawn.into())]))?.all())?;
    /// let Answer::Spawned { session, .. } = spawned.answers[0].answer else { panic!("it runs") };
    ///
    /// let batch = Batch::new([
    ///     Operation::Control { session, act: Act::Title("build".into()) },
    ///     Operation::Input { session, bytes: "exit\n".into(), urgent: false },
    /// ]);
    /// let results = hub.block_on(service.submit(Batch { mode: Mode::StopOnError, ..batch })?.all())?;
    /// assert_eq!(results.done, [(0, 1)]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit(&self, batch: Batch) -> Result<Submitted, Fault> {
        let mut state = self.shared.state.lock();
        let now = self.shared.hub.now();
        state.last_local += 1;
        let number = state.last_local;
        state.host.submit(Asker { owner: Owner::Local, number, connection: None }, Role::Owner, batch, now)?;
        state.locals.insert(number, Local::default());
        state.turn(None, now);
        let ready = state.take_local(number);
        let is_over = ready.as_ref().is_some_and(|results| !results.more);
        if is_over {
            state.locals.remove(&number);
        }
        drop(state);
        Ok(Submitted { service: self.clone(), number, ready, is_over, wakers: Wakers::default() })
    }

    /// A handle to the session of this number, if there is one: to read what it says, beside what clients do.
    pub fn session(&self, number: u64) -> Option<Session> {
        self.shared.state.lock().table.session(SessionId::from_raw(number)).cloned()
    }

    /// From now on `name` means this operation to whoever asks for [`Operation::Host`](crate::protocol::message::Operation::Host). One that
    /// needs its service keeps a [`WeakService`](super::WeakService).
    pub fn add_operation(&self, name: impl Into<String>, operator: impl Operator + 'static) {
        self.shared.state.lock().host.operators().add(name, operator);
    }
}

/// What comes of a batch: a stream that ends with the last of its operations. Whoever drops it is not told; what was asked for is done all the
/// same.
pub struct Submitted {
    service: Service,
    number: u64,
    /// What came at once.
    ready: Option<Results>,
    is_over: bool,
    wakers: Wakers,
}

impl Submitted {
    /// Waits for the end, and tells what came of all of it.
    pub async fn all(mut self) -> Results {
        let mut all = Results::default();
        while let Some(results) = self.next().await {
            all.extend(results);
        }
        all
    }

    /// Begins no more of it; what was not begun is told as [`Cancelled`](crate::protocol::message::ErrorCode::Cancelled).
    pub fn cancel(&self) {
        let mut state = self.service.shared.state.lock();
        let now = self.service.shared.hub.now();
        state.host.cancel(Owner::Local, self.number, now);
        state.turn(None, now);
    }
}

impl Stream for Submitted {
    type Item = Results;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Results>> {
        if let Some(ready) = self.ready.take() {
            return Poll::Ready(Some(ready));
        }
        if self.is_over {
            return Poll::Ready(None);
        }
        let Submitted { service, wakers, number, .. } = &mut *self;
        let shared = &service.shared;
        let waker = wakers.of(cx.waker(), &shared.state);
        let mut state = shared.state.lock();
        if state.turn(None, shared.hub.now()) {
            waker.wake_by_ref();
        }
        let results = state.take_local(*number);
        if let (None, Some(local)) = (&results, state.locals.get_mut(number)) {
            local.waker = Some(waker.clone());
            return Poll::Pending;
        }
        drop(state);
        self.is_over = results.as_ref().is_none_or(|results| !results.more);
        Poll::Ready(results)
    }
}

impl Drop for Submitted {
    fn drop(&mut self) {
        self.service.shared.state.lock().locals.remove(&self.number);
    }
}

/// A batch that was asked for within this process, and its owner has not seen the end of.
#[derive(Default)]
pub(super) struct Local {
    results: Option<Results>,
    waker: Option<Waker>,
}

impl State {
    /// Carries out operations for as long as that may take at a time, and tells everybody. Answers whether there are more.
    pub(super) fn turn(&mut self, current: Option<ConnectionId>, now: Time) -> bool {
        let more = self.host.run_operations(&mut self.table, now);
        while let Some((task, work)) = self.host.poll_work() {
            self.pool.run(job(Weak::clone(&self.home), task, work));
        }
        let is_due_sooner = |due: Time| self.armed.is_none_or(|armed| due < armed);
        if more || self.host.operations_due().is_some_and(is_due_sooner) {
            self.wake_runner();
        }
        while let Some((number, results)) = self.host.poll_local() {
            let Some(local) = self.locals.get_mut(&number) else { continue };
            let (more, all) = (results.more, local.results.get_or_insert_default());
            all.extend(results);
            (all.number, all.more) = (number, more);
            local.waker.take().into_iter().for_each(Waker::wake);
        }
        self.deliver(current, now);
        more
    }

    fn take_local(&mut self, number: u64) -> Option<Results> {
        self.locals.get_mut(&number)?.results.take()
    }
}

/// Does `work` for `task`, and tells what came of it those who are still there.
fn job(home: Weak<Guarded<State>>, task: Task, work: Work) -> Job {
    Box::new(move || {
        let result = crate::host::work(work);
        if let Some(state) = home.upgrade() {
            let mut state = state.lock();
            let now = state.table.now();
            state.host.handle_work(task, result, now);
            state.turn(None, now);
        }
    })
}
