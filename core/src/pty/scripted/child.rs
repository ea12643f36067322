//! The processes of one session, as interpreters of their scripts.
//!
//! They take turns in the order in which they were started, each going as far as it can, so the same calls lead to the
//! same bytes. Nothing here waits: a process that cannot go on is asked again after the next event.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::super::{ExitStatus, Signal};
use super::script::{Reaction, Script, Step, flood};
use super::terminal::Terminal;

/// The leader of a session, and whatever it started.
#[derive(Debug)]
pub(super) struct Session {
    leader: Process,
    jobs: Vec<Process>,
}

impl Session {
    pub(super) fn new(script: Script) -> Session {
        Session { leader: Process::new(script, Role::Leader), jobs: Vec::new() }
    }

    /// Lets everybody go as far as possible.
    pub(super) fn run(&mut self, terminal: &mut Terminal, gates: &BTreeSet<String>) {
        loop {
            let mut has_moved = false;
            while let Some(signal) = terminal.discipline() {
                self.leader.receive(signal); // The only one in the foreground.
                has_moved = true;
            }
            let mut started = Vec::new();
            let is_orphaned = self.leader.status.is_some();
            for process in [&mut self.leader].into_iter().chain(&mut self.jobs) {
                has_moved |= process.run(&mut World { terminal, gates, is_orphaned, started: &mut started });
            }
            self.jobs.retain(|job| job.status.is_none());
            self.jobs.extend(started);
            if !has_moved {
                return;
            }
        }
    }

    pub(super) fn signal_leader(&mut self, signal: Signal) {
        self.leader.receive(signal);
    }

    pub(super) fn signal_everybody(&mut self, signal: Signal) {
        self.leader.receive(signal);
        self.jobs.iter_mut().for_each(|job| job.receive(signal));
        self.jobs.retain(|job| job.status.is_none());
    }

    /// Tells the foreground that the size is another one now.
    pub(super) fn notice_resize(&mut self) {
        self.leader.notice_resize();
    }

    pub(super) fn leader_status(&self) -> Option<ExitStatus> {
        self.leader.status
    }

    pub(super) fn has_jobs(&self) -> bool {
        !self.jobs.is_empty()
    }

    /// Whether any process stands at `gate`.
    pub(super) fn waits_at(&self, gate: &str) -> bool {
        [&self.leader].into_iter().chain(&self.jobs).any(|process| process.waits_at(gate))
    }
}

/// What a process can see and touch during its turn.
struct World<'a> {
    terminal: &'a mut Terminal,
    gates: &'a BTreeSet<String>,
    is_orphaned: bool,
    started: &'a mut Vec<Process>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Leader,
    Job,
}

#[derive(Debug)]
struct Process {
    role: Role,
    steps: VecDeque<Step>,
    /// Bytes a flood has printed so far.
    flooded: u64,
    /// Printed, and waiting for room in the terminal.
    printing: VecDeque<u8>,
    reactions: BTreeMap<Signal, Reaction>,
    reports_resizes: bool,
    /// A size change that was not reported yet; several are one, as with any signal.
    resized: bool,
    is_stopped: bool,
    /// Signals for later, when the process goes on. Each waits at most once, as in Linux.
    held: Vec<Signal>,
    status: Option<ExitStatus>,
}

impl Process {
    fn new(script: Script, role: Role) -> Process {
        Process {
            role,
            steps: script.steps.into(),
            flooded: 0,
            printing: VecDeque::new(),
            reactions: BTreeMap::new(),
            reports_resizes: false,
            resized: false,
            is_stopped: false,
            held: Vec::new(),
            status: None,
        }
    }

    /// Goes as far as possible, and returns whether that was anywhere.
    fn run(&mut self, world: &mut World<'_>) -> bool {
        let mut has_moved = false;
        while self.status.is_none() && !self.is_stopped {
            if std::mem::take(&mut self.resized) {
                self.print_size(world);
            }
            has_moved |= world.terminal.print(&mut self.printing);
            if !self.printing.is_empty() || !self.step(world) {
                break;
            }
            has_moved = true;
        }
        has_moved
    }

    /// Takes one step, or one part of a long one. Returns whether it could.
    fn step(&mut self, world: &mut World<'_>) -> bool {
        let Some(step) = self.steps.pop_front() else {
            self.end(ExitStatus::Code(0));
            return true;
        };
        match step {
            Step::Print(text) => self.printing.extend(text),
            Step::Flood(count) if self.flooded < count => {
                let end = count.min(self.flooded + FLOOD_PART);
                self.printing.extend(flood(self.flooded..end));
                self.flooded = end;
                self.steps.push_front(Step::Flood(count));
            }
            Step::Flood(_) => self.flooded = 0,
            Step::PrintSize => self.print_size(world),
            Step::Raw => world.terminal.set_raw(),
            Step::Cooked => world.terminal.set_cooked(),
            Step::Echo(on) => world.terminal.set_echo(on),
            Step::Cat | Step::ReadLine => return self.read(step, world),
            Step::React(signal, reaction) => drop(self.reactions.insert(signal, reaction)),
            Step::ReportResizes => self.reports_resizes = true,
            Step::Background(script) => world.started.push(Process::new(script, Role::Job)),
            Step::WaitGate(ref gate) if !world.gates.contains(gate) => return self.wait(step),
            Step::WaitOrphaned if !world.is_orphaned => return self.wait(step),
            Step::WaitGate(_) | Step::WaitOrphaned => {}
            Step::Hang => return self.wait(step),
            Step::Exit(code) => self.end(ExitStatus::Code(code)),
            Step::Die(signal) => self.end(ExitStatus::Signal(number(signal))),
        }
        true
    }

    /// Stays at `step`.
    fn wait(&mut self, step: Step) -> bool {
        self.steps.push_front(step);
        false
    }

    fn read(&mut self, step: Step, world: &mut World<'_>) -> bool {
        if self.role == Role::Job {
            return self.wait(step); // The kernel stops a background job that reads.
        }
        let Some(input) = world.terminal.take_input() else { return self.wait(step) };
        if step == Step::Cat && !input.is_empty() {
            self.printing.extend(input);
            self.steps.push_front(step);
        }
        true
    }

    fn print_size(&mut self, world: &World<'_>) {
        let size = world.terminal.size();
        self.printing.extend(format!("{} {}\n", size.rows(), size.cols()).into_bytes());
    }

    fn notice_resize(&mut self) {
        self.resized = self.reports_resizes && self.status.is_none();
    }

    fn receive(&mut self, signal: Signal) {
        match signal {
            _ if self.status.is_some() => {}
            Signal::Kill => self.end(ExitStatus::Signal(number(signal))),
            Signal::Stop => self.is_stopped = true,
            Signal::Continue => {
                self.is_stopped = false;
                self.react(signal);
                std::mem::take(&mut self.held).into_iter().for_each(|held| self.receive(held));
            }
            _ if self.is_stopped => {
                if !self.held.contains(&signal) {
                    self.held.push(signal);
                }
            }
            _ => self.react(signal),
        }
    }

    /// Does what the script says of `signal`, or what the kernel does when it says nothing.
    fn react(&mut self, signal: Signal) {
        match self.reactions.get(&signal) {
            Some(Reaction::Ignore) => {}
            Some(Reaction::Print(text)) if self.printing.len() < PRINTING_MAX => self.printing.extend(text),
            // A handler that cannot print holds its signal back; more of the same are one, so are these.
            Some(Reaction::Print(_)) => {}
            None if signal == Signal::Continue => {}
            None => self.end(ExitStatus::Signal(number(signal))),
        }
    }

    fn end(&mut self, status: ExitStatus) {
        self.status = Some(status);
        self.printing.clear();
    }

    fn waits_at(&self, gate: &str) -> bool {
        self.printing.is_empty() && matches!(self.steps.front(), Some(Step::WaitGate(at)) if at == gate)
    }
}

/// Bytes a flood prepares at a time: a program's usual buffer.
const FLOOD_PART: u64 = 4 << 10;

/// Above this a handler prints nothing more, so that signals to a process nobody reads cost no memory.
const PRINTING_MAX: usize = 64 << 10;

/// The numbers every Unix of today gives them, Linux's where they differ.
fn number(signal: Signal) -> i32 {
    match signal {
        Signal::Hangup => 1,
        Signal::Interrupt => 2,
        Signal::Quit => 3,
        Signal::Kill => 9,
        Signal::User1 => 10,
        Signal::User2 => 12,
        Signal::Terminate => 15,
        Signal::Continue => 18,
        Signal::Stop => 19,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pty::scripted::flood_byte;
    use crate::size::Size;

    /// A session whose gates are all shut, run once.
    fn run(script: Script) -> (Session, Terminal) {
        let mut pair = (Session::new(script), Terminal::new(Size::DEFAULT));
        go_on(&mut pair);
        pair
    }

    fn go_on((session, terminal): &mut (Session, Terminal)) {
        session.run(terminal, &BTreeSet::new());
    }

    fn shown(pair: &mut (Session, Terminal)) -> String {
        let mut buffer = [0; 32 << 10];
        let count = pair.1.read(&mut buffer);
        String::from_utf8_lossy(&buffer[..count]).into_owned()
    }

    #[test]
    fn script_ends_with_code_zero() {
        let mut pair = run(Script::new().print("hi\n"));
        assert_eq!(pair.0.leader_status(), Some(ExitStatus::Code(0)));
        assert_eq!(shown(&mut pair), "hi\r\n");
    }

    #[test]
    fn process_waits_while_nobody_reads_and_prints_every_byte() {
        let mut pair = run(Script::new().flood(100_000).print("."));
        let mut output = String::new();
        while pair.0.leader_status().is_none() {
            output += &shown(&mut pair);
            go_on(&mut pair);
        }
        output += &shown(&mut pair);
        assert_eq!(output.len(), 100_001);
        assert!(output.bytes().zip(0..100_000).all(|(byte, at)| byte == flood_byte(at)));
    }

    #[test]
    fn cat_ends_at_end_of_file() {
        let mut pair = run(Script::new().cat().exit(7));
        pair.1.write(b"a\nb\x04\x04");
        go_on(&mut pair);
        assert_eq!(shown(&mut pair), "a\r\nba\r\nb");
        assert_eq!(pair.0.leader_status(), Some(ExitStatus::Code(7)));
    }

    #[test]
    fn signals_end_the_process_unless_the_script_says_otherwise() {
        let script = Script::new().ignore(Signal::Hangup).on_signal(Signal::Interrupt, "!").hang();
        let mut pair = run(script);
        pair.0.signal_leader(Signal::Hangup);
        pair.1.write(b"\x03");
        go_on(&mut pair);
        assert_eq!(shown(&mut pair), "^C!");
        pair.0.signal_leader(Signal::Terminate);
        assert_eq!(pair.0.leader_status(), Some(ExitStatus::Signal(15)));
    }

    #[test]
    fn stopped_process_does_nothing_until_it_is_continued() {
        let mut pair = run(Script::new().read_line().print("read"));
        pair.0.signal_leader(Signal::Stop);
        pair.1.set_echo(false);
        pair.1.write(b"\n");
        go_on(&mut pair);
        assert_eq!(shown(&mut pair), "");
        pair.0.signal_leader(Signal::Continue);
        go_on(&mut pair);
        assert_eq!(shown(&mut pair), "read");
    }

    #[test]
    fn signal_to_a_stopped_process_acts_when_it_goes_on() {
        let mut pair = run(Script::new().hang());
        pair.0.signal_leader(Signal::Stop);
        pair.0.signal_leader(Signal::Terminate);
        assert_eq!(pair.0.leader_status(), None);
        pair.0.signal_leader(Signal::Continue);
        assert_eq!(pair.0.leader_status(), Some(ExitStatus::Signal(15)));
    }

    #[test]
    fn orphan_outlives_the_leader_and_hang_ups_but_not_kill() {
        let mut pair = run(Script::new().orphan("boo", true).exit(1));
        assert_eq!(pair.0.leader_status(), Some(ExitStatus::Code(1)));
        assert_eq!(shown(&mut pair), "boo");
        pair.0.signal_everybody(Signal::Hangup);
        assert!(pair.0.has_jobs());
        pair.0.signal_everybody(Signal::Kill);
        assert!(!pair.0.has_jobs());
    }

    #[test]
    fn handlers_that_nobody_reads_are_bounded() {
        let mut pair = run(Script::new().on_signal(Signal::User1, vec![b'x'; 1_000]).hang());
        for _ in 0..1_000 {
            pair.0.signal_leader(Signal::User1);
            go_on(&mut pair);
        }
        assert!(pair.0.leader.printing.len() < PRINTING_MAX + 1_000);
    }
}
