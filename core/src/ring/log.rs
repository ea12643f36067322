//! The shared part of a log and its one writer.
//!
//! Segments are numbered from 0; number `n` sits in slot `n % slots`, which names its descriptor. The writer opens
//! segments at the tail, fills them, and evicts the oldest when the newest [`Geometry::capacity`] bytes are
//! held without it. Readers find a segment by number and pin it; a pin that fails is a gap.

use std::sync::OnceLock;

use super::order;
use super::seat::{Mode, SeatList, Seats, Standing, Wakes};
use super::segment::{Segment, Storage};
use super::sync::{Arc, AtomicBool, AtomicU32, AtomicU64, Ordering};

/// The shape of a log.
#[derive(Clone, Debug)]
pub(super) struct Geometry {
    /// The newest bytes that are kept, at least; one segment more at the most.
    pub(super) capacity: usize,
    /// Sizes of the first, second, ... segment; the last for all that follow.
    pub(super) sizes: Vec<usize>,
    /// A tail with less room than this, or than a quarter of itself, is left as it is and a new one opened.
    pub(super) room_min: usize,
}

impl Geometry {
    fn size_of(&self, number: u64) -> usize {
        self.sizes[usize::try_from(number).unwrap_or(usize::MAX).min(self.sizes.len() - 1)]
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

/// What writer and readers share.
pub(super) struct Shared<S: Storage> {
    slots: Box<[AtomicU32]>,
    descriptors: Descriptors<S>,
    /// Segments opened so far; the newest is one less.
    tail: AtomicU64,
    /// The oldest segment retained.
    first: AtomicU64,
    closed: AtomicBool,
    pub(super) seats: Seats,
}

impl<S: Storage> Shared<S> {
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(order::closed_load())
    }

    /// How many segments have been opened.
    pub(super) fn opened(&self) -> u64 {
        self.tail.load(order::tail_load())
    }

    /// The oldest segment retained.
    pub(super) fn first(&self) -> u64 {
        self.first.load(order::first_load())
    }

    /// Pins segment `number`, which must have been opened, or says that it was evicted.
    pub(super) fn pin(self: &Arc<Self>, number: u64) -> Option<Pinned<S>> {
        let index = self.slots[self.slot(number)].load(Ordering::Relaxed);
        self.descriptors.at(index).pin(generation(number)).then(|| Pinned { shared: Arc::clone(self), index })
    }

    fn slot(&self, number: u64) -> usize {
        (number % self.slots.len() as u64) as usize
    }
}

/// A segment's generation: enough of its number that it cannot come round while somebody looks (2³² segments).
fn generation(number: u64) -> u32 {
    number as u32
}

/// A segment that stays where it is until this is dropped.
pub(super) struct Pinned<S: Storage> {
    shared: Arc<Shared<S>>,
    index: u32,
}

impl<S: Storage> Pinned<S> {
    pub(super) fn segment(&self) -> &Segment<S> {
        self.shared.descriptors.at(self.index)
    }
}

impl<S: Storage> Drop for Pinned<S> {
    fn drop(&mut self) {
        if let Some(storage) = self.segment().unpin() {
            drop(storage);
            self.shared.descriptors.push_free(self.index);
        }
    }
}

/// Descriptors of one log: made when needed, never moved or freed before the log and its last reader.
struct Descriptors<S> {
    /// Chunk `i` holds `CHUNK << i`.
    chunks: [OnceLock<Box<[Segment<S>]>>; CHUNKS],
    /// Head of the list of emptied ones, plus one; pushed by anybody, taken whole by the writer.
    free: AtomicU32,
}

const CHUNK: u32 = 4;
/// Up to 4 × (2¹² − 1) = 16,380 descriptors: more than the pins of 200 readers at their limit.
const CHUNKS: usize = 12;

impl<S: Storage> Descriptors<S> {
    fn new() -> Self {
        Descriptors { chunks: [const { OnceLock::new() }; CHUNKS], free: AtomicU32::new(0) }
    }

    fn at(&self, index: u32) -> &Segment<S> {
        let (chunk, within) = Self::place(index);
        &self.chunks[chunk].get().expect("invariant: an index is told only after its chunk was made")[within]
    }

    /// Chunk `i` begins at index `CHUNK * (2^i - 1)`.
    fn place(index: u32) -> (usize, usize) {
        let chunk = (index / CHUNK + 1).ilog2();
        (chunk as usize, (index - CHUNK * ((1 << chunk) - 1)) as usize)
    }

    /// Makes another chunk of descriptors, and returns their indices.
    fn grow(&self) -> Option<std::ops::Range<u32>> {
        let chunk = self.chunks.iter().position(|chunk| chunk.get().is_none())?;
        let len = CHUNK << chunk;
        let begin = CHUNK * ((1 << chunk) - 1);
        self.chunks[chunk].get_or_init(|| (0..len).map(|_| Segment::free()).collect());
        Some(begin..begin + len)
    }

    fn push_free(&self, index: u32) {
        let mut head = self.free.load(Ordering::Relaxed);
        loop {
            self.at(index).next_free.store(head, Ordering::Relaxed);
            match self.free.compare_exchange(head, index + 1, order::free_push(), Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Moves every emptied descriptor to `list`. Taking all of them at once leaves no room for ABA.
    fn take_free(&self, list: &mut Vec<u32>) {
        let mut next = self.free.swap(0, order::free_take());
        while let Some(index) = next.checked_sub(1) {
            list.push(index);
            next = self.at(index).next_free.load(Ordering::Relaxed);
        }
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
    /// Descriptor of the tail segment.
    tail: Option<u32>,
    tail_capacity: usize,
    tail_len: usize,
    tail_base: u64,
    /// First offset of each retained segment, oldest first, and the bytes its storage takes.
    retained: std::collections::VecDeque<Retained>,
    spare: Vec<u32>,
    seats: SeatList,
}

#[derive(Clone, Copy)]
struct Retained {
    base: u64,
    capacity: usize,
    index: u32,
}

impl<S: Storage> Writer<S> {
    pub(super) fn with_geometry(geometry: Geometry, pool: Arc<S::Pool>) -> Self {
        let slots = (0..geometry.slots()).map(|_| AtomicU32::new(0)).collect();
        let shared = Shared {
            slots,
            descriptors: Descriptors::new(),
            tail: AtomicU64::new(0),
            first: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            seats: Seats::new(),
        };
        Writer {
            shared: Arc::new(shared),
            pool,
            geometry,
            tail: None,
            tail_capacity: 0,
            tail_len: 0,
            tail_base: 0,
            retained: std::collections::VecDeque::new(),
            spare: Vec::new(),
            seats: SeatList::new(),
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared<S>> {
        &self.shared
    }

    /// Offset after the last byte.
    pub fn end(&self) -> u64 {
        self.tail_base + self.tail_len as u64
    }

    /// Offset of the oldest byte retained.
    pub fn start(&self) -> u64 {
        self.retained.front().map_or(self.end(), |oldest| oldest.base)
    }

    /// Storage the retained history takes, in bytes. Evicted segments that readers still pin are theirs.
    pub fn held_bytes(&self) -> usize {
        self.retained.iter().map(|segment| segment.capacity).sum()
    }

    /// The offset before which every lossless reader has acknowledged; the end when there is none.
    pub fn floor(&mut self) -> u64 {
        let end = self.end();
        let lossless = self.seats.current(&self.shared.seats).iter().filter(|seat| seat.mode() != Mode::Lossy);
        lossless.map(|seat| seat.acked()).min().unwrap_or(end).min(end)
    }

    /// Says whether acknowledgements are waited for. Look at [`floor`](Writer::floor) once more after saying so.
    pub fn set_waiting(&mut self, waiting: bool) {
        self.shared.seats.set_waiting(waiting);
    }

    /// Where each reader stands.
    pub fn standings(&mut self) -> Vec<Standing> {
        self.seats.current(&self.shared.seats).iter().map(|seat| seat.standing()).collect()
    }

    /// Waits no longer for the reader that was at `index` of the last [`standings`](Writer::standings); it is lossy from now on.
    pub fn demote(&mut self, index: usize) {
        if let Some(seat) = self.seats.seen().get(index) {
            seat.demote();
        }
    }

    /// Lets `source` write straight into the tail, publishes what it wrote and collects whom to wake. The room it
    /// gets is never empty.
    ///
    /// # Errors
    /// [`PoolSpent`] when there is no room and no memory for more; then `source` was not called. The inner result is
    /// `source`'s own.
    pub fn append_with<E>(
        &mut self,
        wakes: &mut Wakes,
        source: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<Result<usize, E>, PoolSpent> {
        if self.tail_capacity - self.tail_len < self.geometry.room_wanted(self.tail_capacity) {
            self.open_segment()?;
        }
        let index = self.tail.expect("invariant: a segment with room is open");
        let result = self.shared.descriptors.at(index).fill(source);
        if let Ok(wrote @ 1..) = result {
            self.tail_len += wrote;
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
                Ok::<_, std::convert::Infallible>(len)
            });
            match copied {
                Ok(Ok(len)) => rest = &rest[len..],
                Err(PoolSpent) => break,
            }
        }
        bytes.len() - rest.len()
    }

    /// Gives up the oldest segment before its time, to make room in the pool. Neither the tail nor what a lossless
    /// reader has yet to acknowledge is given up. Returns the bytes given up, 0 when nothing can be.
    pub fn shrink(&mut self) -> usize {
        let floor = self.floor();
        let Some(second) = self.retained.get(1) else { return 0 };
        if second.base > floor {
            return 0;
        }
        self.evict_oldest()
    }

    /// Nothing more will come.
    pub fn close(&mut self, wakes: &mut Wakes) {
        self.shared.closed.store(true, order::closed_store());
        self.seats.collect_parked(&self.shared.seats, wakes);
    }

    fn open_segment(&mut self) -> Result<(), PoolSpent> {
        let number = self.shared.tail.load(Ordering::Relaxed); // The writer's own value.
        let storage = S::take(&self.pool, self.geometry.size_of(number)).ok_or(PoolSpent)?;
        let index = self.free_descriptor().ok_or(PoolSpent)?;
        let (base, capacity) = (self.end(), storage.capacity());
        self.shared.descriptors.at(index).open(generation(number), base, storage);
        self.shared.slots[self.shared.slot(number)].store(index, Ordering::Relaxed);
        self.shared.tail.store(number + 1, order::tail_store());
        self.retained.push_back(Retained { base, capacity, index });
        assert!(self.retained.len() <= self.shared.slots.len(), "a log retains no more segments than it has slots");
        (self.tail, self.tail_capacity, self.tail_len, self.tail_base) = (Some(index), capacity, 0, base);
        Ok(())
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
        while self.retained.get(1).is_some_and(|second| self.end() - second.base >= self.geometry.capacity as u64) {
            self.evict_oldest();
        }
    }

    fn evict_oldest(&mut self) -> usize {
        let Some(oldest) = self.retained.pop_front() else { return 0 };
        // First where the log begins now, then that this is gone: who misses it must know where to go.
        self.shared.first.store(self.shared.first.load(Ordering::Relaxed) + 1, order::first_store());
        if let Some(storage) = self.shared.descriptors.at(oldest.index).evict() {
            drop(storage);
            self.spare.push(oldest.index);
        }
        oldest.capacity
    }
}

impl<S: Storage> Drop for Writer<S> {
    fn drop(&mut self) {
        self.close(&mut Wakes::new());
    }
}
