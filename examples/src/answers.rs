//! What our terminal says to questions in output that was shown before: nobody waits for those answers any more, and as keys they
//! would be typed into a shell.
//!
//! After such output the terminal is asked for its status, which it answers last (`ESC [ 0 n`, ECMA-48 8.3.35). Answers before that
//! one are dropped, and keys among them are not.

use std::io::{self, Write};

/// Asks for the status.
const ASK: &[u8] = b"\x1b[5n";

/// The longest answer that is waited for, in bytes. What is longer was typed.
const ANSWER_MAX: usize = 4 << 10;

/// Tells answers from keys.
#[derive(Debug, Default)]
pub struct Answers {
    /// Another viewer's terminal is the one that answers.
    are_unwanted: bool,
    /// Statuses asked for and not told yet.
    asked: u32,
    /// The beginning of a sequence whose end has not come.
    begun: Vec<u8>,
}

impl Answers {
    /// Output that others may have answered was just shown on `terminal`.
    ///
    /// # Errors
    /// Those of `terminal`.
    pub fn ignore(&mut self, terminal: &mut impl Write) -> io::Result<()> {
        terminal.write_all(ASK)?;
        self.asked += 1;
        Ok(())
    }

    /// Whether the programs there want our terminal's answers at all.
    pub fn set_wanted(&mut self, wanted: bool) {
        self.are_unwanted = !wanted;
    }

    /// Takes the answers out of what came from the terminal.
    pub fn strip(&mut self, came: &[u8]) -> Vec<u8> {
        let mut came = [std::mem::take(&mut self.begun), came.to_vec()].concat();
        let mut keys = Vec::with_capacity(came.len());
        while !came.is_empty() {
            if self.asked == 0 && !self.are_unwanted {
                keys.append(&mut came);
                break;
            }
            match sequence(&came) {
                Sequence::Whole(length) => {
                    let sequence: Vec<u8> = came.drain(..length).collect();
                    if sequence == b"\x1b[0n" {
                        self.asked = self.asked.saturating_sub(1);
                    } else if !is_answer(&sequence) {
                        keys.extend(sequence);
                    }
                }
                // An escape key on its own looks like the beginning of a sequence; it is not waited with.
                Sequence::Begun if came.len() > 1 && came.len() < ANSWER_MAX => {
                    self.begun = came;
                    break;
                }
                Sequence::Begun => keys.append(&mut came),
            }
        }
        keys
    }
}

enum Sequence {
    /// So many bytes are one, or one key.
    Whole(usize),
    Begun,
}

/// The sequence at the beginning of `bytes`.
fn sequence(bytes: &[u8]) -> Sequence {
    let end = match bytes {
        [0x1b] => None,
        [0x1b, b'[', parameters @ ..] => parameters.iter().position(|byte| (0x40..=0x7e).contains(byte)).map(|at| at + 3),
        [0x1b, b']' | b'P' | b'_', string @ ..] => {
            let bell = string.iter().position(|&byte| byte == 7).map(|at| at + 3);
            let terminator = string.windows(2).position(|pair| pair == b"\x1b\\").map(|at| at + 4);
            bell.into_iter().chain(terminator).min()
        }
        _ => Some(1),
    };
    end.map_or(Sequence::Begun, Sequence::Whole)
}

/// Whether a terminal says so, rather than a key: attributes, status and position, modes, sizes; and all strings.
fn is_answer(sequence: &[u8]) -> bool {
    match sequence {
        [0x1b, b']' | b'P' | b'_', ..] => true,
        [0x1b, b'[', .., last] => matches!(last, b'c' | b'n' | b'R' | b'y' | b't'),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Answers {
        let (mut answers, mut terminal) = (Answers::default(), Vec::new());
        answers.ignore(&mut terminal).unwrap();
        assert_eq!(terminal, ASK);
        answers
    }

    #[test]
    fn answers_are_dropped_up_to_the_status_and_keys_among_them_are_kept() {
        let mut answers = asked();
        assert_eq!(answers.strip(b"\x1b[?1;2cl\x1b]11;rgb:00/00/00\x07s\x1b[A\x1bP1$r0m\x1b\\\x1b[0n\x1b[3;4R"), b"ls\x1b[A\x1b[3;4R");
    }

    #[test]
    fn an_answer_in_pieces_is_one() {
        let mut answers = asked();
        assert_eq!(answers.strip(b"a\x1b[?6"), b"a");
        assert_eq!(answers.strip(b"2c\x1b]11;rgb"), b"");
        assert_eq!(answers.strip(b":0/0/0\x1b\\b"), b"b");
    }

    #[test]
    fn without_a_question_everything_is_a_key() {
        assert_eq!(Answers::default().strip(b"\x1b[?1;2c"), b"\x1b[?1;2c");
    }

    #[test]
    fn answers_that_another_viewer_gives_are_dropped() {
        let mut answers = Answers::default();
        answers.set_wanted(false);
        assert_eq!(answers.strip(b"a\x1b[?1;2c\x1b[0nb"), b"ab");
        answers.set_wanted(true);
        assert_eq!(answers.strip(b"\x1b[?1;2c"), b"\x1b[?1;2c");
    }

    #[test]
    fn a_terminal_that_never_answers_still_takes_keys() {
        let mut answers = asked();
        assert_eq!(answers.strip(b"\x1b"), b"\x1b");
        assert_eq!(answers.strip(b"\x1b[15~q"), b"\x1b[15~q");
        let long = [&b"\x1b]"[..], &[b'x'; ANSWER_MAX]].concat();
        assert_eq!(answers.strip(&long), long);
    }
}
