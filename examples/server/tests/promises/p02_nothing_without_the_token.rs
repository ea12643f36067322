//! 2. Without the token nothing happens: no session, no metric, no file name is revealed.

use orchflow_core::protocol::token::{Role, Token};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Instant;

use rustix::process::getuid;

use crate::browser::{WebSocket, get};
use crate::server::{Folder, PATIENCE, Server, free_port, refused};

/// A frame of the protocol's type 0x20 with this body.
fn frame(body: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x20, 0, 0, 0];
    frame.extend_from_slice(&(body.len() as u32).to_le_bytes());
    frame.extend_from_slice(&[0; 8]);
    frame.extend_from_slice(body);
    frame
}

#[test]
fn metrics_are_for_the_token_alone() {
    let server = Server::start(&[]);
    let ask = |authorization: &str| get(&server, "/metrics", &[("Authorization", authorization)]);
    let none = get(&server, "/metrics", &[]);
    assert_eq!((none.status, none.header("www-authenticate")), (401, Some("Bearer realm=\"orchflow\"")));
    for wrong in ["Bearer", "Bearer x", &format!("Bearer {}", "A".repeat(43)), &format!("Basic {}", server.token)] {
        let answer = ask(wrong);
        assert_eq!(answer.status, 401, "{wrong}");
        assert!(!answer.body.contains("terminal_"), "{}", answer.body);
    }
    let token = Token::from_text(&server.token).unwrap();
    for (role, status) in [(Role::Owner, 200), (Role::Metrics, 200), (Role::Writer, 401), (Role::Viewer, 401)] {
        assert_eq!(ask(&format!("Bearer {}", token.pass(role).to_text())).status, status, "{role}");
    }
    let numbers = ask(&format!("Bearer {}", server.token));
    assert_eq!(numbers.status, 200);
    assert!(numbers.body.ends_with("# EOF\n") && numbers.body.contains("terminal_sessions_active 0\n"));
}

#[test]
fn stranger_gets_no_session_whatever_he_says() {
    let server = Server::start(&[]);
    let mut browser = WebSocket::open(&server);
    browser.send(0x82, &frame(b"spawn, please")).unwrap();
    browser.goodbye();
    let mut native = UnixStream::connect(server.socket()).unwrap();
    native.set_read_timeout(Some(PATIENCE)).unwrap();
    native.write_all(&frame(b"spawn, please")).unwrap();
    native.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(server.metric("terminal_sessions_total"), 0);
}

#[test]
fn token_and_socket_are_ours_alone_and_new_each_time() {
    let server = Server::start(&[]);
    let mode = |path: &std::path::Path| fs::symlink_metadata(path).unwrap().mode() & 0o7777;
    assert_eq!(mode(&server.instance()), 0o700);
    assert_eq!(mode(server.instance().parent().unwrap()), 0o700);
    assert_eq!(mode(&server.instance().join("token")), 0o600);
    assert_eq!(mode(&server.socket()), 0o600);
    let token = Token::from_text(&server.token).unwrap();
    assert_eq!(server.pass, token.pass(Role::Owner).to_text(), "the link is not the owner's");
    assert_ne!(Server::start(&[]).token, server.token);
}

#[test]
fn another_user_at_the_unix_socket_is_turned_away() {
    if !getuid().is_root() {
        return; // Only root can be another user; that the numbers are compared is tested beside the code.
    }
    let mut server = Server::start(&[]);
    // As if folder and socket had been opened to all.
    let open = |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for path in [server.folder.path(), server.instance().parent().unwrap(), &server.instance()] {
        open(path, 0o711);
    }
    open(&server.socket(), 0o666);
    let script = "import socket,sys; s=socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(sys.argv[1]); sys.exit(len(s.recv(1)))";
    let mut stranger = Command::new("python3");
    stranger.args(["-c", script]).arg(server.socket()).uid(65_534).gid(65_534).current_dir("/").stdin(Stdio::null());
    assert!(stranger.status().expect("the checks need Python 3").success(), "he was not turned away at once");
    server.log_line(&["event=refused", "reason=user"]);
    assert_eq!(server.metric("terminal_refusals_total{reason=\"user\"}"), 1);
    assert_eq!(server.metric("terminal_connections_total{carrier=\"unix\"}"), 0);
}

/// A server that starts where `prepare` did something to its instance's folder first.
fn start_after(prepare: impl FnOnce(&std::path::Path)) -> (i32, String) {
    let folder = Folder::new();
    let port = free_port().to_string();
    let instance = folder.path().join("orchflow").join(&port);
    let private = |path: &std::path::Path| fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
    fs::create_dir_all(&instance).unwrap();
    private(instance.parent().unwrap());
    private(&instance);
    prepare(&instance);
    refused(&folder, &["--port", &port])
}

#[test]
fn what_others_could_read_or_replace_is_refused_with_its_remedy() {
    let mode = |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    type Prepare<'a> = &'a dyn Fn(&std::path::Path);
    let cases: [(Prepare<'_>, &[&str]); 7] = [
        (&|folder| mode(folder, 0o755), &["0755", "chmod 700"]),
        (&|folder| mode(folder.parent().unwrap(), 0o770), &["0770", "chmod 700"]),
        (
            &|folder| {
                fs::write(folder.join("token"), "x").unwrap();
                mode(&folder.join("token"), 0o644);
            },
            &["token", "0644", "chmod 600"],
        ),
        (&|folder| symlink("/etc/passwd", folder.join("token")).unwrap(), &["token", "link"]),
        (&|folder| fs::create_dir(folder.join("token")).unwrap(), &["token", "is no file"]),
        (&|folder| fs::write(folder.join("socket"), "x").unwrap(), &["socket", "is no socket"]),
        (
            &|folder| {
                fs::remove_dir(folder).unwrap();
                symlink("/tmp", folder).unwrap();
            },
            &["is no folder", "link"],
        ),
    ];
    for (prepare, words) in cases {
        let (code, said) = start_after(prepare);
        assert_eq!(code, 3, "{said}");
        assert!(words.iter().all(|word| said.contains(word)), "{words:?} in {said}");
    }
}

#[test]
fn file_of_another_user_is_refused() {
    if !getuid().is_root() {
        return; // Only root can give files away.
    }
    let (code, said) = start_after(|folder| {
        fs::write(folder.join("token"), "x").unwrap();
        std::os::unix::fs::chown(folder.join("token"), Some(65_534), None).unwrap();
    });
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("belongs to user 65534"), "{said}");
}

#[test]
fn socket_of_a_live_server_is_left_alone_and_of_a_dead_one_replaced() {
    let folder = Folder::new();
    let path = folder.path().join("mine");
    let flag = path.to_str().unwrap().to_owned();
    let live = UnixListener::bind(&path).unwrap();
    let (code, said) = refused(&folder, &["--port", "0", "--unix", &flag]);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("another server listens"), "{said}");
    assert!(path.exists());
    drop(live); // The file stays, as that of a killed server.
    // A child that another test is just starting may have the listener until it has become a program of its own.
    let until = Instant::now() + PATIENCE;
    while UnixStream::connect(&path).is_ok() {
        assert!(Instant::now() < until, "somebody still listens");
    }
    let server = Server::start_in(folder, &["--port", "0", "--unix", &flag]);
    UnixStream::connect(&path).unwrap();
    let (status, folder, _) = server.stop();
    assert!(status.success() && folder.contents().is_empty(), "{:?}", folder.contents());
}

#[test]
fn socket_in_a_folder_open_to_others_is_refused() {
    let folder = Folder::new();
    let open = folder.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
    let (code, said) = refused(&folder, &["--port", "0", "--unix", open.join("socket").to_str().unwrap()]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("chmod 700"), "{said}");
}

#[test]
fn token_file_of_the_users_own_is_used_and_kept() {
    let (folder, token) = (Folder::new(), "A".repeat(43));
    let path = folder.path().join("secret");
    fs::write(&path, format!("{token}\n")).unwrap();
    let flags = ["--port", "0", "--token-file", path.to_str().unwrap()];
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let (code, said) = refused(&folder, &flags);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("chmod 600") && !said.contains(&token), "{said}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let server = Server::start_in(folder, &flags);
    assert_eq!(server.token, token);
    let (_, folder, _) = server.stop();
    assert_eq!(folder.contents(), std::slice::from_ref(&path));
    fs::write(&path, "no token").unwrap();
    let (code, said) = refused(&folder, &flags);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("holds no token"), "{said}");
}
