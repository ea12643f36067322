//! A second xtask that stands between us and a command, so that nothing outlives us.
//!
//! It leads a process group of its own, starts the command in it and reads its standard input, a pipe whose
//! other end the first xtask holds. When that end is gone, by a time limit, by Ctrl-C or because xtask was
//! killed, the guard kills the whole group, itself included.

use std::io::{self, Read};
use std::process::{Command, ExitCode, Stdio};
use std::thread;

/// How xtask calls itself to be a guard; not for people.
pub(crate) const COMMAND: &str = "guard";

/// Wraps `command`, keeping its environment and folder. Its standard input must be a pipe; dropping our end
/// ends the command and all it started.
pub(crate) fn guarded(command: &Command) -> Command {
    let mut guard = Command::new(this_program());
    guard.arg(COMMAND).arg(command.get_program()).args(command.get_args()).stdin(Stdio::piped());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => guard.env(name, value),
            None => guard.env_remove(name),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        guard.current_dir(dir);
    }
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut guard, 0);
    guard
}

/// The guard's whole life.
pub(crate) fn guard(command: &[&str]) -> ExitCode {
    let [program, args @ ..] = command else {
        return ExitCode::from(2);
    };
    thread::spawn(|| {
        while io::stdin().read(&mut [0]).is_ok_and(|n| n > 0) {}
        end_group();
    });
    match Command::new(program).args(args).stdin(Stdio::null()).status() {
        Ok(status) => {
            if status.code().is_none() {
                eprintln!("xtask: {program} ended by {status}");
            }
            ExitCode::from(status.code().map_or(u8::MAX, |code| code as u8))
        }
        Err(error) => {
            eprintln!("xtask: could not start {program}: {error}");
            ExitCode::from(127)
        }
    }
}

#[cfg(unix)]
fn end_group() {
    // Our own group, made by `guarded`. There is nobody to tell of a failure.
    let _ = rustix::process::kill_current_process_group(rustix::process::Signal::KILL);
}

#[cfg(not(unix))]
fn end_group() {
    std::process::exit(1);
}

/// Ourselves, also when a build has replaced the file meanwhile: the link names the running program.
fn this_program() -> std::path::PathBuf {
    let link = std::path::Path::new("/proc/self/exe");
    if link.exists() { link.to_path_buf() } else { std::env::current_exe().unwrap_or_else(|_| "xtask".into()) }
}
