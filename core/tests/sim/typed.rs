//! What one person typed into one session, and what it was told became of it.
//!
//! Everybody's bytes are their own: the high half says whose they are, the low half follows from their place. So what a session
//! accepted tells by itself whether something is missing, doubled or in another order.

use std::fmt;

/// One frame of input.
struct Piece {
    number: u64,
    bytes: Vec<u8>,
    fate: Fate,
    /// Not all of it may have been taken.
    cut: bool,
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = if self.cut { ", cut" } else { "" };
        write!(f, "{}: {} bytes {:?}{cut}", self.number, self.bytes.len(), self.fate)
    }
}

/// What the person knows of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Nothing yet.
    Pending,
    /// It was taken.
    Settled,
    /// It was not taken.
    Refused,
    /// It may have been taken or not.
    Uncertain,
}

#[derive(Debug)]
pub(crate) struct Typed {
    whose: u8,
    count: u64,
    pieces: Vec<Piece>,
}

/// People who can be told apart: their bytes are printable ASCII.
const WHOSE_FIRST: u8 = 3;

impl Typed {
    pub(crate) fn new(person: usize) -> Typed {
        Typed { whose: WHOSE_FIRST + person as u8, count: 0, pieces: Vec::new() }
    }

    /// The next `len` bytes that this person types.
    pub(crate) fn next(&self, len: usize) -> Vec<u8> {
        (self.count..self.count + len as u64).map(|at| self.whose << 4 | low(at)).collect()
    }

    /// `bytes` were taken by the client as piece `number`. What is nobody's (a newline, an interrupt key) does not count.
    pub(crate) fn push(&mut self, number: u64, bytes: &[u8]) {
        let bytes = self.own(bytes);
        self.count += bytes.len() as u64;
        self.pieces.push(Piece { number, bytes, fate: Fate::Pending, cut: false });
    }

    pub(crate) fn settle(&mut self, number: u64) {
        self.pending_in(0, number).for_each(|piece| piece.fate = Fate::Settled);
    }

    pub(crate) fn refuse(&mut self, from: u64, to: u64) {
        self.pending_in(from, to).for_each(|piece| piece.fate = Fate::Refused);
    }

    pub(crate) fn doubt(&mut self, from: u64, to: u64) {
        self.pending_in(from, to).for_each(|piece| piece.fate = Fate::Uncertain);
    }

    /// Of these pieces something will not reach the program; what of them was taken may be a part.
    pub(crate) fn cut(&mut self, from: u64, to: u64) {
        self.pieces.iter_mut().filter(|piece| (from..=to).contains(&piece.number)).for_each(|piece| piece.cut = true);
    }

    pub(crate) fn pending(&self) -> usize {
        self.pieces.iter().filter(|piece| piece.fate == Fate::Pending).count()
    }

    fn pending_in(&mut self, from: u64, to: u64) -> impl Iterator<Item = &mut Piece> {
        let is_meant = move |piece: &&mut Piece| piece.fate == Fate::Pending && (from..=to).contains(&piece.number);
        self.pieces.iter_mut().filter(is_meant)
    }

    fn own(&self, bytes: &[u8]) -> Vec<u8> {
        bytes.iter().copied().filter(|byte| byte >> 4 == self.whose).collect()
    }

    /// What the session accepted is what was typed: all that was settled, once and in order; nothing that was refused. Where it is not
    /// the end yet, word that only a part of the last was taken may still be on its way.
    pub(crate) fn check(&self, accepted: &[u8], is_end: bool) {
        let own = self.own(accepted);
        let last = self.pieces.iter().rposition(|piece| piece.fate == Fate::Settled).filter(|_| !is_end);
        assert!(
            explains(&own, &self.pieces, last),
            "law 8: input was lost, doubled, reordered or wrongly told: {} bytes of {self:?}",
            own.len()
        );
    }
}

/// SplitMix64 of the place, of which four bits are taken.
fn low(at: u64) -> u8 {
    let mixed = (at ^ (at >> 30)).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 60) as u8
}

/// Whether `accepted` is what these pieces became; of the one at `cut` perhaps only a part.
fn explains(accepted: &[u8], pieces: &[Piece], cut: Option<usize>) -> bool {
    let Some((piece, later)) = pieces.split_first() else { return accepted.is_empty() };
    let common = accepted.iter().zip(&piece.bytes).take_while(|(a, b)| a == b).count();
    let whole = common == piece.bytes.len();
    let after = |taken: usize| explains(&accepted[taken..], later, cut.and_then(|at| at.checked_sub(1)));
    match piece.fate {
        Fate::Settled => (whole || piece.cut || cut == Some(0)) && after(common),
        Fate::Refused => after(0),
        Fate::Uncertain => (0..=common).rev().any(after),
        Fate::Pending if whole => after(common),
        Fate::Pending => common == accepted.len() && later.iter().all(|piece| piece.fate != Fate::Settled),
    }
}
