//! A test in a process of its own, for what a process has only one of: limits, signal dispositions, descriptors,
//! children.

use std::env;
use std::io::Read;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// The variable that names the test which runs alone.
const ALONE: &str = "ORCHFLOW_TEST_ALONE";

/// The longest any of them takes, with room for a loaded machine.
const LIMIT: Duration = Duration::from_secs(120);

/// How the process is started.
pub(crate) enum Host {
    /// Like this one.
    Plain,
    /// With these signals ignored, by their short names with commas between.
    Ignoring(&'static str),
    /// With this library loaded before all others.
    Preloaded(std::path::PathBuf),
    /// In mounts of its own, once a shell has run these commands. Where the system allows none, the test is skipped.
    Mounts(&'static str),
}

/// Runs `body`, the rest of the test called `name`, in a process of its own, and fails as it does, or when it hangs.
#[track_caller]
pub(crate) fn alone(name: &str, host: Host, body: impl FnOnce()) {
    if env::var_os(ALONE).is_some_and(|alone| alone == name) {
        return body();
    }
    // One after the other: they measure, and one of them keeps all cores busy.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Host::Mounts(script) = host
        && !Command::new("unshare").args(["-m", "sh", "-c", script]).status().is_ok_and(|status| status.success())
    {
        return eprintln!("{name} is skipped: this needs mounts of its own, which are not allowed here");
    }
    let mut child = command(&host)
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(ALONE, name)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let output = thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).unwrap();
    let limit = Timespec::try_from(LIMIT).unwrap();
    let ended = poll(&mut [PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN)], Some(&limit)).unwrap();
    if ended == 0 {
        child.kill().unwrap();
    }
    let status = child.wait().unwrap();
    assert!(ended > 0, "{name} hung for {LIMIT:?}");
    let output = output.join().unwrap().unwrap();
    println!("{output}");
    assert!(status.success(), "{name} failed in its own process: {status}");
    assert!(output.contains("test result: ok. 1 passed"), "there is no test {name}");
}

fn command(host: &Host) -> Command {
    let program = env::current_exe().unwrap();
    match host {
        Host::Plain => Command::new(program),
        Host::Ignoring(signals) => {
            let mut command = Command::new("env");
            command.arg(format!("--ignore-signal={signals}")).arg(program);
            command
        }
        Host::Preloaded(library) => {
            let mut command = Command::new(program);
            command.env("LD_PRELOAD", library);
            command
        }
        Host::Mounts(script) => {
            let mut command = Command::new("unshare");
            command.args(["-m", "sh", "-c", &format!("{script}\nexec \"$0\" \"$@\"")]).arg(program);
            command
        }
    }
}
