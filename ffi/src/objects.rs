//! What a hub's events are about: from the names that the core uses to the handles that C has.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::{Arc, Weak};

use orchflow_core::hub::Poster;
use orchflow_core::hub::serve::WeakService;
use orchflow_core::id::SessionId;
use orchflow_core::pty::unix::forks;
use orchflow_core::session::Event;
use parking_lot::{Mutex, MutexGuard};

use crate::event::OrchEvent;
use crate::session::OrchSession;

/// What has events beside those that the core tells of sessions: a reader, a timer, a link.
pub(crate) trait Object: Send + Sync {
    /// What there is to tell, and whether there is more.
    fn event(&self) -> Option<(OrchEvent, bool)>;
    /// Its hub goes.
    fn close(&self);
}

/// The objects of one hub.
pub(crate) struct Objects {
    pub(crate) poster: Poster,
    born: u32,
    table: Mutex<Table>,
    /// Servers that want to hear what happens to sessions.
    services: Mutex<Vec<WeakService>>,
}

/// What the lock guards.
#[derive(Default)]
pub(crate) struct Table {
    sessions: BTreeMap<SessionId, Known>,
    others: BTreeMap<u64, Weak<dyn Object>>,
    last: u64,
}

/// A session as C knows it.
struct Known {
    handle: Pointer<OrchSession>,
    user_data: Pointer<c_void>,
}

/// A pointer that is passed on and never followed here.
pub(crate) struct Pointer<T>(pub(crate) *mut T);

// SAFETY: it is a number to us; who follows it is C, which is told by which threads it may be used.
unsafe impl<T> Send for Pointer<T> {}
// SAFETY: the same.
unsafe impl<T> Sync for Pointer<T> {}

impl<T> Clone for Pointer<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Pointer<T> {}

impl Objects {
    pub(crate) fn new(poster: Poster) -> Arc<Objects> {
        Arc::new(Objects { poster, born: forks(), table: Mutex::default(), services: Mutex::default() })
    }

    /// The table. Whoever makes something that has events holds on to it until C has the handle, so that no event is taken before.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock()
    }

    /// A session's handle is gone.
    pub(crate) fn forget_session(&self, id: SessionId) {
        if !self.is_forked() {
            self.table.lock().sessions.remove(&id);
        }
    }

    /// An object's handle is gone.
    pub(crate) fn forget(&self, number: u64) {
        if !self.is_forked() {
            self.table.lock().others.remove(&number);
        }
    }

    /// The object that a number was posted for.
    pub(crate) fn posted(&self, number: u64) -> Option<Arc<dyn Object>> {
        self.table.lock().others.get(&number).and_then(Weak::upgrade)
    }

    /// A server was made.
    pub(crate) fn add_service(&self, service: WeakService) {
        let mut services = self.services.lock();
        services.retain(|service| service.upgrade().is_some());
        services.push(service);
    }

    /// Something happened to a session: servers hear of it.
    pub(crate) fn pass_on(&self, event: &Event) {
        let services: Vec<_> = self.services.lock().iter().filter_map(WeakService::upgrade).collect();
        services.iter().for_each(|service| service.handle_event(event));
    }

    /// What C is told of a session's event; nothing, where it has freed the handle meanwhile.
    pub(crate) fn translate(&self, event: Event) -> Option<OrchEvent> {
        let table = self.table.lock();
        let known = table.sessions.get(&event.session)?;
        OrchEvent::of_session(event.kind, known.handle, known.user_data)
    }

    /// The hub goes.
    pub(crate) fn close(&self) {
        if self.is_forked() {
            return;
        }
        let others: Vec<_> = self.table.lock().others.values().filter_map(Weak::upgrade).collect();
        others.iter().for_each(|object| object.close());
    }

    /// In a fork the lock may be held for ever, by a thread that is not there.
    pub(crate) fn is_forked(&self) -> bool {
        self.born != forks()
    }
}

impl Table {
    /// From now on events of session `id` are told.
    pub(crate) fn introduce(&mut self, id: SessionId, handle: *mut OrchSession, user_data: *mut c_void) {
        self.sessions.insert(id, Known { handle: Pointer(handle), user_data: Pointer(user_data) });
    }

    /// A number to post for an object that is about to be made, and to [add](Table::add).
    pub(crate) fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// From now on posts of `number` are for `object`.
    pub(crate) fn add(&mut self, number: u64, object: Weak<dyn Object>) {
        self.others.insert(number, object);
    }
}
