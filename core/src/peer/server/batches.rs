//! Operations that a client asks for, and what came of them.

use super::requests::{Asked, INFO_BYTES};
use super::{ServerPeer, World};
use crate::batch::Class;
use crate::host::{Asker, Owner};
use crate::protocol::frame::StreamId;
use crate::protocol::message::{Answer, Answered, Batch, ErrorCode, Fault, Message, Refused, Results};
use crate::time::Time;

impl ServerPeer {
    pub(super) fn submit(&mut self, batch: Batch, world: &mut World<'_>) -> Asked {
        let Some(client) = self.client() else { return Ok(()) };
        if batch.class > Class::Interactive || batch.operations.len() > MUCH {
            self.much = Some(world.now);
        }
        let asker = Asker { owner: Owner::Client(client), number: batch.number, connection: Some(self.id) };
        world.host.submit(asker, self.role(), batch, world.now)
    }

    /// Whether it asked for much a short while ago, and may again: a driver hears one of those after the other, and everybody else at once.
    pub fn asks_for_much(&self, now: Time) -> bool {
        self.much.is_some_and(|much| now - much < Class::Background.budget())
    }

    pub(super) fn cancel(&mut self, number: u64, world: &mut World<'_>) {
        if let Some(client) = self.client() {
            world.host.cancel(Owner::Client(client), number, world.now);
        }
    }

    /// Tells what came of operations, in as many frames as it takes.
    pub(super) fn send_results(&mut self, results: Results, world: &mut World<'_>) {
        let Results { number, more, done, answers, refused } = results;
        let mut pieces = Pieces { room: self.room(), left: self.room(), pieces: vec![Results::default()] };
        done.into_iter().for_each(|range| pieces.at(RANGE_BYTES).done.push(range));
        for answered in answers {
            match bytes_of(&answered) {
                bytes if bytes <= pieces.room => pieces.at(bytes).answers.push(answered),
                bytes => {
                    let message = format!("it was carried out; its answer takes {bytes} bytes, more than this client takes in a frame");
                    pieces.refused(answered.at, Fault::new(ErrorCode::TooMany, message));
                }
            }
        }
        for Refused { from, to, code, message, retryable } in refused {
            world.host.count(code);
            pieces.at(REFUSED_BYTES + message.len()).refused.push(Refused { from, to, code, message, retryable });
        }
        let last = pieces.pieces.len() - 1;
        for (at, piece) in pieces.pieces.into_iter().enumerate() {
            let results = Results { number, more: more || at < last, ..piece };
            self.send(StreamId::CONNECTION, Message::Results(Box::new(results)));
        }
    }
}

/// Interactive operations that are more than a person asks for at a time.
const MUCH: usize = 8;

/// Results, spread over frames.
struct Pieces {
    /// Bytes that fit into one, and into the last.
    room: usize,
    left: usize,
    pieces: Vec<Results>,
}

impl Pieces {
    /// Where so many bytes fit.
    fn at(&mut self, bytes: usize) -> &mut Results {
        if bytes > self.left && self.left < self.room {
            self.pieces.push(Results::default());
            self.left = self.room;
        }
        self.left = self.left.saturating_sub(bytes);
        self.pieces.last_mut().expect("invariant: there is one from the beginning")
    }

    fn refused(&mut self, at: u32, fault: Fault) {
        self.at(REFUSED_BYTES + fault.message.len()).add(at, Err(fault));
    }
}

/// Bytes of one range, at the most, and of a refusal besides its message.
const RANGE_BYTES: usize = 11;
const REFUSED_BYTES: usize = 80;

fn bytes_of(answered: &Answered) -> usize {
    match &answered.answer {
        Answer::Host(bytes) => REFUSED_BYTES + bytes.len(),
        Answer::Session(info) => INFO_BYTES + info.title.len() + info.program.len(),
        Answer::Spawned { .. } => REFUSED_BYTES,
    }
}
