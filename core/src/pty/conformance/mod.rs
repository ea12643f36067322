//! What every provider of terminals must do, said once and run on each.

pub(crate) mod rig;

use self::rig::Rig;
use super::{Command, ExitStatus, PtyBackend, Signal, Target};
use crate::size::Size;

/// Acts out `shell` in a real terminal.
fn each(shell: &str, check: impl Fn(Rig)) {
    let command = Command::new("/bin/sh").args(["-c", shell]);
    check(Rig::new(super::unix::UnixPtys.spawn(&command, Size::new(132, 43).unwrap()).unwrap()));
}

#[test]
fn size_is_there_before_the_process() {
    each("stty size", |mut rig| {
        assert_eq!(rig.finish(), ExitStatus::Code(0));
        assert_eq!(rig.text(), "43 132\r\n");
    });
}

#[test]
fn resize_is_seen_by_the_process_and_returns_the_size_that_resulted() {
    let size = Size::new(100, 30).unwrap();
    each("trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.01; done", |mut rig| {
        rig.until_output("ready");
        assert_eq!(rig.pty.resize(size).unwrap(), size);
        rig.finish();
        assert!(rig.text().ends_with("30 100\r\n"));
    });
}

#[test]
fn tail_of_a_process_that_is_gone_is_not_lost() {
    each("seq -f '%015.0f;' -s '' 0 24999 | head -c 400000", |mut rig| {
        assert_eq!(rig.finish(), ExitStatus::Code(0));
        assert_eq!(rig.output.len(), 400_000);
    });
}

#[test]
fn input_larger_than_every_buffer_is_taken_in_parts() {
    each("stty raw -echo; echo ready; head -c 300000 | sha1sum", |mut rig| {
        rig.until_output("ready");
        rig.type_in(vec![b'x'; 300_000]);
        assert_eq!(rig.finish(), ExitStatus::Code(0));
    });
}

#[test]
fn status_tells_a_code_from_a_signal() {
    each("exit 42", |mut rig| assert_eq!(rig.finish(), ExitStatus::Code(42)));
    each("kill -TERM $$", |mut rig| assert_eq!(rig.finish(), ExitStatus::Signal(15)));
    each("echo ready; cat", |mut rig| {
        rig.until_output("ready");
        rig.pty.signal(Signal::Kill, Target::Leader).unwrap();
        assert_eq!(rig.finish(), ExitStatus::Signal(9));
    });
}
