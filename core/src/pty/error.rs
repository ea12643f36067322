//! Why a terminal could not be started.

use std::ffi::OsString;
use std::path::PathBuf;
use std::{fmt, io};

/// Why a terminal could not be started. Each says what was asked for; nothing is left behind.
#[derive(Debug)]
#[non_exhaustive]
pub enum SpawnError {
    /// No such program, by that path or in the `PATH` the process would see.
    NotFound {
        /// The program asked for.
        program: OsString,
    },
    /// The program is a folder.
    IsDirectory {
        /// The program asked for.
        program: OsString,
    },
    /// The program may not be executed by this user.
    PermissionDenied {
        /// The program asked for.
        program: OsString,
    },
    /// The program is a file the kernel cannot run (a script without `#!`, a binary of another machine).
    NotExecutable {
        /// The program asked for.
        program: OsString,
    },
    /// The folder to run in does not exist or cannot be entered.
    BadDirectory {
        /// The folder asked for.
        dir: PathBuf,
        /// What the system said of it.
        source: io::Error,
    },
    /// An argument, a variable or the program has a NUL byte inside, or a variable's name has `=` or is empty.
    Malformed {
        /// The text.
        text: OsString,
    },
    /// The system has no terminal, descriptor or process left. Close some, or raise the limit: `kernel.pty.max`
    /// for terminals, `ulimit -n` for descriptors, `ulimit -u` for processes.
    Exhausted {
        /// What the system said.
        source: io::Error,
    },
    /// The hub has as many sessions as it was allowed.
    TooManySessions {
        /// How many that is.
        limit: usize,
    },
    /// The choices made for the session do not fit together.
    Options {
        /// Which.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The hub is closed.
    Closed,
    /// This process is a fork of the one that opened the hub.
    Forked,
    /// Anything else the system refuses.
    Io {
        /// Which step.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl SpawnError {
    /// The system's error number for it, where there is one.
    pub fn raw_os_error(&self) -> Option<i32> {
        match self {
            SpawnError::BadDirectory { source, .. } | SpawnError::Exhausted { source } | SpawnError::Io { source, .. } => {
                source.raw_os_error()
            }
            #[cfg(unix)]
            SpawnError::NotFound { .. } => Some(libc::ENOENT),
            #[cfg(unix)]
            SpawnError::IsDirectory { .. } => Some(libc::EISDIR),
            #[cfg(unix)]
            SpawnError::PermissionDenied { .. } => Some(libc::EACCES),
            #[cfg(unix)]
            SpawnError::NotExecutable { .. } => Some(libc::ENOEXEC),
            _ => None,
        }
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpawnError::NotFound { program } => write!(f, "no program {program:?}"),
            SpawnError::IsDirectory { program } => write!(f, "{program:?} is a folder, not a program"),
            SpawnError::PermissionDenied { program } => write!(f, "no permission to execute {program:?}"),
            SpawnError::NotExecutable { program } => write!(f, "{program:?} is not something this machine can execute"),
            SpawnError::BadDirectory { dir, .. } => write!(f, "cannot run in {dir:?}"),
            SpawnError::Malformed { text } => write!(f, "{text:?} cannot be passed to a program (a NUL byte, or a bad variable name)"),
            SpawnError::Exhausted { .. } => f.write_str("the system has no terminal, descriptor or process left"),
            SpawnError::TooManySessions { limit } => write!(f, "the hub's {limit} sessions are all in use"),
            SpawnError::Options { .. } => f.write_str("the options of the session do not fit together"),
            SpawnError::Closed => f.write_str("the hub is closed"),
            SpawnError::Forked => f.write_str("this process is a fork of the one that opened the hub"),
            SpawnError::Io { doing, .. } => write!(f, "could not {doing}"),
        }
    }
}

impl std::error::Error for SpawnError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            SpawnError::BadDirectory { source, .. } | SpawnError::Exhausted { source } | SpawnError::Io { source, .. } => Some(source),
            SpawnError::Options { source } => Some(&**source),
            _ => None,
        }
    }
}
