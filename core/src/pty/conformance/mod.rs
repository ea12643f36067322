//! What every provider of terminals must do, said once and run on each: in the kernel's by a shell, in memory by
//! a script that says the same.
//!
//! A sleep in a shell's command provokes a state; none here waits for one.

pub(crate) mod rig;

use self::rig::Rig;
use super::scripted::{Script, ScriptedPtys, flood_byte};
use super::unix::UnixPtys;
use super::{Command, ExitStatus, Interest, LineMode, PtyBackend, Signal, SpawnError, Target};
use crate::limits::LINE_MAX;
use crate::size::Size;

/// Runs `check` on a terminal of 132 columns by 43 rows in which `shell` runs, and on one in which `script` does.
fn each(shell: &str, script: Script, check: impl Fn(&mut Rig)) {
    let size = Size::new(132, 43).unwrap();
    let shell = Command::new("/bin/sh").args(["-c", shell]);
    let scripted = ScriptedPtys::new().with("script", script);
    for (ptys, command) in [(&UnixPtys as &dyn PtyBackend, shell), (&scripted, Command::new("script"))] {
        let mut rig = Rig::new(ptys.spawn(&command, size).unwrap());
        check(&mut rig);
        // Whoever is left must not outlive the test.
        rig.pty.signal(Signal::Kill, Target::Session).unwrap();
        rig.until("exit", |rig| rig.status.is_some());
        rig.until("empty session", |rig| !rig.pty.has_processes());
    }
}

/// The shell's words for [`Script::flood`].
fn flood(count: u64) -> String {
    format!("seq -f '%015.0f;' -s '' 0 99999 | head -c {count}")
}

#[track_caller]
fn check_flood(output: &[u8], count: u64) {
    assert_eq!(output.len() as u64, count);
    let wrong = output.iter().zip(0..).find(|&(&byte, at)| byte != flood_byte(at));
    assert_eq!(wrong, None);
}

#[test]
fn command_that_cannot_run_is_refused_in_the_call() {
    let scripted = ScriptedPtys::new().with("sh", Script::new());
    for ptys in [&UnixPtys as &dyn PtyBackend, &scripted] {
        let refusal = |command: Command| ptys.spawn(&command, Size::DEFAULT).err().unwrap();
        assert!(matches!(refusal(Command::new("no-such-program")), SpawnError::NotFound { .. }));
        assert!(matches!(refusal(Command::new("")), SpawnError::NotFound { .. }));
        assert!(matches!(refusal(Command::new("sh").arg("a\0b")), SpawnError::Malformed { .. }));
        assert!(matches!(refusal(Command::new("sh").env("A=B", "")), SpawnError::Malformed { .. }));
    }
}

#[test]
fn size_is_there_before_the_process() {
    each("stty size", Script::new().print_size(), |rig| {
        assert_eq!(rig.finish(), ExitStatus::Code(0));
        assert_eq!(rig.text(), "43 132\r\n");
    });
}

#[test]
fn resize_is_seen_by_the_process_and_returns_the_size_that_resulted() {
    let shell = "trap 'stty size' WINCH; echo ready; while :; do sleep 0.01; done";
    each(shell, Script::new().report_resizes().print("ready\n").hang(), |rig| {
        rig.until_output("ready");
        let size = Size::new(100, 30).unwrap();
        assert_eq!(rig.pty.resize(size).unwrap(), size);
        rig.until_output("30 100\r\n");
    });
}

#[test]
fn status_tells_a_code_from_a_signal() {
    each("exit 42", Script::new().exit(42), |rig| assert_eq!(rig.finish(), ExitStatus::Code(42)));
    each("kill -TERM $$", Script::new().die(Signal::Terminate), |rig| assert_eq!(rig.finish(), ExitStatus::Signal(15)));
    each("echo ready; exec cat", Script::new().print("ready").cat(), |rig| {
        rig.until_output("ready");
        rig.pty.signal(Signal::Kill, Target::Leader).unwrap();
        assert_eq!(rig.finish(), ExitStatus::Signal(9));
    });
}

#[test]
fn status_is_told_again_and_signals_to_nobody_are_no_error() {
    each("exit 1", Script::new().exit(1), |rig| {
        rig.finish();
        assert_eq!(rig.pty.try_exit().unwrap(), Some(ExitStatus::Code(1)));
        assert!(!rig.pty.has_processes());
        for target in [Target::Leader, Target::Foreground, Target::Session] {
            rig.pty.signal(Signal::Terminate, target).unwrap();
        }
    });
}

#[test]
fn every_byte_arrives_once_and_in_order() {
    let count = 400_000;
    each(&flood(count), Script::new().flood(count), |rig| {
        assert_eq!(rig.finish(), ExitStatus::Code(0));
        check_flood(&rig.output, count);
    });
}

#[test]
fn tail_of_a_process_that_is_gone_is_not_lost() {
    // Small enough to fit the terminal, so that the process is gone before the first read.
    let count = 8_000;
    for _ in 0..20 {
        each(&flood(count), Script::new().flood(count), |rig| {
            rig.pty.set_interest(Interest::default()).unwrap();
            while !rig.reactor.wait(rig::PATIENCE).exit {}
            rig.status = rig.pty.try_exit().unwrap();
            rig.type_in(""); // Wants to read again.
            assert_eq!(rig.finish(), ExitStatus::Code(0));
            check_flood(&rig.output, count);
        });
    }
}

#[test]
fn end_is_for_ever() {
    each("echo last", Script::new().print("last\n"), |rig| {
        rig.finish();
        assert_eq!(rig.text(), "last\r\n");
        for _ in 0..3 {
            assert_eq!(rig.pty.read(&mut [0; 16]).unwrap(), 0);
        }
        assert!(rig.pty.write(b"x").is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock));
    });
}

#[test]
fn nothing_rings_while_nothing_is_wanted() {
    each("echo ready; sleep 0.02; echo more; exec cat", Script::new().print("ready\nmore\n").cat(), |rig| {
        rig.until_output("ready");
        rig.pty.set_interest(Interest::default()).unwrap();
        rig.reactor.wait(std::time::Duration::ZERO); // What was announced before.
        let silence = rig.reactor.wait(std::time::Duration::from_millis(60));
        assert_eq!(silence, super::Ready::default());
        rig.type_in("");
        rig.until_output("more");
    });
}

#[test]
fn input_larger_than_every_buffer_is_taken_in_parts() {
    let count = 300_000;
    each("stty raw -echo; echo ready; exec cat", Script::new().raw().print("ready\n").cat(), |rig| {
        rig.until_output("ready\n");
        rig.output.clear();
        rig.type_in((0..count).map(flood_byte).collect::<Vec<_>>());
        rig.until("the whole flood", |rig| rig.output.len() as u64 >= count);
        check_flood(&rig.output, count);
    });
}

#[test]
fn input_that_nobody_reads_is_refused_after_a_while() {
    each("stty raw -echo; echo ready; exec sleep 1000", Script::new().raw().print("ready\n").hang(), |rig| {
        rig.until_output("ready");
        let mut taken = 0;
        let error = loop {
            match rig.pty.write(&[b'x'; 4_000]) {
                Ok(count) => taken += count,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
        assert!((4_096..100_000).contains(&taken), "{taken}");
    });
}

#[test]
fn cooked_terminal_echoes_and_cuts_a_line_that_is_too_long() {
    each("echo ready; exec wc -c", Script::new().print("ready\n").cat(), |rig| {
        rig.until_output("ready");
        rig.type_in("x\r");
        rig.until_output("x\r\n");
        rig.type_in([b'z'; 5_000]);
        rig.type_in("\r");
        rig.until("echo", |rig| rig.output.ends_with(b"z\r\n"));
        rig.type_in("\x04");
        rig.finish();
        // Either the process said how much it got, or it repeated it behind the echo.
        let repeated = rig.text().matches('z').count() - 5_000;
        assert!(rig.text().contains(&(2 + LINE_MAX + 1).to_string()) || repeated == LINE_MAX, "{repeated}");
    });
}

#[test]
fn modes_are_seen_from_outside() {
    let script = Script::new().print("cooked").read_line().raw().print("raw").cat();
    each("printf cooked; read line; stty raw -echo; printf raw; exec cat", script, |rig| {
        rig.until_output("cooked");
        assert_eq!(rig.pty.line_mode().unwrap(), LineMode::COOKED);
        rig.type_in("\r");
        rig.until_output("raw");
        assert_eq!(rig.pty.line_mode().unwrap(), LineMode::RAW);
    });
}

#[test]
fn interrupt_key_reaches_the_process() {
    each("echo ready; exec sleep 1000", Script::new().print("ready\n").hang(), |rig| {
        rig.until_output("ready\r\n");
        rig.type_in("\x03");
        assert_eq!(rig.finish(), ExitStatus::Signal(2));
        assert_eq!(rig.text(), "ready\r\n^C");
    });
}

#[test]
fn signal_goes_to_its_handler() {
    let shell = "trap 'echo caught' USR1; trap '' HUP; echo ready; while :; do sleep 0.01; done";
    let script = Script::new().on_signal(Signal::User1, "caught\n").ignore(Signal::Hangup).print("ready\n").hang();
    each(shell, script, |rig| {
        rig.until_output("ready");
        rig.pty.signal(Signal::Hangup, Target::Leader).unwrap();
        rig.pty.signal(Signal::User1, Target::Leader).unwrap();
        rig.until_output("caught");
    });
}

#[test]
fn stopped_process_goes_on_when_told() {
    each("echo ready; exec cat", Script::new().print("ready\n").cat(), |rig| {
        rig.until_output("ready");
        rig.pty.signal(Signal::Stop, Target::Session).unwrap();
        rig.type_in("a\r");
        rig.until_output("a\r\n"); // The terminal's echo, not the process's.
        rig.pty.signal(Signal::Continue, Target::Session).unwrap();
        rig.until_output("a\r\na\r\n");
    });
}

#[test]
fn orphan_keeps_the_terminal_open_and_is_heard() {
    let shell = "trap '' HUP; (while kill -0 $$ 2>/dev/null; do sleep 0.01; done; echo orphan; sleep 1000) & exit 3";
    each(shell, Script::new().orphan("orphan\n", true).exit(3), |rig| {
        rig.until_output("orphan");
        assert_eq!(rig.status, Some(ExitStatus::Code(3)));
        assert!(!rig.ended && rig.pty.has_processes());
        rig.pty.signal(Signal::Hangup, Target::Session).unwrap();
        assert!(rig.pty.has_processes());
        rig.pty.signal(Signal::Kill, Target::Session).unwrap();
        rig.until("end", |rig| rig.ended);
    });
}
