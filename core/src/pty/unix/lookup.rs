//! Finds the file of a program as `exec` would, before anything is started, so that the caller learns which
//! of the many reasons it was.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD};
use rustix::io::Errno;

use crate::pty::{Command, SpawnError};

/// The path to execute: absolute, or relative to the folder the child will be in.
///
/// # Errors
/// [`SpawnError::Malformed`], then [`SpawnError::BadDirectory`], then what is wrong with the program itself.
pub(super) fn find(command: &Command) -> Result<OsString, SpawnError> {
    if let Some(text) = command.malformed() {
        return Err(SpawnError::Malformed { text });
    }
    if let Some(directory) = command.directory() {
        check_directory(directory).map_err(|source| SpawnError::BadDirectory { dir: directory.to_owned(), source })?;
    }
    let directory = command.directory().unwrap_or(Path::new("."));
    let program = command.program();
    if program.as_bytes().contains(&b'/') {
        return match inspect(directory, program) {
            Found::Program => Ok(program.to_owned()),
            Found::Nothing => Err(SpawnError::NotFound { program: program.to_owned() }),
            Found::Directory => Err(SpawnError::IsDirectory { program: program.to_owned() }),
            Found::Forbidden => Err(SpawnError::PermissionDenied { program: program.to_owned() }),
        };
    }
    let path = command.variable(OsStr::new("PATH")).unwrap_or_else(|| DEFAULT_PATH.into());
    find_in_path(directory, program, &path)
}

/// Where programs are when the environment does not say.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The first file called `program` that may be executed. One that may not is passed over like a folder, and told only if
/// there is no better, as `execvp` does.
fn find_in_path(directory: &Path, program: &OsStr, path: &OsStr) -> Result<OsString, SpawnError> {
    let mut is_forbidden = false;
    for folder in path.as_bytes().split(|&byte| byte == b':').filter(|_| !program.is_empty()) {
        let folder = if folder.is_empty() { b"." } else { folder }; // An old custom, and still POSIX.
        let candidate = OsString::from_vec([folder, b"/", program.as_bytes()].concat());
        match inspect(directory, &candidate) {
            Found::Program => return Ok(candidate),
            Found::Forbidden => is_forbidden = true,
            Found::Nothing | Found::Directory => {}
        }
    }
    let program = program.to_owned();
    Err(if is_forbidden { SpawnError::PermissionDenied { program } } else { SpawnError::NotFound { program } })
}

/// What is at a path, as far as executing it goes.
enum Found {
    Program,
    Nothing,
    Directory,
    Forbidden,
}

fn inspect(directory: &Path, path: &OsStr) -> Found {
    let path = directory.join(path);
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => Found::Directory,
        Ok(metadata) if metadata.is_file() && may_execute(&path).is_ok() => Found::Program,
        Ok(_) => Found::Forbidden,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Found::Forbidden,
        Err(_) => Found::Nothing,
    }
}

fn check_directory(directory: &Path) -> io::Result<()> {
    if !std::fs::metadata(directory)?.is_dir() {
        return Err(Errno::NOTDIR.into());
    }
    may_execute(directory)
}

/// Whether the effective user may execute the file at `path`, or enter the folder.
fn may_execute(path: &Path) -> io::Result<()> {
    Ok(rustix::fs::accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    /// A folder with a program `tool` and a file `notes` in `bin/`, removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let root = std::env::temp_dir().join(format!("orchflow-lookup-{name}-{}", std::process::id()));
            fs::create_dir_all(root.join("bin/sub")).unwrap();
            for (file, mode) in [("tool", 0o755), ("notes", 0o644)] {
                let path = root.join("bin").join(file);
                fs::write(&path, "#!/bin/sh\n").unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            }
            Folder(root)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn path_is_the_childs_own() {
        let folder = Folder::new("path");
        let command = Command::new("tool");
        assert!(matches!(find(&command), Err(SpawnError::NotFound { .. })));
        let bin = folder.0.join("bin");
        assert_eq!(find(&command.env("PATH", bin.as_os_str())).unwrap(), bin.join("tool"));
    }

    #[test]
    fn relative_means_relative_to_the_childs_folder() {
        let folder = Folder::new("relative");
        let at = |dir: &str, program: &str| Command::new(program).current_dir(folder.0.join(dir));
        assert_eq!(find(&at("", "bin/tool")).unwrap(), "bin/tool");
        assert_eq!(find(&at("bin", "tool").env("PATH", "/nowhere:")).unwrap(), "./tool");
        assert_eq!(find(&at("", "tool").env("PATH", "bin")).unwrap(), "bin/tool");
        assert!(matches!(find(&at("bin", "bin/tool")), Err(SpawnError::NotFound { .. })));
    }

    #[test]
    fn without_a_path_the_usual_folders_are_searched() {
        assert!(find(&Command::new("sh").env_remove("PATH")).unwrap().as_bytes().ends_with(b"/sh"));
    }

    #[test]
    fn each_reason_has_its_error() {
        let folder = Folder::new("reasons");
        let at = |program: &str| find(&Command::new(program).current_dir(&folder.0).env("PATH", "bin:/usr/bin:/bin"));
        assert!(matches!(at("bin/none"), Err(SpawnError::NotFound { .. })));
        assert!(matches!(at("bin/tool/none"), Err(SpawnError::NotFound { .. })));
        assert!(matches!(at("bin/sub"), Err(SpawnError::IsDirectory { .. })));
        assert!(matches!(at("bin/notes"), Err(SpawnError::PermissionDenied { .. })));
        assert!(matches!(at("notes"), Err(SpawnError::PermissionDenied { .. })));
        assert!(matches!(at("sub"), Err(SpawnError::NotFound { .. })));
        assert!(matches!(at(""), Err(SpawnError::NotFound { .. })));
        let missing = Command::new("sh").current_dir(folder.0.join("none"));
        assert!(matches!(find(&missing), Err(SpawnError::BadDirectory { .. })));
        let file = Command::new("sh").current_dir(folder.0.join("bin/tool"));
        assert!(matches!(find(&file), Err(SpawnError::BadDirectory { .. })));
        assert!(matches!(find(&Command::new("s\0h")), Err(SpawnError::Malformed { .. })));
    }
}
