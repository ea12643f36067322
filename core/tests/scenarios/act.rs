//! What a child does, said once: a shell's program for the kernel's terminals, a script for those in memory.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use orchflow_core::pty::Signal;
use orchflow_core::pty::scripted::Script;

/// A child's part, step by step; after the last it exits with code 0.
#[derive(Clone, Default)]
pub(crate) struct Act {
    shell: String,
    pub(crate) script: Script,
    pub(crate) gates: Vec<String>,
    handles_signals: bool,
    ignored: Vec<Signal>,
}

impl Act {
    pub(crate) fn new() -> Act {
        Act::default()
    }

    /// Raw mode, "ready", and then whatever is typed comes back unchanged.
    pub(crate) fn raw_cat() -> Act {
        Act::new().raw().print("ready").cat()
    }

    /// Lines without echo, "ready", and then each line comes back once.
    pub(crate) fn quiet_cat() -> Act {
        Act::new().echo(false).print("ready").cat()
    }

    pub(crate) fn print(self, text: &str) -> Act {
        self.then(&print_in_shell(text), |script| script.print(text))
    }

    /// The first `count` bytes of [`flood_bytes`].
    pub(crate) fn flood(self, count: usize) -> Act {
        assert!(count <= FLOOD_BYTES, "the file has no more");
        self.then(&format!("head -c {count} \"$FLOOD\""), |script| script.flood(count as u64))
    }

    /// More output than any scenario reads.
    pub(crate) fn flood_without_end(self) -> Act {
        self.then("while :; do cat \"$FLOOD\"; done", |script| script.flood(u64::MAX))
    }

    pub(crate) fn print_size(self) -> Act {
        self.then("stty size", Script::print_size)
    }

    pub(crate) fn raw(self) -> Act {
        self.then("stty raw -echo", Script::raw)
    }

    pub(crate) fn cooked(self) -> Act {
        self.then("stty sane", Script::cooked)
    }

    pub(crate) fn echo(self, on: bool) -> Act {
        self.then(if on { "stty echo" } else { "stty -echo" }, |script| script.echo(on))
    }

    pub(crate) fn cat(self) -> Act {
        self.then("cat", Script::cat)
    }

    pub(crate) fn ignore(mut self, signal: Signal) -> Act {
        self.ignored.push(signal);
        self.then(&format!("trap '' {}", name(signal)), |script| script.ignore(signal))
    }

    pub(crate) fn on_signal(mut self, signal: Signal, text: &str) -> Act {
        self.handles_signals = true;
        self.then(&format!("trap \"{}\" {}", print_in_shell(text), name(signal)), |script| script.on_signal(signal, text))
    }

    /// Another process of the same session.
    pub(crate) fn background(mut self, act: Act) -> Act {
        self.gates.extend(act.gates);
        // What the job ignores it must ignore from its first moment: its leader may be gone in the next.
        let own = act.ignored.iter().filter(|signal| !self.ignored.contains(signal)).map(|&signal| name(signal));
        let own = own.collect::<Vec<_>>().join(" ");
        let (before, after) = if own.is_empty() { Default::default() } else { (format!("trap '' {own}\n"), format!("\ntrap - {own}")) };
        self.then(&format!("{before}(\n{}) &{after}", act.shell), |script| script.background(act.script))
    }

    /// For a background job: waits until the leader was collected.
    pub(crate) fn wait_orphaned(self) -> Act {
        // Not for ever: where a failed test left nobody to collect the leader, its id stays.
        let wait = "n=0; while kill -0 $$ 2>/dev/null && [ $n -lt 6000 ]; do n=$((n+1)); sleep 0.01; done";
        self.then(wait, Script::wait_orphaned)
    }

    /// A background job that hang-ups do not end and that holds the terminal open for ever, in silence.
    pub(crate) fn silent_orphan(self) -> Act {
        self.background(Act::new().ignore(Signal::Hangup).hang())
    }

    /// Waits until the test opens `gate`.
    pub(crate) fn gate(mut self, gate: &str) -> Act {
        self.gates.push(gate.to_owned());
        self.then(&format!("read _ < \"$GATES/{gate}\""), |script| script.wait_gate(gate))
    }

    /// Never goes on.
    pub(crate) fn hang(self) -> Act {
        let shell = if self.handles_signals { "while :; do sleep 0.02; done" } else { "exec sleep 1000" };
        self.then(shell, Script::hang)
    }

    pub(crate) fn exit(self, code: i32) -> Act {
        self.then(&format!("exit {code}"), |script| script.exit(code))
    }

    /// A step that scripts have no word for and no need of.
    pub(crate) fn in_shell(self, shell: &str) -> Act {
        self.then(shell, |script| script)
    }

    /// The program for `sh -c`.
    pub(crate) fn shell(&self) -> &str {
        &self.shell
    }

    fn then(mut self, shell: &str, script: impl FnOnce(Script) -> Script) -> Act {
        self.shell += shell;
        self.shell += "\n";
        self.script = script(self.script);
        self
    }
}

/// Octal, so that no byte means anything to the shell.
fn print_in_shell(text: &str) -> String {
    let octal: String = text.bytes().map(|byte| format!("\\0{byte:03o}")).collect();
    format!("printf %b '{octal}'")
}

fn name(signal: Signal) -> &'static str {
    match signal {
        Signal::Hangup => "HUP",
        Signal::Interrupt => "INT",
        Signal::Terminate => "TERM",
        other => panic!("no act needs {other:?}"),
    }
}

/// The longest flood of an act.
const FLOOD_BYTES: usize = 8 << 20;

/// What a flood prints: cells that count themselves, so that each stretch tells where it comes from.
pub(crate) fn flood_bytes(range: Range<usize>) -> &'static [u8] {
    static FLOOD: OnceLock<Vec<u8>> = OnceLock::new();
    let flood = FLOOD.get_or_init(|| (0..FLOOD_BYTES / 16).flat_map(|cell| format!("{cell:015};").into_bytes()).collect());
    &flood[range]
}

/// The same in a file, for shells.
pub(crate) fn flood_file() -> &'static Path {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("flood");
        let part = path.with_extension(std::process::id().to_string());
        fs::write(&part, flood_bytes(0..FLOOD_BYTES)).unwrap();
        fs::rename(&part, &path).unwrap(); // Another run of the suite may read it.
        path
    })
}
