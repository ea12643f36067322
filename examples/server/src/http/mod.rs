//! From an accepted TCP connection to a page, a number or a WebSocket: one request, one answer.
//!
//! Deliberately absent: keep-alive; every answer says so itself. On loopback a connection is cheap, and one that asks once needs one clock, one door and one
//! allowance.

mod answer;
mod door;
mod io;

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Ready, poll_fn, ready};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::server::conn::http1::{Builder, Parts};
use hyper::service::Service;
use hyper::{Method, Request};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

pub(crate) use answer::refusal_bytes;

use crate::limits::{FAREWELL_WAIT, HEAD_BYTES, HEADERS};
use crate::refusal::Refusal;
use crate::server::Server;
use crate::transport::Socket;
use answer::Answer;
use door::Granted;
use io::HttpIo;

/// A connection that has become a WebSocket.
pub(crate) struct Upgraded {
    pub(crate) socket: Socket<TcpStream>,
    /// What came right after the request.
    pub(crate) read: Bytes,
    /// What the client dialled, `host:port`.
    pub(crate) authority: String,
}

/// Hears one request and answers it. Returns the connection if it has become a WebSocket.
pub(crate) async fn receive(server: &Server, socket: Socket<TcpStream>, from: SocketAddr, accepted: Instant) -> Option<Upgraded> {
    let understood = Arc::new(AtomicBool::new(false));
    let desk = Desk { server, from, understood: Arc::clone(&understood), upgraded: Cell::default() };
    let mut http =
        Builder::new().max_buf_size(HEAD_BYTES).max_headers(HEADERS).serve_connection(HttpIo::new(socket, Arc::clone(&understood)), desk);
    let ended = tokio::select! {
        ended = poll_fn(|cx| http.poll_without_shutdown(cx)) => ended.map_err(|error| why(&error)),
        refusal = interruption(server, accepted, &understood) => Err(Some(refusal)),
    };
    let Parts { io: HttpIo { mut socket, .. }, read_buf, service, .. } = http.into_parts();
    let refused = match (ended, service.upgraded.take()) {
        (Ok(()), Some(authority)) => return Some(Upgraded { socket, read: read_buf, authority }),
        (Ok(()), None) => None,
        (Err(refused), _) => refused,
    };
    let mut last = Vec::new();
    if let Some(refusal) = refused {
        server.refused(&refusal, Some(from));
        if !understood.load(Relaxed) {
            last = refusal_bytes(&refusal);
        }
    }
    // Who does not listen in time, or is gone, has missed it.
    let _ = timeout(FAREWELL_WAIT, socket.part(&last)).await;
    None
}

/// Completes when the request, or after it the answer, takes longer than it may; also when the server ends before there is a request.
async fn interruption(server: &Server, accepted: Instant, understood: &AtomicBool) -> Refusal {
    let limits = &server.limits;
    let refusal = tokio::select! {
        () = sleep_until(accepted + limits.head_wait) => Refusal::HeadSlow { limit: limits.head_wait },
        () = server.closing() => Refusal::Closing,
    };
    if !understood.load(Relaxed) {
        return refusal;
    }
    sleep_until(accepted + limits.proof_wait).await;
    Refusal::AnswerSlow { limit: limits.proof_wait }
}

/// What hyper did not like, if it is for us to say.
fn why(error: &hyper::Error) -> Option<Refusal> {
    if error.is_parse_too_large() {
        Some(Refusal::HeadLarge)
    } else if error.is_parse() {
        Some(Refusal::HeadMalformed)
    } else {
        None // The peer left.
    }
}

/// Answers requests.
struct Desk<'a> {
    server: &'a Server,
    from: SocketAddr,
    understood: Arc<AtomicBool>,
    /// The authority of a request that was told to go on as a WebSocket.
    upgraded: Cell<Option<String>>,
}

impl Service<Request<Incoming>> for Desk<'_> {
    type Response = Answer;
    type Error = Infallible;
    type Future = Ready<Result<Answer, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.understood.store(true, Relaxed);
        let (request, _body) = request.into_parts();
        let server = self.server;
        let answer = match door::check(&request, &server.sites, &server.token, &server.pages) {
            Ok(Granted::Page { page, unchanged }) => answer::page(page, unchanged),
            Ok(Granted::Metrics) => answer::metrics(server.numbers()),
            Ok(Granted::WebSocket { authority, key }) => {
                self.upgraded.set(Some(authority));
                answer::switching(&key)
            }
            Err(refusal) => {
                server.refused(&refusal, Some(self.from));
                answer::refusal(&refusal)
            }
        };
        debug_assert!(request.method != Method::CONNECT || !answer.status().is_success(), "a tunnel is never opened");
        ready(Ok(answer))
    }
}
