//! A session as the traits of `futures`: a stream of output, and a byte stream both ways.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use futures::{AsyncRead, AsyncWrite, Stream};

use super::reader::{Output, Reader};
use super::session::Session;
use crate::session::WriteError;

/// All output of a session, ending after its exit: [`Session::output`].
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Outputs {
    reader: Reader,
    ended: bool,
}

impl Outputs {
    pub(super) fn new(reader: Reader) -> Self {
        Outputs { reader, ended: false }
    }
}

impl Stream for Outputs {
    type Item = Output;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Output>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let output = self.reader.poll_read(cx);
        self.ended = matches!(output, Poll::Ready(Output::Exit(_)));
        output.map(Some)
    }
}

/// A session as a byte stream: [`Session::io`].
///
/// Reading ends (0 bytes) after the last byte of output. Writing waits while the input queue is full. Flushing and closing do
/// nothing: input is on its way as soon as it is accepted, and a terminal has no half to close; end the session by
/// [`Session::close`].
#[derive(Debug)]
pub struct SessionIo {
    session: Session,
    reader: Reader,
    /// Read from the session, not yet by the caller.
    rest: Bytes,
}

impl SessionIo {
    pub(super) fn new(session: Session, reader: Reader) -> Self {
        SessionIo { session, reader, rest: Bytes::new() }
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }
}

impl AsyncRead for SessionIo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        while self.rest.is_empty() {
            match self.reader.poll_read(cx) {
                Poll::Ready(Output::Chunk { bytes, .. }) => self.rest = bytes,
                Poll::Ready(Output::Gap { from, to }) => {
                    let message = format!(
                        "output bytes {from} to {to} are no longer held; read the session by `Session::reader` to go on after them"
                    );
                    return Poll::Ready(Err(io::Error::other(message)));
                }
                Poll::Ready(Output::Exit(_)) => return Poll::Ready(Ok(0)),
                Poll::Pending => return Poll::Pending,
            }
        }
        let len = self.rest.len().min(into.len());
        self.rest.copy_to_slice(&mut into[..len]);
        Poll::Ready(Ok(len))
    }
}

impl AsyncWrite for SessionIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.session.write(bytes) {
            Err(WriteError::Full { .. }) => {
                self.session.with(|terminal, _, _| terminal.want_room(cx.waker()));
                // Room may have come between the two calls, and would wake nobody.
                match self.session.write(bytes) {
                    Err(WriteError::Full { .. }) => Poll::Pending,
                    result => Poll::Ready(result.map_err(io_error)),
                }
            }
            result => Poll::Ready(result.map_err(io_error)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn io_error(error: WriteError) -> io::Error {
    let kind = match &error {
        WriteError::Closed => io::ErrorKind::BrokenPipe,
        WriteError::LineTooLong { .. } => io::ErrorKind::InvalidInput,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}
