//! Sessions in which nothing happens cost nothing: no turn, no wake-up, no timer.

mod hazards;

use std::fs;
use std::time::Duration;

use hazards::{Bystander, Host, alone};
use orchflow_core::hub::Hub;

/// Idle sessions, each with a program that waits for input and a reader that waits for output.
const SESSIONS: usize = 100;

/// How long nothing happens.
const SILENCE: Duration = Duration::from_secs(1);

#[test]
fn a_hundred_idle_sessions_on_a_hubs_own_thread_wake_nobody() {
    alone("a_hundred_idle_sessions_on_a_hubs_own_thread_wake_nobody", Host::Plain, || {
        let hub = Hub::builder().events().threaded().unwrap();
        let mut sessions = opened(&hub);
        while hub.next_event().is_some() {}
        let seen = || (hub.metrics().dispatch_turns, wake_ups("orchflow-hub"));
        // The thread may have had something to finish in the first second, and an old alarm may end another.
        let is_silent = |_| {
            let before = seen();
            assert!(!hub.wait(Some(SILENCE)).unwrap(), "nothing happened");
            seen() == before
        };
        assert!((0..3).any(is_silent), "{:?}", seen());
        let turns = hub.metrics().dispatch_turns;
        sessions.iter_mut().for_each(|session| session.echoes(&hub));
        assert!(hub.metrics().dispatch_turns > turns);
    });
}

#[test]
fn a_hundred_idle_sessions_leave_their_hosts_descriptor_silent() {
    alone("a_hundred_idle_sessions_leave_their_hosts_descriptor_silent", Host::Plain, || {
        let hub = Hub::new().unwrap();
        let mut sessions = opened(&hub);
        while hub.wait(Some(Duration::ZERO)).unwrap() {}
        let turns = hub.metrics().dispatch_turns;
        assert!(!hub.wait(Some(SILENCE)).unwrap(), "nothing happened");
        assert_eq!(hub.metrics().dispatch_turns, turns + 1, "one wait is one turn");
        sessions.iter_mut().for_each(|session| session.echoes(&hub));
    });
}

/// Sessions that have all said what they have to say.
fn opened(hub: &Hub) -> Vec<Bystander> {
    let mut sessions: Vec<_> = (0..SESSIONS).map(|_| Bystander::new(hub)).collect();
    sessions.iter_mut().for_each(|session| session.echoes(hub));
    sessions
}

/// How often the thread called `name` has gone to sleep, or was made to wait for a processor.
fn wake_ups(name: &str) -> u64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let task = tasks.map(|task| task.path()).find(|task| fs::read_to_string(task.join("comm")).unwrap().trim() == name).unwrap();
    let status = fs::read_to_string(task.join("status")).unwrap();
    let switches = status.lines().filter_map(|line| line.split_once("voluntary_ctxt_switches:"));
    switches.map(|(_, count)| count.trim().parse::<u64>().unwrap()).sum()
}
