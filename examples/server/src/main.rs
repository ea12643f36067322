//! The reference server: OrchFlow's terminals for browsers and local programs.
//!
//! One process, one thread: a current-thread tokio with the engine's hub as one of its tasks. It shows how to put a server around the engine,
//! and what it takes to do so safely; `docs/` specifies what travels.
//!
//! | file | what it decides |
//! |---|---|
//! | `flags` `error` `instance` | how it starts, why it does not, what it has on the disk meanwhile |
//! | `server` `gate` `signals` | who is let in, how many, and how it ends |
//! | `site` `http` `pages` | what a request must be, and what it gets |
//! | `standing` `transport` | what a peer may do until it has proved who it is; whole messages, whatever carries them |
//! | `connection` | the conversation: the one place where the protocol is spoken |
//! | `refusal` `log` `metrics` `process` `quote` `token` | how no is said, told and counted, and what is never shown |

mod connection;
mod error;
mod flags;
mod gate;
mod http;
mod instance;
mod limits;
mod log;
mod metrics;
mod pages;
mod process;
mod quote;
mod refusal;
mod server;
mod signals;
mod site;
mod standing;
mod token;
mod transport;

/// The adapter between the hub and tokio: the example's own, since what people copy is what should run.
#[allow(dead_code, unreachable_pub, reason = "an example is a whole program, and we need a part of it")]
#[path = "../../embed_tokio.rs"]
mod embed_tokio;

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use orchflow_core::hub::Hub;
use tokio::net::{TcpListener, TcpSocket, UnixListener};
use tokio::runtime;

use embed_tokio::Tokio;
use error::StartError;
use flags::{Asked, Flags, HELP, Unix};
use instance::{Instance, Leftover};
use limits::ACCEPT_QUEUE;
use server::{Ended, Listeners, Parts, Server};
use signals::Signals;
use site::Sites;
use token::Token;

fn main() -> ExitCode {
    match flags::parse(env::args_os().skip(1)).and_then(run) {
        Ok(Ended::Down) => ExitCode::SUCCESS,
        Ok(Ended::AtOnce(signal)) => ExitCode::from(128 + signal as u8),
        Err(error) => {
            eprint!("orchflow-server: {error}");
            let mut cause = error.source();
            while let Some(why) = cause {
                eprint!(": {why}");
                cause = why.source();
            }
            eprintln!();
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(asked: Asked) -> Result<Ended, StartError> {
    let flags = match asked {
        Asked::Serve(flags) => *flags,
        Asked::Help => return say(HELP),
        Asked::Version => return say(concat!("orchflow-server ", env!("CARGO_PKG_VERSION"), "\n")),
    };
    // Sockets are looked at between any two tasks: a key that has come waits for one that asks for much, not for several (`batch.fair` in the benches).
    let runtime = runtime::Builder::new_current_thread().enable_all().event_interval(1).build();
    let runtime = runtime.map_err(StartError::system("start the runtime"))?;
    runtime.block_on(serve(flags))
}

fn say(text: &str) -> Result<Ended, StartError> {
    // Whoever closed standard output does not want to hear it.
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(Ended::Down)
}

async fn serve(flags: Flags) -> Result<Ended, StartError> {
    // First, so that no signal finds files that nobody would remove.
    let mut signals = Signals::catch().map_err(StartError::system("catch signals"))?;
    let hub = Hub::builder().events().hosted().map_err(StartError::system("open the engine"))?;
    hub.drive(&Tokio).map_err(StartError::system("drive the engine"))?;
    let tcp = listen(SocketAddr::new(flags.bind, flags.port))?;
    let bound = tcp.local_addr().map_err(StartError::system("learn the port"))?;
    let disk = Disk::prepare(&flags, bound.port())?;
    let unix = disk.unix.map(to_tokio).transpose().map_err(StartError::system("listen at the socket"))?;

    let sites = Sites::new(bound.ip(), bound.port(), &flags.sites(bound.port())?);
    let server = Server::new(Parts { hub, command: flags.command, token: disk.token, sites, limits: flags.limits, quiet: flags.quiet });
    let server = server.map_err(StartError::system("get random bytes"))?;
    let paths: Vec<PathBuf> = disk.leftovers.iter().map(Leftover::path).collect();
    server.log.event("listening", &[("address", &bound), ("files", &paths)]);
    if !flags.quiet {
        say(&format!("{}\n", link(bound, &server.token)))?;
    }
    Ok(server.run(Listeners { tcp, unix }, &mut signals).await)
}

/// What is on the disk while the server runs. What is dropped first is removed first.
struct Disk {
    token: Token,
    unix: Option<std::os::unix::net::UnixListener>,
    leftovers: Vec<Leftover>,
    _instance: Option<Instance>,
}

impl Disk {
    fn prepare(flags: &Flags, port: u16) -> Result<Disk, StartError> {
        let base = instance::base(env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from), &env::temp_dir());
        let instance = match (&flags.token_file, &flags.unix) {
            (Some(_), Unix::At(_) | Unix::Nowhere) => None, // Nothing would be in it.
            _ => Some(Instance::open(&base, port)?),
        };
        let (token, token_file) = match (&flags.token_file, &instance) {
            (Some(path), _) => instance::token_at(path)?,
            (None, Some(instance)) => instance.token().map(|(token, file)| (token, Some(file)))?,
            (None, None) => unreachable!("without a token file of the user's there is an instance"),
        };
        let listening = match (&flags.unix, &instance) {
            (Unix::At(path), _) => Some(instance::listen_at(path)?),
            (Unix::Usual, Some(instance)) => Some(instance.listen()?),
            _ => None,
        };
        let (unix, socket) = listening.unzip();
        Ok(Disk { token, unix, leftovers: token_file.into_iter().chain(socket).collect(), _instance: instance })
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    let listening = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?; // Else the port stays taken for a minute after its last server.
        socket.bind(address)?;
        socket.listen(ACCEPT_QUEUE)
    };
    listening().map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => StartError::PortTaken { address },
        _ => StartError::system(format!("listen on {address}"))(error),
    })
}

fn to_tokio(listener: std::os::unix::net::UnixListener) -> io::Result<UnixListener> {
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

/// The link that opens the page. What stands behind the `#` never leaves the browser.
fn link(bound: SocketAddr, token: &Token) -> String {
    let reached = match bound.ip() {
        ip if ip.is_unspecified() => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), bound.port()),
        _ => bound,
    };
    format!("http://{reached}/#token={}", token.owner_pass())
}
