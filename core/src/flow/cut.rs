//! Where a terminal that has missed output may go on: at a place that is within no character and no escape sequence.
//!
//! What came before the bytes at hand is not known, so all that a terminal might be in the middle of is followed at once, until it comes to the same.
//! Only a control string (OSC, DCS) without an end could be followed for ever: one that is longer than [`STRING_MAX`] is taken for text,
//! and so shown as such where it was a large picture.
//!
//! The states are those of Paul Williams' parser for DEC terminals (vt100.net/emu/dec_ansi_parser), as far as they tell where a sequence ends.

/// The longest control string that a cut is kept out of, in bytes; titles, links and colours are far shorter.
pub const STRING_MAX: usize = 4 << 10;

/// Where output may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// Wherever a terminal in its first state can.
    Any,
    /// Where a line begins, if one does.
    Begin,
}

/// What a terminal is in the middle of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing: the next byte begins something.
    Ground,
    /// After ESC, and perhaps intermediate bytes.
    Escape,
    /// A control sequence, which ends with a letter.
    Sequence,
    /// A control string; so many bytes of it so far.
    String(usize),
    /// A character of which so many bytes are to come.
    Character(u8),
}

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1a;

/// All that a terminal may be in the middle of, where nothing is known of what came before.
const UNKNOWN: [State; 7] =
    [State::Ground, State::Escape, State::Sequence, State::String(0), State::Character(1), State::Character(2), State::Character(3)];

impl State {
    fn after(self, byte: u8) -> State {
        match (self, byte) {
            (_, ESC) => State::Escape,
            (State::String(_), BEL) | (_, CAN | SUB) => State::Ground,
            (State::String(count), _) if count < STRING_MAX => State::String(count + 1),
            (State::Escape, b'[') => State::Sequence,
            (State::Escape, b']' | b'P' | b'X' | b'^' | b'_') => State::String(0),
            // Other control characters act within a sequence, and do not end it.
            (State::Escape, 0x00..=0x2f) | (State::Sequence, 0x00..=0x3f) => self,
            (State::Escape | State::Sequence, 0x30..=0x7f) => State::Ground,
            (State::Character(left), 0x80..=0xbf) if left > 1 => State::Character(left - 1),
            (State::Character(_), 0x80..=0xbf) => State::Ground,
            (_, 0xc2..=0xdf) => State::Character(1),
            (_, 0xe0..=0xef) => State::Character(2),
            (_, 0xf0..=0xf4) => State::Character(3),
            _ => State::Ground,
        }
    }
}

/// The first place in `bytes` at or after `from` where a terminal in its first state may go on; their end where there is none.
///
/// `is_start` says that nothing came before them.
///
/// # Examples
/// ```
/// # use orchflow_core::flow::{Lines, safe_cut};
/// let output = "grün\x1b[31mrot\r\n$ ".as_bytes();
/// assert_eq!(safe_cut(output, 3, true, Lines::Any), 4); // Not within the ü,
/// assert_eq!(safe_cut(output, 6, true, Lines::Any), 10); // nor within the colour;
/// assert_eq!(safe_cut(output, 3, true, Lines::Begin), 15); // or where a line begins.
/// ```
pub fn safe_cut(bytes: &[u8], from: usize, is_start: bool, lines: Lines) -> usize {
    let mut states = if is_start { vec![State::Ground] } else { UNKNOWN.to_vec() };
    let mut first = None;
    for at in 0..=bytes.len() {
        if at >= from && states == [State::Ground] {
            if lines == Lines::Any || (at > 0 && bytes[at - 1] == b'\n') {
                return at;
            }
            first = first.or(Some(at));
        }
        if let Some(byte) = bytes.get(at) {
            states.iter_mut().for_each(|state| *state = state.after(*byte));
            if states.len() > 1 {
                states = distinct(states);
            }
        }
    }
    first.unwrap_or(bytes.len())
}

fn distinct(states: Vec<State>) -> Vec<State> {
    let mut kept: Vec<State> = Vec::with_capacity(states.len());
    for state in states {
        if !kept.contains(&state) {
            kept.push(state);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bytes that a terminal must have together.
    fn piece() -> impl Strategy<Value = Vec<u8>> {
        let text = |text: &str| Just(text.as_bytes().to_vec());
        prop_oneof![
            "[ -~]".prop_map(String::into_bytes),
            text("\n"),
            text("\r"), // It may stand without the newline: a terminal in its first state is at the left edge already.
            text("ü"),
            text("字"),
            text("🦀"),
            text("\x1b[31m"),
            text("\x1b[?1049h"),
            text("\x1b(B"),
            text("\x1b7"),
            text("\x1b[1;31\n;4m"),
            "[ -~]{0,40}".prop_map(|title| format!("\x1b]0;{title}\x07").into_bytes()),
            "[ -~]{0,40}".prop_map(|title| format!("\x1b]8;;{title}\x1b\\").into_bytes()),
            "[ -~\n]{0,40}".prop_map(|data| format!("\x1bPq{data}\x1b\\").into_bytes()),
        ]
    }

    proptest! {
        #[test]
        fn no_cut_lies_within_anything(pieces in prop::collection::vec(piece(), 0..60), skip in 0usize..200, from in 0usize..400, any: bool) {
            let mut whole = Vec::new();
            let mut edges = vec![0];
            for piece in pieces {
                whole.extend_from_slice(&piece);
                edges.push(whole.len());
            }
            // A reader knows only what is left of it, and enough of that to be sure.
            whole.extend(std::iter::repeat_n(b'.', STRING_MAX + 8));
            edges.extend(edges[edges.len() - 1]..=whole.len());
            let skip = skip.min(whole.len());
            let cut = skip + safe_cut(&whole[skip..], from, skip == 0, if any { Lines::Any } else { Lines::Begin });
            prop_assert!(cut >= (skip + from).min(whole.len()));
            prop_assert!(edges.contains(&cut), "{cut} of {:?}", String::from_utf8_lossy(&whole[..cut.min(400)]));
        }
    }

    #[test]
    fn where_nothing_is_known_what_might_be_a_title_is_passed_over() {
        let output = b"half a title\x07text\nmore\n";
        assert_eq!(safe_cut(output, 0, false, Lines::Any), 13);
        assert_eq!(safe_cut(output, 0, false, Lines::Begin), 18);
    }

    #[test]
    fn a_string_without_an_end_is_text_after_a_while() {
        let mut output = vec![b'x'; 3 * STRING_MAX];
        assert_eq!(safe_cut(&output, 0, false, Lines::Any), STRING_MAX + 1);
        output[..2].copy_from_slice(b"\x1b]");
        assert_eq!(safe_cut(&output, 0, true, Lines::Any), 0);
        assert_eq!(safe_cut(&output, 1, true, Lines::Any), STRING_MAX + 3);
    }

    #[test]
    fn where_there_is_no_place_it_is_the_end() {
        assert_eq!(safe_cut(b"", 0, false, Lines::Begin), 0);
        assert_eq!(safe_cut(b"\x1b[31", 1, true, Lines::Any), 4);
        assert_eq!(safe_cut(b"abc", 9, true, Lines::Any), 3);
    }
}
