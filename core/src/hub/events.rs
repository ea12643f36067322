//! What happened, waiting for the host to take it, and the descriptor that says so.
//!
//! Only a hub that was asked to tells events: a host that takes none must not find its descriptor readable for ever.
//! Bounded by what can be open at once: events of a session nobody holds are dropped, and of a session, each kind of event waits at most once (a later resize
//! takes the place of an earlier one), and dropped input, of which every range matters, up to [`DROPPED_MAX`]
//! ranges; then the session refuses input that would drop more. What a host posts for itself waits beside them, each number at most once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::mem::discriminant;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::Waker;

use parking_lot::Mutex;
use rustix::event::{EventfdFlags, eventfd};

use super::opener::Opener;
use super::waiters::Waiters;
use crate::id::SessionId;
use crate::ring::Wakes;
use crate::session::{Event, EventKind};

/// Ranges of dropped input that may wait per session.
pub(super) const DROPPED_MAX: usize = 1024;

/// Events in order, and an eventfd that is readable while there are any.
pub(super) struct Events {
    queue: Mutex<Queue>,
    flag: OwnedFd,
    told: bool,
    /// Woken whenever something begins to wait.
    host: Option<Waker>,
    opener: Opener,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<Event>,
    /// What the host has posted, in order and once each.
    posts: VecDeque<u64>,
    posted: BTreeSet<u64>,
    /// How many of each session wait.
    waiting: BTreeMap<SessionId, usize>,
    tasks: Waiters,
}

impl Events {
    /// No events yet; `told` says whether there will be, and `host` is woken when they begin to wait.
    pub(super) fn new(told: bool, host: Option<Waker>) -> io::Result<Self> {
        Ok(Events {
            queue: Mutex::default(),
            told,
            host,
            opener: Opener::new(),
            flag: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        })
    }

    /// Readable while events wait.
    pub(super) fn flag(&self) -> BorrowedFd<'_> {
        self.flag.as_fd()
    }

    /// Adds events, and collects who waits for them.
    pub(super) fn push(&self, session: SessionId, kinds: impl IntoIterator<Item = EventKind>, wakes: &mut Wakes) {
        if !self.told || self.opener.is_forked() {
            return;
        }
        let mut queue = self.queue.lock();
        let was_empty = queue.is_empty();
        for kind in kinds {
            queue.push(Event { session, kind });
        }
        if was_empty && !queue.is_empty() {
            self.raise_flag(wakes);
        }
        if !queue.events.is_empty() {
            queue.tasks.take(wakes);
        }
    }

    /// Adds a number of the host's own, unless it waits already.
    pub(super) fn post(&self, number: u64, wakes: &mut Wakes) {
        if !self.told || self.opener.is_forked() {
            return;
        }
        let mut queue = self.queue.lock();
        let was_empty = queue.is_empty();
        if queue.posted.insert(number) {
            queue.posts.push_back(number);
        }
        if was_empty {
            self.raise_flag(wakes);
        }
    }

    pub(super) fn next_post(&self) -> Option<u64> {
        let mut queue = self.queue.lock();
        if queue.posts.is_empty() || self.opener.is_forked() {
            return None;
        }
        let number = queue.posts.pop_front()?;
        queue.posted.remove(&number);
        self.lower_flag_if_empty(&queue);
        Some(number)
    }

    fn raise_flag(&self, wakes: &mut Wakes) {
        // It can only fail when the counter is full, and then it is readable.
        let _full = rustix::io::write(&self.flag, &1u64.to_ne_bytes());
        self.host.iter().for_each(|host| wakes.push(host.clone()));
    }

    /// Drops what waits of a session that nobody holds any more.
    pub(super) fn purge(&self, session: SessionId) {
        let mut queue = self.queue.lock();
        if queue.waiting.remove(&session).is_some() {
            queue.events.retain(|event| event.session != session);
            self.lower_flag_if_empty(&queue);
        }
    }

    fn lower_flag_if_empty(&self, queue: &Queue) {
        if queue.is_empty() {
            let _empty = rustix::io::read(&self.flag, &mut [0u8; 8]);
        }
    }

    pub(super) fn pop(&self) -> Option<Event> {
        self.take(&mut self.queue.lock())
    }

    /// The next event, or a wake-up when there is one.
    pub(super) fn pop_or_wake(&self, place: &mut Option<u64>, waker: &Waker) -> Option<Event> {
        let mut queue = self.queue.lock();
        let event = self.take(&mut queue);
        if event.is_none() {
            queue.tasks.put(place, waker);
        }
        event
    }

    /// Somebody does not wait for an event any more.
    pub(super) fn leave(&self, place: u64) {
        self.queue.lock().tasks.leave(place);
    }

    fn take(&self, queue: &mut Queue) -> Option<Event> {
        if queue.events.is_empty() || self.opener.is_forked() {
            return None;
        }
        let event = queue.pop()?;
        self.lower_flag_if_empty(queue);
        Some(event)
    }

    /// How many events of `session` wait.
    pub(super) fn waiting(&self, session: SessionId) -> usize {
        self.queue.lock().waiting.get(&session).copied().unwrap_or(0)
    }
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.posts.is_empty()
    }

    fn push(&mut self, event: Event) {
        let waiting = self.waiting.entry(event.session).or_default();
        if *waiting > 0 && self.events.iter_mut().rev().any(|earlier| merge(earlier, &event)) {
            return;
        }
        *waiting += 1;
        self.events.push_back(event);
    }

    fn pop(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        if let Some(waiting) = self.waiting.get_mut(&event.session) {
            *waiting -= 1;
            if *waiting == 0 {
                self.waiting.remove(&event.session);
            }
        }
        Some(event)
    }
}

/// Lets `earlier` stand for `event` as well, if it can.
fn merge(earlier: &mut Event, event: &Event) -> bool {
    if earlier.session != event.session || discriminant(&earlier.kind) != discriminant(&event.kind) {
        return false;
    }
    match (&mut earlier.kind, event.kind) {
        (EventKind::InputDropped { to, .. }, EventKind::InputDropped { from, to: further }) if *to == from => *to = further,
        (EventKind::InputDropped { .. }, _) => return false,
        (kind, later) => *kind = later,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::size::Size;

    fn taken(kinds: &[EventKind]) -> Vec<EventKind> {
        let events = Events::new(true, None).unwrap();
        for kind in kinds {
            events.push(SessionId::from_raw(1), [*kind], &mut Wakes::new());
        }
        std::iter::from_fn(|| events.pop()).map(|event| event.kind).collect()
    }

    #[test]
    fn a_resize_storm_waits_as_its_last_one() {
        let resized = |number| EventKind::Resized { number, size: Size::DEFAULT };
        assert_eq!(taken(&[resized(1), EventKind::Output, resized(2), EventKind::Output]), [resized(2), EventKind::Output]);
    }

    #[test]
    fn dropped_ranges_merge_only_where_they_touch() {
        let dropped = |from, to| EventKind::InputDropped { from, to };
        assert_eq!(taken(&[dropped(0, 5), dropped(5, 9), dropped(10, 11)]), [dropped(0, 9), dropped(10, 11)]);
    }

    #[test]
    fn what_waits_of_a_session_nobody_holds_is_dropped() {
        let events = Events::new(true, None).unwrap();
        events.push(SessionId::from_raw(1), [EventKind::Output], &mut Wakes::new());
        events.push(SessionId::from_raw(2), [EventKind::InputReady], &mut Wakes::new());
        events.purge(SessionId::from_raw(1));
        assert_eq!(events.pop().map(|event| event.session.as_raw()), Some(2));
        assert_eq!(events.pop(), None);
    }

    #[test]
    fn what_a_host_posts_waits_once_and_in_order() {
        let events = Events::new(true, None).unwrap();
        for number in [7, 3, 7] {
            events.post(number, &mut Wakes::new());
        }
        assert_eq!([events.next_post(), events.next_post(), events.next_post()], [Some(7), Some(3), None]);
        events.post(7, &mut Wakes::new());
        assert_eq!(events.next_post(), Some(7));
    }

    #[test]
    fn a_hub_that_was_not_asked_to_tells_nothing() {
        let events = Events::new(false, None).unwrap();
        events.push(SessionId::from_raw(1), [EventKind::Output], &mut Wakes::new());
        assert_eq!(events.pop(), None);
    }

    #[test]
    fn sessions_do_not_merge_with_each_other() {
        let events = Events::new(true, None).unwrap();
        events.push(SessionId::from_raw(1), [EventKind::Output], &mut Wakes::new());
        events.push(SessionId::from_raw(2), [EventKind::Output], &mut Wakes::new());
        assert_eq!((events.waiting(SessionId::from_raw(1)), events.waiting(SessionId::from_raw(2))), (1, 1));
    }
}
