//! Opens both sides of a terminal, ready for a process: its size, its modes, and nothing inherited by accident.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{Access, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};
use rustix::pty::OpenptFlags;
use rustix::termios::{InputModes, OptionalActions, Winsize};

use crate::pty::SpawnError;
use crate::size::{Pixels, Size, SizeError};

/// The two sides. Both close on exec; only ours is non-blocking.
pub(super) struct Opened {
    pub(super) master: OwnedFd,
    pub(super) peer: OwnedFd,
}

/// Opens a terminal of `size` in the kernel's own modes, and with `IUTF8`, so that erasing a character in a line
/// erases all its bytes.
pub(super) fn open(size: Size) -> Result<Opened, SpawnError> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = retry_on_intr(|| rustix::pty::openpt(flags)).map_err(refused("open a terminal"))?;
    rustix::pty::grantpt(&master).map_err(refused("grant the terminal"))?;
    rustix::pty::unlockpt(&master).map_err(refused("unlock the terminal"))?;
    let peer = open_peer(&master).and_then(above_standard).map_err(refused("open the terminal's other side"))?;
    rustix::termios::tcsetwinsize(&peer, winsize(size)).map_err(refused("set the terminal's size"))?;
    let mut termios = rustix::termios::tcgetattr(&peer).map_err(refused("read the terminal's modes"))?;
    termios.input_modes |= InputModes::IUTF8;
    retry_on_intr(|| rustix::termios::tcsetattr(&peer, OptionalActions::Now, &termios)).map_err(refused("set the terminal's modes"))?;
    rustix::io::ioctl_fionbio(&master, true).map_err(refused("make the terminal non-blocking"))?;
    Ok(Opened { master, peer })
}

/// A path by which the child, which inherits `peer` until it becomes the program, opens the terminal anew: the
/// opening is what makes it the child's controlling terminal. Through `/proc` it is the right one also where
/// `/dev/pts` belongs to another container; without `/proc` only the name remains.
pub(super) fn path_for_child(master: &OwnedFd, peer: &OwnedFd) -> Result<CString, SpawnError> {
    let inherited = format!("/proc/self/fd/{}", peer.as_raw_fd());
    match rustix::fs::access(&inherited, Access::EXISTS) {
        Ok(()) => CString::new(inherited).map_err(|error| SpawnError::Io { doing: "name the terminal", source: error.into() }),
        Err(_) => rustix::pty::ptsname(master, Vec::new()).map_err(refused("name the terminal")),
    }
}

/// `size` as the kernel wants it. Where the pixels are unknown zero says so.
pub(super) fn winsize(size: Size) -> Winsize {
    let Pixels { width, height } = size.pixels().unwrap_or(Pixels { width: 0, height: 0 });
    Winsize { ws_row: size.rows(), ws_col: size.cols(), ws_xpixel: width, ws_ypixel: height }
}

/// The size that the kernel tells. The process may have set an impossible one.
pub(super) fn size(winsize: Winsize) -> Result<Size, SizeError> {
    let pixels = Pixels { width: winsize.ws_xpixel, height: winsize.ws_ypixel };
    let known = pixels.width > 0 && pixels.height > 0;
    Ok(Size::new(winsize.ws_col, winsize.ws_row)?.with_pixels(known.then_some(pixels)))
}

/// Tells a system that is out of something from one that refuses.
pub(super) fn refused(doing: &'static str) -> impl FnOnce(Errno) -> SpawnError {
    move |errno| {
        let source = io::Error::from(errno);
        match errno {
            Errno::MFILE | Errno::NFILE | Errno::NOSPC | Errno::AGAIN | Errno::NOMEM => SpawnError::Exhausted { source },
            _ => SpawnError::Io { doing, source },
        }
    }
}

/// Opens the other side without a path where the kernel can (Linux 4.13), else by name.
fn open_peer(master: &OwnedFd) -> Result<OwnedFd, Errno> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    match retry_on_intr(|| rustix::pty::ioctl_tiocgptpeer(master, flags)) {
        Err(Errno::NOTTY | Errno::INVAL | Errno::NOSYS) => {
            let name = rustix::pty::ptsname(master, Vec::new())?;
            retry_on_intr(|| rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()))
        }
        other => other,
    }
}

/// Moves a descriptor out of the way of 0, where the child puts its terminal, which it opens through this. A host that
/// closes its own 0 on another thread in the middle of this would have the peer come to lie there.
fn above_standard(fd: OwnedFd) -> Result<OwnedFd, Errno> {
    if fd.as_raw_fd() > 2 { Ok(fd) } else { rustix::io::fcntl_dupfd_cloexec(&fd, 3) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::FdFlags;

    #[test]
    fn both_sides_close_on_exec_and_only_ours_is_non_blocking() {
        let Opened { master, peer } = open(Size::DEFAULT).unwrap();
        for fd in [&master, &peer] {
            assert!(rustix::io::fcntl_getfd(fd).unwrap().contains(FdFlags::CLOEXEC));
        }
        assert!(rustix::fs::fcntl_getfl(&master).unwrap().contains(OFlags::NONBLOCK));
        assert!(!rustix::fs::fcntl_getfl(&peer).unwrap().contains(OFlags::NONBLOCK));
    }

    #[test]
    fn size_and_modes_are_there_before_any_process() {
        let Opened { master: _open, peer } = open(Size::new(132, 43).unwrap()).unwrap();
        let winsize = rustix::termios::tcgetwinsize(&peer).unwrap();
        assert_eq!((winsize.ws_col, winsize.ws_row), (132, 43));
        let termios = rustix::termios::tcgetattr(&peer).unwrap();
        assert!(termios.input_modes.contains(InputModes::IUTF8));
        assert_eq!(super::super::line_mode(&termios), crate::pty::LineMode::COOKED);
    }

    #[test]
    fn shortage_is_told_from_refusal() {
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOSPC, Errno::AGAIN] {
            assert!(matches!(refused("x")(errno), SpawnError::Exhausted { .. }));
        }
        assert!(matches!(refused("x")(Errno::PERM), SpawnError::Io { doing: "x", .. }));
    }

    #[test]
    fn raw_mode_is_recognised() {
        let Opened { master, peer } = open(Size::DEFAULT).unwrap();
        let mut termios = rustix::termios::tcgetattr(&peer).unwrap();
        termios.make_raw();
        rustix::termios::tcsetattr(&peer, OptionalActions::Now, &termios).unwrap();
        let seen_from_our_side = rustix::termios::tcgetattr(&master).unwrap();
        assert_eq!(super::super::line_mode(&seen_from_our_side), crate::pty::LineMode::RAW);
    }
}
