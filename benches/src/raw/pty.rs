//! A bare terminal with a process inside: `openpt` and `posix_spawn`, nothing else.

use std::ffi::{CString, OsStr, c_char, c_short};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// The master side of a terminal and the process that leads its session, which is killed on drop.
pub(crate) struct RawPty {
    master: OwnedFd,
    /// `None` once it was waited for.
    pid: Option<Pid>,
}

impl RawPty {
    /// Starts `program` in a new terminal.
    pub(crate) fn spawn(program: impl AsRef<OsStr>, args: &[&str]) -> io::Result<RawPty> {
        let program = c_string(program.as_ref())?;
        let args = args.iter().map(|arg| c_string(arg.as_ref())).collect::<io::Result<Vec<_>>>()?;
        let argv: Vec<*mut c_char> =
            [&program].into_iter().chain(&args).map(|arg| arg.as_ptr().cast_mut()).chain([ptr::null_mut()]).collect();
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?;
        let mut actions = Actions::new()?;
        actions.open(0, &name)?;
        actions.copy(0, 1)?;
        actions.copy(0, 2)?;
        let attributes = Attributes::with_flags(libc::POSIX_SPAWN_SETSID)?;
        let mut pid = 0;
        // SAFETY: `argv` ends with NULL and points into strings that outlive the call, as do `name`, the actions
        // and the attributes; `environ` is the process's own, and nobody here changes the environment.
        let code = unsafe { libc::posix_spawnp(&mut pid, program.as_ptr(), &actions.0, &attributes.0, argv.as_ptr(), environ) };
        check(code)?;
        Ok(RawPty { master, pid: Pid::from_raw(pid) })
    }

    /// Starts `program` and waits until it says that it is ready, with an `R`.
    pub(crate) fn spawn_ready(program: impl AsRef<OsStr>, args: &[&str]) -> io::Result<RawPty> {
        let pty = RawPty::spawn(program, args)?;
        let mut said = [0; 256];
        loop {
            let len = rustix::io::read(&pty.master, &mut said)?;
            if said[..len].contains(&b'R') {
                return Ok(pty);
            }
        }
    }

    /// Makes reads and writes answer at once.
    pub(crate) fn set_nonblocking(&self) -> io::Result<()> {
        Ok(rustix::io::ioctl_fionbio(&self.master, true)?)
    }

    /// Ends the process.
    pub(crate) fn kill(&self) {
        if let Some(pid) = self.pid {
            let _ = kill_process(pid, Signal::KILL); // Already gone is gone.
        }
    }

    /// Waits for the process to end by itself.
    pub(crate) fn wait(mut self) -> io::Result<()> {
        if let Some(pid) = self.pid.take() {
            waitpid(Some(pid), WaitOptions::empty())?;
        }
        Ok(())
    }
}

impl AsFd for RawPty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.master.as_fd()
    }
}

impl Drop for RawPty {
    fn drop(&mut self) {
        self.kill();
        if let Some(pid) = self.pid.take() {
            let _ = waitpid(Some(pid), WaitOptions::empty());
        }
    }
}

unsafe extern "C" {
    static environ: *const *mut c_char;
}

/// What the child does between fork and exec.
struct Actions(libc::posix_spawn_file_actions_t);

impl Actions {
    fn new() -> io::Result<Actions> {
        let mut actions = MaybeUninit::uninit();
        // SAFETY: `init` either fails or initialises what it is given.
        unsafe {
            check(libc::posix_spawn_file_actions_init(actions.as_mut_ptr()))?;
            Ok(Actions(actions.assume_init()))
        }
    }

    /// Opening a terminal as the leader of a session without one makes it the controlling terminal.
    fn open(&mut self, fd: i32, path: &std::ffi::CStr) -> io::Result<()> {
        // SAFETY: the actions are initialised, and glibc copies the path.
        check(unsafe { libc::posix_spawn_file_actions_addopen(&mut self.0, fd, path.as_ptr(), libc::O_RDWR, 0) })
    }

    fn copy(&mut self, from: i32, to: i32) -> io::Result<()> {
        // SAFETY: the actions are initialised.
        check(unsafe { libc::posix_spawn_file_actions_adddup2(&mut self.0, from, to) })
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`, destroyed only here.
        unsafe { libc::posix_spawn_file_actions_destroy(&mut self.0) };
    }
}

struct Attributes(libc::posix_spawnattr_t);

impl Attributes {
    fn with_flags(flags: c_short) -> io::Result<Attributes> {
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: `init` either fails or initialises what it is given; the flags are set on what is initialised.
        unsafe {
            check(libc::posix_spawnattr_init(attributes.as_mut_ptr()))?;
            let mut attributes = Attributes(attributes.assume_init());
            check(libc::posix_spawnattr_setflags(&mut attributes.0, flags))?;
            Ok(attributes)
        }
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: initialised in `with_flags`, destroyed only here.
        unsafe { libc::posix_spawnattr_destroy(&mut self.0) };
    }
}

fn c_string(text: &OsStr) -> io::Result<CString> {
    Ok(CString::new(text.as_bytes())?)
}

/// These calls return the error instead of setting `errno`.
fn check(code: i32) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_leads_its_session_and_writes_to_its_terminal() {
        let pty = RawPty::spawn("sh", &["-c", "tty >/dev/null && printf R; exec cat"]).unwrap();
        let mut said = [0; 16];
        assert_eq!(rustix::io::read(&pty, &mut said), Ok(1));
        assert_eq!(said[0], b'R');
    }

    #[test]
    fn a_program_that_is_not_there_is_told_at_once() {
        assert_eq!(RawPty::spawn("/nowhere", &[]).err().unwrap().kind(), io::ErrorKind::NotFound);
    }
}
