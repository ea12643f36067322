//! Batches that can be asked for again: by the number that a client gave its request, or by a key that anybody may know.

use std::collections::{BTreeMap, VecDeque};

use sha2::{Digest, Sha256};

use super::{Asker, Owner};
use crate::limits::{BATCHES_MAX, KEYS_BYTES_MAX, KEYS_REMEMBERED, REMEMBERED_BYTES_MAX};
use crate::protocol::frame::StreamId;
use crate::protocol::message::{Batch, ClientId, ErrorCode, Fault, Message};

/// What is asked for by a key, so that nothing else is.
pub(super) type Print = [u8; 32];

/// What a batch does; how long it may take is no part of that.
pub(super) fn fingerprint(batch: &Batch) -> Print {
    let batch = Batch { number: 0, within_ms: None, ..batch.clone() };
    Sha256::digest(Message::Batch(Box::new(batch)).into_frame(StreamId::CONNECTION).body).into()
}

/// Numbers and keys, and the batches they stand for.
#[derive(Debug, Default)]
pub(super) struct Known {
    owners: BTreeMap<Owner, Numbers>,
    keys: BTreeMap<String, (Print, u64)>,
    /// Of those, which are done.
    keys_done: Done<String>,
    /// What each batch is known by.
    names: BTreeMap<u64, Names>,
}

/// The requests of one client.
#[derive(Debug, Default)]
struct Numbers {
    batches: BTreeMap<u64, u64>,
    /// Of those, which are done.
    done: Done<u64>,
    /// The highest number that is forgotten.
    forgotten: u64,
}

/// What is done, in the order in which it was: that in which results are sent.
#[derive(Debug)]
struct Done<T> {
    /// Each with the bytes that it takes to remember it.
    all: VecDeque<(T, usize)>,
    bytes: usize,
}

impl<T> Default for Done<T> {
    fn default() -> Self {
        Done { all: VecDeque::new(), bytes: 0 }
    }
}

impl<T> Done<T> {
    /// One more is done. Answers those to forget, so that no more than so many, and so many bytes, are remembered.
    fn add(&mut self, one: T, bytes: usize, most: usize, bytes_max: usize) -> Vec<T> {
        self.all.push_back((one, bytes));
        self.bytes += bytes;
        let mut gone = Vec::new();
        while (self.all.len() > most || self.bytes > bytes_max)
            && let Some((oldest, bytes)) = self.all.pop_front()
        {
            self.bytes -= bytes;
            gone.push(oldest);
        }
        gone
    }
}

#[derive(Debug, Default)]
struct Names {
    key: Option<String>,
    askers: Vec<(Owner, u64)>,
}

impl Known {
    /// The batch that `owner` asked for under this number.
    ///
    /// # Errors
    /// Where that was so long ago that it is forgotten.
    pub(super) fn numbered(&self, owner: Owner, number: u64) -> Result<Option<u64>, Fault> {
        let Some(numbers) = self.owners.get(&owner) else { return Ok(None) };
        match numbers.batches.get(&number) {
            None if number <= numbers.forgotten => {
                let message = format!("it may have been carried out: the results of more than {BATCHES_MAX} batches are not kept");
                Err(Fault::new(ErrorCode::Forgotten, message))
            }
            found => Ok(found.copied()),
        }
    }

    /// The batch with this key, and whether it does the same.
    pub(super) fn keyed(&self, key: &str, print: Option<&Print>) -> Option<(u64, bool)> {
        self.keys.get(key).map(|(known, id)| (*id, print == Some(known)))
    }

    /// Batch `id` has this number for this one who asked.
    pub(super) fn number(&mut self, asker: Asker, id: u64) {
        self.owners.entry(asker.owner).or_default().batches.insert(asker.number, id);
        self.names.entry(id).or_default().askers.push((asker.owner, asker.number));
    }

    /// And this key.
    pub(super) fn key(&mut self, key: String, print: Print, id: u64) {
        self.names.entry(id).or_default().key = Some(key.clone());
        self.keys.insert(key, (print, id));
    }

    /// Batch `id` is done, and remembering it takes so many bytes. Answers which can be asked for no longer, so that not more than so many are
    /// kept.
    pub(super) fn done(&mut self, id: u64, bytes: usize) -> Vec<u64> {
        let Some(names) = self.names.get(&id) else { return vec![id] };
        let (askers, key) = (names.askers.clone(), names.key.clone());
        let mut gone = Vec::new();
        for (owner, number) in askers {
            gone.extend(self.number_done(owner, number, bytes));
        }
        gone.extend(key.map(|key| self.key_done(key, bytes)).unwrap_or_default());
        gone.retain(|id| self.is_unknown(*id));
        gone
    }

    /// A client's batch is done. Answers those of its that it cannot ask for any more.
    fn number_done(&mut self, owner: Owner, number: u64, bytes: usize) -> Vec<u64> {
        let Some(numbers) = self.owners.get_mut(&owner) else { return Vec::new() };
        // Within a process nothing is lost, so nothing is asked for again.
        let kept = if owner == Owner::Local { 0 } else { BATCHES_MAX };
        let mut gone = Vec::new();
        for oldest in numbers.done.add(number, bytes, kept, REMEMBERED_BYTES_MAX) {
            if owner != Owner::Local {
                numbers.forgotten = numbers.forgotten.max(oldest);
            }
            gone.extend(numbers.batches.remove(&oldest).map(|id| (id, oldest)));
        }
        gone.iter().for_each(|(id, number)| self.unname(*id, owner, *number));
        gone.into_iter().map(|(id, _)| id).collect()
    }

    /// A batch with a key is done. Answers those whose keys are forgotten.
    fn key_done(&mut self, key: String, bytes: usize) -> Vec<u64> {
        let oldest = self.keys_done.add(key, bytes, KEYS_REMEMBERED, KEYS_BYTES_MAX);
        let gone: Vec<u64> = oldest.iter().filter_map(|key| self.keys.remove(key)).map(|(_, id)| id).collect();
        for id in &gone {
            self.names.entry(*id).or_default().key = None;
        }
        gone
    }

    /// Nothing of `client` can be asked for by number any more. Answers the batches that nobody can ask for.
    pub(super) fn forget(&mut self, client: ClientId) -> Vec<u64> {
        let owner = Owner::Client(client);
        let Some(numbers) = self.owners.remove(&owner) else { return Vec::new() };
        for (number, id) in &numbers.batches {
            self.unname(*id, owner, *number);
        }
        numbers.batches.into_values().filter(|id| self.is_unknown(*id)).collect()
    }

    fn unname(&mut self, id: u64, owner: Owner, number: u64) {
        if let Some(names) = self.names.get_mut(&id) {
            names.askers.retain(|asker| *asker != (owner, number));
        }
    }

    /// Whether a batch has no name; what is kept of it goes.
    fn is_unknown(&mut self, id: u64) -> bool {
        let unknown = self.names.get(&id).is_none_or(|names| names.key.is_none() && names.askers.is_empty());
        if unknown {
            self.names.remove(&id);
        }
        unknown
    }
}
