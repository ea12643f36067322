//! The terminal between a process and its reader: two bounded buffers and Linux's line discipline.
//!
//! It behaves as N_TTY does with the settings a terminal opens with, and with those of `cfmakeraw`: echo, `^C` for
//! control characters, line editing, one line per read, 4,095 bytes to a line and silence about the rest, signal
//! keys that discard what waits on both sides, newline translation both ways.
//!
//! Deliberately absent: Ctrl-S and Ctrl-Q, Ctrl-V, Ctrl-R, tab stops, and settings a script has no step for.

use std::collections::VecDeque;

use super::super::{LineMode, Signal};
use crate::limits::LINE_MAX;
use crate::size::Size;

/// One terminal, seen from both sides.
#[derive(Debug)]
pub(super) struct Terminal {
    size: Size,
    /// Lines, signals and translation, or none of them.
    cooked: bool,
    echo: bool,
    /// Output nobody has read yet.
    output: VecDeque<u8>,
    /// Echo that waits for room in `output`.
    echoed: VecDeque<u8>,
    /// Input the discipline has not looked at yet.
    arrived: VecDeque<u8>,
    /// The line that has no end yet.
    line: Vec<u8>,
    /// Input a process can read: one line each in cooked mode, an empty one for Ctrl-D.
    lines: VecDeque<Vec<u8>>,
    /// What `lines` occupy of the discipline's buffer.
    waiting: usize,
}

/// Output that fits before the process must wait. Linux holds 12 to 20 KiB, depending on the size of the writes.
pub(super) const OUTPUT_MAX: usize = 16 << 10;

/// Output that a reader's side of Linux's terminal has taken over already, and that a signal key does not discard.
const OUTPUT_TAKEN_MAX: usize = 4 << 10;

/// Input that fits before the discipline has looked at it; with the discipline's own 4 KiB Linux takes 14 to 22 KiB.
pub(super) const INPUT_MAX: usize = 12 << 10;

/// Echo kept for a reader that is behind; then the oldest goes (Linux's `ECHO_DISCARD_WATERMARK` is just below).
const ECHO_MAX: usize = 4 << 10;

const CTRL_C: u8 = 0x03;
const CTRL_D: u8 = 0x04;
const CTRL_U: u8 = 0x15;
const CTRL_W: u8 = 0x17;
const CTRL_Z: u8 = 0x1a;
const CTRL_BACKSLASH: u8 = 0x1c;
const DELETE: u8 = 0x7f;

impl Terminal {
    pub(super) fn new(size: Size) -> Terminal {
        Terminal {
            size,
            cooked: true,
            echo: true,
            output: VecDeque::new(),
            echoed: VecDeque::new(),
            arrived: VecDeque::new(),
            line: Vec::new(),
            lines: VecDeque::new(),
            waiting: 0,
        }
    }

    pub(super) fn size(&self) -> Size {
        self.size
    }

    /// Returns whether the size changed.
    pub(super) fn resize(&mut self, size: Size) -> bool {
        std::mem::replace(&mut self.size, size) != size
    }

    pub(super) fn line_mode(&self) -> LineMode {
        if self.cooked { LineMode::COOKED } else { LineMode::RAW }
    }

    /// Raw mode; a line that was being typed becomes readable as it is.
    pub(super) fn set_raw(&mut self) {
        (self.cooked, self.echo) = (false, false);
        if !self.line.is_empty() {
            self.end_line();
        }
    }

    /// Cooked mode with echo; what was typed before stays readable.
    pub(super) fn set_cooked(&mut self) {
        (self.cooked, self.echo) = (true, true);
    }

    pub(super) fn set_echo(&mut self, on: bool) {
        self.echo = on;
    }

    // The reader's side.

    pub(super) fn has_output(&self) -> bool {
        !self.output.is_empty() || !self.echoed.is_empty()
    }

    /// Takes output, and returns how much.
    pub(super) fn read(&mut self, into: &mut [u8]) -> usize {
        self.flush_echo();
        let count = into.len().min(self.output.len());
        let (front, back) = self.output.as_slices();
        let split = front.len().min(count);
        into[..split].copy_from_slice(&front[..split]);
        into[split..count].copy_from_slice(&back[..count - split]);
        self.output.drain(..count);
        self.flush_echo();
        count
    }

    pub(super) fn has_room(&self) -> bool {
        self.arrived.len() < INPUT_MAX
    }

    /// Takes input, and returns how much there was room for.
    pub(super) fn write(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(INPUT_MAX - self.arrived.len());
        self.arrived.extend(&bytes[..count]);
        count
    }

    // The process's side.

    /// Prints from the front of `text` what there is room for, and returns whether that was anything.
    pub(super) fn print(&mut self, text: &mut VecDeque<u8>) -> bool {
        let before = text.len();
        self.flush_echo();
        // What was typed before appears before.
        while self.echoed.is_empty() && !text.is_empty() {
            let room = OUTPUT_MAX - self.output.len();
            let (front, _) = text.as_slices();
            let translated = self.translate(front[0]);
            let plain = if self.cooked { front.iter().position(|&byte| byte == b'\n').unwrap_or(front.len()) } else { front.len() };
            let count = if plain > 0 { plain.min(room) } else { usize::from(translated.len() <= room) };
            if count == 0 {
                break;
            }
            // Stretches, for floods are long and this is how they are printed.
            self.output.extend(if plain > 0 { &front[..count] } else { translated });
            text.drain(..count);
        }
        text.len() < before
    }

    /// One read of a process: a line, or everything in raw mode. `None` when nothing is there.
    pub(super) fn take_input(&mut self) -> Option<Vec<u8>> {
        if self.cooked {
            let line = self.lines.pop_front()?;
            self.waiting -= slots(&line);
            return Some(line);
        }
        self.waiting = 0;
        let bytes: Vec<u8> = self.lines.drain(..).flatten().collect();
        (!bytes.is_empty()).then_some(bytes)
    }

    // The discipline.

    /// Looks at input that arrived, up to the next signal key or the lack of room. Returns what that key sends.
    pub(super) fn discipline(&mut self) -> Option<Signal> {
        while let Some(&byte) = self.arrived.front() {
            // A full buffer holds back what follows, except that a line with no end is cut instead.
            let is_full = self.line.len() + self.waiting >= LINE_MAX;
            if is_full && !(self.cooked && self.lines.is_empty()) {
                return None;
            }
            self.arrived.pop_front();
            let signal = if self.cooked { self.receive_cooked(byte, is_full) } else { self.receive_raw(byte) };
            if signal.is_some() {
                return signal;
            }
        }
        None
    }

    fn receive_raw(&mut self, byte: u8) -> Option<Signal> {
        match self.lines.back_mut() {
            Some(bytes) => bytes.push(byte),
            None => self.lines.push_back(vec![byte]),
        }
        self.waiting += 1;
        if self.echo {
            self.echo_byte(byte);
        }
        None
    }

    fn receive_cooked(&mut self, byte: u8, is_full: bool) -> Option<Signal> {
        match byte {
            CTRL_C => return Some(self.interrupt(byte, Signal::Interrupt)),
            CTRL_BACKSLASH => return Some(self.interrupt(byte, Signal::Quit)),
            CTRL_Z => return Some(self.interrupt(byte, Signal::Stop)),
            CTRL_D => self.end_line(),
            CTRL_U => self.erase_while(|_| true),
            CTRL_W => self.erase_word(),
            DELETE => {
                let mut first = true;
                self.erase_while(|_| std::mem::replace(&mut first, false));
            }
            b'\n' | b'\r' => {
                self.echo_byte(b'\n');
                self.line.push(b'\n');
                self.end_line();
            }
            byte => {
                self.echo_byte(byte);
                if !is_full {
                    self.line.push(byte);
                }
            }
        }
        None
    }

    /// Makes the line readable.
    fn end_line(&mut self) {
        self.waiting += slots(&self.line);
        self.lines.push_back(std::mem::take(&mut self.line));
    }

    /// A signal key: what was typed and what was printed and not yet taken over are discarded.
    fn interrupt(&mut self, key: u8, signal: Signal) -> Signal {
        self.line.clear();
        self.lines.clear();
        self.waiting = 0;
        self.echoed.clear();
        self.output.truncate(OUTPUT_TAKEN_MAX);
        self.echo_byte(key);
        signal
    }

    /// Erases whole characters from the end of the line, and from the screen, while `more` says so.
    fn erase_while(&mut self, mut more: impl FnMut(u8) -> bool) {
        while let Some(start) = self.line.iter().rposition(|&byte| !is_continuation(byte)) {
            let byte = self.line[start];
            if !more(byte) {
                break;
            }
            self.line.truncate(start);
            for _ in 0..if is_control(byte) { 2 } else { 1 } {
                self.echo_text(b"\x08 \x08");
            }
        }
    }

    /// Erases a word as Ctrl-W does: what is no word first, then the word.
    fn erase_word(&mut self) {
        let mut in_word = false;
        self.erase_while(|byte| {
            let is_word = byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
            in_word |= is_word;
            is_word || !in_word
        });
    }

    fn echo_byte(&mut self, byte: u8) {
        if is_control(byte) && self.cooked {
            self.echo_text(&[b'^', byte ^ 0x40]);
        } else {
            self.echo_text(self.translate(byte));
        }
    }

    fn echo_text(&mut self, text: &[u8]) {
        if self.echo {
            self.echoed.extend(text);
            self.flush_echo();
            let excess = self.echoed.len().saturating_sub(ECHO_MAX);
            self.echoed.drain(..excess);
        }
    }

    fn flush_echo(&mut self) {
        let count = self.echoed.len().min(OUTPUT_MAX - self.output.len());
        self.output.extend(self.echoed.drain(..count));
    }

    /// What a printed byte becomes.
    fn translate(&self, byte: u8) -> &'static [u8] {
        if byte == b'\n' && self.cooked { b"\r\n" } else { &BYTES[byte as usize] }
    }
}

/// Every byte as a slice of itself.
static BYTES: [[u8; 1]; 256] = {
    let mut bytes = [[0]; 256];
    let mut at = 0;
    while at < 256 {
        bytes[at] = [at as u8];
        at += 1;
    }
    bytes
};

/// What a line occupies of the discipline's buffer; the empty one, of a lone Ctrl-D, is not free either.
fn slots(line: &[u8]) -> usize {
    line.len().max(1)
}

/// What is echoed as a caret and a letter. Tab and newline are shown as they are.
fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n')
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(bytes: &[u8]) -> Terminal {
        let mut terminal = Terminal::new(Size::DEFAULT);
        assert_eq!(terminal.write(bytes), bytes.len());
        while terminal.discipline().is_some() {}
        terminal
    }

    fn shown(terminal: &mut Terminal) -> String {
        let mut buffer = vec![0; 2 * OUTPUT_MAX];
        let count = terminal.read(&mut buffer);
        String::from_utf8_lossy(&buffer[..count]).into_owned()
    }

    #[track_caller]
    fn check(keys: &[u8], lines: &[&[u8]], screen: &str) {
        let mut terminal = typed(keys);
        assert_eq!(terminal.lines, lines);
        assert_eq!(shown(&mut terminal), screen);
    }

    #[test]
    fn lines_are_edited_and_echoed_as_linux_does() {
        check(b"ls\r", &[b"ls\n"], "ls\r\n");
        check(b"ab\x7fc\n", &[b"ac\n"], "ab\x08 \x08c\r\n");
        check("é\x7f\n".as_bytes(), &[b"\n"], "é\x08 \x08\r\n");
        check(b"\x1b\x7f\n", &[b"\n"], "^[\x08 \x08\x08 \x08\r\n");
        check(b"abc\x15d\n", &[b"d\n"], "abc\x08 \x08\x08 \x08\x08 \x08d\r\n");
        check(b"a bc \x17d\n", &[b"a d\n"], "a bc \x08 \x08\x08 \x08\x08 \x08d\r\n");
        check(b"\x7f\x15\x17\n", &[b"\n"], "\r\n");
        check(b"no end", &[], "no end");
    }

    #[test]
    fn end_of_file_ends_a_line_without_a_trace() {
        check(b"ab\x04", &[b"ab"], "ab");
        check(b"\x04", &[b""], "");
    }

    #[test]
    fn signal_key_discards_what_waits_on_both_sides() {
        let mut terminal = typed(b"one\ntwo");
        terminal.print(&mut vec![b'x'; OUTPUT_MAX - 100].into());
        terminal.write(b"\x03after");
        assert_eq!(terminal.discipline(), Some(Signal::Interrupt));
        assert_eq!(terminal.take_input(), None);
        let screen = shown(&mut terminal);
        assert_eq!(screen.len(), OUTPUT_TAKEN_MAX + 2);
        assert!(screen.ends_with("x^C"));
        assert_eq!(terminal.discipline(), None);
        assert_eq!(shown(&mut terminal), "after");
    }

    #[test]
    fn longest_line_is_cut_in_silence() {
        let mut keys = vec![b'a'; 5_000];
        keys.push(b'\n');
        let mut terminal = typed(&keys);
        let line = terminal.take_input().unwrap();
        assert_eq!(line.len(), LINE_MAX + 1);
        assert_eq!(line.last(), Some(&b'\n'));
    }

    #[test]
    fn waiting_lines_hold_back_what_follows() {
        let mut terminal = Terminal::new(Size::DEFAULT);
        let mut accepted = 0;
        loop {
            let count = terminal.write(b"0123456789abcde\n");
            terminal.discipline();
            accepted += count;
            if count < 16 {
                break;
            }
        }
        assert!(!terminal.has_room());
        assert_eq!(accepted, INPUT_MAX + LINE_MAX, "buffers have changed");
        assert!(terminal.take_input().is_some());
        terminal.discipline();
        assert!(terminal.has_room());
    }

    #[test]
    fn raw_bytes_pass_as_they_are() {
        let mut terminal = Terminal::new(Size::DEFAULT);
        terminal.set_raw();
        terminal.write(b"\x03\x04\r\x7f");
        assert_eq!(terminal.discipline(), None);
        assert_eq!(terminal.take_input().unwrap(), b"\x03\x04\r\x7f");
        assert_eq!(terminal.take_input(), None);
        terminal.print(&mut b"\n".to_vec().into());
        assert_eq!(shown(&mut terminal), "\n");
        assert_eq!(terminal.line_mode(), LineMode::RAW);
    }

    #[test]
    fn unfinished_line_becomes_readable_in_raw_mode() {
        let mut terminal = typed(b"half");
        assert_eq!(terminal.take_input(), None);
        terminal.set_raw();
        assert_eq!(terminal.take_input().unwrap(), b"half");
    }

    #[test]
    fn full_output_makes_the_process_wait_and_echo_stays_in_order() {
        let mut terminal = Terminal::new(Size::DEFAULT);
        let mut text: VecDeque<u8> = vec![b'x'; OUTPUT_MAX + 10].into();
        assert!(terminal.print(&mut text));
        assert_eq!(text.len(), 10);
        assert!(!terminal.print(&mut text));
        terminal.write(b"key");
        terminal.discipline();
        assert_eq!(shown(&mut terminal).len(), OUTPUT_MAX);
        assert!(terminal.print(&mut text));
        assert_eq!(shown(&mut terminal), "keyxxxxxxxxxx");
    }

    #[test]
    fn newline_never_comes_apart_at_the_edge_of_a_full_buffer() {
        let mut terminal = Terminal::new(Size::DEFAULT);
        terminal.print(&mut vec![b'x'; OUTPUT_MAX - 1].into());
        let mut newline: VecDeque<u8> = vec![b'\n'].into();
        assert!(!terminal.print(&mut newline));
        shown(&mut terminal);
        assert!(terminal.print(&mut newline));
        assert_eq!(shown(&mut terminal), "\r\n");
    }

    #[test]
    fn echo_nobody_reads_is_bounded() {
        let mut terminal = Terminal::new(Size::DEFAULT);
        for _ in 0..20 {
            terminal.write(&[b'a'; 4_000]);
            terminal.discipline();
        }
        assert_eq!(terminal.output.len() + terminal.echoed.len(), OUTPUT_MAX + ECHO_MAX);
    }
}
