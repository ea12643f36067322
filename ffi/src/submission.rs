//! Operations asked of a server in this process.

use std::ffi::c_void;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};

use futures::Stream;
use orchflow_core::hub::Poster;
use orchflow_core::hub::serve::Submitted;
use parking_lot::Mutex;

use crate::batch::{BatchHandle, OrchBatch};
use crate::event::{ORCH_EVENT_RESULTS, OrchEvent};
use crate::failure::Failure;
use crate::handle::{self, Handle, get, give, make_of, on};
use crate::objects::{Object, Objects, Pointer};
use crate::outcome::{OrchOutcome, Outcomes};
use crate::server::{OrchServer, ServerHandle};
use crate::sized;
use crate::status::*;

/// Operations that were asked for, and what came of them.
pub struct OrchSubmission {
    _private: [u8; 0],
}

impl Handle for SubmissionHandle {
    type Opaque = OrchSubmission;
    const NAME: &'static str = "submission";
}

/// What a call on a submission needs.
pub(crate) struct SubmissionHandle {
    submission: Arc<Submission>,
    objects: Arc<Objects>,
}

impl Drop for SubmissionHandle {
    fn drop(&mut self) {
        if !self.objects.is_forked() {
            self.submission.close(); // Nobody is told any more; what was asked for is done all the same.
            self.objects.forget(self.submission.number);
        }
    }
}

struct Submission {
    number: u64,
    poster: Poster,
    target: OnceLock<(Pointer<OrchSubmission>, Pointer<c_void>)>,
    /// `None` once it has ended, or nobody wants to know.
    submitted: Mutex<Option<Submitted>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    outcomes: Outcomes,
    ended: bool,
    /// There is something the host was not told of.
    news: bool,
}

impl Submission {
    /// Collects what comes, to the end.
    async fn run(self: Arc<Self>) {
        loop {
            let results = poll_fn(|cx| match self.submitted.lock().as_mut() {
                Some(submitted) => Pin::new(submitted).poll_next(cx),
                None => std::task::Poll::Ready(None),
            })
            .await;
            let mut state = self.state.lock();
            match &results {
                Some(results) => state.outcomes.add(results),
                None => state.ended = true,
            }
            state.news = true;
            drop(state);
            self.poster.post(self.number);
            if results.is_none() {
                let over = self.submitted.lock().take();
                return drop(over);
            }
        }
    }
}

impl Object for Submission {
    fn event(&self) -> Option<(OrchEvent, bool)> {
        let mut state = self.state.lock();
        let (submission, user_data) = *self.target.get().filter(|_| std::mem::take(&mut state.news))?;
        Some((OrchEvent { submission: submission.0, ..OrchEvent::new(ORCH_EVENT_RESULTS, user_data) }, false))
    }

    fn close(&self) {
        let over = self.submitted.lock().take();
        self.state.lock().ended = true;
        drop(over);
    }
}

/// Has a server in this process carry out a batch. What can be done at once is done before this returns; the rest when the hub is dispatched.
///
/// @param server     The server.
/// @param batch      The operations; the batch stays yours, and can be asked for again.
/// @param user_data  What the submission's events carry.
/// @param out        Where to store the submission. Yours: orch_submission_free.
/// @return ORCH_OK; ORCH_INVALID for a batch that makes no sense; ORCH_EXHAUSTED when too much waits; ORCH_CLOSED; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_server_submit(
    server: *mut OrchServer,
    batch: *const OrchBatch,
    user_data: *mut c_void,
    out: *mut *mut OrchSubmission,
) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        make_of(server, out, |server: &ServerHandle| {
            let batch = get(batch, |batch: &BatchHandle| Ok(batch.copy()))?;
            server.watch(server.server.service()?.submit(batch)?, user_data)
        })
    }
}

impl ServerHandle {
    fn watch(&self, submitted: Submitted, user_data: *mut c_void) -> Result<*mut OrchSubmission, Failure> {
        let mut table = self.objects.lock();
        let number = table.number();
        let submission = Arc::new(Submission {
            number,
            poster: self.objects.poster.clone(),
            target: OnceLock::new(),
            submitted: Mutex::new(Some(submitted)),
            state: Mutex::default(),
        });
        self.server.tasks.spawn(Arc::clone(&submission).run())?;
        let weak: Weak<Submission> = Arc::downgrade(&submission);
        table.add(number, weak);
        let handle = give(SubmissionHandle { submission: Arc::clone(&submission), objects: Arc::clone(&self.objects) });
        let _once = submission.target.set((Pointer(handle), Pointer(user_data)));
        Ok(handle)
    }
}

/// Takes what came of one operation; of each once, as they end.
///
/// @param submission  The submission.
/// @param out         Where to store it; made by ORCH_INIT. What it points to is valid until the next call on this submission.
/// @return ORCH_OK; ORCH_AGAIN when nothing came since, and ORCH_EVENT_RESULTS tells when something does; ORCH_EOF after the last; ORCH_NULL;
///         ORCH_INVALID if `out->size` is none; ORCH_FORKED; ORCH_PANIC.
/// @threads Any; but the loan is one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_submission_next(submission: *mut OrchSubmission, out: *mut OrchOutcome) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        on(submission, |submission: &SubmissionHandle| {
            sized::check(out, "out")?;
            let mut state = submission.submission.state.lock();
            match state.outcomes.next() {
                Some(outcome) => sized::write(out, "out", outcome),
                None => Ok(if state.ended { ORCH_EOF } else { ORCH_AGAIN }),
            }
        })
    }
}

/// Calls off what has not begun; it is told as refused, for the reason "cancelled".
///
/// @param submission  The submission.
/// @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_submission_cancel(submission: *mut OrchSubmission) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        on(submission, |submission: &SubmissionHandle| {
            submission.submission.submitted.lock().iter().for_each(Submitted::cancel);
            Ok(ORCH_OK)
        })
    }
}

/// Frees a submission: nobody is told any more. What was asked for is done all the same; orch_submission_cancel calls it off.
///
/// @param submission  The submission, or NULL.
/// @threads Any; the last call on this submission.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_submission_free(submission: *mut OrchSubmission) {
    // SAFETY: by the conventions.
    unsafe { handle::free::<SubmissionHandle>(submission) }
}
