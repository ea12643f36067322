//! When the system has no descriptor or no terminal left: the host is told which, other sessions go on, and the first one that
//! closes makes room.

mod hazards;

use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use hazards::{Bystander, Children, Host, alone, children, descriptors, event_of, expect, read_to_exit, settled, sh, until, within};
use orchflow_core::hub::{Hub, HubOptions, Output, Reader, Session};
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

/// What the first four segments of a log take: 4, 16, 64 and 64 KiB.
const POOL: usize = 148 << 10;

fn hub_with_little_memory() -> Hub {
    Hub::builder().options(HubOptions { pool_bytes: POOL, ..HubOptions::default() }).events().threaded().unwrap()
}

/// A session that has all the memory there is. It is not read by anybody, so none of that may go.
fn greedy(hub: &Hub) -> (Session, Reader) {
    let session = hub.spawn(&sh("yes"), SessionOptions::default()).unwrap();
    let unread = session.reader();
    until(hub, || hub.metrics().pool_bytes == POOL as u64);
    (session, unread)
}

#[test]
fn memory_of_a_session_that_is_gone_goes_to_those_that_wait_for_it() {
    let hub = hub_with_little_memory();
    let (session, unread) = greedy(&hub);
    let starved = hub.spawn(&sh("echo hello"), SessionOptions::default()).unwrap();
    let mut reader = starved.reader();
    event_of(&hub, &starved, |kind| matches!(kind, EventKind::ProcessExited(_)));
    assert_eq!(reader.try_read(), None, "it was read without memory");
    session.close(Duration::ZERO);
    drop((unread, session));
    expect(&hub, &mut reader, b"hello\r\n");
}

#[test]
fn memory_held_as_chunks_goes_to_those_that_wait_once_it_is_let_go() {
    let hub = hub_with_little_memory();
    // Into the last segment there is memory for, though each may end up to a page early.
    const COUNT: usize = POOL - 4 * 4096;
    let mut held = Vec::new();
    let session = hub.spawn(&sh(&format!("head -c {COUNT} /dev/zero; exec cat")), SessionOptions::default()).unwrap();
    let mut reader = session.reader();
    while reader.offset() < COUNT as u64 {
        if let Output::Chunk { bytes, .. } = within(&hub, reader.read()) {
            held.push(bytes);
        }
    }
    session.close(Duration::ZERO);
    drop((reader, session));
    settled(&hub);
    let starved = hub.spawn(&sh("echo hello"), SessionOptions::default()).unwrap();
    let mut reader = starved.reader();
    event_of(&hub, &starved, |kind| matches!(kind, EventKind::ProcessExited(_)));
    assert_eq!((reader.try_read(), hub.metrics().pool_bytes), (None, POOL as u64), "nobody let go of anything");
    drop(held);
    expect(&hub, &mut reader, b"hello\r\n");
}

#[test]
fn a_session_that_waited_for_memory_gives_back_its_own() {
    let hub = hub_with_little_memory();
    let (session, unread) = greedy(&hub);
    thread::sleep(Duration::from_millis(50)); // Provokes: a session that has asked for memory in vain before it is closed.
    session.close(Duration::ZERO);
    let exit = within(&hub, session.exited());
    assert!(exit.orphaned, "there was no memory for the rest: {exit:?}");
    drop((unread, session));
    until(&hub, || hub.metrics().pool_bytes == 0);
}

#[test]
fn histories_of_sessions_that_have_ended_give_way_to_those_that_run() {
    const OUTPUT: usize = 500_000;
    let options = HubOptions { pool_bytes: 1 << 20, ..HubOptions::default() };
    let hub = Hub::builder().options(options).threaded().unwrap();
    let mut kept = Vec::new();
    for _ in 0..8 {
        let session = hub.spawn(&sh(&format!("head -c {OUTPUT} /dev/zero")), SessionOptions::default()).unwrap();
        let (text, _) = read_to_exit(&hub, &mut session.reader());
        assert_eq!(text.len(), OUTPUT);
        kept.push(session);
    }
    let whole = kept.iter().filter(|session| session.range() == (0..OUTPUT as u64)).count();
    assert!(whole < kept.len(), "what gave way?");
}

#[test]
fn a_session_that_waited_for_memory_goes_on_once_its_reader_does() {
    let hub = hub_with_little_memory();
    let session = hub.spawn(&sh("head -c 300000 /dev/zero"), SessionOptions::default()).unwrap();
    let mut reader = session.reader();
    // Each segment may end up to a page early.
    until(&hub, || session.range().end as usize > POOL - 4 * 4096);
    thread::sleep(Duration::from_millis(50)); // Provokes: a session that has asked for memory in vain before anybody reads.
    let (text, _) = read_to_exit(&hub, &mut reader);
    assert_eq!(text.len(), 300_000);
}
