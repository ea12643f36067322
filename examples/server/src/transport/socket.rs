//! A socket as everybody here wants it: a little polled, a little tried, and careful with strangers.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;
use tokio::net::{TcpStream, UnixStream};
use tokio::task::coop;

use crate::limits::{FAREWELL_BYTES, READ_BUFFER};
use crate::standing::{Allowance, Standing};

/// What TCP and Unix sockets of tokio have in common, and no trait of its says.
pub(crate) trait Raw: AsyncWrite + Unpin {
    /// Waits until reading may yield something.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Waits until writing may take something.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Reads what is there, or says `WouldBlock`.
    fn try_read(&self, into: &mut [u8]) -> io::Result<usize>;
    /// Writes what fits, or says `WouldBlock`.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;
}

macro_rules! raw {
    ($Stream:ty) => {
        impl Raw for $Stream {
            fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll_read_ready(cx)
            }

            fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll_write_ready(cx)
            }

            fn try_read(&self, into: &mut [u8]) -> io::Result<usize> {
                <$Stream>::try_read(self, into)
            }

            fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
                <$Stream>::try_write(self, bytes)
            }
        }
    };
}

raw!(TcpStream);
raw!(UnixStream);

/// A socket whose peer may send only so much before it has proved who it is.
///
/// Its `std::io` face never blocks: it says `WouldBlock`, and then one polls.
#[derive(Debug)]
pub(crate) struct Socket<S> {
    raw: S,
    allowance: Allowance,
}

impl<S: Raw> Socket<S> {
    pub(crate) fn new(raw: S, standing: Standing) -> Self {
        Socket { raw, allowance: Allowance::of(standing) }
    }

    pub(crate) fn standing(&self) -> &Standing {
        self.allowance.standing()
    }

    /// Waits until reading may yield something. Gives way to other connections now and then, however much there is to read.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.raw.poll_readable(cx)
    }

    /// Waits until writing may take something.
    pub(crate) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.raw.poll_writable(cx)
    }

    /// Reads something; 0 at the end. An error may hold a [`Refusal`](crate::refusal::Refusal).
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let turn = ready!(coop::poll_proceed(cx));
        loop {
            match io::Read::read(self, into) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready!(self.poll_readable(cx))?,
                read => {
                    turn.made_progress();
                    return Poll::Ready(read);
                }
            }
        }
    }

    /// Writes something.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.raw.try_write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready!(self.poll_writable(cx))?,
                written => return Poll::Ready(written),
            }
        }
    }

    /// Says that nothing more will be written.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.raw).poll_shutdown(cx)
    }

    /// Writes `last`, as far as it fits, and waits until the peer has left, throwing away what it says. Closing at once would have the kernel
    /// take back what was not read yet. The caller bounds the time.
    pub(crate) async fn part(&mut self, last: &[u8]) -> io::Result<()> {
        if !last.is_empty() {
            std::future::poll_fn(|cx| self.poll_write(cx, last)).await?;
        }
        std::future::poll_fn(|cx| self.poll_shutdown(cx)).await?;
        let mut heard = 0;
        while heard < FAREWELL_BYTES {
            match std::future::poll_fn(|cx| self.poll_scrap(cx)).await? {
                0 => break,
                scrap => heard += scrap,
            }
        }
        Ok(())
    }

    /// Reads something and throws it away.
    fn poll_scrap(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            match self.raw.try_read(&mut [0; READ_BUFFER]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready!(self.poll_readable(cx))?,
                read => return Poll::Ready(read),
            }
        }
    }
}

impl<S: Raw> io::Read for Socket<S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let granted = self.allowance.grant(into.len()).map_err(io::Error::other)?;
        let read = self.raw.try_read(&mut into[..granted])?;
        self.allowance.spend(read);
        Ok(read)
    }
}

impl<S: Raw> io::Write for Socket<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.raw.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
