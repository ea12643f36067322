//! Starts a program as the leader of its own session, on a terminal.
//!
//! `posix_spawn` does not copy the host's memory, so this takes 0.1 ms in a host of any size, and runs none of
//! our code between the host and the program, so no lock of another thread can be met there. The C library is
//! the only one who offers it; this file is the crate's only unsafe one outside the ring.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, OsStr, OsString};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::ptr;

use libc::c_char;
use rustix::io::Errno;
use rustix::process::Pid;

use super::lookup;
use super::open::refused;
use crate::pty::{Command, SpawnError};

/// Starts `command`, whose file is `program`, on the terminal that the child finds at `terminal`.
pub(super) fn spawn(command: &Command, program: &OsStr, terminal: &CStr) -> Result<Pid, SpawnError> {
    let program = c_string(program)?;
    let argv = [command.program()].into_iter().chain(command.arguments().iter().map(OsString::as_os_str));
    let argv = argv.map(c_string).collect::<Result<Vec<_>, _>>()?;
    let envp = command.environment().into_iter().map(|(mut variable, value)| {
        variable.push("=");
        variable.push(value);
        c_string(&variable)
    });
    let envp = envp.collect::<Result<Vec<_>, _>>()?;
    let directory = command.directory().map(|dir| c_string(dir.as_os_str())).transpose()?;
    start(&program, &argv, &envp, directory.as_deref(), terminal).map_err(|errno| explain(command, errno))
}

fn start(program: &CStr, argv: &[CString], envp: &[CString], directory: Option<&CStr>, terminal: &CStr) -> Result<Pid, Errno> {
    let attributes = Attributes::new_session()?;
    let actions = Actions::on_terminal(terminal, directory)?;
    let (argv, envp) = (pointers(argv), pointers(envp));
    let mut pid = 0;
    // SAFETY: `attributes` and `actions` are initialised and outlive the call, as do the strings behind `program`,
    // `argv` and `envp`; both lists end with a null pointer; the C library writes to none of them.
    check(unsafe {
        libc::posix_spawn(&mut pid, program.as_ptr(), actions.0.as_ptr(), attributes.0.as_ptr(), argv.as_ptr(), envp.as_ptr())
    })?;
    Pid::from_raw(pid).ok_or(Errno::CHILD)
}

/// What the kernel's refusal to start an existing program means.
fn explain(command: &Command, errno: Errno) -> SpawnError {
    let program = || command.program().to_owned();
    match errno {
        // The program was there a moment ago. Unless it went since, what is missing is its interpreter.
        Errno::NOENT => lookup::find(command).err().unwrap_or_else(|| SpawnError::NotExecutable { program: program() }),
        Errno::NOEXEC | Errno::LIBBAD | Errno::LOOP | Errno::ISDIR => SpawnError::NotExecutable { program: program() },
        Errno::ACCESS | Errno::PERM => SpawnError::PermissionDenied { program: program() },
        _ => refused("start the program")(errno),
    }
}

/// The session, signals and mask of the child. Boxed: POSIX does not promise that it may be moved.
struct Attributes(Box<MaybeUninit<libc::posix_spawnattr_t>>);

impl Attributes {
    /// Its own session, no signal ignored or blocked, whatever the host does with its own.
    fn new_session() -> Result<Self, Errno> {
        let mut attributes = Box::new(MaybeUninit::uninit());
        // SAFETY: the pointer is to memory of the right type, which this call initialises.
        check(unsafe { libc::posix_spawnattr_init(attributes.as_mut_ptr()) })?;
        let mut attributes = Attributes(attributes); // From here on destroyed on every way out.
        let raw = attributes.0.as_mut_ptr();
        let flags = i32::from(libc::POSIX_SPAWN_SETSID) | libc::POSIX_SPAWN_SETSIGDEF | libc::POSIX_SPAWN_SETSIGMASK;
        let flags = libc::c_short::try_from(flags).map_err(|_| Errno::INVAL)?;
        let (mut every, mut none) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        // SAFETY: `raw` was initialised above; the two sets are initialised by the calls that fill them, before
        // their use, and copied by the setters.
        unsafe {
            check(libc::posix_spawnattr_setflags(raw, flags))?;
            libc::sigfillset(every.as_mut_ptr());
            check(libc::posix_spawnattr_setsigdefault(raw, every.as_ptr()))?;
            libc::sigemptyset(none.as_mut_ptr());
            check(libc::posix_spawnattr_setsigmask(raw, none.as_ptr()))?;
        }
        Ok(attributes)
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: initialised by `new_session`, the only constructor, and not used after this.
        unsafe { libc::posix_spawnattr_destroy(self.0.as_mut_ptr()) };
    }
}

/// What the child does with its descriptors before it becomes the program. Boxed like [`Attributes`].
struct Actions(Box<MaybeUninit<libc::posix_spawn_file_actions_t>>);

impl Actions {
    /// The terminal as 0, 1 and 2, and nothing else. The opening comes after the new session (POSIX's order) and
    /// without `O_NOCTTY`, which makes it the session's controlling terminal.
    fn on_terminal(terminal: &CStr, directory: Option<&CStr>) -> Result<Self, Errno> {
        let mut actions = Box::new(MaybeUninit::uninit());
        // SAFETY: the pointer is to memory of the right type, which this call initialises.
        check(unsafe { libc::posix_spawn_file_actions_init(actions.as_mut_ptr()) })?;
        let mut actions = Actions(actions); // From here on destroyed on every way out.
        let raw = actions.0.as_mut_ptr();
        // SAFETY: `raw` was initialised above; the strings end with NUL and are copied by the calls.
        unsafe {
            check(libc::posix_spawn_file_actions_addopen(raw, 0, terminal.as_ptr(), libc::O_RDWR, 0))?;
            check(libc::posix_spawn_file_actions_adddup2(raw, 0, 1))?;
            check(libc::posix_spawn_file_actions_adddup2(raw, 0, 2))?;
            if let Some(directory) = directory {
                check(libc::posix_spawn_file_actions_addchdir_np(raw, directory.as_ptr()))?;
            }
            // Elsewhere the host's own close-on-exec flags decide; all descriptors of this crate have them.
            #[cfg(target_env = "gnu")]
            check(libc::posix_spawn_file_actions_addclosefrom_np(raw, 3))?;
        }
        Ok(actions)
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        // SAFETY: initialised by `on_terminal`, the only constructor, and not used after this.
        unsafe { libc::posix_spawn_file_actions_destroy(self.0.as_mut_ptr()) };
    }
}

/// The `posix_spawn` family returns its error and leaves `errno` alone.
fn check(code: libc::c_int) -> Result<(), Errno> {
    if code == 0 { Ok(()) } else { Err(Errno::from_raw_os_error(code)) }
}

/// A list as C wants it, valid for as long as `strings` is.
fn pointers(strings: &[CString]) -> Vec<*mut c_char> {
    strings.iter().map(|string| string.as_ptr().cast_mut()).chain([ptr::null_mut()]).collect()
}

fn c_string(text: &OsStr) -> Result<CString, SpawnError> {
    CString::new(text.as_bytes()).map_err(|_| SpawnError::Malformed { text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pty::unix::open::{Opened, open, path_for_child};
    use crate::size::Size;
    use rustix::process::{WaitOptions, waitpid};

    /// Touches every unsafe call of this file and no pidfd, which valgrind 3.19 does not know.
    #[test]
    fn program_gets_its_arguments_its_environment_and_its_folder() {
        let Opened { master, peer } = open(Size::DEFAULT).unwrap();
        let script = "printf '%s|' \"$0\" \"$1\" \"$VARIABLE\" \"$(pwd)\"";
        let command = Command::new("sh").args(["-c", script, "zero", "o n e"]).env("VARIABLE", "a=b").current_dir("/");
        let pid = spawn(&command, OsStr::new("/bin/sh"), &path_for_child(&master, &peer).unwrap()).unwrap();
        let (_, status) = waitpid(Some(pid), WaitOptions::empty()).unwrap().unwrap();
        assert_eq!(status.exit_status(), Some(0));
        let mut output = [0; 64];
        let count = rustix::io::read(&master, &mut output).unwrap();
        assert_eq!(&output[..count], b"zero|o n e|a=b|/|");
    }

    /// Not for valgrind, which forks in place of `vfork`, so that no error comes back.
    #[test]
    fn refusal_of_the_kernel_reaches_the_caller() {
        let Opened { master, peer } = open(Size::DEFAULT).unwrap();
        let terminal = path_for_child(&master, &peer).unwrap();
        let refused = spawn(&Command::new("/no/such/program"), OsStr::new("/no/such/program"), &terminal);
        assert!(matches!(refused, Err(SpawnError::NotFound { .. })));
    }
}
