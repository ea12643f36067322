//! 12. Exit leaves nothing: no child, descriptor, socket file, token file or temp file.
//!
//! That sessions go down their ladder is tested beside the code that ends the server: without the protocol nobody can open one.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;

use orchflow_core::protocol::message::ErrorCode;
use orchflow_core::protocol::token::Role;
use rustix::process::Signal;

use crate::browser::{WebSocket, answer, connect, get};
use crate::server::{Folder, PATIENCE, Server, refused};
use crate::speaker::{CARRIERS, Carrier, Speaker};

#[test]
fn each_polite_signal_ends_it_and_leaves_nothing() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let server = Server::start(&[]);
        assert_eq!(get(&server, "/", &[]).status, 200);
        server.signal(signal);
        let (status, folder, log) = server.ended();
        assert_eq!(status.code(), Some(0), "{log:#?}");
        assert!(folder.contents().is_empty(), "{:?}", folder.contents());
    }
}

#[test]
fn everybody_is_told_and_nobody_is_waited_for_long() {
    let mut server = Server::start(&[]);
    let mut browser = WebSocket::open(&server);
    let mut native = UnixStream::connect(server.socket()).unwrap();
    native.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut half = connect(&server);
    half.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    for peer in ["peer=websocket", "peer=unix"] {
        server.log_line(&["event=connected", peer]);
    }
    server.signal(Signal::TERM);
    let (code, reason) = browser.goodbye();
    assert_eq!((code, reason.as_str()), (1001, "shutting_down"));
    let mut said = Vec::new();
    native.read_to_end(&mut said).unwrap();
    assert!(String::from_utf8_lossy(&said).contains("shutting_down"), "{said:?}");
    assert_eq!(answer(&mut half).status, 503);
    let (status, folder, _) = server.ended();
    assert_eq!(status.code(), Some(0));
    assert!(folder.contents().is_empty(), "{:?}", folder.contents());
}

#[test]
fn clients_are_told_when_to_come_back_and_find_the_next_server() {
    let server = Server::start(&[]);
    let clients = CARRIERS.map(|carrier| Speaker::inside(&server, carrier, Role::Owner));
    let stranger = Speaker::open(&server, Carrier::WebSocket);
    let (port, token) = (server.port.to_string(), server.instance().join("token"));
    server.signal(Signal::TERM);
    for client in clients.into_iter().chain([stranger]) {
        let parting = client.parting();
        assert_eq!((parting.goodbye.code, parting.goodbye.retry_ms), (ErrorCode::ShuttingDown, Some(1_000)));
        assert!(parting.goodbye.message.contains("come back"), "{parting:?}");
        assert!(parting.close.is_none_or(|close| close == (1001, "shutting_down".to_owned())));
    }
    let (_, folder, _) = server.ended();
    assert!(!token.exists());
    let next = Server::start_in(folder, &["--port", &port]);
    for carrier in CARRIERS {
        Speaker::inside(&next, carrier, Role::Owner).is_served();
    }
}

#[test]
fn who_was_not_met_yet_is_told_too() {
    let server = Server::start(&[]);
    server.signal(Signal::STOP);
    let mut browsers: Vec<_> = (0..20).map(|_| connect(&server)).collect();
    let mut native = UnixStream::connect(server.socket()).unwrap();
    native.set_read_timeout(Some(PATIENCE)).unwrap();
    server.signal(Signal::TERM);
    server.signal(Signal::CONT);
    for browser in &mut browsers {
        assert_eq!(answer(browser).status, 503);
    }
    drop(browsers);
    let mut said = Vec::new();
    native.read_to_end(&mut said).unwrap();
    assert!(String::from_utf8_lossy(&said).contains("shutting_down"), "{said:?}");
    assert_eq!(server.ended().0.code(), Some(0));
}

#[test]
fn second_signal_ends_it_at_once_and_leaves_nothing_either() {
    let mut server = Server::start(&[]);
    let mut browser = WebSocket::open(&server);
    server.log_line(&["event=connected"]);
    server.signal(Signal::INT);
    browser.goodbye(); // Which it answers by nothing, so the server still waits for it.
    server.signal(Signal::TERM);
    let (status, folder, _) = server.ended();
    assert_eq!(status.code(), Some(128 + 15));
    assert!(folder.contents().is_empty(), "{:?}", folder.contents());
}

#[test]
fn server_that_refuses_to_start_leaves_nothing() {
    let folder = Folder::new();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let taken = folder.path().join("file");
    // The token is there already when the socket turns out to be impossible.
    let (code, said) = refused(&folder, &["--port", "0", "--unix", taken.to_str().unwrap()]);
    assert_eq!(code, 3, "{said}");
    assert_eq!(folder.contents(), [taken]);
}

#[test]
fn what_a_killed_server_left_is_replaced_by_the_next() {
    let server = Server::start(&[]);
    let (port, token) = (server.port.to_string(), server.token.clone());
    server.signal(Signal::KILL);
    let (status, folder, _) = server.ended();
    assert_eq!(status.signal(), Some(9));
    assert_eq!(folder.contents().len(), 4, "{:?}", folder.contents());
    let next = Server::start_in(folder, &["--port", &port]);
    assert_ne!(next.token, token);
    UnixStream::connect(next.socket()).unwrap();
    let (_, folder, _) = next.stop();
    assert!(folder.contents().is_empty(), "{:?}", folder.contents());
}

#[test]
fn server_that_runs_keeps_its_folder_and_loses_nothing_by_another() {
    let server = Server::start(&[]);
    // Another address, so the port is free there; but the folder is not.
    let (code, said) = refused(&server.folder, &["--bind", "127.0.0.2", "--port", &server.port.to_string()]);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("another server holds") && said.contains("--port"), "{said}");
    UnixStream::connect(server.socket()).unwrap();
    assert_eq!(std::fs::read_to_string(server.instance().join("token")).unwrap().trim_end(), server.token);
}

#[test]
fn what_is_not_ours_stays() {
    let server = Server::start(&[]);
    let note = server.instance().join("note");
    std::fs::write(&note, "mine").unwrap();
    std::fs::remove_file(server.socket()).unwrap();
    std::fs::write(server.socket(), "mine too").unwrap();
    let socket = server.socket();
    let (_, folder, _) = server.stop();
    let left: Vec<_> = folder.contents().into_iter().filter(|path| path.is_file()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left.contains(&note) && left.contains(&socket));
}
