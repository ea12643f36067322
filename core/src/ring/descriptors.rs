//! The descriptors of one log: made when needed, never moved, and never freed before the log and its last reader.
//!
//! Emptied ones wait in a list that anybody may push to and only the writer takes, whole: no ABA.

use std::ops::Range;
use std::sync::OnceLock;

use super::order;
use super::segment::{Segment, Storage};
use super::sync::{AtomicU32, Ordering};

pub(super) struct Descriptors<S> {
    /// Chunk `i` holds `CHUNK << i`.
    chunks: [OnceLock<Box<[Segment<S>]>>; CHUNKS],
    /// Head of the list of emptied ones, plus one.
    free: AtomicU32,
}

/// The first ones, enough for a quiet terminal.
const CHUNK: u32 = 4;
/// Up to 4 × (2¹² − 1) = 16,380 descriptors: the pins of 250 readers that each hold
/// [`PINNED_BYTES`](crate::limits::PINNED_BYTES) in large segments. Whoever needs more is told the pool is spent.
const CHUNKS: usize = 12;

impl<S: Storage> Descriptors<S> {
    pub(super) fn new() -> Self {
        Descriptors { chunks: [const { OnceLock::new() }; CHUNKS], free: AtomicU32::new(0) }
    }

    /// The descriptor at an index that [`grow`](Descriptors::grow) gave out.
    pub(super) fn at(&self, index: u32) -> &Segment<S> {
        let (chunk, within) = Self::place(index);
        &self.chunks[chunk].get().expect("invariant: an index is told only after its chunk was made")[within]
    }

    /// Chunk `i` begins at index `CHUNK * (2^i - 1)`.
    fn place(index: u32) -> (usize, usize) {
        let chunk = (index / CHUNK + 1).ilog2();
        (chunk as usize, (index - CHUNK * ((1 << chunk) - 1)) as usize)
    }

    /// Makes another chunk of free descriptors, and returns their indices. Only the writer.
    pub(super) fn grow(&self) -> Option<Range<u32>> {
        let chunk = self.chunks.iter().position(|chunk| chunk.get().is_none())?;
        let begin = CHUNK * ((1 << chunk) - 1);
        let len = CHUNK << chunk;
        self.chunks[chunk].get_or_init(|| (0..len).map(|_| Segment::free()).collect());
        Some(begin..begin + len)
    }

    /// Says that the descriptor at `index` was emptied.
    pub(super) fn push_free(&self, index: u32) {
        let mut head = self.free.load(Ordering::Relaxed);
        loop {
            self.at(index).next_free.store(head, Ordering::Relaxed);
            match self.free.compare_exchange(head, index + 1, order::free_push(), Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Moves every emptied descriptor to `list`. Only the writer.
    pub(super) fn take_free(&self, list: &mut Vec<u32>) {
        let mut next = self.free.swap(0, order::free_take());
        while let Some(index) = next.checked_sub(1) {
            list.push(index);
            next = self.at(index).next_free.load(Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, not(orchflow_loom)))]
mod tests {
    use super::super::segment::Buffer;
    use super::*;

    #[test]
    fn every_index_has_a_place_of_its_own() {
        let descriptors = Descriptors::<Buffer>::new();
        let mut next = 0;
        while let Some(indices) = descriptors.grow() {
            assert_eq!(indices.start, next);
            next = indices.end;
        }
        assert_eq!(next, 16_380);
        let places: std::collections::HashSet<_> = (0..next).map(|index| std::ptr::from_ref(descriptors.at(index))).collect();
        assert_eq!(places.len(), next as usize);
    }

    #[test]
    fn emptied_ones_come_back_last_first() {
        let descriptors = Descriptors::<Buffer>::new();
        descriptors.grow();
        let mut list = Vec::new();
        descriptors.take_free(&mut list);
        assert_eq!(list, []);
        [2, 0, 1].into_iter().for_each(|index| descriptors.push_free(index));
        descriptors.take_free(&mut list);
        assert_eq!(list, [1, 0, 2]);
        descriptors.take_free(&mut list);
        assert_eq!(list, [1, 0, 2]);
    }
}
