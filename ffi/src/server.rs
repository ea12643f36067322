//! A server of a hub's sessions, over whatever transports its host has.

use std::ffi::{c_char, c_void};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::future::{AbortHandle, abortable};
use orchflow_core::host::{HostOptions, SizePolicy};
use orchflow_core::hub::serve::{Service, ServiceOptions};
use orchflow_core::pty::Command;
use parking_lot::Mutex;

use crate::event::OrchEvent;
use crate::failure::Failure;
use crate::handle::{self, Handle, give, make_of, on};
use crate::hub::{HubHandle, OrchHub};
use crate::link::Link;
use crate::objects::{Object, Objects};
use crate::session::{OrchSession, SessionHandle};
use crate::sized::{self, Growing};
use crate::spawn::OrchSpawnOptions;
use crate::status::*;
use crate::tasks::Tasks;
use crate::token::token_of;
use crate::values::{c_text, nanos_or};

/// A server of one hub's sessions.
pub struct OrchServer {
    _private: [u8; 0],
}

impl Handle for ServerHandle {
    type Opaque = OrchServer;
    const NAME: &'static str = "server";
}

/// What a call on a server needs.
pub(crate) struct ServerHandle {
    pub(crate) server: Arc<Server>,
    pub(crate) objects: Arc<Objects>,
    number: u64,
}

/// The server, as long as its hub is there.
pub(crate) struct Server {
    service: Mutex<Option<Service>>,
    pub(crate) tasks: Arc<Tasks>,
    runner: AbortHandle,
    links: Mutex<Vec<Weak<Link>>>,
}

impl Server {
    /// What does the work.
    pub(crate) fn service(&self) -> Result<Service, Failure> {
        self.service.lock().clone().ok_or_else(|| Failure::new(ORCH_CLOSED, "the server's hub was freed"))
    }

    /// A link was made.
    pub(crate) fn add(&self, link: &Arc<Link>) {
        let mut links = self.links.lock();
        links.retain(|link| link.strong_count() > 0);
        links.push(Arc::downgrade(link));
    }
}

impl Object for Server {
    fn event(&self) -> Option<(OrchEvent, bool)> {
        None
    }

    fn close(&self) {
        self.runner.abort();
        let service = self.service.lock().take();
        let links: Vec<_> = self.links.lock().iter().filter_map(Weak::upgrade).collect();
        links.iter().for_each(|link| link.close());
        drop(service);
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        if self.objects.is_forked() {
            return;
        }
        if let Ok(service) = self.server.service() {
            service.shut_down("the server ends"); // Its links end by themselves, once that is on its way.
        }
        self.server.runner.abort();
        self.server.service.lock().take();
        self.objects.forget(self.number);
    }
}

/// Whoever typed last decides a terminal's size.
pub const ORCH_SIZES_LATEST: u32 = 0;
/// The smallest window decides.
pub const ORCH_SIZES_SMALLEST: u32 = 1;
/// Nobody does: a terminal keeps the size it began with.
pub const ORCH_SIZES_FIXED: u32 = 2;

/// What a server is like.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OrchServerOptions {
    /// Bytes of this struct: ORCH_INIT sets it.
    pub size: usize,
    /// The token's text, as orch_token_new makes one. Not NULL.
    pub token: *const c_char,
    /// What runs in a session whose client names no program, and what sessions are like; its window is the client's choice. NULL: the user's
    /// shell.
    pub session: *const OrchSpawnOptions,
    /// Whose window counts: an ORCH_SIZES_ constant.
    pub sizes: u32,
    /// Keep 0.
    pub reserved: u32,
    /// How long a session that has ended can still be watched, in nanoseconds; 0: five minutes.
    pub ended_kept_ns: u64,
    /// Round trip from which output is packed, in nanoseconds; 0: 5 ms; UINT64_MAX: never.
    pub pack_from_ns: u64,
}

// SAFETY: numbers and pointers.
unsafe impl Growing for OrchServerOptions {
    const NAME: &'static str = "OrchServerOptions";
}

/// Makes a server of the hub's sessions. Take the hub's events: that is how it hears what happens to sessions.
///
/// @param hub      The hub.
/// @param options  What it is like. Not NULL, for a server has a token.
/// @param out      Where to store it. Yours: orch_server_free.
/// @return ORCH_OK; ORCH_INVALID; ORCH_TOO_NEW; ORCH_IO; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_server_new(hub: *mut OrchHub, options: *const OrchServerOptions, out: *mut *mut OrchServer) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        make_of(hub, out, |hub: &HubHandle| {
            if options.is_null() {
                return Err(Failure::null("options"));
            }
            let options: OrchServerOptions = sized::read(options)?;
            let (token, options) = (token_of(options.token)?, options.understood()?);
            hub.new_server(Service::new(&hub.hub, token, options)?)
        })
    }
}

impl OrchServerOptions {
    /// # Safety
    /// What it points to is as it should be.
    unsafe fn understood(&self) -> Result<ServiceOptions, Failure> {
        let sizes = match self.sizes {
            ORCH_SIZES_LATEST => SizePolicy::Latest,
            ORCH_SIZES_SMALLEST => SizePolicy::Smallest,
            ORCH_SIZES_FIXED => SizePolicy::Fixed,
            sizes => return Err(Failure::invalid(format!("`sizes` {sizes} is no ORCH_SIZES_ constant"))),
        };
        if self.reserved != 0 {
            return Err(Failure::invalid("`reserved` must be 0"));
        }
        let usual = ServiceOptions::default();
        let (command, session) = match self.session.is_null() {
            true => (Command::shell(), usual.session),
            // SAFETY: by the contract.
            false => unsafe { sized::read(self.session)?.understood()? },
        };
        let pack_from = match self.pack_from_ns {
            u64::MAX => Duration::MAX,
            nanos => nanos_or(nanos, usual.host.pack_from),
        };
        let host = HostOptions { sizes, pack_from, ended_kept: nanos_or(self.ended_kept_ns, usual.host.ended_kept), ..usual.host };
        Ok(ServiceOptions { host, command, session })
    }
}

impl HubHandle {
    fn new_server(&self, service: Service) -> Result<*mut OrchServer, Failure> {
        let runs = service.clone();
        let (run, runner) = abortable(async move { runs.run_untold().await });
        self.objects.add_service(service.downgrade());
        let server =
            Arc::new(Server { service: Mutex::new(Some(service)), tasks: Arc::clone(&self.tasks), runner, links: Mutex::default() });
        self.tasks.spawn(async move {
            let _aborted = run.await;
        })?;
        let mut table = self.objects.lock();
        let number = table.number();
        let weak: Weak<Server> = Arc::downgrade(&server);
        table.add(number, weak);
        Ok(give(ServerHandle { server, objects: Arc::clone(&self.objects), number }))
    }
}

/// Frees a server: its clients are told that it ends, its sessions are given up, and its links are over once that was sent. Links and submissions are freed by
/// their own functions, now or later.
///
/// @param server  The server, or NULL.
/// @threads Any; the last call on this server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_server_free(server: *mut OrchServer) {
    // SAFETY: by the conventions.
    unsafe { handle::free::<ServerHandle>(server) }
}

/// Gives a handle to a session that a client or an operation has started. It is an owner's: its program waits until what it says is consumed
/// here too. Free it to let go; the server keeps the session.
///
/// @param server     The server.
/// @param session    The session's number.
/// @param user_data  What the session's events carry.
/// @param out        Where to store the handle. Yours: orch_session_free.
/// @return ORCH_OK; ORCH_NOT_FOUND; ORCH_CLOSED; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_server_session(
    server: *mut OrchServer,
    session: u64,
    user_data: *mut c_void,
    out: *mut *mut OrchSession,
) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        make_of(server, out, |server: &ServerHandle| {
            let service = server.server.service()?;
            let open = || service.session(session).ok_or_else(|| Failure::new(ORCH_NOT_FOUND, format!("there is no session {session}")));
            SessionHandle::give(&server.objects, user_data, open)
        })
    }
}

/// What a server counts.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OrchServerCounts {
    /// Bytes of this struct: ORCH_INIT sets it.
    pub size: usize,
    /// Links at this moment, those that have not proved anything included.
    pub links: u64,
    /// Of these, who is in.
    pub clients: u64,
    /// Links that ever were.
    pub links_total: u64,
    /// Sessions that can be watched.
    pub sessions: u64,
    /// Requests, inputs and links that were refused.
    pub refusals: u64,
}

// SAFETY: numbers.
unsafe impl Growing for OrchServerCounts {
    const NAME: &'static str = "OrchServerCounts";
}

/// Tells what a server counts.
///
/// @param server  The server.
/// @param out     Where to store it; made by ORCH_INIT.
/// @return ORCH_OK; ORCH_INVALID if `out->size` is none; ORCH_CLOSED; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_server_counts(server: *const OrchServer, out: *mut OrchServerCounts) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        on(server, |server: &ServerHandle| {
            let counts = server.server.service()?.counts();
            let counts = OrchServerCounts {
                size: 0,
                links: counts.connections as u64,
                clients: counts.clients as u64,
                links_total: counts.connections_total,
                sessions: counts.sessions as u64,
                refusals: counts.refusals.values().sum(),
            };
            sized::write(out, "out", counts)
        })
    }
}

/// Turns every client away, now and from now on, and gives up every session. Each link is over once its client was told.
///
/// @param server   The server.
/// @param message  What clients are told: UTF-8; NULL: that the server ends.
/// @return ORCH_OK; ORCH_INVALID; ORCH_CLOSED; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_server_shut_down(server: *mut OrchServer, message: *const c_char) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        on(server, |server: &ServerHandle| {
            let message = c_text(message, "message")?.unwrap_or("the server ends");
            server.server.service()?.shut_down(message);
            Ok(ORCH_OK)
        })
    }
}
