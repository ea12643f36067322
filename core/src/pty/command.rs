//! What to run in a terminal.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// A program, its arguments, its environment and its folder.
///
/// The environment is the host's, changed by [`env`](Command::env), [`env_remove`](Command::env_remove) and
/// [`env_clear`](Command::env_clear); `TERM` is set to `xterm-256color` unless the caller sets it. A program without a slash is
/// looked up in the `PATH` it will itself see.
///
/// # Examples
/// ```
/// # use orchflow_core::pty::Command;
/// let command = Command::new("sh").args(["-c", "stty size"]).env("LANG", "C.UTF-8").current_dir("/tmp");
/// assert_eq!(command.program(), "sh");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    program: OsString,
    args: Vec<OsString>,
    env_inherited: bool,
    env_changes: BTreeMap<OsString, Option<OsString>>,
    current_dir: Option<PathBuf>,
}

impl Command {
    /// Runs `program` without arguments.
    pub fn new(program: impl Into<OsString>) -> Self {
        Command { program: program.into(), args: Vec::new(), env_inherited: true, env_changes: BTreeMap::new(), current_dir: None }
    }

    /// The user's shell (`$SHELL`, else `/bin/sh`).
    pub fn shell() -> Self {
        Command::new(std::env::var_os("SHELL").filter(|shell| !shell.is_empty()).unwrap_or_else(|| "/bin/sh".into()))
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of the environment.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env_changes.insert(name.into(), Some(value.into()));
        self
    }

    /// Removes a variable of the environment.
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.env_changes.insert(name.into(), None);
        self
    }

    /// Starts from an empty environment and forgets what was set so far.
    pub fn env_clear(mut self) -> Self {
        self.env_inherited = false;
        self.env_changes.clear();
        self
    }

    /// Runs in this folder, instead of the host's.
    pub fn current_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.current_dir = Some(dir.into());
        self
    }

    /// The program asked for.
    pub fn program(&self) -> &OsStr {
        &self.program
    }

    /// The arguments after the program's own name.
    pub fn arguments(&self) -> &[OsString] {
        &self.args
    }

    /// The folder asked for.
    pub fn directory(&self) -> Option<&Path> {
        self.current_dir.as_deref()
    }

    /// The environment the process will see.
    pub fn environment(&self) -> BTreeMap<OsString, OsString> {
        let mut env = BTreeMap::new();
        if self.env_inherited {
            env.extend(std::env::vars_os());
            env.insert("TERM".into(), "xterm-256color".into());
        }
        for (name, change) in &self.env_changes {
            match change {
                Some(value) => env.insert(name.clone(), value.clone()),
                None => env.remove(name),
            };
        }
        env
    }
}
