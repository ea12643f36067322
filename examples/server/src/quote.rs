//! What a peer said, fit to stand in a log line: short, printable, on one line.

use std::fmt;

use crate::limits::QUOTE_CHARS;

/// A peer's words. They are shown escaped, control and direction characters too, and cut to [`QUOTE_CHARS`].
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Quoted(String);

impl Quoted {
    pub(crate) fn new(said: &[u8]) -> Quoted {
        let cut = &said[..said.len().min(4 * QUOTE_CHARS)]; // More cannot be shown: a character has four bytes at most.
        let text = String::from_utf8_lossy(cut);
        let mut shown = String::new();
        for (count, character) in text.chars().enumerate() {
            if count == QUOTE_CHARS {
                shown.push('…');
                break;
            }
            shown.extend(character.escape_debug());
        }
        Quoted(shown)
    }
}

impl fmt::Debug for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(said: &str) -> String {
        format!("{:?}", Quoted::new(said.as_bytes()))
    }

    #[test]
    fn nothing_said_can_end_its_quotes_or_its_line() {
        assert_eq!(shown("a\"b\\c\nd\re\tf"), r#""a\"b\\c\nd\re\tf""#);
        assert_eq!(shown("\x1b[2J\u{202e}\u{9b}\0"), r#""\u{1b}[2J\u{202e}\u{9b}\0""#);
        assert_eq!(format!("{:?}", Quoted::new(b"\xff\xfe")), "\"\u{fffd}\u{fffd}\"");
    }

    #[test]
    fn long_speech_is_cut() {
        assert_eq!(shown(&"é".repeat(10_000)), format!("\"{}…\"", "é".repeat(QUOTE_CHARS)));
    }
}
