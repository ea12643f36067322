//! The tables: which key sends what, in xterm's default keyboard.

use super::{FunctionKey, Key, KeyBytes, KeyModes, KeyPress, KeypadKey, Modifiers, ModifyOtherKeys};

const ESC: u8 = 0x1b;
const DEL: u8 = 0x7f;
const CSI: &[u8] = b"\x1b[";
const SS3: &[u8] = b"\x1bO";

/// Whoever holds Alt or Meta means the same: xterm by default takes the one key for both.
const ALT_OR_META: Modifiers =
    Modifiers::from_bits(Modifiers::ALT.bits() | Modifiers::META.bits()).expect("two flags of the set make one of it");

/// The shape of what a key sends, before modes and modifiers have their say.
enum Form {
    /// `CSI x`, `SS3 x` where the cursor keys are the application's, `CSI 1 ; m x` with modifiers.
    Cursor(u8),
    /// `SS3 x`, `CSI 1 ; m x` with modifiers: F1 to F4, which were PF1 to PF4.
    Pf(u8),
    /// `CSI n ~`, `CSI n ; m ~` with modifiers.
    Tilde(u8),
    /// A character, or `SS3 x` where the keypad is the application's.
    Keypad { character: u8, application: u8 },
    /// A character, unless it is reported with its modifiers.
    Char(char),
    /// A key that stands for a control character.
    Control(Control),
}

enum Control {
    Enter,
    Tab,
    Backspace,
    Escape,
}

fn form(key: Key) -> Form {
    match key {
        Key::Char(char) => Form::Char(char),
        Key::Enter => Form::Control(Control::Enter),
        Key::Tab => Form::Control(Control::Tab),
        Key::Backspace => Form::Control(Control::Backspace),
        Key::Escape => Form::Control(Control::Escape),
        Key::Up => Form::Cursor(b'A'),
        Key::Down => Form::Cursor(b'B'),
        Key::Right => Form::Cursor(b'C'),
        Key::Left => Form::Cursor(b'D'),
        Key::Home => Form::Cursor(b'H'),
        Key::End => Form::Cursor(b'F'),
        Key::Insert => Form::Tilde(2),
        Key::Delete => Form::Tilde(3),
        Key::PageUp => Form::Tilde(5),
        Key::PageDown => Form::Tilde(6),
        Key::F(key) => function(key),
        Key::Keypad(key) => keypad(key),
    }
}

/// The gaps are the VT220's, between its groups of keys. It ended at F20; xterm goes on from 42.
fn function(key: FunctionKey) -> Form {
    const TILDE: [u8; 20] = [15, 17, 18, 19, 20, 21, 23, 24, 25, 26, 28, 29, 31, 32, 33, 34, 42, 43, 44, 45];
    match key.number() {
        number @ ..=4 => Form::Pf(b'P' + number - 1),
        number => Form::Tilde(TILDE[usize::from(number) - 5]),
    }
}

fn keypad(key: KeypadKey) -> Form {
    let (character, application) = match key {
        KeypadKey::Zero => (b'0', b'p'),
        KeypadKey::One => (b'1', b'q'),
        KeypadKey::Two => (b'2', b'r'),
        KeypadKey::Three => (b'3', b's'),
        KeypadKey::Four => (b'4', b't'),
        KeypadKey::Five => (b'5', b'u'),
        KeypadKey::Six => (b'6', b'v'),
        KeypadKey::Seven => (b'7', b'w'),
        KeypadKey::Eight => (b'8', b'x'),
        KeypadKey::Nine => (b'9', b'y'),
        KeypadKey::Decimal => (b'.', b'n'),
        KeypadKey::Divide => (b'/', b'o'),
        KeypadKey::Multiply => (b'*', b'j'),
        KeypadKey::Subtract => (b'-', b'm'),
        KeypadKey::Add => (b'+', b'k'),
        KeypadKey::Enter => (b'\r', b'M'),
        KeypadKey::Equal => (b'=', b'X'),
        KeypadKey::Separator => (b',', b'l'),
    };
    Form::Keypad { character, application }
}

pub(super) fn encode(press: KeyPress, modes: &KeyModes) -> KeyBytes {
    let held = press.modifiers;
    match form(press.key) {
        Form::Cursor(last) if held.is_empty() => sequence(if modes.application_cursor { SS3 } else { CSI }, &[], last),
        Form::Pf(last) if held.is_empty() => sequence(SS3, &[], last),
        Form::Cursor(last) | Form::Pf(last) => sequence(CSI, &[1, held.parameter()], last),
        Form::Tilde(number) if held.is_empty() => sequence(CSI, &[number.into()], b'~'),
        Form::Tilde(number) => sequence(CSI, &[number.into(), held.parameter()], b'~'),
        // The keypad's characters have no place for modifiers; xterm does not tell them either.
        Form::Keypad { character, .. } if !modes.application_keypad => plain(character.into(), Modifiers::NONE, modes),
        Form::Keypad { application, .. } if held.is_empty() => sequence(SS3, &[], application),
        Form::Keypad { application, .. } => sequence(SS3, &[held.parameter()], application),
        Form::Char(char) => character(char, held, modes),
        Form::Control(key) => control(key, held, modes),
    }
}

fn character(char: char, held: Modifiers, modes: &KeyModes) -> KeyBytes {
    let char = if held.contains(Modifiers::SHIFT) { upper(char) } else { char };
    let shift_is_told = char == ' ' || ('@'..='\x7f').contains(&char);
    let reported = match modes.modify_other_keys {
        ModifyOtherKeys::Off => false,
        // X11 knows control characters for the others; `?` is xterm's own, and is not among the exceptions.
        ModifyOtherKeys::Unusual if char == '?' || control_of(char).is_none() => held.contains(Modifiers::CTRL),
        ModifyOtherKeys::Unusual => held.contains(Modifiers::CTRL | Modifiers::SHIFT) && ('@'..='\x7f').contains(&char),
        ModifyOtherKeys::All if held == Modifiers::SHIFT => shift_is_told,
        ModifyOtherKeys::All => !held.is_empty(),
    };
    if reported {
        return other(char.into(), held);
    }
    match control_of(char) {
        Some(control) if held.contains(Modifiers::CTRL) => plain(control.into(), held, modes),
        _ => plain(char, held, modes),
    }
}

fn control(key: Control, held: Modifiers, modes: &KeyModes) -> KeyBytes {
    let level = modes.modify_other_keys;
    let beyond_alt = !held.without(ALT_OR_META).is_empty();
    match key {
        Control::Tab if held.contains(Modifiers::SHIFT) && (level != ModifyOtherKeys::All || held == Modifiers::SHIFT) => {
            sequence(CSI, &[], b'Z')
        }
        Control::Enter | Control::Tab => {
            let char = if matches!(key, Control::Enter) { '\r' } else { '\t' };
            let reported = match level {
                ModifyOtherKeys::Off => false,
                ModifyOtherKeys::Unusual => beyond_alt,
                ModifyOtherKeys::All => !held.is_empty(),
            };
            if reported { other(char.into(), held) } else { plain(char, held, modes) }
        }
        Control::Backspace => {
            let byte = if modes.backarrow == held.contains(Modifiers::CTRL) { DEL } else { 0x08 };
            let reported = level == ModifyOtherKeys::All && !held.without(Modifiers::CTRL).is_empty();
            if reported { other(byte.into(), held) } else { plain(byte.into(), held, modes) }
        }
        Control::Escape => {
            let reported = level == ModifyOtherKeys::All && !held.without(Modifiers::SHIFT).is_empty();
            if reported { other(ESC.into(), held) } else { plain(ESC.into(), held, modes) }
        }
    }
}

/// The control character that Ctrl makes of a key: X11's rule (`XLookupString`), and xterm's `?`.
///
/// `@` to `~` keep their low five bits. 2 to 8 are where the VT220's keyboard had what is hard to reach, and `/` lies
/// where its underscore did.
fn control_of(char: char) -> Option<u8> {
    let byte = u8::try_from(char).ok()?;
    match byte {
        b'@'..=b'~' => Some(byte & 0x1f),
        b' ' | b'2' => Some(0),
        b'3'..=b'7' => Some(byte - b'3' + ESC),
        b'8' | b'?' => Some(DEL),
        b'/' => Some(0x1f),
        _ => None,
    }
}

/// What a letter becomes under Shift; what has no single upper case stays.
fn upper(char: char) -> char {
    let mut upper = char.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) => upper,
        _ => char,
    }
}

/// A character, marked as Alt's where Alt or Meta is held.
fn plain(char: char, held: Modifiers, modes: &KeyModes) -> KeyBytes {
    let mut bytes = KeyBytes::new();
    let mut char = char;
    if held.intersects(ALT_OR_META) {
        match u8::try_from(char) {
            _ if modes.alt_sends_escape => bytes.push(&[ESC]),
            Ok(ascii @ ..=0x7f) => char = (ascii | 0x80).into(),
            _ => {}
        }
    }
    bytes.push(char.encode_utf8(&mut [0; 4]).as_bytes());
    if char == '\r' && modes.newline {
        bytes.push(b"\n");
    }
    bytes
}

/// `CSI 27 ; modifiers ; code ~`: number 27 is no function key's.
fn other(code: u32, held: Modifiers) -> KeyBytes {
    sequence(CSI, &[27, held.parameter(), code], b'~')
}

fn sequence(introducer: &[u8], parameters: &[u32], last: u8) -> KeyBytes {
    let mut bytes = KeyBytes::new();
    bytes.push(introducer);
    for (index, &parameter) in parameters.iter().enumerate() {
        if index > 0 {
            bytes.push(b";");
        }
        bytes.push_number(parameter);
    }
    bytes.push(&[last]);
    bytes
}

#[cfg(test)]
pub(super) mod tests;
