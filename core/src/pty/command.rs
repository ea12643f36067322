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
            // A host may have been given variables that cannot be passed on; they are not the caller's fault.
            env.extend(std::env::vars_os().filter(|(name, _)| is_name(name)));
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

    /// One variable of that environment.
    pub fn variable(&self, name: &OsStr) -> Option<OsString> {
        match self.env_changes.get(name) {
            Some(change) => change.clone(),
            None if self.env_inherited => std::env::var_os(name),
            None => None,
        }
    }

    /// The first text that cannot be passed to a program: a NUL byte inside, or a variable's name that is empty or
    /// has `=`.
    pub(crate) fn malformed(&self) -> Option<OsString> {
        if let Some(name) = self.env_changes.keys().find(|name| !is_name(name)) {
            return Some(name.clone());
        }
        let texts = [self.program.as_os_str()].into_iter().chain(self.args.iter().map(OsString::as_os_str));
        let texts = texts.chain(self.current_dir.iter().map(|dir| dir.as_os_str()));
        let mut texts = texts.chain(self.env_changes.values().flatten().map(OsString::as_os_str));
        texts.find(|text| text.as_encoded_bytes().contains(&0)).map(OsStr::to_owned)
    }
}

fn is_name(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    !name.is_empty() && !name.contains(&b'=') && !name.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_passed_is_found() {
        let sh = || Command::new("sh");
        assert_eq!(sh().arg("-c").env("A", "").current_dir("/").malformed(), None);
        let bad =
            [Command::new("s\0h"), sh().arg("a\0b"), sh().env("A=B", ""), sh().env("", ""), sh().env("A", "\0"), sh().current_dir("\0")];
        for command in bad {
            assert!(command.malformed().is_some(), "{command:?}");
        }
    }
}
