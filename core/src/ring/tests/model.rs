//! Random operations on a log, its readers and their chunks, beside a model that is a `Vec<u8>` and a list of
//! segments. After each one the log must be exactly where the model is: bytes, gaps, memory, floor.

use proptest::prelude::*;

use super::super::writer::Geometry;
use super::*;

#[derive(Clone, Debug)]
enum Op {
    /// One call of a source that has so many bytes at hand, or fails when it is asked.
    Source {
        bytes: usize,
        fails: bool,
    },
    Append {
        bytes: usize,
    },
    Join {
        mode: Mode,
        offset: Place,
    },
    Leave {
        reader: usize,
    },
    Read {
        reader: usize,
        max: usize,
        keep: bool,
    },
    Drop {
        chunk: usize,
    },
    Seek {
        reader: usize,
        offset: Place,
    },
    Ack {
        reader: usize,
        offset: Place,
    },
    Wait {
        waits: bool,
    },
    Demote {
        reader: usize,
    },
    Shrink,
    Close,
    DropWriter,
}

/// An offset as a part of what was written so far; above 1 it lies ahead.
type Place = f64;

fn ops() -> impl Strategy<Value = Op> {
    let place = prop_oneof![Just(0.0), Just(1.0), 0.0..1.2];
    let bytes = prop_oneof![1..40usize, 1_000..5_000usize, 4_000..20_000usize];
    let mode = prop_oneof![Just(Mode::Owner), Just(Mode::Viewer), Just(Mode::Lossy)];
    let which = any::<usize>();
    prop_oneof![
        8 => bytes.clone().prop_map(|bytes| Op::Source { bytes, fails: false }),
        1 => which.prop_map(|which| Op::Source { bytes: 0, fails: which % 2 == 0 }),
        4 => bytes.clone().prop_map(|bytes| Op::Append { bytes }),
        3 => (mode, place.clone()).prop_map(|(mode, offset)| Op::Join { mode, offset }),
        1 => which.prop_map(|reader| Op::Leave { reader }),
        12 => (which, bytes, any::<bool>()).prop_map(|(reader, max, keep)| Op::Read { reader, max, keep }),
        4 => which.prop_map(|chunk| Op::Drop { chunk }),
        2 => (which, place.clone()).prop_map(|(reader, offset)| Op::Seek { reader, offset }),
        4 => (which, place).prop_map(|(reader, offset)| Op::Ack { reader, offset }),
        1 => any::<bool>().prop_map(|waits| Op::Wait { waits }),
        1 => which.prop_map(|reader| Op::Demote { reader }),
        3 => Just(Op::Shrink),
        1 => prop_oneof![3 => Just(Op::Shrink), 1 => Just(Op::Close), 1 => Just(Op::DropWriter)],
    ]
}

/// A log of one of a few shapes, and a budget that it can meet.
fn shapes() -> impl Strategy<Value = (Geometry, usize)> {
    let sizes = prop_oneof![Just(vec![SIZES[0]]), Just(SIZES[..2].to_vec()), Just(SIZES.to_vec())];
    (sizes, prop_oneof![Just(SIZES[0]), 4_096..50_000usize], 20_000..300_000usize)
        .prop_map(|(sizes, capacity, budget)| (Geometry { capacity, sizes, room_min: SIZES[0] }, budget))
}

#[derive(Clone, Debug)]
struct ModelSegment {
    base: u64,
    capacity: usize,
}

struct ModelReader {
    reader: Reader,
    mode: Mode,
    offset: u64,
    acked: u64,
    /// Pins by number; each is a segment and is alive while chunks name it.
    last_pin: Option<usize>,
}

struct ModelChunk {
    at: u64,
    bytes: Bytes,
    pin: usize,
}

/// A pin: which segment, and on whose account.
struct ModelPin {
    segment: usize,
    reader: usize,
}

struct World {
    pool: Arc<Pool>,
    budget: usize,
    geometry: Geometry,
    writer: Option<Writer>,
    bytes: Vec<u8>,
    segments: Vec<ModelSegment>,
    /// The oldest segment retained, or the next one when none is.
    first: usize,
    /// The first of those that grow.
    young: usize,
    closed: bool,
    waits: bool,
    readers: Vec<(usize, ModelReader)>,
    reader_ids: usize,
    chunks: Vec<ModelChunk>,
    pins: Vec<ModelPin>,
}

impl World {
    fn new(geometry: Geometry, budget: usize) -> Self {
        let pool = Pool::new(budget);
        let writer = Writer::with_geometry(geometry.clone(), Arc::clone(&pool));
        World {
            pool,
            budget,
            geometry,
            writer: Some(writer),
            bytes: Vec::new(),
            segments: Vec::new(),
            first: 0,
            young: 0,
            closed: false,
            waits: false,
            readers: Vec::new(),
            reader_ids: 0,
            chunks: Vec::new(),
            pins: Vec::new(),
        }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Source { bytes, fails } => drop(self.source(bytes, fails)),
            Op::Append { bytes } => self.append(bytes),
            Op::Join { mode, offset } => self.join(mode, offset),
            Op::Leave { reader } => {
                if let Some(place) = self.reader(reader) {
                    let (_, reader) = self.readers.remove(place);
                    assert_eq!(reader.reader.leave(), self.waits);
                }
            }
            Op::Read { reader, max, keep } => {
                if let Some(place) = self.reader(reader) {
                    self.read(place, max, keep);
                }
            }
            Op::Drop { chunk } => {
                if !self.chunks.is_empty() {
                    self.chunks.swap_remove(chunk % self.chunks.len());
                }
            }
            Op::Seek { reader, offset } => {
                if let Some(place) = self.reader(reader) {
                    let offset = self.offset(offset);
                    let end = self.end();
                    let reader = &mut self.readers[place].1;
                    reader.reader.seek(offset);
                    reader.offset = offset.min(end);
                }
            }
            Op::Ack { reader, offset } => {
                if let Some(place) = self.reader(reader) {
                    let offset = self.offset(offset);
                    let reader = &mut self.readers[place].1;
                    assert_eq!(reader.reader.ack(offset), self.waits);
                    reader.acked = reader.acked.max(offset.min(reader.offset));
                }
            }
            Op::Wait { waits } => {
                if let Some(writer) = &mut self.writer {
                    writer.set_waiting(waits);
                    self.waits = waits;
                }
            }
            Op::Demote { reader } => {
                if let (Some(place), Some(writer)) = (self.reader(reader), &mut self.writer) {
                    assert_eq!(writer.standings().len(), self.readers.len());
                    writer.demote(place);
                    self.readers[place].1.mode = Mode::Lossy;
                }
            }
            Op::Shrink => self.shrink(),
            Op::Close => {
                if let Some(writer) = &mut self.writer {
                    writer.close(&mut Wakes::new());
                    self.closed = true;
                }
            }
            Op::DropWriter => {
                self.writer = None;
                self.closed = true;
            }
        }
    }

    fn reader(&self, any: usize) -> Option<usize> {
        any.checked_rem(self.readers.len())
    }

    fn offset(&self, place: Place) -> u64 {
        (self.end() as f64 * place).round() as u64
    }

    fn end(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn start(&self) -> u64 {
        self.segments.get(self.first).map_or(self.end(), |segment| segment.base)
    }

    fn segment_end(&self, number: usize) -> u64 {
        self.segments.get(number + 1).map_or(self.end(), |next| next.base)
    }

    fn is_pinned(&self, segment: usize) -> bool {
        self.chunks.iter().any(|chunk| self.pins[chunk.pin].segment == segment)
    }

    /// Memory of what is retained, unless everybody has gone, and of what is pinned.
    fn used(&self) -> usize {
        let somebody = self.writer.is_some() || !self.readers.is_empty();
        let counts = |number: usize| (somebody && number >= self.first) || self.is_pinned(number);
        self.segments.iter().enumerate().filter(|(number, _)| counts(*number)).map(|(_, segment)| segment.capacity).sum()
    }

    /// The size of the segment that the next append must open, if the tail has not the room.
    fn opens(&self) -> Option<usize> {
        let room = self.segments[self.first..].last().map(|tail| (tail.capacity, tail.capacity - (self.end() - tail.base) as usize));
        let fits = room.is_some_and(|(capacity, room)| room >= self.geometry.room_min.min(capacity / 4));
        (!fits).then(|| self.geometry.sizes[(self.segments.len() - self.young).min(self.geometry.sizes.len() - 1)])
    }

    fn expect_append(&mut self) -> Result<(), PoolSpent> {
        if let Some(capacity) = self.opens() {
            if self.used() + capacity > self.budget {
                return Err(PoolSpent);
            }
            self.segments.push(ModelSegment { base: self.end(), capacity });
        }
        Ok(())
    }

    fn expect_bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        let capacity = self.geometry.capacity as u64;
        while self.segments.get(self.first + 1).is_some_and(|second| self.end() - second.base >= capacity) {
            self.first += 1;
        }
    }

    fn source(&mut self, bytes: usize, fails: bool) -> Result<usize, PoolSpent> {
        if self.closed {
            return Ok(0);
        }
        let expected = self.expect_append();
        let room_expected = self.segments.last().map_or(0, |tail| tail.capacity - (self.end() - tail.base) as usize);
        let data = pattern(self.end(), bytes);
        let mut asked = false;
        let writer = self.writer.as_mut().expect("a log that is not closed has a writer");
        let wrote = writer.append_with(&mut Wakes::new(), |room| {
            asked = true;
            assert_eq!(room.len(), room_expected);
            let len = data.len().min(room.len());
            room[..len].copy_from_slice(&data[..len]);
            if fails { Err("fails") } else { Ok(len) }
        });
        assert_eq!(wrote.is_err(), expected.is_err());
        assert_eq!(asked, expected.is_ok());
        match wrote {
            Err(PoolSpent) => Err(PoolSpent),
            Ok(Err(_)) => Ok(0),
            Ok(Ok(len)) => {
                self.expect_bytes(&data[..len]);
                Ok(len)
            }
        }
    }

    fn append(&mut self, bytes: usize) {
        if self.closed {
            return;
        }
        let data = pattern(self.end(), bytes);
        let writer = self.writer.as_mut().expect("a log that is not closed has a writer");
        let appended = writer.append(&mut Wakes::new(), &data);
        let mut rest = &data[..];
        while !rest.is_empty() && self.expect_append().is_ok() {
            let tail = self.segments.last().expect("one with room was opened");
            let (now, later) = rest.split_at(rest.len().min(tail.capacity - (self.end() - tail.base) as usize));
            self.expect_bytes(now);
            rest = later;
        }
        assert_eq!(appended, data.len() - rest.len());
    }

    fn join(&mut self, mode: Mode, offset: Place) {
        let (offset, start, end) = (self.offset(offset), self.start(), self.end());
        let Some(writer) = &self.writer else { return };
        let reader = Reader::new(writer, mode, offset);
        let reader = ModelReader { reader, mode, offset: offset.min(end), acked: offset.clamp(start, end), last_pin: None };
        self.readers.push((self.reader_ids, reader));
        self.reader_ids += 1;
    }

    fn read(&mut self, place: usize, max: usize, keep: bool) {
        let (start, end, closed) = (self.start(), self.end(), self.closed);
        let (id, reader) = &mut self.readers[place];
        let (id, from) = (*id, reader.offset);
        let read = reader.reader.try_read(max);
        if from < start {
            assert_eq!(read, Read::Gap { from, to: start });
            reader.offset = start;
        } else if from == end {
            assert_eq!(read, if closed { Read::End } else { Read::Pending });
        } else {
            let number = self.segments.partition_point(|segment| segment.base <= from) - 1;
            let to = self.segment_end(number).min(from + max as u64);
            let Read::Chunk { at, bytes } = read else { panic!("a chunk was expected at {from}, not {read:?}") };
            assert_eq!((at, &bytes[..]), (from, &self.bytes[from as usize..to as usize]));
            let chunks = &self.chunks;
            let reader = &mut self.readers[place].1;
            let shared = reader.last_pin.filter(|&pin| self.pins[pin].segment == number && chunks.iter().any(|chunk| chunk.pin == pin));
            let pin = shared.unwrap_or(self.pins.len());
            if shared.is_none() {
                self.pins.push(ModelPin { segment: number, reader: id });
            }
            reader.offset = to;
            reader.last_pin = Some(pin);
            if keep {
                self.chunks.push(ModelChunk { at, bytes, pin });
            }
        }
    }

    fn shrink(&mut self) {
        let floor = self.floor();
        let expected = (self.first..self.segments.len())
            .take_while(|&number| self.segment_end(number) <= floor)
            .find(|&number| !self.is_pinned(number));
        if let Some(writer) = &mut self.writer {
            assert_eq!(writer.shrink(), expected.map_or(0, |number| self.segments[number].capacity));
            self.first = expected.map_or(self.first, |number| number + 1);
            if self.first == self.segments.len() {
                self.young = self.first;
            }
        }
    }

    fn floor(&self) -> u64 {
        let lossless = self.readers.iter().filter(|(_, reader)| reader.mode != Mode::Lossy);
        lossless.map(|(_, reader)| reader.acked).min().unwrap_or(self.end())
    }

    fn verify(&mut self) {
        let (start, end, floor) = (self.start(), self.end(), self.floor());
        assert_eq!(self.pool.used(), self.used());
        assert!(self.pool.used() <= self.budget);
        if let Some(writer) = &mut self.writer {
            assert_eq!((writer.start(), writer.end(), writer.floor()), (start, end, floor));
            let held: usize = self.segments[self.first..].iter().map(|segment| segment.capacity).sum();
            assert_eq!(writer.held_bytes(), held);
            let (capacity, largest) = (self.geometry.capacity, SIZES[2]);
            assert!(end - start <= (capacity + largest) as u64, "more is kept than was asked for");
            assert!(held <= (capacity + largest) / 3 * 4 + largest, "a segment that is left is three quarters full");
        }
        for chunk in &self.chunks {
            assert_eq!(chunk.bytes, self.bytes[chunk.at as usize..][..chunk.bytes.len()]);
        }
        for (id, reader) in &self.readers {
            assert_eq!((reader.reader.offset(), reader.reader.mode()), (reader.offset, reader.mode));
            let mut pins: Vec<usize> = self.chunks.iter().map(|chunk| chunk.pin).filter(|&pin| self.pins[pin].reader == *id).collect();
            pins.sort_unstable();
            pins.dedup();
            let pinned: usize = pins.iter().map(|&pin| self.segments[self.pins[pin].segment].capacity).sum();
            assert_eq!(reader.reader.pinned_bytes(), pinned);
        }
    }

    /// Everybody goes, in some order.
    fn end_all(&mut self, order: u8) {
        for turn in 0..3 {
            match (order + turn) % 3 {
                0 => self.apply(Op::DropWriter),
                1 => {
                    while let Some((_, reader)) = self.readers.pop() {
                        drop(reader);
                        self.verify();
                    }
                }
                _ => {
                    while self.chunks.pop().is_some() {
                        self.verify();
                    }
                }
            }
            self.verify();
        }
        assert_eq!(self.pool.used(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_log_does_what_a_vec_would((geometry, budget) in shapes(), ops in prop::collection::vec(ops(), 1..120), order in 0..3u8) {
        let mut world = World::new(geometry, budget);
        for op in ops {
            world.apply(op);
            world.verify();
        }
        world.end_all(order);
    }
}
