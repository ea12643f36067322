//! The language in which a test says what a process does.

use super::super::Signal;

/// What a process does in its terminal, step by step. After the last step it exits with code 0.
///
/// It starts, like any process, in cooked mode with echo. Its output passes the terminal as a program's would: in
/// cooked mode a newline gains a carriage return, and when nobody reads, the process waits.
///
/// # Examples
/// ```
/// # use orchflow_core::pty::{Command, PtyBackend, scripted::{Script, ScriptedPtys}};
/// # use orchflow_core::size::Size;
/// let ptys = ScriptedPtys::new().with("greeter", Script::new().print("name? ").read_line().print("hello\n").exit(3));
/// let mut pty = ptys.spawn(&Command::new("greeter"), Size::DEFAULT)?;
/// let mut output = [0; 64];
/// let count = pty.read(&mut output)?;
/// assert_eq!(&output[..count], b"name? ");
/// pty.write(b"you\r")?;
/// let count = pty.read(&mut output)?;
/// assert_eq!(&output[..count], b"you\r\nhello\r\n"); // The echo first.
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    pub(super) steps: Vec<Step>,
}

/// One step, as the interpreter takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Print(Vec<u8>),
    Flood(u64),
    PrintSize,
    Raw,
    Cooked,
    Echo(bool),
    Cat,
    ReadLine,
    React(Signal, Reaction),
    ReportResizes,
    Background(Script),
    WaitGate(String),
    WaitOrphaned,
    Hang,
    Exit(i32),
    Die(Signal),
}

/// What a process does about a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    Ignore,
    Print(Vec<u8>),
}

impl Script {
    /// A process that exits at once.
    pub fn new() -> Script {
        Script::default()
    }

    /// Prints `text`.
    pub fn print(self, text: impl Into<Vec<u8>>) -> Script {
        self.then(Step::Print(text.into()))
    }

    /// Prints `count` bytes that tell their own place: the `i`-th is [`flood_byte(i)`](flood_byte). No newline is
    /// among them, so the terminal changes nothing in any mode.
    pub fn flood(self, count: u64) -> Script {
        self.then(Step::Flood(count))
    }

    /// Prints the size as `stty size` does: rows, a space, columns, a newline.
    pub fn print_size(self) -> Script {
        self.then(Step::PrintSize)
    }

    /// Sets raw mode: no echo, no lines, no signals, nothing changed on the way in or out.
    pub fn raw(self) -> Script {
        self.then(Step::Raw)
    }

    /// Sets the mode a terminal opens with, echo included.
    pub fn cooked(self) -> Script {
        self.then(Step::Cooked)
    }

    /// Switches echo on or off, as a password prompt does.
    pub fn echo(self, on: bool) -> Script {
        self.then(Step::Echo(on))
    }

    /// Copies input to output: in cooked mode until Ctrl-D on an empty line, in raw mode for ever.
    pub fn cat(self) -> Script {
        self.then(Step::Cat)
    }

    /// Reads once and forgets it: a line in cooked mode, whatever waits in raw mode.
    pub fn read_line(self) -> Script {
        self.then(Step::ReadLine)
    }

    /// From here on ignores `signal`. [`Kill`](Signal::Kill) and [`Stop`](Signal::Stop) do not care, as
    /// everywhere.
    pub fn ignore(self, signal: Signal) -> Script {
        self.then(Step::React(signal, Reaction::Ignore))
    }

    /// From here on prints `text` at each `signal`, between two bytes of whatever it is doing, and goes on.
    pub fn on_signal(self, signal: Signal, text: impl Into<Vec<u8>>) -> Script {
        self.then(Step::React(signal, Reaction::Print(text.into())))
    }

    /// From here on prints the size, like [`print_size`](Script::print_size), whenever it changes.
    pub fn report_resizes(self) -> Script {
        self.then(Step::ReportResizes)
    }

    /// Starts another process of the same session, a background job in a group of its own. The end of the
    /// leader does not end it; with [`hang`](Script::hang) at its end it keeps the terminal open for ever. Reading
    /// input stops it until somebody kills it.
    pub fn background(self, script: Script) -> Script {
        self.then(Step::Background(script))
    }

    /// Starts an orphan: once the leader is gone it prints `text`, and then ends, or (`forever`) never does.
    pub fn orphan(self, text: impl Into<Vec<u8>>, forever: bool) -> Script {
        let orphan = Script::new().ignore(Signal::Hangup).wait_orphaned().print(text);
        self.background(if forever { orphan.hang() } else { orphan })
    }

    /// Waits until a test opens `gate` with [`ScriptedPtys::release`](super::ScriptedPtys::release).
    pub fn wait_gate(self, gate: impl Into<String>) -> Script {
        self.then(Step::WaitGate(gate.into()))
    }

    /// Waits until the session's leader has ended; no use in the leader itself.
    pub fn wait_orphaned(self) -> Script {
        self.then(Step::WaitOrphaned)
    }

    /// Never goes on, and reads nothing. Signals still act.
    pub fn hang(self) -> Script {
        self.then(Step::Hang)
    }

    /// Ends with `code`.
    pub fn exit(self, code: i32) -> Script {
        self.then(Step::Exit(code))
    }

    /// Ends by `signal`, as if it had sent it to itself without a handler.
    pub fn die(self, signal: Signal) -> Script {
        self.then(Step::Die(signal))
    }

    fn then(mut self, step: Step) -> Script {
        self.steps.push(step);
        self
    }
}

/// The byte at `position` of a [flood](Script::flood): cells of 15 digits and a semicolon that count themselves, so
/// any stretch of 31 bytes tells where it comes from. A shell prints the same with
/// `seq -f '%015.0f;' -s '' 0 99999 | head -c COUNT`.
///
/// # Examples
/// ```
/// # use orchflow_core::pty::scripted::flood_byte;
/// let flood: Vec<u8> = (0..32).map(flood_byte).collect();
/// assert_eq!(flood, b"000000000000000;000000000000001;");
/// ```
pub const fn flood_byte(position: u64) -> u8 {
    let (cell, column) = (position / 16, position % 16);
    if column == 15 {
        return b';';
    }
    b'0' + (cell / 10u64.pow(14 - column as u32) % 10) as u8
}

/// The bytes at `positions` of a flood, a cell at a time.
pub(super) fn flood(positions: std::ops::Range<u64>) -> Vec<u8> {
    let cells: String = (positions.start / 16..positions.end.div_ceil(16)).map(|cell| format!("{:015};", cell % 10u64.pow(15))).collect();
    let skipped = (positions.start % 16) as usize;
    cells.as_bytes()[skipped..skipped + (positions.end - positions.start) as usize].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flood_is_the_same_by_byte_and_by_stretch() {
        for positions in [0..0, 0..100, 7..9, 15..17, 159_999..160_033, u64::MAX - 40..u64::MAX] {
            assert_eq!(flood(positions.clone()), positions.map(flood_byte).collect::<Vec<_>>());
        }
    }
}
