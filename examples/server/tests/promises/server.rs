//! The server as a child of the test, with a runtime folder of its own. Both go with the test.

use std::fs::{self, DirBuilder};
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

/// Nothing here takes a tenth of it, even on a machine that is busy with something else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Limits a test can wait for: 300 ms for a head, 600 ms for a proof; the rest as always.
pub(crate) const SHORT: &str = "300,600,256,30,1024";

/// A folder that only we can enter, in a place short enough for sockets.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("orchflow-promise-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        DirBuilder::new().mode(0o700).create(&path).expect("the folder is new");
        Folder(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Everything in it, at any depth.
    pub(crate) fn contents(&self) -> Vec<PathBuf> {
        fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                found.push(path.clone());
                if path.is_dir() {
                    walk(&path, found);
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.0, &mut found);
        found
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A server that runs.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) token: String,
    /// What the link lets its holder in by.
    pub(crate) pass: String,
    pub(crate) folder: Folder,
    child: Child,
    log: Receiver<String>,
    /// All lines of the log that were received so far.
    heard: Vec<String>,
}

impl Server {
    pub(crate) fn start(flags: &[&str]) -> Server {
        Server::start_in(Folder::new(), &[&["--port", "0"], flags].concat())
    }

    pub(crate) fn start_in(folder: Folder, flags: &[&str]) -> Server {
        let mut child = command(&folder, flags).spawn().expect("the program was built");
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (lines, log) = mpsc::channel();
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| lines.send(line)));
        let (mut link, (said, heard)) = (String::new(), mpsc::channel());
        thread::spawn(move || {
            let _ = stdout.read_line(&mut link);
            let _ = said.send(link);
            let _ = stdout.read_to_string(&mut String::new());
        });
        let link = heard.recv_timeout(PATIENCE).expect("a server prints its link or ends");
        let Some((address, pass)) = link.trim_end().split_once("/#token=") else {
            panic!("no link but {link:?}; the log: {:?}", log.iter().collect::<Vec<_>>());
        };
        let port = address.rsplit(':').next().unwrap().parse().unwrap();
        let mut server = Server { port, token: String::new(), pass: pass.to_owned(), folder, child, log, heard: Vec::new() };
        let own = flags.iter().position(|flag| *flag == "--token-file").map(|at| PathBuf::from(flags[at + 1]));
        let file = own.unwrap_or_else(|| server.instance().join("token"));
        server.token = fs::read_to_string(file).unwrap().trim_end().to_owned();
        server
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn instance(&self) -> PathBuf {
        self.folder.path().join("orchflow").join(self.port.to_string())
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.instance().join("socket")
    }

    /// Waits for a line of the log that has all of `words`.
    pub(crate) fn log_line(&mut self, words: &[&str]) -> String {
        let until = Instant::now() + PATIENCE;
        let has_all = |line: &String| words.iter().all(|word| line.contains(word));
        if let Some(line) = self.heard.iter().find(|line| has_all(line)) {
            return line.clone();
        }
        loop {
            match self.log.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => self.heard.push(line),
                Err(_) => panic!("no line with {words:?} in {:#?}", self.heard),
            }
            if let Some(line) = self.heard.last().filter(|line| has_all(line)) {
                return line.clone();
            }
        }
    }

    /// Everything it counts.
    pub(crate) fn metrics(&self) -> String {
        crate::browser::get(self, "/metrics", &[("Authorization", &format!("Bearer {}", self.token))]).body
    }

    /// The value of one of its metrics.
    pub(crate) fn metric(&self, series: &str) -> u64 {
        let text = self.metrics();
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap_or_else(|error| panic!("{series}: {error}"))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("our child is there until we wait for it");
    }

    /// Waits for its end; returns it with the folder it ran in and all it logged.
    pub(crate) fn ended(mut self) -> (ExitStatus, Folder, Vec<String>) {
        let status = wait(&mut self.child);
        self.heard.extend(self.log.iter());
        let folder = std::mem::replace(&mut self.folder, Folder::new());
        (status, folder, std::mem::take(&mut self.heard))
    }

    /// Asks it to end, as Ctrl-C does, and waits.
    pub(crate) fn stop(self) -> (ExitStatus, Folder, Vec<String>) {
        self.signal(Signal::INT);
        self.ended()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that is free, and stays so long enough. Nothing ever listened there: a child that another test is just starting may hold our
/// descriptors a moment longer than we do.
pub(crate) fn free_port() -> u16 {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    set_socket_reuseaddr(&socket, true).unwrap();
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
    SocketAddrV4::try_from(getsockname(&socket).unwrap()).unwrap().port()
}

/// A server that will not start: its exit code and what it says.
pub(crate) fn refused(folder: &Folder, flags: &[&str]) -> (i32, String) {
    let mut child = command(folder, flags).spawn().expect("the program was built");
    let status = wait(&mut child);
    let (mut said, mut out) = (String::new(), String::new());
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert_eq!(out, "", "it printed a link");
    (status.code().unwrap_or(-1), said)
}

/// All that a quiet server says from its start, once it is known to listen, to its end.
pub(crate) fn quiet(folder: &Folder) -> String {
    let socket = folder.path().join("quiet");
    let mut child =
        command(folder, &["--quiet", "--port", "0", "--unix", socket.to_str().unwrap()]).spawn().expect("the program was built");
    let until = Instant::now() + PATIENCE;
    // It says nothing, so its socket is all there is to look at.
    while std::os::unix::net::UnixStream::connect(&socket).is_err() && Instant::now() < until {
        thread::yield_now();
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let status = wait(&mut child);
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(status.success(), "{status}: {said}");
    said
}

fn command(folder: &Folder, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orchflow-server"));
    command.args(flags).env("XDG_RUNTIME_DIR", folder.path()).current_dir(folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Waits for a child, and kills it when it takes too long.
fn wait(child: &mut Child) -> ExitStatus {
    let (done, late) = mpsc::channel::<()>();
    let pid = Pid::from_child(child);
    let watchdog = thread::spawn(move || {
        if late.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            let _ = kill_process(pid, Signal::KILL);
        }
    });
    // Without collecting it, so that its number is not given to another while the watchdog may still use it.
    let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
    drop(done);
    watchdog.join().unwrap();
    child.wait().unwrap()
}
