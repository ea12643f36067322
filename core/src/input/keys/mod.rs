//! Named keys to the bytes a program expects for them, as xterm sends them.
//!
//! What a key sends depends on modes that the program chose: [`KeyModes`], which a screen model keeps. A
//! [`KeyPress`] and the modes give the bytes; nothing else is looked at. Names as automation writes them (`ctrl+c`, `alt+left`,
//! `f5`, tmux's `C-c`) are [parsed](KeyPress#impl-FromStr-for-KeyPress).
//!
//! The encoding is that of *XTerm Control Sequences*, "PC-Style Function Keys" and "Alt and Meta Keys", and of
//! `input.c` in xterm where the document is silent. Two things to know: xterm drops Alt beside other modifiers on
//! keys reported as `CSI 27 ; m ; code ~` at level 1, here it is kept; and what terminfo's `xterm-256color` calls F13 to F24 is
//! Shift with F1 to F12, while the keys F13 to F24 send xterm's `CSI 25 ~` and so on. A program that goes by terminfo wants the former.
//!
//! Deliberately absent: keyboard layouts (which character a key gives is the front end's to know), key releases and the kitty
//! protocol, Sun, HP and VT52 keyboards, and input methods, whose result is text.

mod encode;
mod modifiers;
mod name;

use std::fmt;
use std::ops::Deref;

pub use modifiers::Modifiers;
pub use name::KeyNameError;

/// A key, whatever is held with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Key {
    /// The key that gives this character, as the keyboard gives it: Shift with `1` is `!` on one layout and `"`
    /// on another, so give the outcome. Only letters are made upper case when Shift is told.
    Char(char),
    /// Enter, also called Return.
    Enter,
    /// Tab.
    Tab,
    /// The key that erases to the left.
    Backspace,
    /// Escape.
    Escape,
    /// The up arrow.
    Up,
    /// The down arrow.
    Down,
    /// The right arrow.
    Right,
    /// The left arrow.
    Left,
    /// Home.
    Home,
    /// End.
    End,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// Insert.
    Insert,
    /// The key that erases to the right.
    Delete,
    /// F1 to F24.
    F(FunctionKey),
    /// A key of the numeric keypad, with Num Lock on. Without it they are arrows and the like: give those.
    Keypad(KeypadKey),
}

/// The number of a function key, 1 to 24.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FunctionKey(u8);

impl FunctionKey {
    /// The largest number. Keyboards end at 24; xterm counts on, but no program listens.
    pub const MAX: u8 = 24;

    /// The key F`number`, or `None` where there is no such key.
    pub const fn new(number: u8) -> Option<FunctionKey> {
        if 1 <= number && number <= FunctionKey::MAX { Some(FunctionKey(number)) } else { None }
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// A key of the numeric keypad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeypadKey {
    /// 0.
    Zero,
    /// 1.
    One,
    /// 2.
    Two,
    /// 3.
    Three,
    /// 4.
    Four,
    /// 5.
    Five,
    /// 6.
    Six,
    /// 7.
    Seven,
    /// 8.
    Eight,
    /// 9.
    Nine,
    /// The point.
    Decimal,
    /// The slash.
    Divide,
    /// The asterisk.
    Multiply,
    /// The minus.
    Subtract,
    /// The plus.
    Add,
    /// Enter.
    Enter,
    /// The equals sign, where there is one.
    Equal,
    /// The comma, where there is one.
    Separator,
}

/// What a program has told the terminal about keys. The default is a terminal at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyModes {
    /// Arrows, Home and End send `SS3` instead of `CSI` (DECCKM, mode ?1).
    pub application_cursor: bool,
    /// The keypad sends sequences instead of characters (DECKPAM, `ESC =`; mode ?66).
    pub application_keypad: bool,
    /// Return is followed by newline (LNM, mode 20).
    pub newline: bool,
    /// Backspace sends 0x08 and Ctrl-Backspace 0x7F, instead of the other way round (DECBKM, mode ?67).
    pub backarrow: bool,
    /// Which keys are reported with their modifiers instead of as characters.
    pub modify_other_keys: ModifyOtherKeys,
    /// Alt and Meta put an ESC before a character (modes ?1036, ?1039), as every present terminal does by default.
    /// Otherwise they set the eighth bit of an ASCII character and do nothing to others (xterm's `eightBitInput`).
    pub alt_sends_escape: bool,
}

impl Default for KeyModes {
    fn default() -> Self {
        KeyModes {
            application_cursor: false,
            application_keypad: false,
            newline: false,
            backarrow: false,
            modify_other_keys: ModifyOtherKeys::Off,
            alt_sends_escape: true,
        }
    }
}

/// Which keys that give characters are reported as `CSI 27 ; modifiers ; code ~` instead (`CSI > 4 ; level m`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModifyOtherKeys {
    /// None. Level 0.
    #[default]
    Off,
    /// Those that no control character stands for, such as Ctrl-1 and Ctrl-Shift-A, and Enter and Tab. Level 1.
    Unusual,
    /// All with a modifier, but those where Shift alone has chosen the character. Level 2.
    All,
}

impl ModifyOtherKeys {
    /// The level a program asked for, or `None` when there is no such level.
    pub const fn from_level(level: u16) -> Option<ModifyOtherKeys> {
        match level {
            0 => Some(ModifyOtherKeys::Off),
            1 => Some(ModifyOtherKeys::Unusual),
            2 => Some(ModifyOtherKeys::All),
            _ => None,
        }
    }
}

/// A key and what is held with it.
///
/// # Examples
/// ```
/// # use orchflow_core::input::keys::{Key, KeyModes, KeyPress, Modifiers};
/// let modes = KeyModes { application_cursor: true, ..KeyModes::default() };
/// assert_eq!(&*KeyPress::from(Key::Up).encode(&modes), b"\x1bOA");
///
/// let press = KeyPress { key: Key::Left, modifiers: Modifiers::CTRL | Modifiers::SHIFT };
/// assert_eq!(&*press.encode(&modes), b"\x1b[1;6D");
/// assert_eq!("ctrl+shift+left".parse(), Ok(press));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyPress {
    /// The key.
    pub key: Key,
    /// What is held with it.
    pub modifiers: Modifiers,
}

impl KeyPress {
    /// The bytes a program in these modes expects. Never empty.
    pub fn encode(self, modes: &KeyModes) -> KeyBytes {
        encode::encode(self, modes)
    }
}

impl From<Key> for KeyPress {
    /// The key alone.
    fn from(key: Key) -> Self {
        KeyPress { key, modifiers: Modifiers::NONE }
    }
}

/// What one key sends: a few bytes, held in place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyBytes {
    bytes: [u8; KeyBytes::LEN_MAX],
    len: u8,
}

impl KeyBytes {
    /// Room for the longest, `CSI 27;16;1114111~` with its 16 bytes.
    const LEN_MAX: usize = 16;

    const fn new() -> Self {
        KeyBytes { bytes: [0; KeyBytes::LEN_MAX], len: 0 }
    }

    fn push(&mut self, bytes: &[u8]) {
        let from = usize::from(self.len);
        self.bytes[from..from + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len() as u8;
    }

    /// Appends `number` in decimal.
    fn push_number(&mut self, number: u32) {
        if number >= 10 {
            self.push_number(number / 10);
        }
        self.push(&[b'0' + (number % 10) as u8]);
    }
}

impl Deref for KeyBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl AsRef<[u8]> for KeyBytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.escape_ascii())
    }
}
