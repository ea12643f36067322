//! The one who appends to a log: opens segments at the tail, fills them, and evicts the oldest when the newest
//! [`Geometry::capacity`] bytes are held without it.

use std::collections::VecDeque;
use std::convert::Infallible;

use super::log::{Shared, generation};
use super::seat::{Mode, Standing};
use super::seats::SeatList;
use super::segment::Storage;
use super::sync::Arc;
use super::wakes::Wakes;

/// The shape of a log.
#[derive(Clone, Debug)]
pub(super) struct Geometry {
    /// How many of the newest bytes are kept, at least. At most that and one segment, for they go a segment at a time.
    pub(super) capacity: usize,
    /// Sizes of the first, second, ... segment; the last for all that follow.
    pub(super) sizes: Vec<usize>,
    /// A tail with less room than this, or than a quarter of itself, is left as it is and a new one opened.
    pub(super) room_min: usize,
}

impl Geometry {
    /// The size of the segment that is opened after `before` others.
    fn size_after(&self, before: u64) -> usize {
        self.sizes[usize::try_from(before).unwrap_or(usize::MAX).min(self.sizes.len() - 1)]
    }

    fn room_wanted(&self, segment_bytes: usize) -> usize {
        self.room_min.min(segment_bytes / 4).max(1)
    }

    /// As many as can be retained at once: each holds at least its size less the room given up, one is being
    /// filled, one is about to go, and the early ones are small.
    fn slots(&self) -> usize {
        let least = self.sizes.iter().map(|&size| size - self.room_wanted(size) + 1).max().unwrap_or(1);
        self.capacity / least + self.sizes.len() + 3
    }
}

/// The pool's budget is spent (or, beyond reason, the log's descriptors): nothing was written. Shrink a history,
/// or wait until a reader lets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSpent;

/// The one who appends to a log. Dropping it ends the log.
pub struct Writer<S: Storage = super::segment::Buffer> {
    shared: Arc<Shared<S>>,
    pool: Arc<S::Pool>,
    geometry: Geometry,
    /// Oldest first; the last one is the tail.
    retained: VecDeque<Retained>,
    /// Segments opened so far.
    opened: u64,
    /// How many of them there were when the log held nothing last: from there on they grow anew.
    opened_before: u64,
    /// Offset after the last byte.
    end: u64,
    /// Free descriptors.
    spare: Vec<u32>,
    seats: SeatList,
}

/// A segment as the writer knows it.
#[derive(Clone, Copy)]
struct Retained {
    /// Where its descriptor is.
    index: u32,
    /// Offset of its first byte.
    base: u64,
    /// Bytes its storage takes.
    capacity: usize,
}

impl Retained {
    /// Bytes that fit in after `end`, when this is the tail.
    fn room(&self, end: u64) -> usize {
        self.capacity - (end - self.base) as usize
    }
}

impl<S: Storage> Writer<S> {
    pub(super) fn with_geometry(geometry: Geometry, pool: Arc<S::Pool>) -> Self {
        let shared = Arc::new(Shared::new(geometry.slots()));
        Writer {
            shared,
            pool,
            geometry,
            retained: VecDeque::new(),
            opened: 0,
            opened_before: 0,
            end: 0,
            spare: Vec::new(),
            seats: SeatList::new(),
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared<S>> {
        &self.shared
    }

    /// Offset after the last byte.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Offset of the oldest byte retained.
    pub fn start(&self) -> u64 {
        self.retained.front().map_or(self.end, |oldest| oldest.base)
    }

    /// Storage the retained history takes, in bytes. Evicted segments that readers still pin are theirs.
    pub fn held_bytes(&self) -> usize {
        self.retained.iter().map(|segment| segment.capacity).sum()
    }

    // ---- Readers ----

    /// The offset before which every lossless reader has acknowledged; the end when there is none.
    pub fn floor(&mut self) -> u64 {
        let lossless = self.seats.current(&self.shared.seats).iter().filter(|seat| seat.mode() != Mode::Lossy);
        lossless.map(|seat| seat.acked()).min().unwrap_or(self.end).min(self.end)
    }

    /// How far to go at the most, where there is one reader and it [says so](super::Reader::allow). Where there are several, nobody is held back
    /// for one of them.
    pub fn allowed(&mut self) -> u64 {
        match self.seats.current(&self.shared.seats) {
            [only] => only.allowed(),
            _ => u64::MAX,
        }
    }

    /// Says whether acknowledgements are waited for. Look at [`floor`](Writer::floor) and [`allowed`](Writer::allowed) once more after saying so.
    pub fn set_waiting(&mut self, waiting: bool) {
        self.shared.seats.set_waiting(waiting);
    }

    /// Where each reader stands.
    pub fn standings(&mut self) -> Vec<Standing> {
        self.seats.current(&self.shared.seats).iter().map(|seat| seat.standing()).collect()
    }

    /// Takes note of all readers there are: those who come later are new.
    pub fn greet(&mut self) {
        self.seats.current(&self.shared.seats).iter().for_each(|seat| seat.greet());
    }

    /// Waits no longer for the reader that was at `index` of the last [`standings`](Writer::standings); it is lossy from now on.
    pub fn demote(&mut self, index: usize) {
        if let Some(seat) = self.seats.seen().get(index) {
            seat.demote();
        }
    }

    // ---- Bytes ----

    /// Lets `source` write straight into the tail, publishes what it wrote and collects whom to wake. The room it
    /// gets is never empty, and what lies there is of no meaning.
    ///
    /// # Errors
    /// [`PoolSpent`] when there is no room and no memory for more; then `source` was not called. The inner result is
    /// `source`'s own.
    ///
    /// # Panics
    /// After [`close`](Writer::close), and when `source` claims more bytes than it was given room for.
    pub fn append_with<E>(
        &mut self,
        wakes: &mut Wakes,
        source: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<Result<usize, E>, PoolSpent> {
        assert!(!self.shared.is_closed(), "a closed log was told to have ended, and takes no more");
        let tail = match self.retained.back() {
            Some(tail) if tail.room(self.end) >= self.geometry.room_wanted(tail.capacity) => *tail,
            _ => self.open_segment()?,
        };
        let result = self.shared.descriptors.at(tail.index).fill(source);
        if let Ok(wrote @ 1..) = result {
            self.end += wrote as u64;
            self.evict_surplus();
            self.seats.collect_parked(&self.shared.seats, wakes);
        }
        Ok(result)
    }

    /// Appends all of `bytes`, or as much as there is memory for; returns how much that was.
    pub fn append(&mut self, wakes: &mut Wakes, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        while !rest.is_empty() {
            let copied = self.append_with(wakes, |room| {
                let len = room.len().min(rest.len());
                room[..len].copy_from_slice(&rest[..len]);
                Ok::<_, Infallible>(len)
            });
            match copied {
                Ok(Ok(len)) => rest = &rest[len..],
                Err(PoolSpent) => break,
            }
        }
        bytes.len() - rest.len()
    }

    /// Nothing more will come.
    pub fn close(&mut self, wakes: &mut Wakes) {
        self.shared.close();
        self.seats.collect_parked(&self.shared.seats, wakes);
    }

    // ---- Memory ----

    /// Gives up the oldest history before its time, until memory comes back to the pool: one segment, and those before
    /// it that readers pin. What a lossless reader has yet to acknowledge is never given up. Returns the bytes that
    /// came back; when none can, 0, and nothing is given up.
    pub fn shrink(&mut self) -> usize {
        let floor = self.floor();
        let ends = self.retained.iter().skip(1).map(|next| next.base).chain([self.end]);
        let expendable = self.retained.iter().zip(ends).take_while(|(_, end)| *end <= floor).map(|(segment, _)| segment);
        let Some(pinned) = expendable.map(|segment| self.is_pinned(segment)).position(|pinned| !pinned) else { return 0 };
        (0..=pinned).map(|_| self.evict_oldest()).sum()
    }

    fn is_pinned(&self, segment: &Retained) -> bool {
        self.shared.descriptors.at(segment.index).is_pinned()
    }

    fn open_segment(&mut self) -> Result<Retained, PoolSpent> {
        assert!(self.retained.len() < self.shared.slots(), "a log retains no more segments than it has slots");
        let storage = S::take(&self.pool, self.geometry.size_after(self.opened - self.opened_before)).ok_or(PoolSpent)?;
        let index = self.free_descriptor().ok_or(PoolSpent)?;
        let segment = Retained { index, base: self.end, capacity: storage.capacity() };
        self.shared.descriptors.at(index).open(generation(self.opened), segment.base, storage);
        self.shared.announce(self.opened, index);
        self.opened += 1;
        self.retained.push_back(segment);
        Ok(segment)
    }

    fn free_descriptor(&mut self) -> Option<u32> {
        if self.spare.is_empty() {
            self.shared.descriptors.take_free(&mut self.spare);
        }
        if self.spare.is_empty() {
            self.spare.extend(self.shared.descriptors.grow()?);
        }
        self.spare.pop()
    }

    fn evict_surplus(&mut self) {
        while self.retained.get(1).is_some_and(|second| self.end - second.base >= self.geometry.capacity as u64) {
            self.evict_oldest();
        }
    }

    /// Returns the bytes that came back to the pool: none while a reader pins them.
    fn evict_oldest(&mut self) -> usize {
        let number = self.opened - self.retained.len() as u64;
        let Some(oldest) = self.retained.pop_front() else { return 0 };
        let end = self.retained.front().map_or(self.end, |next| next.base);
        if self.retained.is_empty() {
            self.opened_before = self.opened;
        }
        if !self.shared.evict(number, oldest.index, end) {
            return 0;
        }
        self.spare.push(oldest.index);
        oldest.capacity
    }
}

impl<S: Storage> Drop for Writer<S> {
    fn drop(&mut self) {
        self.close(&mut Wakes::new());
        self.shared.abandon();
    }
}
