//! Why the server did not start, and what to do about it.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// One reason.
#[derive(Debug)]
pub(crate) enum StartError {
    Usage {
        what: String,
    },
    // ---- It would not be safe ----
    /// Others could reach the address, and nothing is encrypted.
    OpenBind {
        address: IpAddr,
    },
    /// Others may do with a file or folder what only we should.
    Loose {
        path: PathBuf,
        mode: u32,
        wanted: u32,
    },
    /// A file or folder belongs to somebody else.
    Foreign {
        path: PathBuf,
        owner: u32,
    },
    /// Something else stands where a `wanted` belongs.
    NotA {
        path: PathBuf,
        wanted: &'static str,
    },
    NoToken {
        path: PathBuf,
    },
    // ---- Taken ----
    PortTaken {
        address: SocketAddr,
    },
    InstanceTaken {
        path: PathBuf,
        port: u16,
    },
    SocketTaken {
        path: PathBuf,
    },
    // ---- The system refused ----
    PathLong {
        path: PathBuf,
        max: usize,
    },
    System {
        doing: String,
        source: io::Error,
    },
}

impl StartError {
    /// Turns what the system said while we were `doing` something into one of these.
    pub(crate) fn system<E: Into<io::Error>>(doing: impl Into<String>) -> impl FnOnce(E) -> StartError {
        let doing = doing.into();
        move |error| StartError::System { doing, source: error.into() }
    }

    /// What the process says at its end.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            StartError::System { .. } | StartError::PathLong { .. } => 1,
            StartError::Usage { .. } => 2,
            StartError::OpenBind { .. }
            | StartError::Loose { .. }
            | StartError::Foreign { .. }
            | StartError::NotA { .. }
            | StartError::NoToken { .. } => 3,
            StartError::PortTaken { .. } | StartError::InstanceTaken { .. } | StartError::SocketTaken { .. } => 4,
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Usage { what } => write!(f, "{what}; `orchflow-server --help` lists the flags"),
            StartError::OpenBind { address } => write!(
                f,
                "{address} can be reached by others, and nothing is encrypted here: they could read and type along. Bind to 127.0.0.1 and come \
                 by `ssh -L` or through a proxy with TLS and `--host`; or accept the risk with --insecure-no-tls"
            ),
            StartError::Loose { path, mode, wanted } => {
                write!(f, "{path:?} is open to others (mode {mode:04o}): chmod {wanted:o} it; if they may have read it, remove it instead")
            }
            StartError::Foreign { path, owner } => {
                write!(f, "{path:?} belongs to user {owner}, not to us: remove it, or set XDG_RUNTIME_DIR to a folder of your own")
            }
            StartError::NotA { path, wanted } => write!(f, "{path:?} is no {wanted}: move it away"),
            StartError::NoToken { path } => {
                write!(f, "{path:?} holds no token, which is 43 characters of base64url: remove it, and a new one is written there")
            }
            StartError::PortTaken { address } => {
                write!(f, "{address} is taken, perhaps by a server that already runs: choose another --port, or 0 for any free one")
            }
            StartError::InstanceTaken { path, port } => {
                write!(f, "another server holds {path:?}, the folder for port {port}: stop it, or choose another --port")
            }
            StartError::SocketTaken { path } => {
                write!(f, "another server listens at {path:?}: stop it, or choose another --unix path")
            }
            StartError::PathLong { path, max } => {
                write!(
                    f,
                    "{path:?} is too long for a socket, whose path has {max} bytes at most: choose a shorter one with --unix, or --no-unix"
                )
            }
            StartError::System { doing, .. } => write!(f, "could not {doing}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StartError::System { source, .. } => Some(source),
            _ => None,
        }
    }
}
