//! What is said over HTTP.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use hyper::{Response, StatusCode};
use orchflow_core::metrics::openmetrics;
use tungstenite::handshake::derive_accept_key;

use crate::pages::{Page, protect};
use crate::refusal::Refusal;

pub(super) type Answer = Response<Full<Bytes>>;

/// A page, or word that it has not changed.
pub(super) fn page(page: &Page, unchanged: bool) -> Answer {
    let mut answer = with(page.content_type, Bytes::from_static(page.bytes));
    if unchanged {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        *answer.body_mut() = Full::default();
    }
    answer.headers_mut().insert(CACHE_CONTROL, page.caching());
    if let Ok(tag) = HeaderValue::from_str(&page.etag) {
        answer.headers_mut().insert(ETAG, tag);
    }
    answer
}

/// The numbers.
pub(super) fn metrics(text: String) -> Answer {
    with(openmetrics::CONTENT_TYPE, text.into())
}

/// Yes to a WebSocket.
pub(super) fn switching(key: &HeaderValue) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    answer
}

/// No.
pub(super) fn refusal(refusal: &Refusal) -> Answer {
    let mut answer = with("text/plain; charset=utf-8", format!("{refusal}\n").into());
    *answer.status_mut() = refusal.status();
    if let Some((name, value)) = refusal.header() {
        answer.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    answer
}

/// No, where hyper is not there to say it.
pub(crate) fn refusal_bytes(refusal: &Refusal) -> Vec<u8> {
    let answer = self::refusal(refusal);
    let body = format!("{refusal}\n");
    let mut bytes = format!("HTTP/1.1 {}\r\ncontent-length: {}\r\n", answer.status(), body.len()).into_bytes();
    for (name, value) in answer.headers() {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            bytes.extend_from_slice(part);
        }
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body.as_bytes());
    bytes
}

fn with(content_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    protect(answer.headers_mut());
    answer
}
