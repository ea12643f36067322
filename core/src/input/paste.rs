//! Pasted text, made safe to put where a user types.
//!
//! Text from a clipboard was written by somebody else. [`paste`] promises that nothing in it can act as a key or leave
//! the brackets it is pasted in: every control character is removed but tab and the line ends. Without ESC and CSI no
//! end marker (`ESC [ 201 ~`) can survive, nor can one form from the pieces around what was removed; so the text
//! is not searched for markers at all, which is where others went wrong (`ESC [20 ESC[201~ 1~`).
//!
//! Removed are C0 (0x00–0x1F) except tab, newline and return; DEL; and C1, whether written as U+0080–U+009F or as bare bytes
//! 0x80–0x9F. Such a byte inside a valid character stays (`ě` is C4 9B). Bytes that are no UTF-8 and no control stay too.
//!
//! Newline, and return with newline, become a return, the key that ends a line: so do xterm, VTE (`pastify`) and
//! xterm.js, bracketed or not, and kitty outside brackets. A program that reads pastes sees what it sees everywhere.
//!
//! Deliberately absent: a paste in pieces (the whole is bounded by what the input queue takes, and half a paste is the one
//! thing nobody wants), pictures in place of removed characters (VTE's way: they end up in files), and the decision
//! to ask: [`Pasted`] tells what a front end needs for it.

/// What begins a bracketed paste.
pub const START: &[u8; 6] = b"\x1b[200~";

/// What ends a bracketed paste.
pub const END: &[u8; 6] = b"\x1b[201~";

/// A paste, ready to be sent as input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pasted {
    /// The bytes to send, markers included.
    pub bytes: Vec<u8>,
    /// Control characters that were removed. Not zero means that the text was not what it looked like: tell the user.
    pub removed: usize,
    /// Returns in it. Without brackets each of them runs what stands before it: ask before sending any.
    pub returns: usize,
}

/// Cleans `text`, and puts it in brackets when the program asked for them (mode 2004).
///
/// Takes time and memory linear in `text`. Cleaning what is clean changes nothing.
///
/// # Examples
/// ```
/// # use orchflow_core::input::paste::paste;
/// let pasted = paste(b"make\n\x1b[201~rm -rf ~\n", true);
/// assert_eq!(pasted.bytes, b"\x1b[200~make\r[201~rm -rf ~\r\x1b[201~");
/// assert_eq!((pasted.removed, pasted.returns), (1, 2));
/// ```
pub fn paste(text: &[u8], bracketed: bool) -> Pasted {
    let mut pasted = Pasted { bytes: Vec::with_capacity(text.len() + START.len() + END.len()), removed: 0, returns: 0 };
    if bracketed {
        pasted.bytes.extend_from_slice(START);
    }
    let mut after_return = false;
    for chunk in text.utf8_chunks() {
        pasted.push_text(chunk.valid(), &mut after_return);
        pasted.push_stray(chunk.invalid());
        after_return &= chunk.invalid().is_empty();
    }
    if bracketed {
        pasted.bytes.extend_from_slice(END);
    }
    pasted
}

impl Pasted {
    /// Copies `text` in runs between the characters that need a decision. Each of those is one byte, or C2 and one.
    fn push_text(&mut self, text: &str, after_return: &mut bool) {
        let bytes = text.as_bytes();
        let mut run = 0; // Where the bytes begin that are not copied yet.
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            let newline_of_pair = byte == b'\n' && *after_return;
            *after_return = byte == b'\r';
            let width = match byte {
                b'\t' => 0,
                0x00..=0x1f | 0x7f => 1,
                0xc2 if bytes[at + 1] <= 0x9f => 2, // Valid text: a byte follows C2.
                _ => 0,
            };
            if width == 0 {
                at += 1;
                continue;
            }
            self.bytes.extend_from_slice(&bytes[run..at]);
            at += width;
            run = at;
            match byte {
                b'\n' if newline_of_pair => {}
                b'\n' | b'\r' => {
                    self.bytes.push(b'\r');
                    self.returns += 1;
                }
                _ => self.removed += 1,
            }
        }
        self.bytes.extend_from_slice(&bytes[run..]);
    }

    /// Copies bytes that are no UTF-8, except those that an 8-bit terminal would take for a control.
    fn push_stray(&mut self, bytes: &[u8]) {
        let kept = bytes.iter().copied().filter(|byte| !(0x80..=0x9f).contains(byte));
        let before = self.bytes.len();
        self.bytes.extend(kept);
        self.removed += bytes.len() - (self.bytes.len() - before);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: impl AsRef<[u8]>, expected: impl AsRef<[u8]>, removed: usize) {
        let pasted = paste(text.as_ref(), false);
        assert_eq!(pasted.bytes.escape_ascii().to_string(), expected.as_ref().escape_ascii().to_string());
        assert_eq!(pasted.removed, removed);
    }

    fn count(haystack: &[u8], needle: &[u8]) -> usize {
        haystack.windows(needle.len()).filter(|window| window == &needle).count()
    }

    #[test]
    fn text_stays_as_it_is() {
        check("", "", 0);
        check("echo 'grüße' 🦀\tok", "echo 'grüße' 🦀\tok", 0);
    }

    #[test]
    fn every_kind_of_line_end_is_one_return() {
        check("a\nb\r\nc\rd\n\ne\r\r\nf", "a\rb\rc\rd\r\re\r\rf", 0);
        assert_eq!(paste(b"a\nb\r\nc\rd", false).returns, 3);
    }

    #[test]
    fn a_return_and_a_newline_with_something_removed_between_are_two_line_ends() {
        check("a\r\x1b\nb", "a\r\rb", 1);
        check(b"a\r\xff\nb", b"a\r\xff\rb", 0);
    }

    #[test]
    fn every_other_control_of_c0_and_del_goes() {
        for control in (0..=0x1f).chain([0x7f]).filter(|control| !b"\t\n\r".contains(control)) {
            check([b'a', control, b'b'], "ab", 1);
        }
    }

    #[test]
    fn every_control_of_c1_goes_however_it_is_spelled() {
        for control in 0x80..=0x9f {
            check(format!("a{}b", char::from(control)), "ab", 1);
            check([b'a', control, b'b'], "ab", 1);
        }
        check("\u{a0}\u{7e}", "\u{a0}\u{7e}", 0); // Their neighbours stay.
    }

    #[test]
    fn a_byte_of_a_character_is_no_control() {
        check("ě201~ 雛 𐀛", "ě201~ 雛 𐀛", 0); // C4 9B; E9 9B 9B; F0 90 80 9B.
    }

    #[test]
    fn bytes_of_another_encoding_stay_unless_they_are_controls() {
        check(b"caf\xe9 \xff\xc2", b"caf\xe9 \xff\xc2", 0);
        check(b"\xe2\x9b201~", b"\xe2201~", 1); // An unfinished character's second byte.
    }

    #[test]
    fn the_markers_that_broke_out_of_others_do_not() {
        for attack in [
            &b"\x1b[201~"[..],
            b"\x1b[20\x1b[201~1~",
            b"\x1b\x1b[201~[201~",
            b"\xc2\x9b201~",
            b"\x9b201~",
            b"\xc2\x1b\x9b201~",
            b"\xc2\xc2\x9b\x9b201~",
            b"\x1b\x00[201~",
            b"\x1b[2\x7f01~",
            b"\x1b[200~\x1b[201~",
        ] {
            let pasted = paste(attack, true);
            let inside = &pasted.bytes[START.len()..pasted.bytes.len() - END.len()];
            assert!(pasted.removed > 0);
            assert!(!inside.iter().any(|byte| [0x1b, 0x9b].contains(byte)), "{}", inside.escape_ascii());
        }
    }

    /// Text made of the pieces that markers are made of, and of anything else.
    fn hostile() -> impl Strategy<Value = Vec<u8>> {
        let pieces: &[&[u8]] = &[
            b"\x1b",
            b"[",
            b"20",
            b"0~",
            b"1~",
            b"\x1b[201~",
            b"\x1b[200~",
            b"\xc2",
            b"\x9b",
            b"\xc2\x9b",
            b"\xe2",
            b"\xf0\x90",
            b"\x80",
            b"\xa0",
            b"\xbf",
            b"\r",
            b"\n",
            b"\0",
            b"\x7f",
            b"\t",
            "é".as_bytes(),
            "ě".as_bytes(),
        ];
        let piece = prop_oneof![
            3 => prop::sample::select(pieces.to_vec()).prop_map(<[u8]>::to_vec),
            1 => prop::collection::vec(any::<u8>(), 1..4),
        ];
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn a_bracketed_paste_has_one_start_and_one_end_and_they_are_the_ends(text in hostile()) {
            let bytes = paste(&text, true).bytes;
            prop_assert!(bytes.starts_with(START) && bytes.ends_with(END));
            prop_assert_eq!((count(&bytes, START), count(&bytes, END)), (1, 1));
            prop_assert_eq!(count(&bytes, b"\x1b"), 2);
        }

        #[test]
        fn a_paste_without_brackets_has_no_marker_and_no_control(text in hostile()) {
            let bytes = paste(&text, false).bytes;
            for chunk in bytes.utf8_chunks() {
                prop_assert!(!chunk.valid().chars().any(|c| c.is_control() && !"\t\r".contains(c)));
                prop_assert!(!chunk.invalid().iter().any(|byte| (0x80..=0x9f).contains(byte)));
            }
        }

        #[test]
        fn cleaning_what_is_clean_changes_nothing(text in hostile()) {
            let once = paste(&text, false);
            let twice = paste(&once.bytes, false);
            prop_assert_eq!(&twice.bytes, &once.bytes);
            prop_assert_eq!((twice.removed, twice.returns), (0, once.returns));
        }

        #[test]
        fn brackets_change_nothing_inside(text in hostile()) {
            let bracketed = paste(&text, true).bytes;
            prop_assert_eq!(&bracketed[START.len()..bracketed.len() - END.len()], &paste(&text, false).bytes[..]);
        }
    }
}
