//! Who reads a terminal, who will come back, and the memory they may claim.

use super::super::error::ResumeError;
use super::{Effects, Terminal};
use crate::ring::{Mode, Reader};
use crate::time::Time;

/// Names a reader that was suspended, for its return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Suspension(u64);

/// A reader whose link broke.
pub(super) struct Suspended {
    name: Suspension,
    reader: Reader,
    pub(super) until: Time,
}

impl Terminal {
    /// A reader from `offset` on, or from the oldest byte held. Until there is a first one, the terminal is read no further than
    /// the high watermark, so that nothing is lost before anybody looks.
    pub fn reader(&mut self, mode: Mode, offset: Option<u64>) -> Reader {
        let reader = Reader::new(&self.log, mode, offset.unwrap_or_else(|| self.log.start()));
        self.first_reader = None;
        reader
    }

    /// Acknowledgements have come, or a reader has left or begun to wait: reading may go on.
    pub fn handle_acknowledged(&mut self, now: Time, effects: &mut Effects) {
        self.handle_timeout(now, effects);
    }

    /// Keeps `reader`'s claim although its link broke.
    pub fn suspend(&mut self, now: Time, reader: Reader) -> Suspension {
        self.suspensions += 1;
        // A program whose viewer is away goes on as far as its debt may grow.
        reader.allow(u64::MAX);
        reader.renew(); // It is held for as long as was promised, however long it made others wait before.
        let name = Suspension(self.suspensions);
        self.suspended.push(Suspended { name, reader, until: now + self.options.resume_hold });
        name
    }

    /// Gives a suspended reader back, at the place it had. It has a patience of its own from then on: it did not stall, its link was gone.
    ///
    /// # Errors
    /// [`ResumeError::Expired`] when it was held for too long, or came back before.
    pub fn resume(&mut self, name: Suspension) -> Result<Reader, ResumeError> {
        let index = self.suspended.iter().position(|suspended| suspended.name == name).ok_or(ResumeError::Expired)?;
        let reader = self.suspended.swap_remove(index).reader;
        reader.renew();
        Ok(reader)
    }

    /// Memory may be had again.
    pub fn handle_relief(&mut self, now: Time, effects: &mut Effects) {
        self.starved = false;
        self.settle(now, effects);
    }

    /// Nobody is left who could read: no claim holds the terminal up any more.
    pub fn forget_readers(&mut self, now: Time, effects: &mut Effects) {
        self.first_reader = None;
        self.suspended.clear();
        effects.eased = true;
        self.settle(now, effects);
    }

    /// Gives up the oldest stretch of history; returns the bytes freed.
    pub fn shrink(&mut self) -> usize {
        self.log.shrink()
    }

    /// Bytes of memory the history takes.
    pub fn held_bytes(&self) -> usize {
        self.log.held_bytes()
    }

    /// Whether it waits for memory.
    pub fn is_starved(&self) -> bool {
        self.starved
    }
}
