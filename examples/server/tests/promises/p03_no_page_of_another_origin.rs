//! 3. No web page of another origin can use the server, with or without the user's cookies, including DNS rebinding.

use crate::browser::{UPGRADE, get, request};
use crate::server::Server;

/// Every path there is, and one that there is not.
const PATHS: [&str; 5] = ["/", "/app.js", "/ws", "/metrics", "/nothing"];

/// Asks for each path with these headers, as a page could, and as an upgrade too. Even the token does not help.
fn asked(server: &Server, headers: &[(&str, &str)]) -> Vec<u16> {
    let bearer = format!("Bearer {}", server.token);
    let more = [("Authorization", bearer.as_str()), ("Cookie", "session=1")];
    let ask = |path: &str| request(server, &format!("GET {path}"), &[headers, &more, &UPGRADE].concat()).status;
    PATHS.map(ask).to_vec()
}

#[test]
fn rebound_name_is_nobody_here() {
    let server = Server::start(&[]);
    let port = server.port;
    for host in ["attacker.example", "127.attacker.example", "127.0.0.1.attacker.example", "localhost.attacker.example", "0.0.0.0", "127.1"]
    {
        assert_eq!(asked(&server, &[("Host", &format!("{host}:{port}"))]), [421; 5], "{host}");
    }
    for host in ["127.0.0.1", "localhost", "127.0.0.1:1", "user@127.0.0.1", ""] {
        assert_eq!(asked(&server, &[("Host", host)]), [421; 5], "{host}");
    }
    assert_eq!(server.metric("terminal_connections_total{carrier=\"websocket\"}"), 0);
}

#[test]
fn page_from_elsewhere_is_turned_away_everywhere() {
    let server = Server::start(&[]);
    let (host, port) = (server.host(), server.port);
    let foreign = [
        "http://attacker.example".to_owned(),
        format!("http://127.attacker.example:{port}"),
        format!("http://127.0.0.1:{}", port.wrapping_add(1)),
        "http://127.0.0.1".to_owned(),
        format!("https://127.0.0.1:{port}"),
        format!("http://localhost:{port}"), // Another origin than the one that was dialled.
        "null".to_owned(),
        "file://".to_owned(),
        String::new(),
    ];
    for origin in foreign {
        assert_eq!(asked(&server, &[("Host", &host), ("Origin", &origin)]), [403; 5], "{origin:?}");
    }
    assert_eq!(server.metric("terminal_refusals_total{reason=\"origin\"}"), 45);
}

#[test]
fn two_hosts_or_origins_are_as_bad_as_a_foreign_one() {
    let server = Server::start(&[]);
    let (host, origin) = (server.host(), format!("http://{}", server.host()));
    assert_eq!(asked(&server, &[("Host", &host), ("Host", &host)]), [400; 5]);
    assert_eq!(asked(&server, &[("Host", &host), ("Host", "attacker.example")]), [400; 5]);
    assert_eq!(asked(&server, &[("Host", &host), ("Origin", &origin), ("Origin", &origin)]), [400; 5]);
    assert_eq!(asked(&server, &[]), [400; 5]);
}

#[test]
fn our_own_page_is_welcome_by_each_of_our_names() {
    let server = Server::start(&["--host", "https://term.example"]);
    let port = server.port;
    let own =
        [format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("[::1]:{port}")].map(|host| (format!("http://{host}"), host));
    for (origin, host) in own.into_iter().chain([("https://term.example".to_owned(), "term.example".to_owned())]) {
        let answer = request(&server, "GET /", &[("Host", &host), ("Origin", &origin)]);
        assert_eq!(answer.status, 200, "{host}");
    }
}

#[test]
fn no_answer_may_be_framed_shared_guessed_at_or_read_by_another_origin() {
    let server = Server::start(&[]);
    for (path, status) in [("/", 200), ("/app.js", 200), ("/metrics", 401), ("/ws", 426), ("/nothing", 404)] {
        let answer = get(&server, path, &[]);
        assert_eq!(answer.status, status, "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        for rule in
            ["default-src 'none'", "script-src 'self';", "frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'"]
        {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"), "{path}");
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
        assert_eq!(answer.header("set-cookie"), None, "{path}");
    }
    assert_eq!(get(&server, "/", &[]).header("cache-control"), Some("no-store"));
}

#[test]
fn preflight_gets_no_permission() {
    let server = Server::start(&[]);
    let host = server.host();
    let ask = [("Host", host.as_str()), ("Access-Control-Request-Method", "GET"), ("Access-Control-Request-Private-Network", "true")];
    let answer = request(&server, "OPTIONS /metrics", &ask);
    assert_eq!(answer.status, 405);
    assert_eq!(answer.header("access-control-allow-private-network"), None);
}
