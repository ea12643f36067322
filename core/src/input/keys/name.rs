//! Names of keys, as people and scripts write them: `ctrl+c`, `Shift+ArrowLeft`, `f5`, `C-M-x`.
//!
//! Modifiers come first, each followed by `+` or `-`; the rest is the key: one character, which is itself, or a
//! name. Names ignore case; characters do not, for `a` and `A` are different input.

use std::fmt;
use std::str::FromStr;

use super::{FunctionKey, Key, KeyPress, KeypadKey, Modifiers};

/// The longest text looked at, so that an error can quote it whole. The longest name with all modifiers has 37 bytes.
const NAME_BYTES_MAX: usize = 64;

/// Names of keys; the first of several for one key is the one it is shown by. The short ones without vowels are tmux's,
/// the `arrow` ones a browser's.
const KEYS: &[(&str, Key)] = &[
    ("enter", Key::Enter),
    ("return", Key::Enter),
    ("tab", Key::Tab),
    ("backspace", Key::Backspace),
    ("bspace", Key::Backspace),
    ("escape", Key::Escape),
    ("esc", Key::Escape),
    ("up", Key::Up),
    ("arrowup", Key::Up),
    ("down", Key::Down),
    ("arrowdown", Key::Down),
    ("right", Key::Right),
    ("arrowright", Key::Right),
    ("left", Key::Left),
    ("arrowleft", Key::Left),
    ("home", Key::Home),
    ("end", Key::End),
    ("pageup", Key::PageUp),
    ("pgup", Key::PageUp),
    ("ppage", Key::PageUp),
    ("pagedown", Key::PageDown),
    ("pgdn", Key::PageDown),
    ("npage", Key::PageDown),
    ("insert", Key::Insert),
    ("ic", Key::Insert),
    ("delete", Key::Delete),
    ("del", Key::Delete),
    ("dc", Key::Delete),
    ("space", Key::Char(' ')),
    ("plus", Key::Char('+')),
    ("minus", Key::Char('-')),
    ("kp0", Key::Keypad(KeypadKey::Zero)),
    ("kp1", Key::Keypad(KeypadKey::One)),
    ("kp2", Key::Keypad(KeypadKey::Two)),
    ("kp3", Key::Keypad(KeypadKey::Three)),
    ("kp4", Key::Keypad(KeypadKey::Four)),
    ("kp5", Key::Keypad(KeypadKey::Five)),
    ("kp6", Key::Keypad(KeypadKey::Six)),
    ("kp7", Key::Keypad(KeypadKey::Seven)),
    ("kp8", Key::Keypad(KeypadKey::Eight)),
    ("kp9", Key::Keypad(KeypadKey::Nine)),
    ("kpdecimal", Key::Keypad(KeypadKey::Decimal)),
    ("kpdivide", Key::Keypad(KeypadKey::Divide)),
    ("kpmultiply", Key::Keypad(KeypadKey::Multiply)),
    ("kpsubtract", Key::Keypad(KeypadKey::Subtract)),
    ("kpadd", Key::Keypad(KeypadKey::Add)),
    ("kpenter", Key::Keypad(KeypadKey::Enter)),
    ("kpequal", Key::Keypad(KeypadKey::Equal)),
    ("kpseparator", Key::Keypad(KeypadKey::Separator)),
];

impl FromStr for KeyPress {
    type Err = KeyNameError;

    /// Reads a name such as `ctrl+c`, `alt+left`, `Shift+F5`, `C-M-x`, `ctrl++` or `space`.
    ///
    /// Modifiers are `ctrl` or `control`, `alt`, `opt` or `option`, `shift`, `meta`, and before a `-` tmux's `C`, `M`
    /// (which is Alt) and `S`.
    ///
    /// # Errors
    /// [`KeyNameError`], with the part that is wrong.
    fn from_str(text: &str) -> Result<KeyPress, KeyNameError> {
        if text.is_empty() {
            return Err(KeyNameError::Empty);
        }
        if text.len() > NAME_BYTES_MAX {
            return Err(KeyNameError::TooLong { size_bytes: text.len() });
        }
        let mut modifiers = Modifiers::NONE;
        let mut rest = text;
        // A separator in the first place is a key: `+` and what is left of `ctrl++`.
        while let Some((at, separator)) = rest.char_indices().skip(1).find(|(_, char)| matches!(char, '+' | '-')) {
            let (name, tail) = (&rest[..at], &rest[at + 1..]);
            let modifier = modifier(name, separator).ok_or_else(|| KeyNameError::UnknownModifier { name: name.to_owned() })?;
            if modifiers.contains(modifier) {
                return Err(KeyNameError::RepeatedModifier { name: name.to_owned() });
            }
            if tail.is_empty() {
                return Err(KeyNameError::MissingKey { text: text.to_owned() });
            }
            modifiers |= modifier;
            rest = tail;
        }
        let key = key(rest).ok_or_else(|| KeyNameError::UnknownKey { name: rest.to_owned() })?;
        Ok(KeyPress { key, modifiers })
    }
}

fn modifier(name: &str, separator: char) -> Option<Modifiers> {
    match (name, separator) {
        ("C", '-') => return Some(Modifiers::CTRL),
        ("M", '-') => return Some(Modifiers::ALT),
        ("S", '-') => return Some(Modifiers::SHIFT),
        _ => {}
    }
    match name.to_ascii_lowercase().as_str() {
        "ctrl" | "control" => Some(Modifiers::CTRL),
        "alt" | "opt" | "option" => Some(Modifiers::ALT),
        "shift" => Some(Modifiers::SHIFT),
        "meta" => Some(Modifiers::META),
        _ => None,
    }
}

fn key(name: &str) -> Option<Key> {
    let mut chars = name.chars();
    if let (Some(char), None) = (chars.next(), chars.next()) {
        return Some(Key::Char(char));
    }
    if let Some((_, key)) = KEYS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        return Some(*key);
    }
    let number = name.strip_prefix(['f', 'F'])?;
    let canonical = number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0');
    if !canonical {
        return None;
    }
    number.parse().ok().and_then(FunctionKey::new).map(Key::F)
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::F(key) => write!(f, "f{}", key.number()),
            Key::Char(char) if *char != ' ' => write!(f, "{char}"),
            key => {
                let name = KEYS.iter().find(|(_, known)| known == key).map(|(name, _)| *name);
                f.write_str(name.expect("every key that is no character and no F key is in the table"))
            }
        }
    }
}

impl fmt::Display for KeyPress {
    /// A name that parses to the same press, `ctrl+shift+left`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.modifiers, self.key)
    }
}

/// Why a text names no key press.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyNameError {
    /// There is no text.
    Empty,
    /// The text is longer than any name.
    TooLong {
        /// How long it is.
        size_bytes: usize,
    },
    /// What stands before a `+` or `-` is no modifier.
    UnknownModifier {
        /// What stands there.
        name: String,
    },
    /// A modifier stands there twice.
    RepeatedModifier {
        /// How it is called the second time.
        name: String,
    },
    /// No key follows the modifiers.
    MissingKey {
        /// The whole text.
        text: String,
    },
    /// What follows the modifiers is no key.
    UnknownKey {
        /// What stands there.
        name: String,
    },
}

impl fmt::Display for KeyNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyNameError::Empty => f.write_str("a key needs a name, such as \"ctrl+c\", \"f5\" or \"a\""),
            KeyNameError::TooLong { size_bytes } => {
                write!(f, "a key's name has at most {NAME_BYTES_MAX} bytes, not {size_bytes}: send text as text, not as a key")
            }
            KeyNameError::UnknownModifier { name } => {
                write!(f, "no modifier {name:?}: use ctrl, alt, shift or meta before \"+\" (or C, M, S before \"-\")")
            }
            KeyNameError::RepeatedModifier { name } => write!(f, "the modifier {name:?} is there twice: leave one out"),
            KeyNameError::MissingKey { text } => {
                write!(f, "no key after the last modifier in {text:?}: add one; the signs themselves are \"plus\" and \"minus\"")
            }
            KeyNameError::UnknownKey { name } => {
                write!(f, "no key {name:?}: use one character, f1 to f24, or a name such as enter, tab, escape, up, pagedown, delete, kp0")
            }
        }
    }
}

impl std::error::Error for KeyNameError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::encode::tests::presses;
    use super::*;

    fn check(names: &[&str], key: Key, modifiers: Modifiers) {
        for name in names {
            assert_eq!(name.parse(), Ok(KeyPress { key, modifiers }), "{name}");
        }
    }

    #[test]
    fn one_press_has_the_names_that_people_write() {
        check(&["ctrl+c", "Ctrl+c", "CONTROL+c", "ctrl-c", "C-c"], Key::Char('c'), Modifiers::CTRL);
        check(&["alt+left", "Alt+ArrowLeft", "M-Left", "option+left"], Key::Left, Modifiers::ALT);
        check(&["f5", "F5"], Key::F(FunctionKey::new(5).unwrap()), Modifiers::NONE);
        check(&["C-M-S-x", "shift+alt+ctrl+x"], Key::Char('x'), Modifiers::CTRL | Modifiers::ALT | Modifiers::SHIFT);
        check(&["pageup", "PgUp", "PPage"], Key::PageUp, Modifiers::NONE);
    }

    #[test]
    fn the_signs_between_names_are_keys_too() {
        check(&["+", "plus"], Key::Char('+'), Modifiers::NONE);
        check(&["ctrl++", "ctrl+plus", "C-+"], Key::Char('+'), Modifiers::CTRL);
        check(&["ctrl+-", "C--", "ctrl+minus"], Key::Char('-'), Modifiers::CTRL);
    }

    #[test]
    fn a_character_is_itself_and_a_name_ignores_case() {
        check(&["A"], Key::Char('A'), Modifiers::NONE);
        check(&["🦀"], Key::Char('🦀'), Modifiers::NONE);
        check(&["SPACE", " "], Key::Char(' '), Modifiers::NONE);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |text: &str| text.parse::<KeyPress>().unwrap_err();
        assert_eq!(error(""), KeyNameError::Empty);
        assert_eq!(error("hyper+x"), KeyNameError::UnknownModifier { name: "hyper".into() });
        assert_eq!(error("c-x"), KeyNameError::UnknownModifier { name: "c".into() });
        assert_eq!(error("ctrl+control+x"), KeyNameError::RepeatedModifier { name: "control".into() });
        assert_eq!(error("ctrl+shift+"), KeyNameError::MissingKey { text: "ctrl+shift+".into() });
        assert_eq!(error("ctrl+entre"), KeyNameError::UnknownKey { name: "entre".into() });
        for no_key in ["f0", "f25", "f05", "f999", "kp10", "f+1", "++", "ab"] {
            assert!(no_key.parse::<KeyPress>().is_err(), "{no_key}");
        }
        assert_eq!(error(&"x".repeat(65)), KeyNameError::TooLong { size_bytes: 65 });
        assert!(error("\u{1b}[A").to_string().contains(r#""\u{1b}[A""#), "an error is safe to print");
    }

    proptest! {
        #[test]
        fn a_press_is_shown_by_a_name_that_parses_to_it(press in presses()) {
            prop_assert_eq!(press.to_string().parse(), Ok(press));
        }

        #[test]
        fn no_text_is_a_panic(text in "(ctrl|C|f|kp)?[-+]?.{0,6}") {
            let _ = text.parse::<KeyPress>();
        }
    }
}
