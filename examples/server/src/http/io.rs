//! A TCP socket as hyper wants it, and as quiet as we want it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::net::TcpStream;

use crate::limits::READ_BUFFER;
use crate::transport::Socket;

/// Hyper answers a head it cannot read by a bare status. Such an answer names no limit and no way out, so until a request was
/// understood nothing is let out; then we say it better.
pub(super) struct HttpIo {
    pub(super) socket: Socket<TcpStream>,
    understood: Arc<AtomicBool>,
}

impl HttpIo {
    pub(super) fn new(socket: Socket<TcpStream>, understood: Arc<AtomicBool>) -> HttpIo {
        HttpIo { socket, understood }
    }
}

impl Read for HttpIo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut into: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let mut read = [0; READ_BUFFER]; // Filling hyper's own buffer takes unsafe code, and heads are short.
        let wanted = into.remaining().min(read.len());
        let count = ready!(self.socket.poll_read(cx, &mut read[..wanted]))?;
        into.put_slice(&read[..count]);
        Poll::Ready(Ok(()))
    }
}

impl Write for HttpIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.understood.load(Relaxed) { self.socket.poll_write(cx, bytes) } else { Poll::Ready(Ok(bytes.len())) }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_shutdown(cx)
    }
}
