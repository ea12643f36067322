//! 1. Nothing but loopback listens unless asked; a non-loopback bind without TLS or the flag refuses to start.

use std::fs;
use std::net::TcpListener;

use crate::browser::{get, request};
use crate::server::{Folder, Server, refused};

/// The local addresses at which a process listens for TCP, as `/proc/net` spells them, by the inodes of its sockets.
fn listening(server: &Server) -> Vec<String> {
    let fds = fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    let links: Vec<_> = fds.filter_map(|fd| fs::read_link(fd.unwrap().path()).ok()).map(|link| link.display().to_string()).collect();
    let mut addresses = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        for line in fs::read_to_string(table).unwrap_or_default().lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (local, state, inode) = (fields[1], fields[3], fields[9]);
            if state == "0A" && links.contains(&format!("socket:[{inode}]")) {
                addresses.push(local.to_owned());
            }
        }
    }
    // The kernel may list a socket twice while others come and go.
    addresses.dedup();
    addresses
}

#[test]
fn by_default_it_listens_on_loopback_and_nowhere_else() {
    let server = Server::start(&[]);
    assert_eq!(listening(&server), [format!("0100007F:{:04X}", server.port)]);
    assert_eq!(get(&server, "/", &[]).status, 200);
}

#[test]
fn address_that_others_reach_is_refused_with_the_risk_and_the_ways_out() {
    for address in ["0.0.0.0", "::", "192.0.2.1"] {
        let folder = Folder::new();
        let (code, said) = refused(&folder, &["--port", "0", "--bind", address]);
        assert_eq!(code, 3, "{said}");
        for word in [address, "nothing is encrypted", "ssh -L", "--insecure-no-tls"] {
            assert!(said.contains(word), "{said}");
        }
        assert!(folder.contents().is_empty());
    }
}

#[test]
fn who_takes_the_risk_is_served_but_under_known_names_only() {
    let server = Server::start(&["--bind", "0.0.0.0", "--insecure-no-tls", "--host", "term.example"]);
    assert_eq!(listening(&server), [format!("00000000:{:04X}", server.port)]);
    let ask = |host: &str| request(&server, "GET /", &[("Host", host)]).status;
    assert_eq!(ask(&format!("term.example:{}", server.port)), 200);
    assert_eq!(ask(&format!("other.example:{}", server.port)), 421);
}

#[test]
fn port_in_use_is_an_error_that_says_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let folder = Folder::new();
    let (code, said) = refused(&folder, &["--port", &port]);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains(&port) && said.contains("choose another --port"), "{said}");
    assert!(folder.contents().is_empty());
}
