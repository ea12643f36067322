//! A reader as C has it: what it lends, and the event that says there is something.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Wake, Waker};

use orchflow_core::hub::{Poster, Reader};
use parking_lot::Mutex;

use crate::event::{ORCH_EVENT_OUTPUT, OrchEvent};
use crate::failure::{Answer, Failure};
use crate::objects::{Object, Objects, Pointer, Table};
use crate::reader::OrchReader;
use crate::session::OrchSession;
use crate::status::*;
use crate::values::OrchBytes;
use crate::view::View;

/// Whose it is.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    Session(Pointer<OrchSession>),
    Reader(Pointer<OrchReader>),
}

/// A reader that tells.
pub(crate) struct Lens {
    view: Mutex<View>,
    /// An event waits to be taken, or will come by itself.
    told: AtomicBool,
    teller: Arc<Teller>,
    waker: Waker,
    /// Known once C has the handle.
    target: OnceLock<(Target, Pointer<c_void>)>,
    objects: Arc<Objects>,
}

/// Says that there is something; what a log's writer is given to call.
struct Teller {
    poster: Poster,
    number: u64,
}

impl Wake for Teller {
    fn wake(self: Arc<Self>) {
        self.poster.post(self.number);
    }
}

impl Lens {
    pub(crate) fn new(objects: &Arc<Objects>, table: &mut Table, reader: Reader) -> Arc<Lens> {
        let number = table.number();
        let teller = Arc::new(Teller { poster: objects.poster.clone(), number });
        let lens = Arc::new(Lens {
            view: Mutex::new(View::new(reader)),
            told: AtomicBool::new(false),
            waker: Waker::from(Arc::clone(&teller)),
            teller,
            target: OnceLock::new(),
            objects: Arc::clone(objects),
        });
        let weak: Weak<Lens> = Arc::downgrade(&lens);
        table.add(number, weak);
        lens.promise(&mut lens.view.lock());
        lens
    }

    /// C has the handle.
    pub(crate) fn set_target(&self, target: Target, user_data: *mut c_void) {
        let _once = self.target.set((target, Pointer(user_data)));
    }

    /// The handle is gone.
    pub(crate) fn retire(&self) {
        self.objects.forget(self.teller.number);
    }

    /// Sees to it that an event comes as soon as there is something.
    fn promise(&self, view: &mut View) {
        if self.told.load(Ordering::Acquire) || view.is_over() || self.told.swap(true, Ordering::AcqRel) {
            return;
        }
        if view.has_more() || view.reader().park(&self.waker) {
            self.teller.poster.post(self.teller.number);
        }
    }

    pub(crate) fn peek(&self) -> Result<(OrchStatus, [OrchBytes; 2]), Failure> {
        let mut view = self.view.lock();
        let (status, spans) = view.peek();
        if status == ORCH_AGAIN {
            self.promise(&mut view);
        }
        Ok((status, spans))
    }

    pub(crate) fn consume(&self, len: usize) -> Answer {
        let mut view = self.view.lock();
        view.consume(len)?;
        self.promise(&mut view);
        Ok(ORCH_OK)
    }

    pub(crate) fn read(&self, buf: &mut [u8]) -> Result<(OrchStatus, usize), Failure> {
        let mut view = self.view.lock();
        let read = view.read(buf)?;
        self.promise(&mut view);
        Ok(read)
    }

    pub(crate) fn skip(&self) -> Option<(u64, u64)> {
        let mut view = self.view.lock();
        let gap = view.skip();
        self.promise(&mut view);
        gap
    }

    pub(crate) fn seek(&self, offset: u64) {
        let mut view = self.view.lock();
        view.seek(offset);
        self.promise(&mut view);
    }

    /// The next byte to be consumed.
    pub(crate) fn offset(&self) -> u64 {
        self.view.lock().offset()
    }
}

impl Object for Lens {
    fn event(&self) -> Option<(OrchEvent, bool)> {
        if !self.told.swap(false, Ordering::AcqRel) {
            return None;
        }
        let (target, user_data) = *self.target.get()?;
        let event = OrchEvent::new(ORCH_EVENT_OUTPUT, user_data);
        let event = match target {
            Target::Session(session) => OrchEvent { session: session.0, ..event },
            Target::Reader(reader) => OrchEvent { reader: reader.0, ..event },
        };
        Some((event, false))
    }

    fn close(&self) {} // It is told the end by the log.
}
