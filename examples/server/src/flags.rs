//! The command line: what may be asked of this program, and what it says about itself.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt};
use orchflow_core::pty::Command;

use crate::error::StartError;
use crate::gate::EarlyDrop;
use crate::limits::Limits;
use crate::site::Site;

/// The port where nothing else is asked for. Fixed, so that links and clients find it again.
pub(crate) const PORT: u16 = 7673;

pub(crate) const HELP: &str = "\
Terminals for your browser and your local programs: prints a link, open it.

Usage: orchflow-server [OPTIONS] [--command CMD ARGS...]

  --bind ADDR         listen on this address (127.0.0.1)
  --port N            listen on this port; 0 takes any free one (7673)
  --host NAME         answer to this name too: NAME, NAME:PORT, or https://NAME for
                      a proxy with TLS in front; may be given again
  --insecure-no-tls   listen beyond loopback although nothing is encrypted: everybody
                      on the way can read and type along
  --unix PATH         the socket for local programs (in the instance's folder);
                      its folder must be yours alone
  --no-unix           no such socket
  --token-file PATH   take the token from this file, or write a new one there
  --command CMD ...   what a new session runs, with all that follows (your shell)
  --quiet             print no link and no log, only errors: where output is kept,
                      the link would be kept with it
  --help, --version

The link holds the token of this instance, and whoever has it can do what you can.
Token and socket are in $XDG_RUNTIME_DIR/orchflow/PORT/ and go when the server ends.
A first Ctrl-C closes the sessions in order, a second ends at once.

Exit codes: 0 ended as asked, 1 the system refused, 2 wrong flags, 3 it would not be safe,
4 port, socket or instance are taken, 128 + N ended at once by a second signal N.
";

/// What was asked for.
#[derive(Debug)]
pub(crate) enum Asked {
    Serve(Box<Flags>),
    Help,
    Version,
}

/// How to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flags {
    pub(crate) bind: IpAddr,
    pub(crate) port: u16,
    /// Names besides, as they were written: what some mean depends on the port.
    pub(crate) hosts: Vec<String>,
    pub(crate) insecure_no_tls: bool,
    pub(crate) unix: Unix,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) command: Command,
    pub(crate) quiet: bool,
    pub(crate) limits: Limits,
}

/// Where the socket for local programs is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unix {
    /// In the instance's folder.
    Usual,
    At(PathBuf),
    Nowhere,
}

impl Default for Flags {
    fn default() -> Self {
        Flags {
            bind: Ipv4Addr::LOCALHOST.into(),
            port: PORT,
            hosts: Vec::new(),
            insecure_no_tls: false,
            unix: Unix::Usual,
            token_file: None,
            command: Command::shell(),
            quiet: false,
            limits: Limits::default(),
        }
    }
}

impl Flags {
    /// The sites that `--host` names, with the port that was bound.
    pub(crate) fn sites(&self, port: u16) -> Result<Vec<Site>, StartError> {
        let site = |text: &String| Site::from_flag(text, port).map_err(|why| usage(format!("--host {text}: {why}")));
        self.hosts.iter().map(site).collect()
    }
}

/// Reads the arguments after the program's own name.
///
/// # Errors
/// [`StartError::Usage`], and [`StartError::OpenBind`] for an address that would be open to others.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Asked, StartError> {
    let mut parser = Parser::from_args(args);
    let mut flags = Flags::default();
    while let Some(arg) = parser.next().map_err(wrong)? {
        match arg {
            Arg::Long("bind") => flags.bind = address(&parser.value().map_err(wrong)?)?,
            Arg::Long("port") => flags.port = parser.value().and_then(|value| value.parse()).map_err(wrong)?,
            Arg::Long("host") => flags.hosts.push(parser.value().and_then(|value| value.string()).map_err(wrong)?),
            Arg::Long("insecure-no-tls") => flags.insecure_no_tls = true,
            Arg::Long("unix") => flags.unix = Unix::At(path("--unix", parser.value().map_err(wrong)?)?),
            Arg::Long("no-unix") => flags.unix = Unix::Nowhere,
            Arg::Long("token-file") => flags.token_file = Some(path("--token-file", parser.value().map_err(wrong)?)?),
            Arg::Long("quiet") | Arg::Short('q') => flags.quiet = true,
            Arg::Long("command") => {
                let program = parser.value().map_err(wrong)?;
                flags.command = Command::new(program).args(parser.raw_args().map_err(wrong)?);
            }
            // For our own tests, which cannot wait ten seconds or open a thousand connections each time.
            Arg::Long("test-limits") => {
                flags.limits = limits(&parser.value().and_then(|value| value.string()).map_err(wrong)?)
                    .ok_or_else(|| usage("--test-limits takes HEAD_MS,PROOF_MS,BEGIN,PERCENT,FULL".into()))?;
            }
            Arg::Long("help") | Arg::Short('h') => return Ok(Asked::Help),
            Arg::Long("version") | Arg::Short('V') => return Ok(Asked::Version),
            Arg::Value(value) => return Err(usage(format!("{value:?} stands alone; what sessions run goes after --command"))),
            other => return Err(wrong(other.unexpected())),
        }
    }
    if !flags.bind.to_canonical().is_loopback() && !flags.insecure_no_tls {
        return Err(StartError::OpenBind { address: flags.bind });
    }
    flags.sites(flags.port)?; // Only to say early what is wrong with them.
    Ok(Asked::Serve(Box::new(flags)))
}

fn wrong(error: lexopt::Error) -> StartError {
    usage(error.to_string())
}

fn usage(what: String) -> StartError {
    StartError::Usage { what }
}

fn address(value: &OsString) -> Result<IpAddr, StartError> {
    let text = value.to_string_lossy();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(&text);
    match bare {
        "localhost" => Ok(Ipv4Addr::LOCALHOST.into()),
        _ => bare.parse().map_err(|_| usage(format!("--bind {text}: this is no IP address, like 127.0.0.1 or ::1; ports go to --port"))),
    }
}

fn path(flag: &str, value: OsString) -> Result<PathBuf, StartError> {
    let path = PathBuf::from(value);
    if path.file_name().is_some() { Ok(path) } else { Err(usage(format!("{flag} {path:?}: this names no file"))) }
}

fn limits(text: &str) -> Option<Limits> {
    let numbers: Vec<u32> = text.split(',').map(|number| number.parse().ok()).collect::<Option<_>>()?;
    let [head_ms, proof_ms, begin, percent, full] = numbers[..] else { return None };
    let (millis, early_drop) =
        (|ms: u32| Duration::from_millis(ms.into()), EarlyDrop { begin: begin as usize, percent, full: full as usize });
    (percent <= 100 && begin <= full).then(|| Limits {
        head_wait: millis(head_ms),
        proof_wait: millis(proof_ms),
        early_drop,
        ..Limits::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(line: &str) -> Flags {
        match parse(line.split_whitespace().map(OsString::from)) {
            Ok(Asked::Serve(flags)) => *flags,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn error(line: &str) -> String {
        parse(line.split_whitespace().map(OsString::from)).unwrap_err().to_string()
    }

    #[test]
    fn nothing_asked_is_loopback_the_fixed_port_and_the_shell() {
        assert_eq!(flags(""), Flags::default());
        assert_eq!((flags("").bind.to_string().as_str(), flags("").port), ("127.0.0.1", 7673));
    }

    #[test]
    fn command_takes_all_that_follows() {
        let flags = flags("--port 0 --command sh -c --help --port");
        assert_eq!((flags.port, flags.command), (0, Command::new("sh").args(["-c", "--help", "--port"])));
    }

    #[test]
    fn address_beyond_loopback_needs_its_flag() {
        for loopback in ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "::ffff:127.0.0.1"] {
            flags(&format!("--bind {loopback}"));
        }
        for open in ["0.0.0.0", "::", "192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1"] {
            assert!(error(&format!("--bind {open}")).contains("--insecure-no-tls"), "{open}");
            flags(&format!("--bind {open} --insecure-no-tls"));
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (line, names) in [
            ("vim", "--command"),
            ("--prot 1", "--prot"),
            ("--port", "--port"),
            ("--port 65536", "65536"),
            ("--bind 127.0.0.1:80", "--port"),
            ("--bind example.com", "IP address"),
            ("--host a/b", "a/b"),
            ("--unix /", "names no file"),
            ("--command", "--command"),
            ("--test-limits 1,2", "HEAD_MS"),
        ] {
            assert!(error(line).contains(names), "{line}: {}", error(line));
        }
    }

    #[test]
    fn help_names_every_flag_and_its_default() {
        for flag in ["bind", "port", "host", "insecure-no-tls", "unix", "no-unix", "token-file", "command", "quiet", "help", "version"] {
            assert!(HELP.contains(&format!("--{flag}")), "{flag}");
        }
        assert!(HELP.contains(&format!("({PORT})")));
        assert!(HELP.lines().all(|line| line.chars().count() <= 90));
    }
}
