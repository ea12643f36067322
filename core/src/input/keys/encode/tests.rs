//! Sequences known from xterm, by the names people use for the keys.

use proptest::prelude::*;

use super::*;

const PLAIN: KeyModes = KeyModes {
    application_cursor: false,
    application_keypad: false,
    newline: false,
    backarrow: false,
    modify_other_keys: ModifyOtherKeys::Off,
    alt_sends_escape: true,
};

fn level(modify_other_keys: ModifyOtherKeys) -> KeyModes {
    KeyModes { modify_other_keys, ..PLAIN }
}

#[track_caller]
fn check(modes: KeyModes, cases: &[(&str, &[u8])]) {
    for (name, expected) in cases {
        let press: KeyPress = name.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(press.encode(&modes).escape_ascii().to_string(), expected.escape_ascii().to_string(), "{name}");
    }
}

#[test]
fn cursor_keys_follow_the_cursor_mode_unless_modified() {
    let application = KeyModes { application_cursor: true, ..PLAIN };
    check(
        PLAIN,
        &[("up", b"\x1b[A"), ("down", b"\x1b[B"), ("right", b"\x1b[C"), ("left", b"\x1b[D"), ("home", b"\x1b[H"), ("end", b"\x1b[F")],
    );
    check(application, &[("up", b"\x1bOA"), ("down", b"\x1bOB"), ("right", b"\x1bOC"), ("left", b"\x1bOD"), ("home", b"\x1bOH")]);
    for modes in [PLAIN, application] {
        check(modes, &[("shift+up", b"\x1b[1;2A"), ("alt+left", b"\x1b[1;3D"), ("ctrl+end", b"\x1b[1;5F"), ("meta+home", b"\x1b[1;9H")]);
        check(modes, &[("ctrl+alt+shift+meta+right", b"\x1b[1;16C")]);
    }
}

#[test]
fn editing_keys_send_their_number() {
    check(PLAIN, &[("insert", b"\x1b[2~"), ("delete", b"\x1b[3~"), ("pageup", b"\x1b[5~"), ("pagedown", b"\x1b[6~")]);
    check(PLAIN, &[("shift+delete", b"\x1b[3;2~"), ("ctrl+pageup", b"\x1b[5;5~"), ("alt+insert", b"\x1b[2;3~")]);
}

#[test]
fn function_keys_are_those_of_the_vt220_and_xterm() {
    let numbers = [15, 17, 18, 19, 20, 21, 23, 24, 25, 26, 28, 29, 31, 32, 33, 34, 42, 43, 44, 45];
    check(PLAIN, &[("f1", b"\x1bOP"), ("f2", b"\x1bOQ"), ("f3", b"\x1bOR"), ("f4", b"\x1bOS")]);
    for (key, number) in (5..=24).zip(numbers) {
        check(PLAIN, &[(&format!("f{key}"), format!("\x1b[{number}~").as_bytes())]);
        check(PLAIN, &[(&format!("ctrl+f{key}"), format!("\x1b[{number};5~").as_bytes())]);
    }
    check(PLAIN, &[("shift+f1", b"\x1b[1;2P"), ("ctrl+f4", b"\x1b[1;5S")]);
}

#[test]
fn the_keypad_types_or_tells_its_keys() {
    let application = KeyModes { application_keypad: true, ..PLAIN };
    check(PLAIN, &[("kp0", b"0"), ("kp9", b"9"), ("kpadd", b"+"), ("kpenter", b"\r"), ("ctrl+kp5", b"5")]);
    check(application, &[("kp0", b"\x1bOp"), ("kp9", b"\x1bOy"), ("kpdecimal", b"\x1bOn"), ("kpdivide", b"\x1bOo")]);
    check(application, &[("kpmultiply", b"\x1bOj"), ("kpsubtract", b"\x1bOm"), ("kpadd", b"\x1bOk"), ("kpenter", b"\x1bOM")]);
    check(application, &[("kpequal", b"\x1bOX"), ("kpseparator", b"\x1bOl"), ("ctrl+kpmultiply", b"\x1bO5j")]);
}

#[test]
fn ctrl_makes_control_characters_of_all_of_ascii_as_x11_and_xterm_do() {
    for letter in 'a'..='z' {
        let expected = [letter as u8 - b'a' + 1];
        check(PLAIN, &[(&format!("ctrl+{letter}"), &expected), (&format!("ctrl+{}", letter.to_ascii_uppercase()), &expected)]);
    }
    let others = [
        (' ', 0x00),
        ('@', 0x00),
        ('`', 0x00),
        ('2', 0x00),
        ('[', 0x1b),
        ('{', 0x1b),
        ('3', 0x1b),
        ('\\', 0x1c),
        ('|', 0x1c),
        ('4', 0x1c),
        (']', 0x1d),
        ('}', 0x1d),
        ('5', 0x1d),
        ('^', 0x1e),
        ('~', 0x1e),
        ('6', 0x1e),
        ('_', 0x1f),
        ('/', 0x1f),
        ('7', 0x1f),
        ('?', 0x7f),
        ('8', 0x7f),
    ];
    for (char, expected) in others {
        check(PLAIN, &[(&format!("ctrl+{char}"), &[expected])]);
    }
    for untouched in "!\"#$%&'()*+,-.019:;<=>".bytes() {
        check(PLAIN, &[(&format!("ctrl+{}", char::from(untouched)), &[untouched])]);
    }
    check(PLAIN, &[("ctrl+é", "é".as_bytes())]);
}

#[test]
fn every_ascii_character_is_in_one_of_the_lists_above() {
    let told = (' '..='~').filter(|&char| control_of(char).is_some()).count();
    assert_eq!(told, 63 + " 2345678/?".len());
}

#[test]
fn shift_makes_letters_large_and_trusts_the_layout_for_the_rest() {
    check(PLAIN, &[("shift+a", b"A"), ("shift+é", "É".as_bytes()), ("shift+ß", "ß".as_bytes()), ("shift+1", b"1"), ("A", b"A")]);
}

#[test]
fn alt_sends_escape_or_the_eighth_bit() {
    let eighth_bit = KeyModes { alt_sends_escape: false, ..PLAIN };
    check(PLAIN, &[("alt+x", b"\x1bx"), ("meta+x", b"\x1bx"), ("ctrl+alt+c", b"\x1b\x03"), ("alt+é", "\x1bé".as_bytes())]);
    check(PLAIN, &[("alt+enter", b"\x1b\r"), ("alt+escape", b"\x1b\x1b"), ("alt+backspace", b"\x1b\x7f"), ("alt+tab", b"\x1b\t")]);
    check(eighth_bit, &[("alt+x", "\u{f8}".as_bytes()), ("ctrl+alt+c", "\u{83}".as_bytes()), ("alt+é", "é".as_bytes())]);
}

#[test]
fn return_brings_its_newline_when_asked() {
    let newline = KeyModes { newline: true, ..PLAIN };
    check(PLAIN, &[("enter", b"\r"), ("ctrl+enter", b"\r")]);
    check(newline, &[("enter", b"\r\n"), ("kpenter", b"\r\n"), ("ctrl+m", b"\r\n"), ("alt+enter", b"\x1b\r\n")]);
}

#[test]
fn backspace_and_its_control_change_places() {
    check(PLAIN, &[("backspace", b"\x7f"), ("ctrl+backspace", b"\x08")]);
    check(KeyModes { backarrow: true, ..PLAIN }, &[("backspace", b"\x08"), ("ctrl+backspace", b"\x7f")]);
}

#[test]
fn tab_goes_back_with_shift() {
    check(PLAIN, &[("tab", b"\t"), ("ctrl+tab", b"\t"), ("shift+tab", b"\x1b[Z"), ("escape", b"\x1b")]);
}

#[test]
fn the_first_level_reports_what_no_control_character_stands_for() {
    let modes = level(ModifyOtherKeys::Unusual);
    check(modes, &[("a", b"a"), ("shift+a", b"A"), ("ctrl+c", b"\x03"), ("ctrl+space", b"\0"), ("ctrl+3", b"\x1b"), ("alt+x", b"\x1bx")]);
    check(modes, &[("ctrl+1", b"\x1b[27;5;49~"), ("ctrl+-", b"\x1b[27;5;45~"), ("ctrl+shift+a", b"\x1b[27;6;65~")]);
    check(modes, &[("ctrl+shift+space", b"\0"), ("ctrl+?", b"\x1b[27;5;63~"), ("ctrl+alt+1", b"\x1b[27;7;49~")]);
    check(modes, &[("enter", b"\r"), ("ctrl+enter", b"\x1b[27;5;13~"), ("shift+enter", b"\x1b[27;2;13~"), ("alt+enter", b"\x1b\r")]);
    check(modes, &[("ctrl+tab", b"\x1b[27;5;9~"), ("shift+tab", b"\x1b[Z"), ("ctrl+backspace", b"\x08"), ("ctrl+é", b"\x1b[27;5;233~")]);
    check(modes, &[("shift+escape", b"\x1b"), ("ctrl+up", b"\x1b[1;5A"), ("shift+f5", b"\x1b[15;2~")]);
}

#[test]
fn the_second_level_reports_every_modifier() {
    let modes = level(ModifyOtherKeys::All);
    check(modes, &[("a", b"a"), ("A", b"A"), ("shift+!", b"!"), ("shift+é", "É".as_bytes())]);
    check(
        modes,
        &[("ctrl+c", b"\x1b[27;5;99~"), ("alt+x", b"\x1b[27;3;120~"), ("shift+a", b"\x1b[27;2;65~"), ("shift+space", b"\x1b[27;2;32~")],
    );
    check(modes, &[("shift+enter", b"\x1b[27;2;13~"), ("alt+enter", b"\x1b[27;3;13~"), ("shift+tab", b"\x1b[Z")]);
    check(modes, &[("ctrl+shift+tab", b"\x1b[27;6;9~"), ("alt+tab", b"\x1b[27;3;9~"), ("ctrl+escape", b"\x1b[27;5;27~")]);
    check(modes, &[("backspace", b"\x7f"), ("ctrl+backspace", b"\x08"), ("alt+backspace", b"\x1b[27;3;127~")]);
    check(modes, &[("alt+\u{10ffff}", b"\x1b[27;3;1114111~"), ("shift+escape", b"\x1b")]);
}

/// Any key under any modes; shared with the tests of names.
pub(in crate::input::keys) fn presses() -> impl Strategy<Value = KeyPress> {
    use KeypadKey::*;
    let named = [
        Key::Enter,
        Key::Tab,
        Key::Backspace,
        Key::Escape,
        Key::Up,
        Key::Down,
        Key::Right,
        Key::Left,
        Key::Home,
        Key::End,
        Key::PageUp,
        Key::PageDown,
        Key::Insert,
        Key::Delete,
    ];
    let pads =
        [Zero, One, Two, Three, Four, Five, Six, Seven, Eight, Nine, Decimal, Divide, Multiply, Subtract, Add, Enter, Equal, Separator];
    let key = prop_oneof![
        any::<char>().prop_map(Key::Char),
        (b' '..=b'~').prop_map(|byte| Key::Char(byte.into())),
        prop::sample::select(named.to_vec()),
        (1..=FunctionKey::MAX).prop_map(|number| Key::F(FunctionKey::new(number).expect("in range"))),
        prop::sample::select(pads.to_vec()).prop_map(Key::Keypad),
    ];
    (key, 0..16u8).prop_map(|(key, bits)| KeyPress { key, modifiers: Modifiers::from_bits(bits).expect("four bits") })
}

proptest! {
    #[test]
    fn every_key_in_every_mode_sends_something_that_fits(press in presses(), flags in any::<[bool; 5]>(), level in 0..3u16) {
        let [application_cursor, application_keypad, newline, backarrow, alt_sends_escape] = flags;
        let modify_other_keys = ModifyOtherKeys::from_level(level).expect("a level");
        let modes = KeyModes { application_cursor, application_keypad, newline, backarrow, modify_other_keys, alt_sends_escape };
        prop_assert!(!press.encode(&modes).is_empty());
    }
}
