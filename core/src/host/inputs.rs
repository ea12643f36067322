//! What was typed: each client's input to one session, in order and once, however often it was sent.
//!
//! Input **arrives** when it is taken into the inbox, and is **settled** when the terminal has accepted it. Both are counts of one
//! client's input frames to one session; they outlive connections, so that what is sent again after a break is known again.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Buf, Bytes};

use crate::limits::CLIENTS_MAX;
use crate::protocol::message::{ClientId, ErrorCode, Input, InputDropped, InputRefused};
use crate::session::WriteError;
use crate::time::Time;

/// What came of an input frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It was taken: settle it.
    New,
    /// It had come before; this much is settled.
    Known {
        /// The last input that is settled.
        settled: u64,
    },
    /// It was not taken.
    Refused(InputRefused),
    /// It was sent before its sender knew that what precedes it was refused.
    Void,
}

/// What became of input that had arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The last input that is settled; all before it are.
    pub sequence: u64,
    /// The terminal refused what came after that.
    pub refused: Option<InputRefused>,
    /// Of the last one settled, the terminal took only a part.
    pub dropped: Option<InputDropped>,
}

/// One client's input to one session.
#[derive(Debug, Default)]
pub struct Inbox {
    arrived: u64,
    settled: u64,
    /// What has arrived and is not settled, oldest first.
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    /// Some of the first that waits was accepted already.
    begun: bool,
    /// What comes after `arrived` was refused, so more of the same is on its way.
    refused: bool,
}

#[derive(Debug)]
struct Waiting {
    bytes: Bytes,
    urgent: bool,
    since: Time,
}

impl Inbox {
    /// The last input that is settled.
    pub fn settled(&self) -> u64 {
        self.settled
    }

    /// Input has come now, of which at most `window` bytes may wait.
    pub fn arrive(&mut self, input: &Input, window: u32, now: Time) -> Arrival {
        let next = self.arrived + 1;
        if input.sequence < next {
            return Arrival::Known { settled: self.settled };
        }
        if input.sequence > next {
            let was_told = std::mem::replace(&mut self.refused, true);
            let message = || format!("input {} came when {next} was due: send it again from there", input.sequence);
            return if was_told { Arrival::Void } else { Arrival::Refused(refused(next, ErrorCode::InputGap, message())) };
        }
        if self.waiting_bytes + input.bytes.len() > window as usize {
            self.refused = true;
            let message = format!("{window} bytes of input may wait, and do: the program does not read; send it again later");
            return Arrival::Refused(refused(next, ErrorCode::InputFull, message));
        }
        self.refused = false;
        self.arrived = next;
        self.waiting_bytes += input.bytes.len();
        self.waiting.push_back(Waiting { bytes: input.bytes.clone(), urgent: input.urgent, since: now });
        Arrival::New
    }

    /// Hands over what waits, as long as `write` takes it; tells `accepted` how many bytes of which input that was.
    /// `None` where nothing changed.
    fn settle(
        &mut self,
        mut write: impl FnMut(&[u8], bool) -> Result<usize, WriteError>,
        mut accepted: impl FnMut(u64, usize),
    ) -> Option<Settled> {
        let before = self.settled;
        while let Some(first) = self.waiting.front_mut() {
            let result = if first.bytes.is_empty() { Ok(0) } else { write(&first.bytes, first.urgent) };
            match result {
                Ok(bytes) => {
                    accepted(self.settled + 1, bytes);
                    first.bytes.advance(bytes);
                    self.waiting_bytes -= bytes;
                    self.begun = true;
                    if first.bytes.is_empty() {
                        self.pass_first();
                    }
                }
                Err(WriteError::Full { .. } | WriteError::EventsUntaken { .. }) => break,
                Err(error) => return Some(self.refuse(&error)),
            }
        }
        (self.settled > before).then_some(Settled { sequence: self.settled, refused: None, dropped: None })
    }

    fn pass_first(&mut self) {
        self.waiting.pop_front();
        self.settled += 1;
        self.begun = false;
    }

    /// The terminal does not take the first that waits; nor, then, what follows.
    fn refuse(&mut self, error: &WriteError) -> Settled {
        let mut dropped = None;
        if self.begun {
            // A part of it is in the terminal's queue, so it cannot count as never sent.
            let bytes = self.waiting.front().map_or(0, |first| first.bytes.len() as u64);
            self.pass_first();
            dropped = Some(InputDropped { from: self.settled, to: self.settled, bytes });
            if !matches!(error, WriteError::Closed | WriteError::Forked) {
                // What follows is on its way under the numbers that would be waited for: it cannot be told from what is sent again.
                return Settled { sequence: self.settled, refused: None, dropped };
            }
        }
        self.waiting.clear();
        self.waiting_bytes = 0;
        self.arrived = self.settled;
        self.refused = true;
        let code = match error {
            WriteError::LineTooLong { .. } => ErrorCode::LineTooLong,
            WriteError::Closed | WriteError::Forked => ErrorCode::Ended,
            _ => ErrorCode::System,
        };
        Settled { sequence: self.settled, refused: Some(refused(self.settled + 1, code, error.to_string())), dropped }
    }
}

fn refused(sequence: u64, code: ErrorCode, message: String) -> InputRefused {
    InputRefused { sequence, code, message, retryable: code.is_retryable() }
}

/// The inboxes of one session, and whose the bytes are that its terminal has accepted.
#[derive(Debug, Default)]
pub struct Inputs {
    boxes: BTreeMap<ClientId, (u64, Inbox)>,
    /// Counts uses, to know the least recent.
    uses: u64,
    /// Bytes the terminal has accepted.
    accepted: u64,
    /// Whose the newest of them are, oldest first.
    ledger: VecDeque<Entry>,
}

/// Accepted bytes: those before `end` and after the entry before.
#[derive(Clone, Copy, Debug)]
struct Entry {
    begin: u64,
    end: u64,
    client: ClientId,
    sequence: u64,
}

/// Entries kept: more than a queue of input holds in keystrokes nobody reads.
const LEDGER_MAX: usize = 4096;

impl Inputs {
    /// The inbox of `client`. At most [`CLIENTS_MAX`] are kept; the one used least recently goes first.
    pub fn of(&mut self, client: ClientId) -> &mut Inbox {
        self.uses += 1;
        if !self.boxes.contains_key(&client) && self.boxes.len() >= CLIENTS_MAX {
            let oldest = self.boxes.iter().min_by_key(|(_, (used, _))| *used).map(|(client, _)| *client);
            oldest.and_then(|oldest| self.boxes.remove(&oldest));
        }
        let (used, inbox) = self.boxes.entry(client).or_default();
        *used = self.uses;
        inbox
    }

    /// The last input of `client` that is settled; 0 for none.
    pub fn settled(&self, client: ClientId) -> u64 {
        self.boxes.get(&client).map_or(0, |(_, inbox)| inbox.settled)
    }

    /// Hands over what waits of one client, and returns what came of it.
    pub fn settle(&mut self, client: ClientId, write: impl FnMut(&[u8], bool) -> Result<usize, WriteError>) -> Option<Settled> {
        let (_, inbox) = self.boxes.get_mut(&client)?;
        let (total, ledger) = (&mut self.accepted, &mut self.ledger);
        inbox.settle(write, |sequence, bytes| {
            if bytes > 0 {
                let begin = *total;
                *total += bytes as u64;
                ledger.push_back(Entry { begin, end: *total, client, sequence });
                if ledger.len() > LEDGER_MAX {
                    ledger.pop_front();
                }
            }
        })
    }

    /// The terminal has accepted so many bytes that no client typed on a stream.
    pub fn pass(&mut self, bytes: usize) {
        self.accepted += bytes as u64;
    }

    /// Since when something of `client` waits, if anything does.
    pub fn waits_since(&self, client: ClientId) -> Option<Time> {
        self.boxes.get(&client).and_then(|(_, inbox)| inbox.waiting.front()).map(|first| first.since)
    }

    /// Clients of whom something waits.
    pub fn waiting(&self) -> Vec<ClientId> {
        self.boxes.iter().filter(|(_, (_, inbox))| !inbox.waiting.is_empty()).map(|(client, _)| *client).collect()
    }

    /// The terminal dropped accepted bytes `from..to`: whose they were.
    pub fn dropped(&mut self, from: u64, to: u64) -> Vec<(ClientId, InputDropped)> {
        let mut whose = BTreeMap::<ClientId, InputDropped>::new();
        for entry in self.ledger.iter().filter(|entry| entry.begin < to && from < entry.end) {
            let bytes = entry.end.min(to) - entry.begin.max(from);
            let dropped = whose.entry(entry.client).or_insert(InputDropped { from: entry.sequence, to: entry.sequence, bytes: 0 });
            dropped.to = entry.sequence;
            dropped.bytes += bytes;
        }
        self.ledger.retain(|entry| entry.end > to);
        whose.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::INPUT_WINDOW_BYTES;

    fn input(sequence: u64, bytes: &'static str) -> Input {
        Input { sequence, bytes: Bytes::from_static(bytes.as_bytes()), urgent: false, reply: false }
    }

    const ALICE: ClientId = ClientId::from_bytes([1; 16]);
    const BOB: ClientId = ClientId::from_bytes([2; 16]);

    /// A terminal that takes so many bytes, and then has no room, or is gone.
    struct Terminal {
        room: usize,
        gone: bool,
        taken: Vec<u8>,
    }

    impl Terminal {
        fn with_room(room: usize) -> Terminal {
            Terminal { room, gone: false, taken: Vec::new() }
        }

        fn write(&mut self, bytes: &[u8]) -> Result<usize, WriteError> {
            if self.gone {
                return Err(WriteError::Closed);
            }
            let count = bytes.len().min(self.room);
            self.room -= count;
            self.taken.extend_from_slice(&bytes[..count]);
            if count == 0 { Err(WriteError::Full { limit: 0 }) } else { Ok(count) }
        }

        fn settle(&mut self, inputs: &mut Inputs, client: ClientId) -> Option<Settled> {
            inputs.settle(client, |bytes, _| self.write(bytes))
        }
    }

    fn settled(sequence: u64) -> Option<Settled> {
        Some(Settled { sequence, refused: None, dropped: None })
    }

    #[test]
    fn what_is_sent_again_after_a_break_is_typed_once() {
        let (mut inputs, mut terminal) = (Inputs::default(), Terminal::with_room(5));
        for (sequence, bytes) in [(1, "abc"), (2, "def"), (3, "ghi")] {
            assert_eq!(inputs.of(ALICE).arrive(&input(sequence, bytes), INPUT_WINDOW_BYTES, Time::ZERO), Arrival::New);
        }
        assert_eq!(terminal.settle(&mut inputs, ALICE), settled(1));
        // The link breaks between acceptance and acknowledgement; all that was not acknowledged comes again.
        for (sequence, bytes) in [(1, "abc"), (2, "def"), (3, "ghi")] {
            assert_eq!(inputs.of(ALICE).arrive(&input(sequence, bytes), INPUT_WINDOW_BYTES, Time::ZERO), Arrival::Known { settled: 1 });
        }
        assert_eq!(inputs.of(ALICE).arrive(&input(4, "jkl"), INPUT_WINDOW_BYTES, Time::ZERO), Arrival::New);
        terminal.room = 100;
        assert_eq!(terminal.settle(&mut inputs, ALICE), settled(4));
        assert_eq!(terminal.taken, b"abcdefghijkl");
        assert_eq!(inputs.settled(ALICE), 4);
    }

    #[test]
    fn a_hole_is_named_once_and_what_follows_is_void_until_it_is_filled() {
        let mut inbox = Inbox::default();
        assert!(
            matches!(inbox.arrive(&input(3, "c"), INPUT_WINDOW_BYTES, Time::ZERO), Arrival::Refused(refused) if refused.sequence == 1 && refused.code == ErrorCode::InputGap)
        );
        assert_eq!(inbox.arrive(&input(4, "d"), INPUT_WINDOW_BYTES, Time::ZERO), Arrival::Void);
        assert_eq!(inbox.arrive(&input(1, "a"), INPUT_WINDOW_BYTES, Time::ZERO), Arrival::New);
        assert!(matches!(inbox.arrive(&input(3, "c"), INPUT_WINDOW_BYTES, Time::ZERO), Arrival::Refused(refused) if refused.sequence == 2));
    }

    #[test]
    fn a_program_that_does_not_read_holds_its_typist_up_at_the_window() {
        let mut inbox = Inbox::default();
        let half = Bytes::from(vec![b'x'; INPUT_WINDOW_BYTES as usize / 2]);
        let input = |sequence| Input { sequence, bytes: half.clone(), urgent: false, reply: false };
        assert_eq!([1, 2].map(|sequence| inbox.arrive(&input(sequence), INPUT_WINDOW_BYTES, Time::ZERO)), [Arrival::New, Arrival::New]);
        assert!(
            matches!(inbox.arrive(&input(3), INPUT_WINDOW_BYTES, Time::ZERO), Arrival::Refused(refused) if refused.sequence == 3 && refused.retryable)
        );
        assert_eq!(inbox.arrive(&input(4), INPUT_WINDOW_BYTES, Time::ZERO), Arrival::Void);
    }

    #[test]
    fn the_window_is_the_one_that_clients_were_told() {
        let mut inbox = Inbox::default();
        assert_eq!(inbox.arrive(&input(1, "abc"), 5, Time::ZERO), Arrival::New);
        assert!(matches!(inbox.arrive(&input(2, "def"), 5, Time::ZERO), Arrival::Refused(refused) if refused.code == ErrorCode::InputFull));
    }

    #[test]
    fn what_a_gone_program_did_not_take_counts_as_never_sent() {
        let (mut inputs, mut terminal) = (Inputs::default(), Terminal::with_room(100));
        inputs.of(ALICE).arrive(&input(1, "abc"), INPUT_WINDOW_BYTES, Time::ZERO);
        terminal.settle(&mut inputs, ALICE);
        terminal.gone = true;
        inputs.of(ALICE).arrive(&input(2, "def"), INPUT_WINDOW_BYTES, Time::ZERO);
        let Some(Settled { sequence: 1, refused: Some(refused), dropped: None }) = terminal.settle(&mut inputs, ALICE) else { panic!() };
        assert_eq!((refused.sequence, refused.code), (2, ErrorCode::Ended));
        assert_eq!(inputs.of(ALICE).arrive(&input(3, "ghi"), INPUT_WINDOW_BYTES, Time::ZERO), Arrival::Void);
        assert_eq!(inputs.of(ALICE).arrive(&input(2, "def"), INPUT_WINDOW_BYTES, Time::ZERO), Arrival::New);
    }

    #[test]
    fn half_of_an_input_that_was_taken_cannot_be_untaken() {
        let (mut inputs, mut terminal) = (Inputs::default(), Terminal::with_room(2));
        inputs.of(ALICE).arrive(&input(1, "abc"), INPUT_WINDOW_BYTES, Time::ZERO);
        assert_eq!(terminal.settle(&mut inputs, ALICE), None);
        terminal.gone = true;
        let Some(Settled { sequence: 1, refused: Some(_), dropped: Some(dropped) }) = terminal.settle(&mut inputs, ALICE) else { panic!() };
        assert_eq!(dropped, InputDropped { from: 1, to: 1, bytes: 1 });
    }

    #[test]
    fn dropped_bytes_are_told_to_whom_they_belonged() {
        let (mut inputs, mut terminal) = (Inputs::default(), Terminal::with_room(100));
        for (client, sequence, bytes) in [(ALICE, 1, "0123"), (BOB, 1, "45"), (ALICE, 2, "67"), (ALICE, 3, "89")] {
            inputs.of(client).arrive(&input(sequence, bytes), INPUT_WINDOW_BYTES, Time::ZERO);
            terminal.settle(&mut inputs, client);
        }
        let alice = (ALICE, InputDropped { from: 2, to: 3, bytes: 4 });
        let bob = (BOB, InputDropped { from: 1, to: 1, bytes: 1 });
        assert_eq!(inputs.dropped(5, 10), [alice, bob]);
        assert_eq!(inputs.dropped(5, 10), []);
    }
}
