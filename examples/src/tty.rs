//! The terminal that a program runs in: its raw mode, its size, and word when that changes.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use orchflow_core::size::{Pixels, Size};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use signal_hook::consts::SIGWINCH;

/// Its size, or the usual one when it does not know.
pub fn size() -> Size {
    let Ok(told) = tcgetwinsize(io::stdout()) else { return Size::DEFAULT };
    let pixels = Pixels { width: told.ws_xpixel, height: told.ws_ypixel };
    let known = pixels.width > 0 && pixels.height > 0;
    Size::new(told.ws_col, told.ws_row).unwrap_or_default().with_pixels(known.then_some(pixels))
}

/// The keys that are there; none at its end.
///
/// # Errors
/// When it cannot be read.
pub fn read_keys(into: &mut Vec<u8>) -> io::Result<usize> {
    let mut keys = [0; 4096];
    let count = rustix::io::read(io::stdin(), &mut keys)?;
    into.extend_from_slice(&keys[..count]);
    Ok(count)
}

/// Raw mode, until dropped: keys come as they are pressed, and none means anything here.
pub struct RawMode(Termios);

impl RawMode {
    /// Enters it.
    ///
    /// # Errors
    /// When standard input is no terminal.
    pub fn enter() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        Ok(RawMode(before))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // If even this fails there is no terminal left to restore.
        let _gone = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Readable when the window has changed its size.
pub struct Resized(UnixStream);

impl Resized {
    /// Listens from now on.
    ///
    /// # Errors
    /// When there is no descriptor left.
    pub fn listen() -> io::Result<Self> {
        let (resized, notify) = UnixStream::pair()?;
        resized.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(SIGWINCH, notify)?;
        Ok(Resized(resized))
    }

    /// Takes the news.
    pub fn silence(&mut self) {
        while self.0.read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
    }
}

impl AsFd for Resized {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
