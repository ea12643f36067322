//! Timers on the hub's clock.

use std::ffi::c_void;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use orchflow_core::hub::{Poster, Sleep};
use parking_lot::Mutex;

use crate::event::{ORCH_EVENT_TIMER, OrchEvent};
use crate::failure::Failure;
use crate::handle::{self, Handle, give, make_of, on};
use crate::hub::{HubHandle, OrchHub};
use crate::objects::{Object, Objects, Pointer};
use crate::status::*;

/// A deadline that can be set again and again.
pub struct OrchTimer {
    _private: [u8; 0],
}

impl Handle for TimerHandle {
    type Opaque = OrchTimer;
    const NAME: &'static str = "timer";
}

/// What a call on a timer needs.
pub(crate) struct TimerHandle {
    timer: Arc<Timer>,
    objects: Arc<Objects>,
    number: u64,
}

impl Drop for TimerHandle {
    fn drop(&mut self) {
        if !self.objects.is_forked() {
            self.timer.cancel();
        }
        self.objects.forget(self.number);
    }
}

struct Timer {
    alarm: Mutex<Option<Pin<Box<Sleep>>>>,
    waker: Waker,
    /// How a deadline is made; gone with the hub.
    clock: Mutex<Option<Clock>>,
    target: OnceLock<(Pointer<OrchTimer>, Pointer<c_void>)>,
}

/// Makes deadlines.
type Clock = Box<dyn Fn(Duration) -> Sleep + Send>;

impl Timer {
    fn set(&self, after: Duration) -> Result<(), Failure> {
        let clock = self.clock.lock();
        let clock = clock.as_ref().ok_or_else(|| Failure::new(ORCH_CLOSED, "the timer's hub was freed"))?;
        let mut alarm = Box::pin(clock(after));
        let is_due = alarm.as_mut().poll(&mut Context::from_waker(&self.waker)).is_ready();
        *self.alarm.lock() = Some(alarm);
        if is_due {
            self.waker.wake_by_ref();
        }
        Ok(())
    }

    fn cancel(&self) {
        *self.alarm.lock() = None;
    }
}

impl Object for Timer {
    fn event(&self) -> Option<(OrchEvent, bool)> {
        let mut alarm = self.alarm.lock();
        // It may have been set anew, or called off, since it was due.
        let is_due = alarm.as_mut().is_some_and(|alarm| alarm.as_mut().poll(&mut Context::from_waker(&self.waker)).is_ready());
        let (timer, user_data) = *self.target.get().filter(|_| is_due)?;
        *alarm = None;
        Some((OrchEvent { timer: timer.0, ..OrchEvent::new(ORCH_EVENT_TIMER, user_data) }, false))
    }

    fn close(&self) {
        self.cancel();
        *self.clock.lock() = None;
    }
}

/// Posts the timer's number when it is due.
struct Alarm {
    poster: Poster,
    number: u64,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.poster.post(self.number);
    }
}

/// Makes a timer, which is not set.
///
/// @param hub        The hub.
/// @param user_data  What its events carry.
/// @param out        Where to store it. Yours: orch_timer_free.
/// @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_timer_new(hub: *mut OrchHub, user_data: *mut c_void, out: *mut *mut OrchTimer) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { make_of(hub, out, |hub: &HubHandle| Ok(hub.new_timer(user_data))) }
}

impl HubHandle {
    fn new_timer(&self, user_data: *mut c_void) -> *mut OrchTimer {
        let mut table = self.objects.lock();
        let number = table.number();
        let hub = self.hub.clone();
        let timer = Arc::new(Timer {
            alarm: Mutex::default(),
            waker: Waker::from(Arc::new(Alarm { poster: self.objects.poster.clone(), number })),
            clock: Mutex::new(Some(Box::new(move |after| hub.sleep_until(hub.now() + after)))),
            target: OnceLock::new(),
        });
        let weak: Weak<Timer> = Arc::downgrade(&timer);
        table.add(number, weak);
        let handle = give(TimerHandle { timer: Arc::clone(&timer), objects: Arc::clone(&self.objects), number });
        let _once = timer.target.set((Pointer(handle), Pointer(user_data)));
        handle
    }
}

/// Sets a timer: once, after so long, ORCH_EVENT_TIMER tells. It takes the place of what was set before.
///
/// @param timer     The timer.
/// @param after_ns  From now, in nanoseconds of the hub's clock; 0: as soon as events are taken.
/// @return ORCH_OK; ORCH_CLOSED when the hub was freed; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_timer_set(timer: *mut OrchTimer, after_ns: u64) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        on(timer, |timer: &TimerHandle| {
            timer.timer.set(Duration::from_nanos(after_ns))?;
            Ok(ORCH_OK)
        })
    }
}

/// Calls a timer off: unless its event was taken already, there is none.
///
/// @param timer  The timer.
/// @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_timer_cancel(timer: *mut OrchTimer) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        on(timer, |timer: &TimerHandle| {
            timer.timer.cancel();
            Ok(ORCH_OK)
        })
    }
}

/// Frees a timer, and calls it off.
///
/// @param timer  The timer, or NULL.
/// @threads Any; the last call on this timer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_timer_free(timer: *mut OrchTimer) {
    // SAFETY: by the conventions.
    unsafe { handle::free::<TimerHandle>(timer) }
}
