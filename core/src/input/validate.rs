//! What a host may demand of typed input: a size, UTF-8, and which control characters.
//!
//! An [`InputGate`] answers yes or no, and never alters a byte: a terminal that drops characters on the way is a
//! terminal that runs another command than the one typed. By default it demands nothing but a size.
//!
//! A character may be cut by the border of two writes. The gate remembers what is open, so `[0xe2, 0x82]` and then
//! `[0xac]` is one euro sign and not an error. One gate belongs to one stream of input; a write that was refused
//! leaves it as it was.
//!
//! Deliberately absent: judging C1 controls where UTF-8 is not demanded. In unknown text 0x80–0x9F are letters as often as
//! controls (`ě` is C4 9B, and 9B alone is CSI), so they pass; a host that must not let them through demands UTF-8.

use std::fmt;

use crate::limits::INPUT_QUEUE_BYTES;

/// What input must be to be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputRules {
    /// The most bytes one write may have. The default is all that the queue holds, [`INPUT_QUEUE_BYTES`].
    pub size_max_bytes: usize,
    /// Whether input must be UTF-8. Without it every byte from 0x80 up passes.
    pub utf8: bool,
    /// Which control characters may pass.
    pub controls: Controls,
}

impl Default for InputRules {
    /// A size, and nothing else: what a keyboard needs.
    fn default() -> Self {
        InputRules { size_max_bytes: INPUT_QUEUE_BYTES, utf8: false, controls: Controls::All }
    }
}

/// Which control characters may pass: C0 (0x00–0x1F) and DEL (0x7F), and where UTF-8 is demanded C1 (U+0080–U+009F).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Controls {
    /// All: a keyboard sends them for Ctrl, Escape and the arrows.
    #[default]
    All,
    /// Tab, newline and return: text, as a form field or a bot should send it.
    Text,
    /// Those in the set.
    Only(ControlSet),
}

impl Controls {
    fn allow(self, control: u8) -> bool {
        match self {
            Controls::All => true,
            Controls::Text => matches!(control, b'\t' | b'\n' | b'\r'),
            Controls::Only(set) => set.contains(control),
        }
    }
}

/// A set of control characters.
///
/// # Examples
/// ```
/// # use orchflow_core::input::validate::ControlSet;
/// const LINES_AND_CTRL_C: ControlSet = ControlSet::EMPTY.with(b'\n').with(0x03);
/// assert!(LINES_AND_CTRL_C.contains(0x03));
/// assert!(!LINES_AND_CTRL_C.contains(0x1b));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ControlSet(u128); // Bit 0x7F is DEL; the bits of C1, 0x80–0x9F, lie where the printable 0x20–0x3F would.

impl ControlSet {
    /// No control character at all.
    pub const EMPTY: ControlSet = ControlSet(0);

    /// The set with `control` in it: 0x00–0x1F, 0x7F, or 0x80–0x9F for U+0080–U+009F.
    ///
    /// # Panics
    /// When `control` is no control character, which would be an entry without effect. In a `const` the compiler
    /// says so.
    pub const fn with(self, control: u8) -> ControlSet {
        match bit(control) {
            Some(bit) => ControlSet(self.0 | bit),
            None => panic!("only control characters belong in a ControlSet: 0x00-0x1f, 0x7f, 0x80-0x9f"),
        }
    }

    /// Whether `control` is in the set; what is no control character never is.
    pub const fn contains(self, control: u8) -> bool {
        match bit(control) {
            Some(bit) => self.0 & bit != 0,
            None => false,
        }
    }
}

const fn bit(control: u8) -> Option<u128> {
    match control {
        0x00..=0x1f | 0x7f => Some(1 << control),
        0x80..=0x9f => Some(1 << (control - 0x60)),
        _ => None,
    }
}

/// Holds one stream of input to its [`InputRules`], write by write.
///
/// # Examples
/// ```
/// # use orchflow_core::input::validate::{Controls, InputGate, InputRules, Refused};
/// let mut gate = InputGate::new(InputRules { utf8: true, controls: Controls::Text, ..InputRules::default() });
/// gate.check("grüße\n".as_bytes())?;
/// assert_eq!(gate.check(b"ls\x1b[A"), Err(Refused::Control { offset: 2, control: 0x1b }));
///
/// gate.check(&[0xe2, 0x82])?; // Two thirds of a euro sign,
/// assert!(gate.is_mid_character());
/// gate.check(&[0xac])?; // and the rest of it.
/// # Ok::<(), Refused>(())
/// ```
#[derive(Clone, Debug)]
pub struct InputGate {
    rules: InputRules,
    open: Utf8,
}

impl InputGate {
    /// A gate at the start of a stream.
    pub const fn new(rules: InputRules) -> Self {
        InputGate { rules, open: Utf8::BETWEEN }
    }

    /// The rules it was made with.
    pub const fn rules(&self) -> &InputRules {
        &self.rules
    }

    /// Judges the next write as a whole; when it is refused, none of it counts as seen.
    ///
    /// # Errors
    /// [`Refused`], with the offset in `bytes` of the first thing that is wrong.
    pub fn check(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        if bytes.len() > self.rules.size_max_bytes {
            return Err(Refused::TooLarge { size_bytes: bytes.len(), size_max_bytes: self.rules.size_max_bytes });
        }
        if self.rules.utf8 {
            self.open = self.check_utf8(bytes)?;
        } else if let Some((offset, &control)) =
            bytes.iter().enumerate().find(|&(_, &byte)| byte.is_ascii_control() && !self.rules.controls.allow(byte))
        {
            return Err(Refused::Control { offset, control });
        }
        Ok(())
    }

    /// Whether the last accepted write ended inside a character. At the end of the stream, or before bytes from
    /// another source, that means an incomplete one.
    pub const fn is_mid_character(&self) -> bool {
        self.open.missing > 0
    }

    fn check_utf8(&self, bytes: &[u8]) -> Result<Utf8, Refused> {
        let mut state = self.open;
        for (offset, &byte) in bytes.iter().enumerate() {
            let after = state.step(byte).ok_or(Refused::NotUtf8 { offset, byte })?;
            if state.missing == 0 && byte.is_ascii_control() && !self.rules.controls.allow(byte) {
                return Err(Refused::Control { offset, control: byte });
            }
            // C2 80 to C2 9F are U+0080 to U+009F: the second byte alone is the character's number.
            if state.opened_by_c2 && byte <= 0x9f && !self.rules.controls.allow(byte) {
                return Err(Refused::Control { offset: offset.saturating_sub(1), control: byte });
            }
            state = after;
        }
        Ok(state)
    }
}

/// Where in a character a stream of UTF-8 stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Utf8 {
    /// Bytes until the character is complete.
    missing: u8,
    /// What the next byte may be: after some first bytes less than 80–BF, so that nothing is spelled too long,
    /// is half of a surrogate pair, or lies past U+10FFFF (Unicode 16, table 3-7).
    next: (u8, u8),
    /// Whether the one byte so far is C2, the only one that can open a C1 control.
    opened_by_c2: bool,
}

impl Utf8 {
    const BETWEEN: Utf8 = Utf8::open(0, (0x80, 0xbf));

    const fn open(missing: u8, next: (u8, u8)) -> Utf8 {
        Utf8 { missing, next, opened_by_c2: false }
    }

    /// The state after `byte`, or `None` where it cannot stand.
    fn step(self, byte: u8) -> Option<Utf8> {
        const ANY: (u8, u8) = (0x80, 0xbf);
        if self.missing > 0 {
            let fits = self.next.0 <= byte && byte <= self.next.1;
            return fits.then_some(Utf8::open(self.missing - 1, ANY));
        }
        match byte {
            0x00..=0x7f => Some(Utf8::BETWEEN),
            0xc2..=0xdf => Some(Utf8 { opened_by_c2: byte == 0xc2, ..Utf8::open(1, ANY) }),
            0xe0 => Some(Utf8::open(2, (0xa0, 0xbf))),
            0xed => Some(Utf8::open(2, (0x80, 0x9f))),
            0xe1..=0xef => Some(Utf8::open(2, ANY)),
            0xf0 => Some(Utf8::open(3, (0x90, 0xbf))),
            0xf1..=0xf3 => Some(Utf8::open(3, ANY)),
            0xf4 => Some(Utf8::open(3, (0x80, 0x8f))),
            _ => None,
        }
    }
}

/// Why input was refused. Offsets count from the start of the refused write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// The write has more bytes than one may have.
    TooLarge {
        /// How many it has.
        size_bytes: usize,
        /// How many it may have.
        size_max_bytes: usize,
    },
    /// A byte cannot stand where it does in UTF-8.
    NotUtf8 {
        /// Where it is.
        offset: usize,
        /// What it is.
        byte: u8,
    },
    /// A control character that may not pass.
    Control {
        /// Where it is; 0 also for one that began in the write before.
        offset: usize,
        /// Its number, which for C1 is the second of its two bytes.
        control: u8,
    },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::TooLarge { size_bytes, size_max_bytes } => {
                write!(f, "input of {size_bytes} bytes is larger than the {size_max_bytes} one write may have: send it in parts")
            }
            Refused::NotUtf8 { offset, byte } => write!(
                f,
                "input is not UTF-8: byte {byte:#04x} at offset {offset} cannot stand there; send text as UTF-8, or do not demand it"
            ),
            Refused::Control { offset, control } => write!(
                f,
                "input has the control character {control:#04x} at offset {offset}, which is not allowed here: leave it out, or allow it"
            ),
        }
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn gate(utf8: bool, controls: Controls) -> InputGate {
        InputGate::new(InputRules { utf8, controls, ..InputRules::default() })
    }

    #[test]
    fn by_default_every_key_a_keyboard_has_passes() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(InputGate::new(InputRules::default()).check(&all), Ok(()));
    }

    #[test]
    fn a_write_may_be_as_large_as_the_limit_and_not_larger() {
        let mut gate = InputGate::new(InputRules { size_max_bytes: 3, ..InputRules::default() });
        assert_eq!(gate.check(b"abc"), Ok(()));
        assert_eq!(gate.check(b"abcd"), Err(Refused::TooLarge { size_bytes: 4, size_max_bytes: 3 }));
    }

    #[test]
    fn text_passes_and_the_first_other_control_is_named_with_its_offset() {
        let mut gate = gate(false, Controls::Text);
        assert_eq!(gate.check(b"a\tb\r\nc\xff"), Ok(()));
        assert_eq!(gate.check(b"ab\x07\x1b"), Err(Refused::Control { offset: 2, control: 7 }));
        assert_eq!(gate.check(b"\x7f"), Err(Refused::Control { offset: 0, control: 0x7f }));
    }

    #[test]
    fn a_named_set_lets_exactly_its_members_pass() {
        let set = ControlSet::EMPTY.with(3).with(0x7f).with(0x85);
        let mut gate = gate(true, Controls::Only(set));
        for control in (0..=0x1f).chain(0x7f..=0x9f) {
            let text = char::from(control).to_string();
            assert_eq!(gate.check(text.as_bytes()).is_ok(), [3, 0x7f, 0x85].contains(&control), "{control:#x}");
        }
    }

    #[test]
    fn a_control_of_two_bytes_is_caught_also_when_two_writes_carry_it() {
        let mut gate = gate(true, Controls::Text);
        assert_eq!(gate.check(b"ab\xc2\x9b"), Err(Refused::Control { offset: 2, control: 0x9b }));
        assert_eq!(gate.check(b"ab\xc2"), Ok(()));
        assert_eq!(gate.check(b"\x9b201~"), Err(Refused::Control { offset: 0, control: 0x9b }));
        assert_eq!(gate.check(b"\xa9"), Ok(())); // The same first byte can be a copyright sign's.
    }

    #[test]
    fn a_refused_write_leaves_the_gate_as_it_was() {
        let mut gate = gate(true, Controls::All);
        gate.check(b"\xe2\x82").unwrap();
        assert_eq!(gate.check(b"x"), Err(Refused::NotUtf8 { offset: 0, byte: b'x' }));
        assert!(gate.is_mid_character());
        assert_eq!(gate.check(b"\xac"), Ok(()));
        assert!(!gate.is_mid_character());
    }

    #[test]
    fn errors_say_what_is_wrong_where_and_what_to_do() {
        assert_eq!(
            Refused::Control { offset: 5, control: 0x1b }.to_string(),
            "input has the control character 0x1b at offset 5, which is not allowed here: leave it out, or allow it"
        );
    }

    proptest! {
        #[test]
        fn the_gate_and_the_standard_library_agree_on_what_utf8_is(bytes in prop::collection::vec(nasty_byte(), 0..12)) {
            let mut gate = gate(true, Controls::All);
            match (gate.check(&bytes), std::str::from_utf8(&bytes)) {
                (Ok(()), Ok(_)) => prop_assert!(!gate.is_mid_character()),
                (Ok(()), Err(error)) => prop_assert!(gate.is_mid_character() && error.error_len().is_none()),
                (Err(Refused::NotUtf8 { offset, byte }), Err(_)) => {
                    prop_assert_eq!(bytes[offset], byte);
                    let may_go_on = |end: usize| !std::str::from_utf8(&bytes[..end]).is_err_and(|error| error.error_len().is_some());
                    prop_assert!(may_go_on(offset) && !may_go_on(offset + 1));
                }
                (gate, std) => prop_assert!(false, "{gate:?} but {std:?}"),
            }
        }

        #[test]
        fn where_writes_are_cut_changes_no_verdict(
            text in "\\PC{0,8}[\u{80}-\u{9f}\u{1b}\n]?\\PC{0,8}",
            cut in any::<prop::sample::Index>(),
        ) {
            let (head, tail) = text.as_bytes().split_at(cut.index(text.len() + 1));
            let whole = gate(true, Controls::Text).check(text.as_bytes());
            let mut parts = gate(true, Controls::Text);
            prop_assert_eq!(parts.check(head).and_then(|()| parts.check(tail)).is_ok(), whole.is_ok());
        }
    }

    /// Bytes at the edges of the table, where a decoder goes wrong.
    fn nasty_byte() -> impl Strategy<Value = u8> {
        prop::sample::select(&b"a\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xe1\xec\xed\xee\xef\xf0\xf1\xf3\xf4\xf5\xff"[..])
    }
}
