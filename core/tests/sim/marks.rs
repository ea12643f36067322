//! Operations that people ask for, and what was carried out of them: each leaves a mark.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use orchflow_core::batch::Class;
use orchflow_core::host::{Operator, Run};
use orchflow_core::protocol::message::{Batch, ErrorCode, Fault, Mode, Operation, Outcome, Results, Spawn};

/// Things that operations work on, one at a time.
const THINGS: usize = 3;

/// Operations of one batch.
const OPERATIONS_MOST: usize = 12;

/// One operation: whose it is, the how manyth batch of that person's, and its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    thing: u8,
    person: u8,
    batch: u32,
    at: u8,
    /// Whether it takes long; whether it fails.
    is_work: bool,
    fails: bool,
    /// Somebody else may ask for the same, and be heard sooner.
    is_shared: bool,
}

impl Name {
    fn to_bytes(self) -> Bytes {
        let [a, b, c, d] = self.batch.to_be_bytes();
        let flags = [self.is_work, self.fails, self.is_shared].map(u8::from);
        [&[self.thing, self.person, a, b, c, d, self.at][..], &flags].concat().into()
    }

    fn of(bytes: &[u8]) -> Name {
        let [thing, person, a, b, c, d, at, is_work, fails, is_shared] = *bytes else {
            panic!("law 6: an operation that nobody asked for")
        };
        let [is_work, fails, is_shared] = [is_work, fails, is_shared].map(|flag| flag == 1);
        Name { thing, person, batch: u32::from_be_bytes([a, b, c, d]), at, is_work, fails, is_shared }
    }
}

/// What was carried out, in order.
#[derive(Clone, Default)]
pub(crate) struct Marks(Arc<Mutex<Vec<Name>>>);

impl Operator for Marks {
    fn resource(&self, body: &[u8]) -> Option<u64> {
        body.first().map(|thing| u64::from(*thing)).filter(|thing| *thing > 0)
    }

    fn run(&mut self, body: Bytes) -> Run {
        let name = Name::of(&body);
        self.0.lock().unwrap().push(name);
        let result = if name.fails { Err(Fault::new(ErrorCode::System, "as was wanted")) } else { Ok(body) };
        if name.is_work { Run::Work(Box::new(move || result)) } else { Run::Done(result) }
    }
}

impl Marks {
    /// No operation was carried out twice, and on one thing each person's in the order in which they were asked for.
    pub(crate) fn check(&self) {
        let (mut seen, mut last) = (BTreeSet::new(), BTreeMap::new());
        for name in self.0.lock().unwrap().iter() {
            assert!(seen.insert(*name), "law 8: {name:?} was carried out twice");
            if name.thing > 0 && !name.is_shared {
                let before = last.insert((name.thing, name.person), (name.batch, name.at));
                assert!(before < Some((name.batch, name.at)), "law 8: {name:?} was carried out after {before:?}");
            }
        }
    }

    fn has(&self, name: Name) -> bool {
        self.0.lock().unwrap().contains(&name)
    }
}

/// What one person asked for, by the numbers of the requests.
#[derive(Default)]
pub(crate) struct Asked {
    batches: BTreeMap<u64, Told>,
    count: u32,
}

/// One batch, and what was told of it.
struct Told {
    names: Vec<Option<Name>>,
    outcomes: BTreeMap<u32, Outcome>,
    is_over: bool,
    /// Somebody else may have asked for the same.
    is_shared: bool,
}

impl Asked {
    /// A batch that is like `which` and `size`; `program` is started by some.
    pub(crate) fn draw(&mut self, person: usize, which: usize, size: usize, program: &str) -> Batch {
        self.count += 1;
        let is_shared = which.is_multiple_of(4);
        let operation = |at: usize| {
            let bits = which.rotate_right(3 * at as u32) ^ size;
            if bits.is_multiple_of(29) {
                return Operation::Spawn(Box::new(Spawn { program: Some(program.into()), ..Spawn::default() }));
            }
            let (thing, is_work, fails) = ((bits % THINGS) as u8, bits.is_multiple_of(5), bits.is_multiple_of(7));
            let name = Name { thing, person: person as u8, batch: self.count, at: at as u8, is_work, fails, is_shared };
            Operation::Host { name: "mark".into(), body: name.to_bytes() }
        };
        Batch {
            key: is_shared.then(|| format!("{person} {}", self.count)),
            mode: Mode::ALL[which % 3],
            class: Class::ALL[size % 4],
            within_ms: size.is_multiple_of(6).then_some((which % 4_000) as u32 + 1),
            ..Batch::new((0..1 + size % OPERATIONS_MOST).map(operation))
        }
    }

    /// It was asked for under this number.
    pub(crate) fn ask(&mut self, number: u64, batch: &Batch) {
        let name = |operation: &Operation| if let Operation::Host { body, .. } = operation { Some(Name::of(body)) } else { None };
        let names = batch.operations.iter().map(name).collect();
        self.batches.insert(number, Told { names, outcomes: BTreeMap::new(), is_over: false, is_shared: batch.key.is_some() });
    }

    /// Programs that a batch starts.
    pub(crate) fn spawns(batch: &Batch) -> usize {
        batch.operations.iter().filter(|operation| matches!(operation, Operation::Spawn(_))).count()
    }

    /// The number of some batch.
    pub(crate) fn any(&self, which: usize) -> Option<u64> {
        self.batches.keys().nth(which % self.batches.len().max(1)).copied()
    }

    pub(crate) fn handle_results(&mut self, results: &Results, marks: &Marks) {
        let told = self.batches.get_mut(&results.number).expect("law 8: results of what nobody asked for");
        assert!(!told.is_over, "law 8: something is told after the last");
        for (at, outcome) in results.outcomes() {
            if let Some(name) = told.names[at as usize] {
                let was_done = match &outcome {
                    Ok(_) => true,
                    Err(fault) => fault.code == ErrorCode::System,
                };
                // Who never got to ask is told so, though somebody else did.
                let is_so = marks.has(name) == was_done || told.is_shared && !was_done;
                assert!(is_so, "law 8: {name:?} was told as {outcome:?}");
            }
            assert!(told.outcomes.insert(at, outcome).is_none(), "law 8: operation {at} of {} is told twice", results.number);
        }
        told.is_over = !results.more;
        assert!(results.more || told.outcomes.len() == told.names.len(), "law 8: not all of {} was told", results.number);
    }

    /// The whole batch was refused, or nobody knows what became of it. Answers whether it was one.
    pub(crate) fn give_up(&mut self, number: u64) -> bool {
        self.batches.remove(&number).is_some()
    }

    /// Everything must have been told by now.
    pub(crate) fn check_end(&self, person: usize) {
        for (number, told) in &self.batches {
            assert!(told.is_over, "law 8: person {person} was not told all of {number}: {:?}", told.outcomes);
        }
    }
}
