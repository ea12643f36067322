//! 5. Before authentication a peer can hold at most 16 KiB and 10 s.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::browser::{WebSocket, answer, connect, frame, get, raw};
use crate::server::{PATIENCE, SHORT, Server};

#[test]
fn head_that_is_not_complete_in_time_ends() {
    let server = Server::start(&["--test-limits", SHORT]);
    for begun in ["", "G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "] {
        let answer = raw(&server, begun.as_bytes());
        assert_eq!(answer.status, 408, "{begun:?}");
        assert!(answer.body.contains("300ms"), "{}", answer.body);
    }
    assert_eq!(server.metric("terminal_refusals_total{reason=\"head_slow\"}"), 4);
}

#[test]
fn head_that_drips_ends_just_as_soon() {
    let server = Server::start(&["--test-limits", SHORT]);
    let mut stream = connect(&server);
    let mut drops = stream.try_clone().unwrap();
    let dripping = std::thread::spawn(move || {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until && drops.write_all(b"X").is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(20)); // Provokes: a head that is never silent and never done.
        }
    });
    assert_eq!(answer(&mut stream).status, 408);
    drop(stream);
    dripping.join().unwrap();
}

#[test]
fn head_over_its_limits_ends_at_once() {
    let server = Server::start(&[]);
    let host = server.host();
    let headers = |count: usize| (0..count).map(|at| format!("X-{at}: y\r\n")).collect::<String>();
    let with = |rest: String| raw(&server, format!("GET / HTTP/1.1\r\nHost: {host}\r\n{rest}\r\n").as_bytes()).status;
    assert_eq!(with(headers(63)), 200);
    assert_eq!(with(headers(64)), 431);
    assert_eq!(with(format!("X: {}\r\n", "y".repeat(7 << 10))), 200);
    assert_eq!(with(format!("X: {}\r\n", "y".repeat(8 << 10))), 431);
    assert_eq!(raw(&server, &[b"GET /", "y".repeat(12 << 10).as_bytes()].concat()).status, 431);
    assert_eq!(server.metric("terminal_refusals_total{reason=\"head_large\"}"), 3);
}

#[test]
fn stranger_who_stays_silent_is_shown_out() {
    let server = Server::start(&["--test-limits", SHORT]);
    let mut browser = WebSocket::open(&server);
    let (code, reason) = browser.goodbye();
    assert_eq!(code, 4408);
    assert!(reason.contains("600ms"), "{reason}");
    assert!(browser.into_closed());
    let mut native = UnixStream::connect(server.socket()).unwrap();
    native.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut said = Vec::new();
    native.read_to_end(&mut said).unwrap();
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("timeout") && said.contains("600ms"), "{said:?}");
    assert_eq!(server.metric("terminal_refusals_total{reason=\"proof_slow\"}"), 2);
}

#[test]
fn stranger_who_keeps_talking_is_shown_out_too() {
    let server = Server::start(&[]);
    let mut browser = WebSocket::open(&server);
    for _ in 0..200 {
        // Pings are no messages, but bytes all the same: 26 KB of them.
        if browser.send(0x89, &[0; 125]).is_err() {
            break;
        }
    }
    let (code, reason) = browser.goodbye();
    assert_eq!(code, 1009);
    assert!(reason.contains("16384"), "{reason}");
}

#[test]
fn message_of_a_stranger_is_short() {
    let server = Server::start(&[]);
    let long = |bytes: &[u8]| {
        let mut browser = WebSocket::open(&server);
        browser.0.write_all(bytes).unwrap();
        let (code, reason) = browser.goodbye();
        assert_eq!(code, 1009, "{reason}");
        assert!(reason.contains("4096"), "{reason}");
    };
    long(&frame(0x82, &[0; 4097]));
    long(&frame(0x82, &[0; 1 << 20])[..14]); // The header of a long one is enough.
    let pieces = [frame(0x02, &[0; 2048]), frame(0x00, &[0; 2048]), frame(0x80, &[0; 1])];
    long(&pieces.concat());
    let mut native = UnixStream::connect(server.socket()).unwrap();
    native.set_read_timeout(Some(PATIENCE)).unwrap();
    native.write_all(&[0x20, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap(); // 64 KiB follow, it says.
    let mut said = Vec::new();
    native.read_to_end(&mut said).unwrap();
    assert!(String::from_utf8_lossy(&said).contains("4096"), "{said:?}");
    assert_eq!(server.metric("terminal_refusals_total{reason=\"message_long\"}"), 3);
    assert_eq!(server.metric("terminal_protocol_refusals_total{code=\"malformed\"}"), 1);
}

/// What a process holds in memory, in KiB.
fn resident(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn thousands_of_half_open_connections_are_held_off() {
    const STRANGERS: usize = 3_000;
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    if limit.maximum.is_some_and(|maximum| maximum < 2 * STRANGERS as u64) {
        return; // Not enough descriptors on this machine to be thousands.
    }
    let server = Server::start(&["--test-limits", "60000,60000,256,30,1024"]);
    assert_eq!(get(&server, "/", &[]).status, 200);
    let before = resident(&server);
    let mut strangers: Vec<TcpStream> = (0..STRANGERS)
        .map(|_| {
            let mut stream = connect(&server);
            let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: "); // It may be too late already.
            stream
        })
        .collect();
    // A native client has a door of its own.
    let mut native = UnixStream::connect(server.socket()).unwrap();
    native.set_read_timeout(Some(PATIENCE)).unwrap();
    native.write_all(&[0; 16]).unwrap();
    let mut said = Vec::new();
    native.read_to_end(&mut said).unwrap();
    assert!(String::from_utf8_lossy(&said).contains("unknown_type"), "{said:?}");
    // Those who came last: once one of them is answered, all others were dealt with.
    let mut last = connect(&server);
    let _ = last.write_all(b"GET / HTTP/1.1\r\n\r\n");
    let _ = last.read(&mut [0]);
    let mut held = 0;
    for stream in &mut strangers {
        stream.set_nonblocking(true).unwrap();
        held += usize::from(stream.read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock));
    }
    assert!((256..=1024).contains(&held), "{held} are held");
    assert!(held < STRANGERS / 2 && held > 512, "newcomers had a chance to the last: {held}");
    let grown = resident(&server).saturating_sub(before);
    assert!(grown < 16 * held as u64, "{grown} KiB for {held} strangers");
    drop(strangers);
    let until = Instant::now() + PATIENCE;
    let welcome = || {
        let mut stream = connect(&server);
        let _ = write!(stream, "GET / HTTP/1.1\r\nHost: {}\r\n\r\n", server.host());
        let mut status = [0; 12];
        stream.read_exact(&mut status).is_ok() && status.ends_with(b" 200")
    };
    while !welcome() {
        assert!(Instant::now() < until, "the server does not recover");
    }
    assert!(server.metric("terminal_refusals_total{reason=\"crowded\"}") >= (STRANGERS - held) as u64);
    assert_eq!(server.metric("terminal_connections_total{carrier=\"unix\"}"), 1);
}
