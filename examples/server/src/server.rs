//! One running server: what its connections share, who is let in, and how it ends.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use orchflow_core::hub::Hub;
use orchflow_core::hub::serve::{Service, ServiceOptions};
use orchflow_core::pty::Command;
use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use rustix::process::{Resource, getrlimit, getuid};
use rustix::rand::{GetRandomFlags, getrandom};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, timeout};

use crate::connection::{self, Admission, Arrival, Peer};
use crate::gate::{Gate, Place};
use crate::http;
use crate::limits::{ACCEPT_PAUSE, ACCEPT_QUEUE, DESCRIPTORS_RESERVED, Limits};
use crate::log::Log;
use crate::metrics::{Carrier, Metrics};
use crate::pages::Pages;
use crate::refusal::{Reason, Refusal};
use crate::signals::Signals;
use crate::site::Sites;
use crate::standing::{Deadline, Standing};
use crate::token::Token;
use crate::transport::{Socket, Transport};

/// What every connection may use.
pub(crate) struct Server {
    /// The engine, driven by this server's runtime.
    pub(crate) hub: Hub,
    /// The engine's sessions, for whoever proves to hold the token.
    pub(crate) service: Service,
    pub(crate) token: Token,
    pub(crate) sites: Sites,
    pub(crate) pages: Pages,
    pub(crate) limits: Limits,
    pub(crate) log: Log,
    pub(crate) metrics: Metrics,
    tcp: Gate,
    /// A door of its own: no page can stand in it, so none can crowd native clients out.
    unix: Gate,
    connections_max: usize,
    closing: watch::Sender<bool>,
}

/// What a server is made of.
pub(crate) struct Parts {
    pub(crate) hub: Hub,
    pub(crate) command: Command,
    pub(crate) token: Token,
    pub(crate) sites: Sites,
    pub(crate) limits: Limits,
    pub(crate) quiet: bool,
}

/// Where it listens.
pub(crate) struct Listeners {
    pub(crate) tcp: TcpListener,
    pub(crate) unix: Option<UnixListener>,
}

/// How it came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// A signal asked it to, and it has wound down.
    Down,
    /// A second signal of this number would not wait.
    AtOnce(i32),
}

impl Server {
    /// # Errors
    /// When the kernel gives no random bytes.
    pub(crate) fn new(parts: Parts) -> io::Result<Arc<Server>> {
        let Parts { hub, command, token, sites, limits, quiet } = parts;
        let connections_max = connections_max(getrlimit(Resource::Nofile).current);
        let early_drop = limits.early_drop.within(connections_max);
        let options = ServiceOptions { command, ..ServiceOptions::default() };
        let service = Service::new(&hub, token.secret(), options)?;
        Ok(Arc::new(Server {
            hub,
            service,
            sites,
            pages: Pages::new(),
            limits,
            log: Log::new(quiet, token.clone()),
            token,
            metrics: Metrics::default(),
            tcp: Gate::new(early_drop),
            unix: Gate::new(early_drop),
            connections_max,
            closing: watch::Sender::new(false),
        }))
    }

    /// Lets people in until a signal comes, and winds down then.
    pub(crate) async fn run(self: &Arc<Self>, listeners: Listeners, signals: &mut Signals) -> Ended {
        let mut tasks = JoinSet::new();
        let service = self.service.clone();
        let events = tokio::spawn(async move { service.run().await });
        let first = loop {
            tokio::select! {
                accepted = listeners.tcp.accept() => self.meet_tcp(accepted, &mut tasks).await,
                accepted = accept_unix(listeners.unix.as_ref()) => self.meet_unix(accepted, &mut tasks).await,
                Some(ended) = tasks.join_next() => self.bury(ended),
                signal = signals.next() => break signal,
            }
        };
        self.log.event("stopping", &[("signal", &first), ("connections", &tasks.len()), ("sessions", &self.hub.sessions())]);
        self.meet_the_queue(listeners, &mut tasks).await;
        let ended = tokio::select! {
            () = self.wind_down(&mut tasks) => Ended::Down,
            signal = signals.next() => Ended::AtOnce(signal),
        };
        tasks.shutdown().await;
        events.abort();
        self.hub.close();
        ended
    }

    /// Says goodbye to every connection, then waits for the sessions that went with them, each for a bounded time.
    async fn wind_down(&self, tasks: &mut JoinSet<()>) {
        self.closing.send_replace(true);
        self.service.shut_down("the server is shutting down; come back once it is started again");
        let goodbyes = async {
            while let Some(ended) = tasks.join_next().await {
                self.bury(ended);
            }
        };
        if timeout(self.limits.connections_grace, goodbyes).await.is_err() {
            tasks.shutdown().await; // Whose handles go with them, and so their sessions.
        }
        if timeout(self.limits.sessions_grace, self.hub.emptied()).await.is_err() {
            self.log.event("sessions_killed", &[("sessions", &self.hub.sessions())]);
        }
    }

    /// Completes when the server ends.
    pub(crate) async fn closing(&self) {
        let mut closing = self.closing.subscribe();
        // The sender is ours, so it is there.
        let _ = closing.wait_for(|closing| *closing).await;
    }

    /// Counts and tells a refusal.
    pub(crate) fn refused(&self, refusal: &Refusal, from: Option<SocketAddr>) {
        self.metrics.refused(refusal);
        let from = from.map_or_else(|| Carrier::Unix.label().to_owned(), |from| from.to_string());
        let label = refusal.reason().label();
        match refusal.said() {
            Some(said) => {
                self.log.event("refused", &[("reason", &format_args!("{label}")), ("from", &format_args!("{from}")), ("said", said)])
            }
            None => self.log.event("refused", &[("reason", &format_args!("{label}")), ("from", &format_args!("{from}"))]),
        }
    }

    /// Counts a connection until what is returned is dropped.
    pub(crate) fn open(&self, carrier: Carrier) -> Open<'_> {
        self.metrics.opened(carrier);
        Open { metrics: &self.metrics, carrier }
    }

    /// Everything that is counted, as OpenMetrics text.
    pub(crate) fn numbers(&self) -> String {
        self.metrics.render(&self.hub, &self.service.counts(), self.tcp.unproved() + self.unix.unproved())
    }

    /// Lets in who came before the signal and was not met yet, so that the server's end is told to them too and is no reset.
    async fn meet_the_queue(self: &Arc<Self>, listeners: Listeners, tasks: &mut JoinSet<()>) {
        // Of the standard library's kind they ask the kernel; tokio's would ask for news it may not have had yet.
        if let Ok(tcp) = listeners.tcp.into_std() {
            for (stream, from) in std::iter::from_fn(|| tcp.accept().ok()).take(ACCEPT_QUEUE as usize) {
                let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
                self.meet_tcp(stream.map(|stream| (stream, from)), tasks).await;
            }
        }
        if let Some(Ok(unix)) = listeners.unix.map(UnixListener::into_std) {
            for (stream, _) in std::iter::from_fn(|| unix.accept().ok()).take(ACCEPT_QUEUE as usize) {
                let stream = stream.set_nonblocking(true).and_then(|()| UnixStream::from_std(stream));
                self.meet_unix(stream, tasks).await;
            }
        }
    }

    async fn meet_tcp(self: &Arc<Self>, accepted: io::Result<(TcpStream, SocketAddr)>, tasks: &mut JoinSet<()>) {
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => return self.could_not_accept(error).await,
        };
        match self.enter(&self.tcp, tasks.len()) {
            Ok(place) => {
                // Nagle would hold keystrokes back; where it cannot be turned off they come a little later.
                let _ = stream.set_nodelay(true);
                tasks.spawn(Arc::clone(self).serve_tcp(stream, from, place));
            }
            Err(refusal) => {
                self.refused(&refusal, Some(from));
                // It says so if it can, and waits for nobody.
                let _ = send(&stream, &http::refusal_bytes(&refusal), SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
            }
        }
    }

    async fn serve_tcp(self: Arc<Self>, stream: TcpStream, from: SocketAddr, place: Place) {
        let accepted = Instant::now();
        let standing = Standing::new(place);
        let open = self.open(Carrier::Http);
        let socket = Socket::new(stream, standing.clone());
        // A request and a conversation have a box each, so that an idle WebSocket carries neither the one nor room for it.
        let received = Box::pin(http::receive(&self, socket, from, accepted)).await;
        drop(open);
        let Some(http::Upgraded { socket, read, authority }) = received else { return };
        let deadline = Deadline::new(standing.clone(), accepted, self.limits.proof_wait);
        let transport = Transport::websocket(socket, read, deadline);
        let admission = Admission::new(Arc::clone(&self), standing);
        let arrival = Arrival { transport, admission, peer: Peer::WebSocket { from, authority } };
        Box::pin(connection::serve(&self, arrival)).await;
    }

    async fn meet_unix(self: &Arc<Self>, accepted: io::Result<UnixStream>, tasks: &mut JoinSet<()>) {
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) => return self.could_not_accept(error).await,
        };
        let entered = stream.peer_cred().map_err(|_| Refusal::Closing).and_then(|peer| {
            check_user(peer.uid(), getuid().as_raw())?;
            Ok((peer.pid(), self.enter(&self.unix, tasks.len())?))
        });
        match entered {
            Ok((pid, place)) => {
                let standing = Standing::new(place);
                let deadline = Deadline::new(standing.clone(), Instant::now(), self.limits.proof_wait);
                let transport = Transport::bytes(Socket::new(stream, standing.clone()), deadline);
                let admission = Admission::new(Arc::clone(self), standing);
                let (server, arrival) = (Arc::clone(self), Arrival { transport, admission, peer: Peer::Unix { pid } });
                tasks.spawn(async move { connection::serve(&server, arrival).await });
            }
            Err(refusal) => {
                self.refused(&refusal, None);
                // As above. Another user is owed no word.
                if refusal.reason() != Reason::User {
                    let _ = send(&stream, &refusal.goodbye(), SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
                }
            }
        }
    }

    fn enter(&self, gate: &Gate, connections: usize) -> Result<Place, Refusal> {
        if connections >= self.connections_max {
            return Err(Refusal::Full { limit: self.connections_max });
        }
        gate.enter(random)
    }

    async fn could_not_accept(&self, error: io::Error) {
        self.log.event("accept_failed", &[("error", &error.kind())]);
        let errno = error.raw_os_error().map(Errno::from_raw_os_error);
        if let Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) = errno {
            sleep(ACCEPT_PAUSE).await; // Else the same newcomer fails again at once, and again.
        }
    }

    fn bury(&self, ended: Result<(), JoinError>) {
        if ended.is_err_and(|error| error.is_panic()) {
            self.metrics.panicked();
            self.log.event("panicked", &[]);
        }
    }
}

/// A connection that is counted as open.
pub(crate) struct Open<'a> {
    metrics: &'a Metrics,
    carrier: Carrier,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.metrics.closed(self.carrier);
    }
}

/// Who reaches the Unix socket in spite of its folder must still be us.
fn check_user(uid: u32, ours: u32) -> Result<(), Refusal> {
    if uid == ours { Ok(()) } else { Err(Refusal::User { uid, ours }) }
}

/// Three quarters of the descriptors there are after a reserve; the rest is for terminals.
fn connections_max(descriptors: Option<u64>) -> usize {
    let room = descriptors.unwrap_or(u64::MAX).saturating_sub(DESCRIPTORS_RESERVED) / 4 * 3;
    usize::try_from(room).unwrap_or(usize::MAX)
}

/// What throws the dice at the door. Where the kernel gives none, they fall against the newcomer.
fn random() -> u32 {
    let mut bytes = [0; 4];
    match getrandom(&mut bytes, GetRandomFlags::empty()) {
        Ok(_) => u32::from_ne_bytes(bytes),
        Err(_) => 0,
    }
}

async fn accept_unix(listener: Option<&UnixListener>) -> io::Result<UnixStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use orchflow_core::hub::Output;
    use orchflow_core::session::SessionOptions;

    use super::*;
    use crate::embed_tokio::Tokio;

    fn server(limits: Limits) -> Arc<Server> {
        let hub = Hub::new().unwrap();
        hub.drive(&Tokio).unwrap();
        let sites = Sites::new([127, 0, 0, 1].into(), 7673, &[]);
        Server::new(Parts { hub, command: Command::shell(), token: Token::random().unwrap(), sites, limits, quiet: true }).unwrap()
    }

    /// Its program ignores all that is polite, and has started another that does.
    async fn stubborn_session(server: &Server, grace: Duration) -> (orchflow_core::hub::Session, Vec<String>) {
        let script = "trap '' HUP TERM; sleep 1000 & echo $$ $! up; while :; do wait; done";
        let options = SessionOptions { close_grace: grace, ..SessionOptions::default() };
        let session = server.hub.spawn(&Command::new("sh").args(["-c", script]), options).unwrap();
        let (mut reader, mut said) = (session.reader(), String::new());
        while !said.contains("up") {
            let Output::Chunk { bytes, .. } = reader.read().await else { panic!("it ended: {said}") };
            said.push_str(&String::from_utf8_lossy(&bytes));
        }
        (session, said.split_whitespace().take(2).map(str::to_owned).collect())
    }

    fn is_there(pid: &str) -> bool {
        let status = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
        status.is_ok_and(|status| !status.contains(") Z"))
    }

    #[tokio::test]
    async fn sessions_of_a_connection_go_down_the_ladder_with_it() {
        let server = server(Limits::default());
        let (session, pids) = stubborn_session(&server, Duration::from_millis(20)).await;
        let mut tasks = JoinSet::new();
        let connection = Arc::clone(&server);
        tasks.spawn(async move {
            connection.closing().await;
            drop(session);
        });
        server.wind_down(&mut tasks).await;
        assert_eq!(server.hub.sessions(), 0);
        assert!(!pids.iter().any(|pid| is_there(pid)), "{pids:?}");
    }

    #[tokio::test]
    async fn connection_that_will_not_go_is_ended_and_its_session_killed() {
        let short = Duration::from_millis(50);
        let server = server(Limits { connections_grace: short, sessions_grace: short, ..Limits::default() });
        // So long a grace that only the end of the hub can be what killed it.
        let (session, pids) = stubborn_session(&server, Duration::from_secs(1000)).await;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let _kept = session;
            std::future::pending().await
        });
        server.wind_down(&mut tasks).await;
        assert_eq!(server.hub.sessions(), 1);
        server.hub.close();
        assert!(!pids.iter().any(|pid| is_there(pid)), "{pids:?}");
    }

    #[test]
    fn another_user_is_refused_root_included() {
        assert_eq!(check_user(1000, 1000), Ok(()));
        assert_eq!(check_user(0, 1000), Err(Refusal::User { uid: 0, ours: 1000 }));
        assert_eq!(check_user(1000, 0), Err(Refusal::User { uid: 1000, ours: 0 }));
    }

    #[test]
    fn connections_leave_descriptors_for_terminals() {
        assert_eq!([64, 1_024, 20_000].map(|limit| connections_max(Some(limit))), [0, 720, 14_952]);
        assert!(connections_max(None) > 1 << 20);
    }
}
