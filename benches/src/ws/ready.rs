//! Waiting for many clients on one thread.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Waits until one of these has something to read, or room to write where that is waited for, at the most for `timeout`.
/// Returns which have, by index; those without a link have not.
pub(crate) fn ready<'a>(fds: impl Iterator<Item = Option<(BorrowedFd<'a>, PollFlags)>>, timeout: Duration) -> io::Result<Vec<usize>> {
    let timeout = Timespec::try_from(timeout).map_err(io::Error::other)?;
    let (indices, mut fds): (Vec<usize>, Vec<PollFd<'_>>) =
        fds.enumerate().filter_map(|(index, fd)| fd.map(|(fd, flags)| (index, PollFd::from_borrowed_fd(fd, flags)))).unzip();
    poll(&mut fds, Some(&timeout))?;
    Ok(indices.into_iter().zip(&fds).filter(|(_, fd)| !fd.revents().is_empty()).map(|(index, _)| index).collect())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn only_those_with_something_to_read_are_ready() {
        let (silent, _other) = UnixStream::pair().unwrap();
        let (told, mut other) = UnixStream::pair().unwrap();
        other.write_all(b"x").unwrap();
        let fds = [Some(&silent), None, Some(&told)].map(|fd| fd.map(|fd| (fd.as_fd(), PollFlags::IN)));
        assert_eq!(ready(fds.into_iter(), Duration::ZERO).unwrap(), [2]);
    }
}
