//! The program as its callers see it: exit codes, and that a guarded command does not outlive us.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Output, Stdio};

fn xtask(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask")).args(args).stdin(Stdio::piped()).output().expect("xtask starts")
}

#[test]
fn help_lists_every_part() {
    let help = String::from_utf8(xtask(&["help"]).stdout).expect("text");
    for part in ["fmt", "tidy", "clippy", "docs", "unit", "doctest", "loom", "mutants", "protections", "examples", "msrv"] {
        assert!(help.contains(&format!("\n  {part} ")), "{part}");
    }
}

#[test]
fn unknown_words_are_refused_before_anything_runs() {
    assert_eq!(xtask(&["tset"]).status.code(), Some(2));
    assert_eq!(xtask(&["test", "fmt", "clipy"]).status.code(), Some(2));
    assert_eq!(xtask(&["test", "fmt", "--fully"]).status.code(), Some(2));
}

#[cfg(unix)]
#[test]
fn guard_passes_the_exit_code_on() {
    let mut guard = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let mut guard = guard.args(["guard", "sh", "-c", "exit 7"]).stdin(Stdio::piped()).spawn().expect("xtask starts");
    let leash = guard.stdin.take(); // `wait` would close it.
    assert_eq!(guard.wait().expect("it ends").code(), Some(7));
    drop(leash);
}

#[cfg(unix)]
#[test]
fn guarded_command_and_its_children_end_when_the_leash_goes() {
    use std::os::unix::process::{CommandExt, ExitStatusExt};

    let mut guard = Command::new(env!("CARGO_BIN_EXE_xtask"));
    guard.args(["guard", "sh", "-c", "sleep 600 & echo ready; wait"]).process_group(0);
    let mut guard = guard.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("xtask starts");
    let mut output = BufReader::new(guard.stdout.take().expect("it was piped"));
    let mut line = String::new();
    output.read_line(&mut line).expect("a line");
    assert_eq!(line, "ready\n");
    drop(guard.stdin.take());
    // The end comes when nobody holds the pipe any more: not the shell, and not its child.
    assert_eq!(output.read(&mut [0]).expect("the end"), 0);
    assert_eq!(guard.wait().expect("it ends").signal(), Some(9));
}
