//! What only the kernel's terminals can get wrong: descriptors, controlling terminals, zombies, strangers.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::thread;

use rustix::event::{PollFd, PollFlags};
use rustix::process::Pid;

use super::UnixPtys;
use super::leader::Leader;
use crate::pty::conformance::rig::Rig;
use crate::pty::{Command, ExitStatus, Interest, PtyBackend, Signal, Source, SpawnError, Target};
use crate::size::Size;

fn sh(script: &str) -> Rig {
    spawn(&Command::new("/bin/sh").args(["-c", script]))
}

fn spawn(command: &Command) -> Rig {
    Rig::new(UnixPtys.spawn(command, Size::DEFAULT).unwrap())
}

fn refusal(command: &Command) -> SpawnError {
    loop {
        let error = UnixPtys.spawn(command, Size::DEFAULT).err().expect("a refusal");
        // A file this test wrote is "busy" while a process that another test is starting holds a copy of its descriptor.
        if error.raw_os_error() != Some(libc::ETXTBSY) {
            return error;
        }
    }
}

fn descriptors_of_ours_on_terminals() -> usize {
    let open = fs::read_dir("/proc/self/fd").unwrap().flatten();
    open.filter_map(|entry| fs::read_link(entry.path()).ok()).filter(|link| link.to_string_lossy().contains("/dev/pt")).count()
}

/// The letter of `/proc/PID/stat`, `None` when there is no such process.
fn state(pid: u32) -> Option<char> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.rsplit_once(") ")?.1.chars().next()
}

/// Runs `test` in a process of its own, where no other test opens descriptors meanwhile. True inside of it.
fn is_alone(test: &str) -> bool {
    if std::env::var_os("ORCHFLOW_ALONE").is_some() {
        return true;
    }
    let (_, test) = test.split_once("::").unwrap();
    let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
    assert!(alone.args(["--exact", test, "--test-threads=1"]).env("ORCHFLOW_ALONE", "1").status().unwrap().success());
    false
}

/// A file in the temporary folder, removed at the end.
struct File(std::path::PathBuf);

impl File {
    fn new(name: &str, content: &[u8], mode: u32) -> File {
        let path = std::env::temp_dir().join(format!("orchflow-{name}-{}", std::process::id()));
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        File(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn program_that_cannot_run_is_refused_with_its_reason() {
    let text = File::new("text", b"just text\n", 0o755);
    let plain = File::new("plain", b"#!/bin/sh\n", 0o644);
    let lost = File::new("lost", b"#!/no/such/interpreter\n", 0o755);
    let truncated = File::new("truncated", b"\x7fELF\x02\x01\x01", 0o755);
    assert!(matches!(refusal(&Command::new("/no/such/program")), SpawnError::NotFound { .. }));
    assert!(matches!(refusal(&Command::new("no-such-program")), SpawnError::NotFound { .. }));
    assert!(matches!(refusal(&Command::new("/tmp")), SpawnError::IsDirectory { .. }));
    assert!(matches!(refusal(&Command::new(plain.0.as_os_str())), SpawnError::PermissionDenied { .. }));
    for file in [text, lost, truncated] {
        assert!(matches!(refusal(&Command::new(file.0.as_os_str())), SpawnError::NotExecutable { .. }), "{:?}", file.0);
    }
    assert!(matches!(refusal(&Command::new("sh").current_dir("/no/such/dir")), SpawnError::BadDirectory { .. }));
    assert!(matches!(refusal(&Command::new("sh").arg("a\0b")), SpawnError::Malformed { .. }));
    assert!(matches!(refusal(&Command::new("sh").env("A=B", "")), SpawnError::Malformed { .. }));
}

#[test]
fn process_has_three_descriptors_under_concurrent_spawns() {
    // One that a careless host leaves open across exec, too.
    let careless = fs::File::open("/dev/null").unwrap();
    rustix::io::fcntl_setfd(&careless, rustix::io::FdFlags::empty()).unwrap();
    let check = || {
        for _ in 0..10 {
            // Asked one by one, for listing the folder would open one more.
            let mut rig = sh("fd=0; while [ $fd -lt 64 ]; do [ -e /proc/$$/fd/$fd ] && printf '%s ' $fd; fd=$((fd + 1)); done");
            rig.finish();
            assert_eq!(rig.text(), "0 1 2 ");
        }
    };
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(check);
        }
    });
}

#[test]
fn terminal_is_the_controlling_one() {
    let mut rig = sh("ps -o pid=,sid=,pgid=,tpgid= -p $$; tty; echo direct >/dev/tty");
    assert_eq!(rig.finish(), ExitStatus::Code(0));
    let text = rig.text();
    let pid = rig.pty.pid().unwrap().to_string();
    let mut lines = text.lines();
    assert_eq!(lines.next().unwrap().split_whitespace().collect::<Vec<_>>(), [&pid, &pid, &pid, &pid]);
    assert!(lines.next().unwrap().starts_with("/dev/pts/"));
    assert_eq!(lines.next(), Some("direct"));
}

#[test]
fn program_that_leaves_its_terminal_for_a_while_is_still_heard() {
    let mut rig = sh("exec </dev/null >/dev/null 2>&1; sleep 0.05; echo late >/dev/tty");
    assert_eq!(rig.finish(), ExitStatus::Code(0));
    assert_eq!(rig.text(), "late\r\n");
}

#[test]
fn output_does_not_end_before_the_exit_was_told() {
    let mut rig = sh("exec </dev/null >/dev/null 2>&1; sleep 0.05");
    rig.pty.set_interest(Interest { read: true, write: false }).unwrap();
    let ready = rig.reactor.wait(crate::pty::conformance::rig::PATIENCE);
    assert!(ready.exit && !ready.read, "{ready:?}");
    assert_eq!(rig.pty.read(&mut [0; 8]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!(rig.pty.try_exit().unwrap(), Some(ExitStatus::Code(0)));
    rig.until("end", |rig| rig.ended);
    assert!(rig.output.is_empty());
}

/// Signals 32 and 33, which glibc keeps for itself and leaves ignored.
const OF_THE_C_LIBRARY: u64 = 0x1_8000_0000;

#[test]
fn no_signal_of_the_hosts_is_blocked_or_ignored_in_the_process() {
    let mut rig = sh("exec grep -E '^Sig(Blk|Ign):' /proc/self/status");
    rig.finish();
    for line in rig.text().lines() {
        let signals = u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap();
        assert_eq!(signals & !OF_THE_C_LIBRARY, 0, "{line}");
    }
    assert_eq!(rig.text().lines().count(), 2);
}

#[test]
fn descriptors_are_watched_only_while_something_is_wanted() {
    let mut rig = sh("cat");
    assert_eq!(rig.reactor.watched().len(), 2);
    rig.pty.set_interest(Interest::default()).unwrap();
    assert_eq!(rig.reactor.watched(), [Source::Process]);
    rig.pty.set_interest(Interest { read: true, write: true }).unwrap();
    rig.pty.signal(Signal::Kill, Target::Session).unwrap();
    rig.finish();
    rig.pty.set_interest(Interest::default()).unwrap();
    assert!(rig.reactor.watched().is_empty());
}

#[test]
fn dropping_leaves_no_descriptor_and_no_zombie() {
    if !is_alone(concat!(module_path!(), "::dropping_leaves_no_descriptor_and_no_zombie")) {
        return;
    }
    let before = fs::read_dir("/proc/self/fd").unwrap().count();
    let mut pids = Vec::new();
    for _ in 0..20 {
        let mut rig = sh("exit 3");
        assert_eq!(rig.finish(), ExitStatus::Code(3));
        pids.push(rig.pty.pid().unwrap());
        let mut killed = sh("sleep 1000 & cat");
        killed.pty.signal(Signal::Kill, Target::Session).unwrap();
        killed.until("exit", |rig| rig.status.is_some());
        pids.push(killed.pty.pid().unwrap());
        assert!(matches!(refusal(&Command::new("/no/such/program")), SpawnError::NotFound { .. }));
        // Ended, announced, and dropped without being asked.
        let hasty = sh("exit 0");
        while !hasty.reactor.wait(crate::pty::conformance::rig::PATIENCE).exit {}
        pids.push(hasty.pty.pid().unwrap());
    }
    assert_eq!(descriptors_of_ours_on_terminals(), 0);
    assert_eq!(fs::read_dir("/proc/self/fd").unwrap().count(), before);
    for pid in pids {
        assert_eq!(state(pid), None);
    }
}

#[test]
fn status_collected_by_somebody_else_is_unknown() {
    let mut rig = sh("exit 5");
    let pid = rustix::process::Pid::from_raw(rig.pty.pid().unwrap() as i32);
    rustix::process::waitpid(pid, rustix::process::WaitOptions::empty()).unwrap();
    assert_eq!(rig.finish(), ExitStatus::Unknown);
    assert!(!rig.pty.has_processes());
    rig.pty.signal(Signal::Kill, Target::Session).unwrap();
}

#[test]
fn killing_the_session_reaches_a_job_that_ignores_hangups_in_a_group_of_its_own() {
    let mut rig = sh("set -m; (trap '' HUP TERM; echo job $(sh -c 'echo $PPID'); while :; do sleep 1000; done) & wait");
    rig.until("job", |rig| rig.text().contains('\n'));
    let job: u32 = rig.text().split_whitespace().nth(1).unwrap().parse().unwrap();
    rig.pty.signal(Signal::Hangup, Target::Session).unwrap();
    rig.until("exit", |rig| rig.status.is_some());
    assert!(rig.pty.has_processes());
    rig.pty.signal(Signal::Kill, Target::Session).unwrap();
    rig.until("empty session", |rig| !rig.pty.has_processes());
    assert!(matches!(state(job), None | Some('Z')));
}

#[test]
fn foreground_job_gets_the_signal_and_the_shell_does_not() {
    let mut rig = sh("set -m; trap 'echo shell' INT; (trap 'echo job; exit 9' INT; echo ready; while :; do sleep 0.01; done); echo $?");
    rig.until_output("ready");
    rig.pty.signal(Signal::Interrupt, Target::Foreground).unwrap();
    assert_eq!(rig.finish(), ExitStatus::Code(0));
    assert_eq!(rig.text(), "ready\r\njob\r\n9\r\n");
}

#[test]
fn host_without_descriptors_is_told_so_and_nothing_is_left_behind() {
    use rustix::process::{Resource, Rlimit, WaitOptions, getrlimit, setrlimit, wait};
    if !is_alone(concat!(module_path!(), "::host_without_descriptors_is_told_so_and_nothing_is_left_behind")) {
        return;
    }
    let maximum = getrlimit(Resource::Nofile).maximum;
    let count = || fs::read_dir("/proc/self/fd").unwrap().count();
    let (before, first_free) = (count(), fs::File::open("/dev/null").unwrap().as_raw_fd() as u64);
    let mut refused = 0;
    // One descriptor more each time, so every step in turn is the one that fails.
    for extra in 0.. {
        setrlimit(Resource::Nofile, Rlimit { current: Some(first_free + extra), maximum }).unwrap();
        let spawned = UnixPtys.spawn(&Command::new("/bin/true"), Size::DEFAULT);
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
        match spawned {
            Ok(pty) => {
                assert_eq!(Rig::new(pty).finish(), ExitStatus::Code(0));
                break;
            }
            Err(error) => assert!(matches!(error, SpawnError::Exhausted { .. }), "{error:?}"),
        }
        assert_eq!(count(), before);
        refused += 1;
    }
    assert_eq!(refused, 3, "our side, the process's side, the process's descriptor");
    assert_eq!(wait(WaitOptions::NOHANG).unwrap_err(), rustix::io::Errno::CHILD);
}

#[test]
#[expect(clippy::zombie_processes, reason = "it is collected by what is tested")]
fn a_process_without_a_descriptor_of_its_own_is_looked_for() {
    let sleeper = std::process::Command::new("sleep").arg("100").spawn().unwrap();
    let mut leader = Leader::looked_for(Pid::from_child(&sleeper));
    assert!(!leader.poll().unwrap());
    assert!(leader.owns_its_number());
    leader.signal(Signal::Kill).unwrap();
    while !leader.poll().unwrap() {
        let fd = leader.watched().unwrap();
        assert_eq!(rustix::event::poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], None), Ok(1));
    }
    assert_eq!(leader.status(), Some(ExitStatus::Signal(9)));
    assert!(!leader.owns_its_number());
    leader.signal(Signal::Kill).unwrap(); // Nobody.
}
