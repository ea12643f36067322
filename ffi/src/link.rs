//! One connection of a server: bytes in, bytes out, over a transport that is the host's.

use std::collections::VecDeque;
use std::ffi::{c_char, c_void};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use futures::{Sink, Stream};
use orchflow_core::hub::Poster;
use orchflow_core::hub::serve::{Farewell, Framing, Transport};
use orchflow_core::limits::{FRAME_BEFORE_PROOF_MAX, FRAME_MAX};
use parking_lot::Mutex;

use crate::event::{ORCH_EVENT_LINK_OUTPUT, ORCH_EVENT_LINK_OVER, ORCH_EVENT_LINK_READY, OrchEvent};
use crate::failure::{Answer, Failure};
use crate::handle::{self, Handle, give, make_of, on};
use crate::objects::{Object, Objects, Pointer};
use crate::server::{OrchServer, ServerHandle};
use crate::status::*;
use crate::values::{OrchBytes, bytes, c_text, store};

/// One connection of a server.
pub struct OrchLink {
    _private: [u8; 0],
}

impl Handle for LinkHandle {
    type Opaque = OrchLink;
    const NAME: &'static str = "link";
}

/// What a call on a link needs.
pub(crate) struct LinkHandle {
    link: Arc<Link>,
    objects: Arc<Objects>,
}

impl Drop for LinkHandle {
    fn drop(&mut self) {
        if !self.objects.is_forked() {
            self.link.lose();
            self.objects.forget(self.link.number);
        }
    }
}

/// What the host and the server's task share.
pub(crate) struct Link {
    number: u64,
    framing: Framing,
    poster: Poster,
    target: OnceLock<(Pointer<OrchLink>, Pointer<c_void>)>,
    pipe: Mutex<Pipe>,
}

/// Both ways.
#[derive(Default)]
struct Pipe {
    incoming: VecDeque<Bytes>,
    in_bytes: usize,
    /// Nothing comes any more.
    lost: bool,
    /// What came was too long.
    broke: bool,
    reader: Option<Waker>,
    /// The longest message that may come.
    message_max: usize,
    outgoing: VecDeque<Bytes>,
    out_bytes: usize,
    writer: Option<Waker>,
    /// Why it is over.
    over: Option<&'static str>,
    /// Who peeked last found nothing, and is told when there is something.
    owes_output: bool,
    /// The host was told to wait.
    owes_ready: bool,
    news: News,
}

/// What the host is to be told.
#[derive(Clone, Copy, Default)]
struct News {
    output: bool,
    ready: bool,
    over: bool,
}

/// Bytes that may wait to be heard, and those that may wait to be sent.
const WAITING_MAX: usize = 256 << 10;

/// Pieces that may wait to be heard, however short: each takes some memory of its own.
const PIECES_MAX: usize = 1024;

impl Link {
    fn post(&self) {
        self.poster.post(self.number);
    }

    /// The transport is gone.
    fn lose(&self) {
        let mut pipe = self.pipe.lock();
        pipe.lost = true;
        pipe.incoming.clear();
        pipe.in_bytes = 0;
        let woken = [pipe.reader.take(), pipe.writer.take()];
        drop(pipe);
        woken.into_iter().flatten().for_each(Waker::wake);
    }

    /// The server has ended with it.
    fn end(&self, farewell: &Farewell) {
        let why = match farewell {
            Farewell::Goodbye(code) => code.as_str(),
            Farewell::Closed => "closed",
            Farewell::Broke(_) => "broke",
        };
        self.be_over(why);
    }

    fn be_over(&self, why: &'static str) {
        let mut pipe = self.pipe.lock();
        if pipe.over.is_none() {
            pipe.over = Some(why);
            pipe.news.over = true;
            drop(pipe);
            self.post();
        }
    }

    fn receive(&self, data: &[u8]) -> Result<Option<usize>, Failure> {
        let mut pipe = self.pipe.lock();
        if pipe.lost || pipe.over.is_some() {
            return Err(Failure::new(ORCH_CLOSED, "the link is over: close its transport"));
        }
        let is_message = self.framing == Framing::Messages;
        if is_message && data.len() > pipe.message_max {
            let message = format!("a message of {} bytes, where {} may come: the link is over", data.len(), pipe.message_max);
            (pipe.lost, pipe.broke) = (true, true);
            let reader = pipe.reader.take();
            drop(pipe);
            reader.into_iter().for_each(Waker::wake);
            return Err(Failure::invalid(message));
        }
        if data.is_empty() {
            return Ok(Some(0)); // A message without a frame says nothing.
        }
        if pipe.in_bytes >= WAITING_MAX || pipe.incoming.len() >= PIECES_MAX {
            pipe.owes_ready = true;
            return Ok(None);
        }
        let taken = if is_message { data.len() } else { data.len().min(WAITING_MAX - pipe.in_bytes) };
        pipe.incoming.push_back(Bytes::copy_from_slice(&data[..taken]));
        pipe.in_bytes += taken;
        let reader = pipe.reader.take();
        drop(pipe);
        reader.into_iter().for_each(Waker::wake);
        Ok(Some(taken))
    }

    fn peek(&self) -> (OrchStatus, OrchBytes) {
        let mut pipe = self.pipe.lock();
        match pipe.outgoing.front() {
            Some(bytes) => (ORCH_OK, bytes[..].into()),
            None if pipe.over.is_some() || pipe.lost => (ORCH_EOF, OrchBytes::NONE),
            None => {
                pipe.owes_output = true;
                (ORCH_AGAIN, OrchBytes::NONE)
            }
        }
    }

    fn consume(&self, len: usize) -> Answer {
        let mut pipe = self.pipe.lock();
        let shown = pipe.outgoing.front().map_or(0, Bytes::len);
        if len > shown || (self.framing == Framing::Messages && len != shown) {
            return Err(Failure::invalid(format!("{len} bytes cannot be consumed: {shown} are shown, and a message is sent as a whole")));
        }
        if let Some(first) = pipe.outgoing.front_mut() {
            first.advance(len);
            if first.is_empty() {
                pipe.outgoing.pop_front();
            }
        }
        pipe.out_bytes -= len;
        let has_more = !pipe.outgoing.is_empty();
        (pipe.news.output, pipe.owes_output) = (has_more, !has_more);
        let writer = if pipe.out_bytes < WAITING_MAX { pipe.writer.take() } else { None };
        drop(pipe);
        if has_more {
            self.post();
        }
        writer.into_iter().for_each(Waker::wake);
        Ok(ORCH_OK)
    }
}

impl Object for Link {
    fn event(&self) -> Option<(OrchEvent, bool)> {
        let (link, user_data) = *self.target.get()?;
        let mut pipe = self.pipe.lock();
        let mut code = OrchBytes::NONE;
        let kind = match &mut pipe.news {
            News { output: told @ true, .. } => {
                *told = false;
                ORCH_EVENT_LINK_OUTPUT
            }
            News { ready: told @ true, .. } => {
                *told = false;
                ORCH_EVENT_LINK_READY
            }
            News { over: told @ true, .. } => {
                *told = false;
                code = pipe.over.unwrap_or_default().as_bytes().into();
                ORCH_EVENT_LINK_OVER
            }
            _ => return None,
        };
        let more = pipe.news.output || pipe.news.ready || pipe.news.over;
        Some((OrchEvent { link: link.0, code, ..OrchEvent::new(kind, user_data) }, more))
    }

    fn close(&self) {
        self.lose();
        self.be_over("shutting_down");
    }
}

/// The server's end.
struct End(Arc<Link>);

impl Stream for End {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let mut pipe = self.0.pipe.lock();
        if let Some(bytes) = pipe.incoming.pop_front() {
            pipe.in_bytes -= bytes.len();
            if pipe.owes_ready && pipe.in_bytes < WAITING_MAX / 2 && pipe.incoming.len() < PIECES_MAX / 2 {
                (pipe.owes_ready, pipe.news.ready) = (false, true);
                drop(pipe);
                self.0.post();
            }
            return Poll::Ready(Some(Ok(bytes)));
        }
        if pipe.broke {
            return Poll::Ready(Some(Err(io::ErrorKind::InvalidData.into())));
        }
        if pipe.lost {
            return Poll::Ready(None);
        }
        pipe.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Sink<Bytes> for End {
    type Error = io::Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = self.0.pipe.lock();
        if pipe.lost {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if pipe.out_bytes < WAITING_MAX {
            return Poll::Ready(Ok(()));
        }
        pipe.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    fn start_send(self: Pin<&mut Self>, bytes: Bytes) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut pipe = self.0.pipe.lock();
        pipe.out_bytes += bytes.len();
        pipe.outgoing.push_back(bytes);
        if std::mem::take(&mut pipe.owes_output) {
            pipe.news.output = true;
            drop(pipe);
            self.0.post();
        }
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // The rest is the host's.
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Transport for End {
    fn framing(&self) -> Framing {
        self.0.framing
    }

    fn set_message_max(&mut self, bytes: usize) {
        self.0.pipe.lock().message_max = bytes.min(FRAME_MAX);
    }
}

/// The transport carries a stream of bytes, cut anywhere: a Unix socket, a pipe, TCP.
pub const ORCH_FRAMING_STREAM: u32 = 0;
/// It carries messages, each as a whole: a WebSocket.
pub const ORCH_FRAMING_MESSAGES: u32 = 1;

/// The framing of an ORCH_FRAMING_ number.
pub(crate) fn framing_of(number: u32) -> Result<Framing, Failure> {
    match number {
        ORCH_FRAMING_STREAM => Ok(Framing::Stream),
        ORCH_FRAMING_MESSAGES => Ok(Framing::Messages),
        _ => Err(Failure::invalid(format!("`framing` {number} is no ORCH_FRAMING_ constant"))),
    }
}

/// A client has connected: from now on, hand over what comes by orch_link_receive, and send what orch_link_peek shows.
///
/// @param server     The server.
/// @param authority  What the client dialled, once you have found it to be an address of yours: "host:port" in lower case, or "unix". It is part
///                   of what both sides prove.
/// @param framing    ORCH_FRAMING_STREAM or ORCH_FRAMING_MESSAGES.
/// @param user_data  What the link's events carry.
/// @param out        Where to store the link. Yours: orch_link_free.
/// @return ORCH_OK; ORCH_INVALID; ORCH_CLOSED; ORCH_IO; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_server_accept(
    server: *mut OrchServer,
    authority: *const c_char,
    framing: u32,
    user_data: *mut c_void,
    out: *mut *mut OrchLink,
) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        make_of(server, out, |server: &ServerHandle| {
            let authority = c_text(authority, "authority")?.ok_or_else(|| Failure::null("authority"))?;
            server.accept(authority.to_owned(), framing_of(framing)?, user_data)
        })
    }
}

impl ServerHandle {
    fn accept(&self, authority: String, framing: Framing, user_data: *mut c_void) -> Result<*mut OrchLink, Failure> {
        let service = self.server.service()?;
        let mut table = self.objects.lock();
        let number = table.number();
        let pipe = Pipe { message_max: FRAME_BEFORE_PROOF_MAX, owes_output: true, ..Pipe::default() };
        let poster = self.objects.poster.clone();
        let link = Arc::new(Link { number, framing, poster, target: OnceLock::new(), pipe: Mutex::new(pipe) });
        let (end, told) = (End(Arc::clone(&link)), Arc::clone(&link));
        self.server.tasks.spawn(async move { told.end(&service.serve(end, authority).await) })?;
        let weak: Weak<Link> = Arc::downgrade(&link);
        table.add(number, weak);
        self.server.add(&link);
        let handle = give(LinkHandle { link: Arc::clone(&link), objects: Arc::clone(&self.objects) });
        let _once = link.target.set((Pointer(handle), Pointer(user_data)));
        Ok(handle)
    }
}

/// Bytes have come from the client. What comes of them is done when the hub is dispatched.
///
/// @param link   The link.
/// @param data   The bytes, or one whole message; they are copied.
/// @param len    How many.
/// @param taken  Where to store how many were taken: of a message all, of a stream perhaps not all.
/// @return ORCH_OK; ORCH_AGAIN when too much waits, and ORCH_EVENT_LINK_READY tells when it does not: read no more from the transport until then;
///         ORCH_INVALID for a message that is too long, after which the link is over; ORCH_CLOSED; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_link_receive(link: *mut OrchLink, data: *const u8, len: usize, taken: *mut usize) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        on(link, |link: &LinkHandle| {
            let data = bytes(data, len, "data")?;
            store(taken, "taken", 0)?;
            let Some(count) = link.link.receive(data)? else { return Ok(ORCH_AGAIN) };
            store(taken, "taken", count)
        })
    }
}

/// Shows what is to be sent next: bytes of a stream, or one message.
///
/// @param link  The link.
/// @param out   Where to store it. Valid until consume or free on this link.
/// @return ORCH_OK; ORCH_AGAIN when there is nothing now, and ORCH_EVENT_LINK_OUTPUT tells when there is; ORCH_EOF when there never will be: close the
///         transport; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads Any; but the loan is one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_link_peek(link: *mut OrchLink, out: *mut OrchBytes) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        on(link, |link: &LinkHandle| {
            let (status, bytes) = link.link.peek();
            store(out, "out", bytes)?;
            Ok(status)
        })
    }
}

/// What the last peek showed was sent.
///
/// @param link  The link.
/// @param len   Bytes that were sent: of a stream perhaps not all, of messages the whole one.
/// @return ORCH_OK; ORCH_INVALID for another length; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads Any; but the loan is one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_link_consume(link: *mut OrchLink, len: usize) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { on(link, |link: &LinkHandle| link.link.consume(len)) }
}

/// The transport broke, or the client closed it. Its places are kept for a while, for its return.
///
/// @param link  The link.
/// @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_link_lost(link: *mut OrchLink) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        on(link, |link: &LinkHandle| {
            link.link.lose();
            Ok(ORCH_OK)
        })
    }
}

/// Frees a link; one that is not over is lost by it.
///
/// @param link  The link, or NULL.
/// @threads Any; the last call on this link.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_link_free(link: *mut OrchLink) {
    // SAFETY: by the conventions.
    unsafe { handle::free::<LinkHandle>(link) }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use orchflow_core::hub::Hub;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn whoever_waits_for_room_is_woken_when_there_is_some_and_not_forgotten_before() {
        let hub = Hub::builder().events().hosted().unwrap();
        let link = Arc::new(Link {
            number: 1,
            framing: Framing::Stream,
            poster: hub.poster(),
            target: OnceLock::new(),
            pipe: Mutex::new(Pipe { owes_output: true, ..Pipe::default() }),
        });
        let (mut end, woken) = (End(Arc::clone(&link)), Arc::new(Woken::default()));
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        assert!(Pin::new(&mut end).poll_ready(&mut cx).is_ready());
        Pin::new(&mut end).start_send(Bytes::from(vec![0; WAITING_MAX + 1])).unwrap();
        assert!(Pin::new(&mut end).poll_ready(&mut cx).is_pending());
        link.consume(1).unwrap();
        assert_eq!(woken.0.load(Ordering::SeqCst), 0, "there is no room yet");
        link.consume(1).unwrap();
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    }
}
