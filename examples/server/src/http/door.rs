//! What a request must be before anybody looks at what it asks for. One door for every path: pages, metrics and the WebSocket.
//!
//! The order matters. First whether it is for us and from a page of ours, then what it wants; so a page elsewhere learns nothing, not even which paths
//! there are.

use data_encoding::BASE64;
use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, ORIGIN, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use hyper::http::request::Parts;
use hyper::{Method, Version};

use crate::pages::{Page, Pages};
use crate::quote::Quoted;
use crate::refusal::Refusal;
use crate::site::{Site, Sites};
use crate::token::Token;

/// Where the WebSocket is.
const WEBSOCKET: &str = "/ws";
/// Where the numbers are.
const METRICS: &str = "/metrics";

/// What a request may have.
#[derive(Debug)]
pub(super) enum Granted<'a> {
    /// A page, or only word that it has not changed.
    Page {
        page: &'a Page,
        unchanged: bool,
    },
    Metrics,
    /// The WebSocket, for a client that dialled `authority` and sent `key`.
    WebSocket {
        authority: String,
        key: HeaderValue,
    },
}

/// Looks a request over.
pub(super) fn check<'a>(request: &Parts, sites: &Sites, token: &Token, pages: &'a Pages) -> Result<Granted<'a>, Refusal> {
    let authority = addressed(request, sites)?.authority();
    if has_token(request.uri.query().unwrap_or_default()) {
        return Err(Refusal::TokenInUrl);
    }
    let headers = &request.headers;
    if headers.contains_key(TRANSFER_ENCODING) || headers.get_all(CONTENT_LENGTH).iter().any(|length| length != "0") {
        return Err(Refusal::Body);
    }
    match request.uri.path() {
        WEBSOCKET => {
            allow(request, "GET")?;
            Ok(Granted::WebSocket { authority, key: upgrade(request)? })
        }
        METRICS => {
            allow(request, "GET, HEAD")?;
            authorize(headers, token)?;
            Ok(Granted::Metrics)
        }
        path => {
            let page = pages.at(path).ok_or(Refusal::NotFound)?;
            allow(request, "GET, HEAD")?;
            let unchanged = headers.get(IF_NONE_MATCH).is_some_and(|tag| tag == page.etag.as_str());
            Ok(Granted::Page { page, unchanged })
        }
    }
}

/// Which of our sites the request is for. If a page sent it, it was one of that site's.
fn addressed<'a>(request: &Parts, sites: &'a Sites) -> Result<&'a Site, Refusal> {
    if request.uri.authority().is_some() && request.method != Method::CONNECT {
        return Err(Refusal::Target);
    }
    let host = single(&request.headers, HOST).map_err(|()| Refusal::HostTwice)?.ok_or(Refusal::HostMissing)?;
    let foreign = || Refusal::HostForeign { host: Quoted::new(host.as_bytes()) };
    let text = host.to_str().map_err(|_| foreign())?;
    let site = sites.named(text).ok_or_else(foreign)?;
    match single(&request.headers, ORIGIN).map_err(|()| Refusal::OriginTwice)? {
        None => Ok(site),
        Some(origin) if origin == "null" => Err(Refusal::OriginNull),
        Some(origin) => {
            let own = origin.to_str().ok().and_then(|origin| sites.named_by(text, origin));
            own.ok_or_else(|| Refusal::OriginForeign { origin: Quoted::new(origin.as_bytes()) })
        }
    }
}

/// A header that may stand there once. An error if it stands there twice, whatever it says.
fn single(headers: &HeaderMap, name: HeaderName) -> Result<Option<&HeaderValue>, ()> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() { Err(()) } else { Ok(first) }
}

fn allow(request: &Parts, allowed: &'static str) -> Result<(), Refusal> {
    let is_allowed = allowed.split(", ").any(|method| request.method == method);
    if is_allowed { Ok(()) } else { Err(Refusal::Method { allowed }) }
}

fn authorize(headers: &HeaderMap, token: &Token) -> Result<(), Refusal> {
    let refused = |given| Refusal::Unauthorized { given };
    let value = single(headers, AUTHORIZATION).map_err(|()| refused(true))?.ok_or(refused(false))?;
    let (scheme, shown) = value.as_bytes().split_at_checked("Bearer ".len()).ok_or(refused(true))?;
    if scheme.eq_ignore_ascii_case(b"Bearer ") && token.opens_metrics(shown) { Ok(()) } else { Err(refused(true)) }
}

/// The key of a WebSocket handshake that is complete: RFC 6455, section 4.2.1.
fn upgrade(request: &Parts) -> Result<HeaderValue, Refusal> {
    let headers = &request.headers;
    let names = |name, wanted: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case(wanted))
    };
    if request.version != Version::HTTP_11 || !names(CONNECTION, "upgrade") || !names(UPGRADE, "websocket") {
        return Err(Refusal::UpgradeRequired);
    }
    let header = |name: HeaderName, shown| single(headers, name).ok().flatten().ok_or(Refusal::UpgradeMalformed { header: shown });
    if header(SEC_WEBSOCKET_VERSION, "Sec-WebSocket-Version")? != "13" {
        return Err(Refusal::UpgradeRequired);
    }
    let key = header(SEC_WEBSOCKET_KEY, "Sec-WebSocket-Key")?;
    let is_key = BASE64.decode(key.as_bytes()).is_ok_and(|nonce| nonce.len() == 16);
    if is_key { Ok(key.clone()) } else { Err(Refusal::UpgradeMalformed { header: "Sec-WebSocket-Key" }) }
}

/// Whether a query has a parameter that is a token by its name, however it is spelled.
fn has_token(query: &str) -> bool {
    let names = query.split(['&', ';']).map(|parameter| parameter.split('=').next().unwrap_or_default());
    let mut plain = names.map(percent_decoded);
    plain.any(|name| name.ends_with(b"token"))
}

/// In lower case. What is no escape stays as it is.
fn percent_decoded(text: &str) -> Vec<u8> {
    let (bytes, mut plain, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        let escape = if bytes[at] == b'%' { text.get(at + 1..at + 3) } else { None };
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                plain.push(byte.to_ascii_lowercase());
                at += 3;
            }
            None => {
                plain.push(bytes[at].to_ascii_lowercase());
                at += 1;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use hyper::Request;
    use hyper::http::request::Builder;

    use super::*;

    const HOST_HEADER: (&str, &str) = ("host", "127.0.0.1:7673");
    const KEY: (&str, &str) = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    const UPGRADING: [(&str, &str); 5] =
        [HOST_HEADER, ("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket"), ("sec-websocket-version", "13"), KEY];

    fn ask(request: Builder, headers: &[(&str, &str)]) -> Result<&'static str, Refusal> {
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let sites = Sites::new("127.0.0.1".parse().unwrap(), 7673, &[]);
        check(&parts, &sites, &token(), &Pages::new()).map(|granted| match granted {
            Granted::Page { unchanged: false, .. } => "page",
            Granted::Page { unchanged: true, .. } => "unchanged",
            Granted::Metrics => "metrics",
            Granted::WebSocket { authority, .. } if authority == "127.0.0.1:7673" => "websocket",
            Granted::WebSocket { .. } => "websocket elsewhere",
        })
    }

    fn token() -> Token {
        Token::from_file(&"A".repeat(43)).unwrap()
    }

    fn get(path: &str) -> Builder {
        Request::get(path)
    }

    #[test]
    fn good_requests_are_granted() {
        let bearer = format!("bearer {}", token().text());
        let tag = Pages::new().at("/").unwrap().etag.clone();
        assert_eq!(ask(get("/"), &[HOST_HEADER]), Ok("page"));
        assert_eq!(ask(get("/?theme=dark"), &[HOST_HEADER, ("origin", "http://127.0.0.1:7673")]), Ok("page"));
        assert_eq!(ask(Request::head("/"), &[HOST_HEADER, ("content-length", "0")]), Ok("page"));
        assert_eq!(ask(get("/"), &[HOST_HEADER, ("if-none-match", &tag)]), Ok("unchanged"));
        assert_eq!(ask(get("/metrics"), &[HOST_HEADER, ("authorization", &bearer)]), Ok("metrics"));
        assert_eq!(ask(get("/ws"), &UPGRADING), Ok("websocket"));
    }

    #[test]
    fn every_path_has_the_same_door() {
        for path in ["/", "/app.js", "/ws", "/metrics", "/nothing"] {
            for method in ["GET", "HEAD", "POST", "OPTIONS", "BREW"] {
                let request = || Request::builder().method(method).uri(path);
                let with = |more: &[(&str, &str)]| ask(request(), &[&UPGRADING, more].concat());
                assert_eq!(ask(request(), &UPGRADING[1..]), Err(Refusal::HostMissing), "{method} {path}");
                assert_eq!(with(&[HOST_HEADER]), Err(Refusal::HostTwice), "{method} {path}");
                let origin = ("origin", "http://127.0.0.1:7673");
                assert_eq!(with(&[origin, origin]), Err(Refusal::OriginTwice), "{method} {path}");
                assert_eq!(with(&[("origin", "null")]), Err(Refusal::OriginNull), "{method} {path}");
                assert!(matches!(with(&[("origin", "http://evil.example")]), Err(Refusal::OriginForeign { .. })), "{method} {path}");
                let elsewhere = ask(request(), &[&[("host", "evil.example:7673")], &UPGRADING[1..]].concat());
                assert!(matches!(elsewhere, Err(Refusal::HostForeign { .. })), "{method} {path}");
            }
        }
    }

    #[test]
    fn token_in_a_query_is_refused_however_it_is_spelled() {
        for query in ["token=x", "a=b&token=x", "TOKEN=x", "tok%65n=x", "token", "access_token=x", "a=1;token=2"] {
            for path in ["/", "/ws", "/metrics", "/nothing"] {
                assert_eq!(ask(get(&format!("{path}?{query}")), &[HOST_HEADER]), Err(Refusal::TokenInUrl), "{path}?{query}");
            }
        }
        assert_eq!(ask(get("/?tokens=1&a=token&%=%6"), &[HOST_HEADER]), Ok("page"));
    }

    #[test]
    fn other_methods_bodies_and_forms_are_refused() {
        assert_eq!(ask(Request::post("/"), &[HOST_HEADER]), Err(Refusal::Method { allowed: "GET, HEAD" }));
        assert_eq!(ask(Request::head("/ws"), &UPGRADING), Err(Refusal::Method { allowed: "GET" }));
        assert_eq!(ask(get("/"), &[HOST_HEADER, ("content-length", "1")]), Err(Refusal::Body));
        assert_eq!(ask(get("/"), &[HOST_HEADER, ("transfer-encoding", "chunked")]), Err(Refusal::Body));
        assert_eq!(ask(get("http://127.0.0.1:7673/"), &[HOST_HEADER]), Err(Refusal::Target));
        assert_eq!(ask(get("/nothing"), &[HOST_HEADER]), Err(Refusal::NotFound));
    }

    #[test]
    fn handshake_is_whole_or_refused() {
        let without = |name: &str| UPGRADING.into_iter().filter(|(header, _)| *header != name).collect::<Vec<_>>();
        let with = |name: &'static str, value: &'static str| [without(name), vec![(name, value)]].concat();
        for headers in [
            without("connection"),
            without("upgrade"),
            with("connection", "close"),
            with("upgrade", "h2c"),
            with("sec-websocket-version", "8"),
            with("sec-websocket-version", "13, 8"),
        ] {
            assert_eq!(ask(get("/ws"), &headers), Err(Refusal::UpgradeRequired), "{headers:?}");
        }
        let key = Err(Refusal::UpgradeMalformed { header: "Sec-WebSocket-Key" });
        for bad in [
            without(KEY.0),
            with(KEY.0, ""),
            with(KEY.0, "AAAA"),
            with(KEY.0, "not base64 at all, is it"),
            [&UPGRADING[..], &[KEY]].concat(),
        ] {
            assert_eq!(ask(get("/ws"), &bad), key, "{bad:?}");
        }
        let version = Err(Refusal::UpgradeMalformed { header: "Sec-WebSocket-Version" });
        assert_eq!(ask(get("/ws"), &without("sec-websocket-version")), version);
        assert_eq!(ask(get("/ws").version(Version::HTTP_10), &UPGRADING), Err(Refusal::UpgradeRequired));
    }

    #[test]
    fn metrics_are_for_who_holds_the_token() {
        let ask = |headers: &[(&str, &str)]| ask(get("/metrics"), &[&[HOST_HEADER], headers].concat());
        assert_eq!(ask(&[]), Err(Refusal::Unauthorized { given: false }));
        let bearer = format!("Bearer {}", token().text());
        for wrong in [
            "",
            "Bearer",
            "Bearer ",
            "Basic QUFB",
            "Bearer é",
            &bearer[1..],
            &bearer[..bearer.len() - 1],
            &format!("{bearer} "),
            token().text(),
        ] {
            assert_eq!(ask(&[("authorization", wrong)]), Err(Refusal::Unauthorized { given: true }), "{wrong}");
        }
        assert_eq!(ask(&[("authorization", &bearer), ("authorization", &bearer)]), Err(Refusal::Unauthorized { given: true }));
    }
}
