//! What a running server has on the disk: a folder that only its user can enter, in it the token and the socket. All of it goes with the server.
//!
//! One folder per port, locked while its server lives. So what is found in a folder whose lock is free was left by a server that was
//! killed, and is replaced; and two servers never share a token.
//!
//! Nothing is followed, guessed or tidied up: a link, a looser mode or another owner is refused with the way to mend it.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, Stat, chmodat, flock, fstat, mkdirat, openat, statat, unlinkat};
use rustix::io::Errno;
use rustix::process::getuid;

use crate::error::StartError;
use crate::token::Token;

/// The token's file in an instance's folder.
const TOKEN: &str = "token";
/// The socket's.
const SOCKET: &str = "socket";
/// Bytes of a socket's path: 108 in `sockaddr_un`, the last of them 0.
const SOCKET_PATH_MAX: usize = 107;
/// How often another server may end between two steps of ours.
const RACES_MAX: usize = 8;
/// A token file has 44 bytes.
const TOKEN_FILE_MAX: u64 = 256;

/// The folder of one instance; it goes when this is dropped, if it is empty.
pub(crate) struct Instance {
    folder: Folder,
}

impl Instance {
    /// The folder for the server of `port` below `base`, made if it is not there.
    ///
    /// # Errors
    /// [`StartError::InstanceTaken`] while another server holds it; when it or `base` is not ours alone.
    pub(crate) fn open(base: &Path, port: u16) -> Result<Instance, StartError> {
        let path = base.join(port.to_string());
        for _ in 0..RACES_MAX {
            Folder::private(base)?;
            let folder = match Folder::private(&path) {
                Err(StartError::System { source, .. }) if source.kind() == io::ErrorKind::NotFound => continue, // `base` went.
                folder => folder?,
            };
            match flock(&folder.fd, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::WOULDBLOCK) => return Err(StartError::InstanceTaken { path, port }),
                locked => locked.map_err(StartError::system(format!("lock {path:?}")))?,
            }
            // Its last server may have removed it just before we had the lock.
            if folder.is_still_there() {
                return Ok(Instance { folder });
            }
        }
        Err(StartError::InstanceTaken { path, port })
    }

    /// Makes a token, in a file that only we can read.
    ///
    /// # Errors
    /// When something stands in its place that no server of ours left there.
    pub(crate) fn token(&self) -> Result<(Token, Leftover), StartError> {
        let folder = self.folder.again()?;
        if let Some(file) = folder.existing_file(TOKEN)? {
            drop(file);
            folder.remove(TOKEN)?;
        }
        folder.new_token(TOKEN)
    }

    /// Listens at the instance's socket.
    ///
    /// # Errors
    /// As [`listen_at`], which see.
    pub(crate) fn listen(&self) -> Result<(UnixListener, Leftover), StartError> {
        self.folder.again()?.listen(SOCKET)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // Whoever put something else there keeps it. The base goes with the last instance.
        let _ = unlinkat(CWD, &self.folder.path, AtFlags::REMOVEDIR);
        if let Some(base) = self.folder.path.parent() {
            let _ = unlinkat(CWD, base, AtFlags::REMOVEDIR);
        }
    }
}

/// Where instances have their folders: in the folder that the system keeps for this user, or in one of the user's own below `temp`.
pub(crate) fn base(xdg_runtime_dir: Option<PathBuf>, temp: &Path) -> PathBuf {
    match xdg_runtime_dir {
        Some(dir) if dir.is_absolute() && dir.is_dir() => dir.join("orchflow"),
        _ => temp.join(format!("orchflow-{}", getuid().as_raw())),
    }
}

/// The token in the user's own file, or a new one written there. A file that was there stays.
///
/// # Errors
/// When others could read or replace the file; when it holds no token.
pub(crate) fn token_at(path: &Path) -> Result<(Token, Option<Leftover>), StartError> {
    let (folder, name) = Folder::of(path, 0o022)?;
    let Some(file) = folder.existing_file(&name)? else {
        return folder.new_token(&name).map(|(token, leftover)| (token, Some(leftover)));
    };
    let mut contents = String::new();
    file.take(TOKEN_FILE_MAX).read_to_string(&mut contents).map_err(StartError::system(format!("read {path:?}")))?;
    let token = Token::from_file(&contents).ok_or_else(|| StartError::NoToken { path: path.to_owned() })?;
    Ok((token, None))
}

/// Listens at a socket of the user's choice, whose folder only the user may enter. What a dead server left there is replaced.
///
/// # Errors
/// [`StartError::SocketTaken`] while somebody listens there; when the folder is not ours alone.
pub(crate) fn listen_at(path: &Path) -> Result<(UnixListener, Leftover), StartError> {
    let (folder, name) = Folder::of(path, 0o077)?;
    // So that of two servers who find the same dead socket one replaces it and the other finds that one alive.
    flock(&folder.fd, FlockOperation::LockExclusive).map_err(StartError::system(format!("lock {:?}", folder.path)))?;
    folder.listen(&name)
}

/// A file of ours, removed when this is dropped, unless another has taken its place.
pub(crate) struct Leftover {
    folder: Folder,
    name: String,
    id: (u64, u64),
}

impl Leftover {
    /// Where it is.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path.join(&self.name)
    }
}

impl Drop for Leftover {
    fn drop(&mut self) {
        let now = statat(&self.folder.fd, &self.name, AtFlags::SYMLINK_NOFOLLOW);
        if now.is_ok_and(|stat| id(&stat) == self.id) {
            // A file that cannot be removed is replaced by the next server.
            let _ = unlinkat(&self.folder.fd, &self.name, AtFlags::empty());
        }
    }
}

/// An open folder that was looked over.
struct Folder {
    fd: OwnedFd,
    path: PathBuf,
}

impl Folder {
    /// A folder that only we may enter, made if it is not there.
    fn private(path: &Path) -> Result<Folder, StartError> {
        match mkdirat(CWD, path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => Folder::open(path, 0o077),
            Err(error) => Err(StartError::system(format!("make the folder {path:?}"))(error)),
        }
    }

    /// The folder of `path`, which must be ours and give others none of the rights `forbidden`, and the name in it.
    fn of(path: &Path, forbidden: u32) -> Result<(Folder, String), StartError> {
        let bad = |what: &str| StartError::Usage { what: format!("{path:?}: {what}") };
        let name = path.file_name().ok_or_else(|| bad("this names no file"))?;
        let name = name.to_str().ok_or_else(|| bad("a name that is no UTF-8"))?.to_owned();
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        Ok((Folder::open(folder, forbidden)?, name))
    }

    fn open(path: &Path, forbidden: u32) -> Result<Folder, StartError> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
        let fd = match openat(CWD, path, flags, Mode::empty()) {
            Err(Errno::NOTDIR | Errno::LOOP) => {
                return Err(StartError::NotA { path: path.to_owned(), wanted: "folder (nor may it be a link)" });
            }
            fd => fd.map_err(StartError::system(format!("open the folder {path:?}")))?,
        };
        let stat = fstat(&fd).map_err(StartError::system(format!("look at {path:?}")))?;
        check(path, &stat, forbidden, 0o777 & !forbidden)?;
        Ok(Folder { fd, path: path.to_owned() })
    }

    /// The same folder, for something that outlives this.
    fn again(&self) -> Result<Folder, StartError> {
        let fd = self.fd.try_clone().map_err(StartError::system(format!("open {:?} again", self.path)))?;
        Ok(Folder { fd, path: self.path.clone() })
    }

    fn is_still_there(&self) -> bool {
        let (open, now) = (fstat(&self.fd), statat(CWD, &self.path, AtFlags::SYMLINK_NOFOLLOW));
        open.is_ok_and(|open| now.is_ok_and(|now| id(&open) == id(&now)))
    }

    /// A regular file that only we can read, if there is anything by that name.
    fn existing_file(&self, name: &str) -> Result<Option<std::fs::File>, StartError> {
        let path = self.path.join(name);
        // Not blocking, for a pipe might lie there.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(&self.fd, name, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(StartError::NotA { path, wanted: "file (nor may it be a link)" }),
            file => file.map_err(StartError::system(format!("open {path:?}")))?,
        };
        let stat = fstat(&file).map_err(StartError::system(format!("look at {path:?}")))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(StartError::NotA { path, wanted: "file" });
        }
        check(&path, &stat, 0o077, 0o600)?;
        Ok(Some(file.into()))
    }

    fn remove(&self, name: &str) -> Result<(), StartError> {
        unlinkat(&self.fd, name, AtFlags::empty()).map_err(StartError::system(format!("remove {:?}", self.path.join(name))))
    }

    fn new_token(self, name: &str) -> Result<(Token, Leftover), StartError> {
        let path = self.path.join(name);
        let token = Token::random().map_err(StartError::system("get random bytes for a token"))?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR).map_err(StartError::system(format!("create {path:?}")))?;
        let leftover = self.leftover(name)?; // From here on it is removed, whatever happens.
        std::fs::File::from(file)
            .write_all(format!("{}\n", token.text()).as_bytes())
            .map_err(StartError::system(format!("write {path:?}")))?;
        Ok((token, leftover))
    }

    fn listen(self, name: &str) -> Result<(UnixListener, Leftover), StartError> {
        let path = self.path.join(name);
        if path.as_os_str().len() > SOCKET_PATH_MAX {
            return Err(StartError::PathLong { path, max: SOCKET_PATH_MAX });
        }
        self.clear_dead_socket(name)?;
        let listener = match UnixListener::bind(&path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(StartError::SocketTaken { path }),
            listener => listener.map_err(StartError::system(format!("listen at {path:?}")))?,
        };
        let leftover = self.leftover(name)?;
        chmodat(&leftover.folder.fd, name, Mode::RUSR | Mode::WUSR, AtFlags::empty())
            .map_err(StartError::system(format!("keep {path:?} to ourselves")))?;
        Ok((listener, leftover))
    }

    /// Removes a socket at which nobody listens any more.
    fn clear_dead_socket(&self, name: &str) -> Result<(), StartError> {
        let path = self.path.join(name);
        let stat = match statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(()),
            stat => stat.map_err(StartError::system(format!("look at {path:?}")))?,
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::Socket {
            return Err(StartError::NotA { path, wanted: "socket" });
        }
        check(&path, &stat, 0, 0o600)?;
        match UnixStream::connect(&path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => self.remove(name),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            _ => Err(StartError::SocketTaken { path }),
        }
    }

    fn leftover(self, name: &str) -> Result<Leftover, StartError> {
        let stat =
            statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW).map_err(StartError::system(format!("look at {:?}", self.path.join(name))))?;
        Ok(Leftover { folder: self, name: name.to_owned(), id: id(&stat) })
    }
}

/// Whether it is ours and gives others none of the rights `forbidden`; `wanted` is the mode it should have.
fn check(path: &Path, stat: &Stat, forbidden: u32, wanted: u32) -> Result<(), StartError> {
    if stat.st_uid != getuid().as_raw() {
        return Err(StartError::Foreign { path: path.to_owned(), owner: stat.st_uid });
    }
    let mode = stat.st_mode & 0o7777;
    if mode & forbidden != 0 { Err(StartError::Loose { path: path.to_owned(), mode, wanted }) } else { Ok(()) }
}

/// What tells one file from all others.
fn id(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}
