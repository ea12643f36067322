//! 4. The token is never logged, echoed, in a URL the server sees, or in a metric.

use std::fs;

use crate::browser::{WebSocket, get, raw, request};
use crate::server::{SHORT, Server};

#[test]
fn token_in_a_query_is_refused_with_where_it_belongs_on_every_path() {
    let server = Server::start(&[]);
    for path in ["/", "/ws", "/metrics", "/nothing"] {
        for name in ["token", "TOKEN", "tok%65n", "access_token"] {
            let answer = get(&server, &format!("{path}?a=b&{name}={}", server.token), &[]);
            assert_eq!(answer.status, 400);
            assert!(answer.body.contains("behind a `#`"), "{}", answer.body);
        }
    }
    assert_eq!(server.metric("terminal_refusals_total{reason=\"token_in_url\"}"), 16);
}

#[test]
fn token_pasted_into_any_wrong_place_comes_out_nowhere() {
    pasted(|server| server.token.clone());
    pasted(|server| server.pass.clone());
}

/// What `secret` picks is pasted wherever it does not belong.
fn pasted(secret: impl Fn(&Server) -> String) {
    let mut server = Server::start(&["--test-limits", SHORT]);
    let (token, host) = (secret(&server), server.host());
    let mut said = Vec::new();
    let mut hear = |answer: crate::browser::Answer| said.push(format!("{answer:?}"));
    hear(get(&server, &format!("/?token={token}"), &[]));
    hear(get(&server, &format!("/token={token}"), &[]));
    hear(request(&server, &format!("{token} /"), &[("Host", &host)]));
    hear(request(&server, "GET /", &[("Host", &token)]));
    hear(request(&server, "GET /", &[("Host", &host), ("Origin", &format!("http://{token}"))]));
    hear(get(&server, "/", &[("Cookie", &token), ("Referer", &format!("http://{host}/#token={token}"))]));
    hear(get(&server, "/metrics", &[("Authorization", &token)]));
    hear(get(&server, "/metrics", &[("Authorization", &format!("Basic {token}"))]));
    hear(get(&server, "/ws", &[("Sec-WebSocket-Protocol", &token), ("Upgrade", &token)]));
    hear(raw(&server, format!("{token}\r\n\r\n").as_bytes()));
    hear(raw(&server, format!("GET /{token}").as_bytes())); // And no more, until it is too late.
    let mut socket = WebSocket::open(&server);
    socket.send(0x81, token.as_bytes()).unwrap();
    let reason = socket.goodbye().1;
    hear(get(&server, "/metrics", &[("Authorization", &format!("Bearer {token}"))]));
    hear(get(&server, "/", &[]));
    said.push(reason);
    // It is in no place where other users look, either.
    let proc = |file: &str| String::from_utf8_lossy(&fs::read(format!("/proc/{}/{file}", server.pid())).unwrap()).into_owned();
    said.extend([proc("cmdline"), proc("environ")]);
    server.log_line(&["reason=host", "said=\"[token]\""]);
    let (status, _, log) = server.stop();
    assert!(status.success());
    said.extend(log);
    for text in said {
        assert!(!text.contains(&token), "{text}");
    }
}

#[test]
fn quiet_server_prints_no_link_and_no_log() {
    let folder = crate::server::Folder::new();
    let (code, said) = crate::server::refused(&folder, &["--quiet", "--bind", "0.0.0.0"]);
    assert_eq!(code, 3);
    assert!(said.contains("--insecure-no-tls"), "errors are told all the same: {said}");
    assert_eq!(crate::server::quiet(&folder), "");
}
