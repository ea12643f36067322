//! Whether packing one stream pays, by what came of it.

use crate::limits::{GAIN_REST_FIRST_BYTES, GAIN_REST_MAX_BYTES, GAIN_SPAN_BYTES, PACK_GROWTH_BYTES, PACK_LEAST_BYTES, PACK_SMALL_BYTES};

/// Judges one stream. Ask [`wants`](Gain::wants) before each piece, and tell what [became](Gain::handle_packed) of it.
///
/// A stream whose pieces hardly shrink, pictures or what is encrypted or packed already, is left alone for a while, each time twice as long;
/// then it is tried again, for streams change.
///
/// # Examples
/// ```
/// # use orchflow_core::pack::Gain;
/// let mut gain = Gain::default();
/// assert!(gain.wants(65_536) && gain.handle_packed(65_536, 9_000));
/// assert!(gain.wants(65_536) && !gain.handle_packed(65_536, 65_550)); // Send it as it was, and give the context up.
/// assert!(!gain.wants(65_536));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Gain {
    /// Bytes since the last judgement, before and after.
    before: u64,
    after: u64,
    /// Bytes that are left alone from here.
    rest: u64,
    /// And the next time.
    next_rest: u64,
}

impl Default for Gain {
    fn default() -> Gain {
        Gain { before: 0, after: 0, rest: 0, next_rest: GAIN_REST_FIRST_BYTES }
    }
}

impl Gain {
    /// Whether to pack a piece of so many bytes.
    pub fn wants(&mut self, bytes: usize) -> bool {
        let rests = self.rest > 0;
        self.rest = self.rest.saturating_sub(bytes as u64);
        !rests && bytes >= PACK_LEAST_BYTES
    }

    /// So many bytes became so many on the wire. Answers whether to send them so; if not, they go as they were, and their context, which the
    /// other end then lacks, is to be given up. A small piece may grow: a context has to begin somewhere.
    pub fn handle_packed(&mut self, before: usize, after: usize) -> bool {
        let is_sent = after < before || before < PACK_SMALL_BYTES && after <= before + PACK_GROWTH_BYTES;
        self.before += before as u64;
        self.after += if is_sent { after } else { before } as u64;
        if self.before < GAIN_SPAN_BYTES {
            return is_sent;
        }
        let pays = self.after * 8 <= self.before * 7;
        if pays {
            self.next_rest = GAIN_REST_FIRST_BYTES;
        } else {
            self.rest = self.next_rest;
            self.next_rest = (2 * self.next_rest).min(GAIN_REST_MAX_BYTES);
        }
        (self.before, self.after) = (0, 0);
        is_sent && pays
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that are left alone until the next piece is tried.
    fn rest(gain: &mut Gain) -> u64 {
        (0..).take_while(|_| !gain.wants(1024)).count() as u64 * 1024
    }

    #[test]
    fn what_does_not_pay_is_tried_again_after_twice_as_much_each_time_up_to_a_limit() {
        let mut gain = Gain::default();
        let mut expected = GAIN_REST_FIRST_BYTES;
        for _ in 0..10 {
            assert!(!gain.handle_packed(GAIN_SPAN_BYTES as usize, GAIN_SPAN_BYTES as usize));
            assert_eq!(rest(&mut gain), expected);
            expected = (2 * expected).min(GAIN_REST_MAX_BYTES);
        }
        assert_eq!(expected, GAIN_REST_MAX_BYTES);
        assert!(gain.handle_packed(GAIN_SPAN_BYTES as usize, 1024), "it pays again");
        assert!(!gain.handle_packed(GAIN_SPAN_BYTES as usize, GAIN_SPAN_BYTES as usize));
        assert_eq!(rest(&mut gain), GAIN_REST_FIRST_BYTES);
    }

    #[test]
    fn an_eighth_saved_is_worth_it_and_less_is_not() {
        let span = GAIN_SPAN_BYTES as usize;
        assert!(Gain::default().handle_packed(span, span * 7 / 8));
        assert!(!Gain::default().handle_packed(span, span * 7 / 8 + 1));
    }

    #[test]
    fn what_grows_goes_as_it_was_unless_it_is_small_and_begins_something() {
        let mut gain = Gain::default();
        assert!(gain.handle_packed(PACK_SMALL_BYTES - 1, PACK_SMALL_BYTES - 1 + PACK_GROWTH_BYTES));
        assert!(!gain.handle_packed(PACK_SMALL_BYTES - 1, PACK_SMALL_BYTES + PACK_GROWTH_BYTES));
        assert!(!gain.handle_packed(PACK_SMALL_BYTES, PACK_SMALL_BYTES));
    }

    #[test]
    fn a_few_pieces_decide_nothing_and_a_key_goes_as_it_is() {
        let mut gain = Gain::default();
        assert!(gain.handle_packed(GAIN_SPAN_BYTES as usize - 1, GAIN_SPAN_BYTES as usize - 2));
        assert!(gain.wants(PACK_LEAST_BYTES) && !gain.wants(PACK_LEAST_BYTES - 1));
    }
}
