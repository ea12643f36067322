//! The reference server, as it is built for release, with nothing changed for the measurement.

use std::fs::{self, DirBuilder};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use orchflow_core::protocol::token::Pass;

use super::{Process, Site};
use crate::child;

/// A running server with a folder of its own; both go when this is dropped.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) site: Site,
    _folder: Folder,
}

impl Server {
    /// Starts one on a free port of loopback, on the CPUs of the calling thread.
    pub(crate) fn start() -> io::Result<Server> {
        let program = child::program()?.with_file_name("orchflow-server");
        if !program.is_file() {
            let program = program.display();
            return Err(io::Error::other(format!("there is no {program}: `cargo build --release -p orchflow-server` makes it")));
        }
        let folder = Folder::new()?;
        let (process, link) = Process::start(Command::new(program).args(["--port", "0", "--no-unix"]).env("XDG_RUNTIME_DIR", &folder.0))?;
        let site = site(&link).ok_or_else(|| io::Error::other("the server printed no link"))?;
        Ok(Server { process, site, _folder: folder })
    }
}

/// Where a link leads: `http://ADDRESS/#token=PASS`.
fn site(link: &str) -> Option<Site> {
    let (address, pass) = link.strip_prefix("http://")?.split_once("/#token=")?;
    let at: SocketAddr = address.parse().ok()?;
    Some(Site { at, pass: Pass::from_text(pass).ok()? })
}

/// Where a server keeps its token. The folder must be ours alone.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Folder> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("orchflow-bench-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_says_where_and_by_what_right() {
        let site = site("http://127.0.0.1:4711/#token=owner.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
        assert_eq!((site.at.port(), site.pass.role().to_string().as_str()), (4711, "owner"));
        assert!(super::site("listening on 4711").is_none());
    }
}
