//! When the system has no descriptor or no terminal left: the host is told which, other sessions go on, and the first one that
//! closes makes room.

mod hazards;

use std::os::fd::AsRawFd;
use std::time::Duration;

use hazards::{Bystander, Children, Host, alone, children, descriptors, event_of, expect, settled, sh, until, within};
use orchflow_core::hub::{Hub, Session};
use orchflow_core::metrics::ErrorKind;
use orchflow_core::pty::{Command, SpawnError};
use orchflow_core::session::{EventKind, SessionOptions};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lets this process open descriptors below `current` only.
fn limit_descriptors(current: Option<u64>) {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: current.or(maximum), maximum }).unwrap();
}

/// Opens sessions until the system refuses one.
fn fill(hub: &Hub) -> (Vec<Session>, SpawnError) {
    let mut sessions = Vec::new();
    loop {
        match hub.spawn(&Command::new("/bin/cat"), SessionOptions::default()) {
            Ok(session) => sessions.push(session),
            Err(error) => return (sessions, error),
        }
    }
}

#[track_caller]
fn check_exhausted(error: &SpawnError, of: Errno) {
    let SpawnError::Exhausted { .. } = error else { panic!("{error:?}") };
    assert_eq!(error.raw_os_error(), Some(of.raw_os_error()), "{error:?}");
}

/// A hub that has all the system gives: it is told so, the others go on, and closing one makes room for one.
fn lives_at_the_limit(hub: &Hub, of: Errno, count: impl Fn() -> usize) {
    let mut bystander = Bystander::new(hub);
    for round in 0..3 {
        let (mut sessions, error) = fill(hub);
        check_exhausted(&error, of);
        assert!(sessions.len() >= 3, "{}", sessions.len());
        let (full, counted) = (count(), hub.metrics().errors(ErrorKind::SpawnExhausted));
        for refused in 1..=20 {
            check_exhausted(&hub.spawn(&Command::new("/bin/cat"), SessionOptions::default()).unwrap_err(), of);
            assert_eq!(hub.metrics().errors(ErrorKind::SpawnExhausted), counted + refused);
            bystander.echoes(hub);
        }
        assert_eq!(count(), full, "what was refused left nothing open");
        assert_eq!(hub.sessions(), sessions.len() + 1);

        let first = sessions.swap_remove(0);
        first.close(Duration::ZERO);
        within(hub, first.exited());
        until(hub, || hub.sessions() == sessions.len() + 1);
        let second = hub.spawn(&Command::new("/bin/true"), SessionOptions::default()).unwrap();
        assert!(within(hub, second.exited()).status.success(), "in round {round}");

        sessions.iter().for_each(|session| session.close(Duration::ZERO));
        drop(sessions);
        until(hub, || hub.sessions() == 1);
        bystander.echoes(hub);
    }
    bystander.session.close(Duration::ZERO);
    drop(bystander);
    settled(hub);
    assert_eq!(hub.metrics().sessions_active, 0);
}

#[test]
fn a_host_out_of_descriptors_is_told_so_and_goes_on_with_what_it_has() {
    alone("a_host_out_of_descriptors_is_told_so_and_goes_on_with_what_it_has", Host::Plain, || {
        let hub = Hub::threaded().unwrap();
        let before = descriptors();
        limit_descriptors(Some(before as u64 + 30));
        lives_at_the_limit(&hub, Errno::MFILE, || {
            limit_descriptors(None); // To count them takes one.
            let count = descriptors();
            limit_descriptors(Some(before as u64 + 30));
            count
        });
        limit_descriptors(None);
        assert_eq!((descriptors(), children()), (before, Children::default()));
    });
}

#[test]
fn a_hub_that_cannot_be_opened_leaves_nothing_open() {
    alone("a_hub_that_cannot_be_opened_leaves_nothing_open", Host::Plain, || {
        let before = descriptors();
        let first_free = std::fs::File::open("/dev/null").unwrap().as_raw_fd() as u64;
        for extra in 0.. {
            limit_descriptors(Some(first_free + extra));
            let opened = Hub::threaded();
            limit_descriptors(None);
            match opened {
                Ok(hub) => {
                    assert!(extra > 0);
                    return drop(hub);
                }
                Err(error) => assert_eq!(error.raw_os_error(), Some(Errno::MFILE.raw_os_error())),
            }
            assert_eq!(descriptors(), before);
        }
    });
}

#[test]
fn closing_goes_on_until_the_processes_can_be_looked_for_again() {
    alone("closing_goes_on_until_the_processes_can_be_looked_for_again", Host::Plain, || {
        let hub = Hub::builder().events().threaded().unwrap();
        let script = "(trap '' HUP TERM; printf ready; while :; do sleep 1; done) & trap 'exit 3' HUP; while :; do sleep 1; done";
        let session = hub.spawn(&sh(script), SessionOptions::default()).unwrap();
        expect(&hub, &mut session.reader(), b"ready");
        let leader = session.pid().unwrap();
        assert!(members_of(leader) >= 2);
        limit_descriptors(Some(1)); // `/proc` cannot be opened, nor anything else.
        session.close(Duration::from_millis(500));
        event_of(&hub, &session, |kind| matches!(kind, EventKind::ProcessExited(_)));
        limit_descriptors(None);
        settled(&hub);
        until(&hub, || members_of(leader) == 0);
    });
}

/// Living processes of the session that `leader` began.
fn members_of(leader: u32) -> usize {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let stats = entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    stats.filter(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.split(' ').nth(3) == Some(&leader.to_string()))).count()
}

#[test]
fn a_system_out_of_terminals_says_so_and_goes_on_with_those_it_has() {
    // A set of terminals of our own, of which there are eight: the machine's own limit is not touched.
    const EIGHT: &str = "mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,max=8 devpts /dev/pts \
        && mount --bind /dev/pts/ptmx /dev/ptmx || exit 1";
    alone("a_system_out_of_terminals_says_so_and_goes_on_with_those_it_has", Host::Mounts(EIGHT), || {
        let hub = Hub::threaded().unwrap();
        let before = descriptors();
        lives_at_the_limit(&hub, Errno::AGAIN, descriptors);
        assert_eq!((descriptors(), children()), (before, Children::default()));
    });
}
