//! 13. Every refusal names what, the limit, and what to do; and is counted.

use crate::browser::{UPGRADE, WebSocket, get, raw, request};
use crate::neighbour::Neighbour;
use crate::server::Server;

#[test]
fn every_refusal_of_a_request_says_why_is_counted_and_logged() {
    let mut server = Server::start(&[]);
    let neighbour = Neighbour::of(&server);
    let host = server.host();
    let own = ("Host", host.as_str());
    let origin = format!("http://{host}");
    let without = |name: &str| UPGRADE.into_iter().filter(|(header, _)| *header != name).chain([own]).collect::<Vec<_>>();
    let large = "y".repeat(9 << 10);
    /// The request line, its headers; then status, reason, and words of the answer.
    type Case<'a> = (&'a str, Vec<(&'a str, &'a str)>, u16, &'a str, &'a [&'a str]);
    let cases: Vec<Case<'_>> = vec![
        ("GET /nothing", vec![own], 404, "not_found", &["/ws", "/metrics"]),
        ("POST /", vec![own], 405, "method", &["GET, HEAD"]),
        ("DELETE /metrics", vec![own], 405, "method", &["GET, HEAD"]),
        ("POST /ws", vec![own], 405, "method", &["GET "]),
        ("CONNECT 127.0.0.1:22", vec![own], 404, "not_found", &[]),
        ("GET http://127.0.0.1/", vec![own], 400, "head_malformed", &["no proxy"]),
        ("GET /", vec![own, ("Content-Length", "5")], 400, "head_malformed", &["no body"]),
        ("GET /", vec![], 400, "host", &["names no Host"]),
        ("GET /", vec![own, own], 400, "host", &["more than one"]),
        ("GET /", vec![("Host", "evil.example")], 421, "host", &["--host"]),
        ("GET /", vec![own, ("Origin", "http://evil.example")], 403, "origin", &["its own page"]),
        ("GET /", vec![own, ("Origin", "null")], 403, "origin", &["sandboxed"]),
        ("GET /", vec![own, ("Origin", &origin), ("Origin", &origin)], 400, "origin", &["more than one"]),
        ("GET /?token=x", vec![own], 400, "token_in_url", &["#"]),
        ("GET /metrics", vec![own], 401, "unauthorized", &["Authorization: Bearer"]),
        ("GET /metrics", vec![own, ("Authorization", "Bearer x")], 401, "unauthorized", &["token file"]),
        ("GET /ws", vec![own], 426, "upgrade", &["version 13"]),
        ("GET /ws", without("Sec-WebSocket-Version"), 400, "upgrade", &["Sec-WebSocket-Version", "RFC 6455"]),
        ("GET /ws", without("Sec-WebSocket-Key"), 400, "upgrade", &["Sec-WebSocket-Key", "RFC 6455"]),
        ("GET /", vec![own, ("X", &large)], 431, "head_large", &["8192 bytes", "64 headers"]),
    ];
    for (line, headers, status, reason, words) in cases {
        let series = format!("terminal_refusals_total{{reason=\"{reason}\"}}");
        let before = server.metric(&series);
        let answer = request(&server, line, &headers);
        assert_eq!(answer.status, status, "{line} {headers:?}: {}", answer.body);
        assert!(answer.body.contains("; "), "no way out: {}", answer.body);
        assert!(words.iter().all(|word| answer.body.contains(word)), "{words:?} in {}", answer.body);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!(server.metric(&series), before + 1, "{line}");
        server.log_line(&["event=refused", &format!("reason={reason}")]);
        neighbour.notices_nothing();
    }
    neighbour.leave();
}

#[test]
fn what_is_no_http_is_told_so() {
    let server = Server::start(&[]);
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..],
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\0\0\0\0",
    ] {
        let answer = raw(&server, bytes);
        assert_eq!(answer.status, 400, "{bytes:?}");
        assert!(answer.body.contains("no HTTP/1.1"), "{}", answer.body);
    }
}

#[test]
fn old_and_broken_websockets_are_told_so() {
    let server = Server::start(&[]);
    let old = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "8"), UPGRADE[3]];
    let answer = get(&server, "/ws", &old);
    assert_eq!((answer.status, answer.header("sec-websocket-version")), (426, Some("13")));
    // A text message, an unmasked frame, a reserved bit, a reserved opcode, a fragmented ping, a stray continuation.
    let broken: [(&[u8], u16); 6] = [
        (&[0x81, 0x81, 0, 0, 0, 0, b'x'], 1003),
        (&[0x82, 0x01, b'x'], 1002),
        (&[0xc2, 0x80, 0, 0, 0, 0], 1002),
        (&[0x83, 0x80, 0, 0, 0, 0], 1002),
        (&[0x09, 0x80, 0, 0, 0, 0], 1002),
        (&[0x80, 0x80, 0, 0, 0, 0], 1002),
    ];
    for (bytes, expected) in broken {
        let mut socket = WebSocket::open(&server);
        std::io::Write::write_all(&mut socket.0, bytes).unwrap();
        let (code, reason) = socket.goodbye();
        assert_eq!(code, expected, "{bytes:?}: {reason}");
        assert!(reason.contains("; "), "{reason}");
    }
    assert_eq!(server.metric("terminal_refusals_total{reason=\"malformed\"}"), 6);
}

#[test]
fn method_and_caching_answers_are_complete() {
    let server = Server::start(&[]);
    let host = server.host();
    assert_eq!(request(&server, "PUT /", &[("Host", &host)]).header("allow"), Some("GET, HEAD"));
    let page = get(&server, "/", &[]);
    let head = request(&server, "HEAD /", &[("Host", &host)]);
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), Some(page.body.len().to_string().as_str()));
    let again = get(&server, "/", &[("If-None-Match", page.header("etag").unwrap())]);
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    let script = get(&server, "/app.js", &[]);
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
}

#[test]
fn mistakes_on_the_command_line_are_named() {
    let folder = crate::server::Folder::new();
    for (flags, word) in [(["--prot", "1"], "--prot"), (["--bind", "localhost:80"], "--bind"), (["--port", "many"], "many")] {
        let (code, said) = crate::server::refused(&folder, &flags);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(word) && said.contains("--help"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
