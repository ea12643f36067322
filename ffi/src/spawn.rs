//! What to run in a terminal, and how.

use std::ffi::{OsStr, OsString, c_char, c_void};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use orchflow_core::flow::FlowLimits;
use orchflow_core::limits::{LOW_WATER_BYTES, READ_MAX};
use orchflow_core::protocol::message::Spawn;
use orchflow_core::pty::Command;
use orchflow_core::session::{EndingLimits, SessionOptions};

use crate::failure::Failure;
use crate::sized::Growing;
use crate::values::{OrchSize, bytes_or, c_bytes, c_text, check_flags, nanos_or};

/// The program's environment begins empty, and not as the host's.
pub const ORCH_SPAWN_CLEAR_ENV: u32 = 1;
/// Asked of a server: the output is never packed, for who can write to it and see how long frames are could guess at what else is in it.
pub const ORCH_SPAWN_SECRET: u32 = 2;

/// What to run and how. All zeros are the user's shell in a terminal of 80 by 24.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OrchSpawnOptions {
    /// Bytes of this struct: ORCH_INIT sets it.
    pub size: usize,
    /// The program and its arguments, NULL after the last. A name without a slash is looked up in the PATH it will itself see. NULL: the user's
    /// shell.
    pub argv: *const *const c_char,
    /// Changes to the environment, NULL after the last: "NAME=value" sets, "NAME" removes. TERM is xterm-256color unless set here. May be
    /// NULL.
    pub env: *const *const c_char,
    /// The folder to run in; NULL: the host's.
    pub cwd: *const c_char,
    /// ORCH_SPAWN_ flags.
    pub flags: u32,
    /// The size it opens with; all zeros: 80 by 24.
    pub window: OrchSize,
    /// The newest output that is kept, in bytes; 0: 1 MiB, or what the queue needs.
    pub history_bytes: u64,
    /// Output that may wait to be consumed, in bytes: then the program has to wait; 0: 512 KiB.
    pub queue_bytes: u64,
    /// Input that may wait for the program, in bytes; 0: 8 MiB.
    pub input_bytes: u64,
    /// After the process has ended: how long what it left behind is listened to, in nanoseconds; 0: 1 s.
    pub drain_ns: u64,
    /// The same in silence; 0: 100 ms.
    pub drain_quiet_ns: u64,
    /// Patience after each step of the end that orch_session_free begins, in nanoseconds; 0: 1 s.
    pub close_grace_ns: u64,
    /// What the session's events carry.
    pub user_data: *mut c_void,
}

// SAFETY: numbers and pointers, for which zero is a value.
unsafe impl Growing for OrchSpawnOptions {
    const NAME: &'static str = "OrchSpawnOptions";
}

impl OrchSpawnOptions {
    /// The same as the core has it.
    ///
    /// # Safety
    /// Its texts and lists end as they should.
    pub(crate) unsafe fn understood(&self) -> Result<(Command, SessionOptions), Failure> {
        check_flags(self.flags, ORCH_SPAWN_CLEAR_ENV, "flags")?;
        // SAFETY: by the contract.
        let command = unsafe { self.command()? };
        Ok((command, self.session()?))
    }

    /// # Safety
    /// As [`understood`](Self::understood).
    unsafe fn command(&self) -> Result<Command, Failure> {
        // SAFETY: by the contract.
        let (argv, env, cwd) = unsafe { (list(self.argv), list(self.env), c_bytes(self.cwd)) };
        let mut argv = argv.into_iter();
        let mut command = match (self.argv.is_null(), argv.next()) {
            (true, _) => Command::shell(),
            (false, Some(program)) => Command::new(program).args(argv),
            (false, None) => return Err(Failure::invalid("`argv` has no program: name one, or leave it NULL for the user's shell")),
        };
        if self.flags & ORCH_SPAWN_CLEAR_ENV != 0 {
            command = command.env_clear();
        }
        for change in env {
            let change = change.into_vec();
            command = match change.iter().position(|byte| *byte == b'=') {
                Some(at) => command.env(OsStr::from_bytes(&change[..at]), OsStr::from_bytes(&change[at + 1..])),
                None => command.env_remove(OsString::from_vec(change)),
            };
        }
        Ok(match cwd {
            Some(cwd) => command.current_dir(cwd),
            None => command,
        })
    }

    /// What the session is to be like.
    pub(crate) fn session(&self) -> Result<SessionOptions, Failure> {
        let usual = SessionOptions::default();
        let high_bytes = bytes_or(self.queue_bytes, usual.flow.high_bytes);
        let needed = high_bytes.saturating_add(2 * READ_MAX);
        Ok(SessionOptions {
            size: self.window.or_default()?,
            history_bytes: bytes_or(self.history_bytes, usual.history_bytes.max(needed)),
            flow: FlowLimits { high_bytes, low_bytes: LOW_WATER_BYTES.min(high_bytes / 2), ..usual.flow },
            input_queue_bytes: bytes_or(self.input_bytes, usual.input_queue_bytes),
            ending: EndingLimits {
                quiet: nanos_or(self.drain_quiet_ns, usual.ending.quiet),
                max: nanos_or(self.drain_ns, usual.ending.max),
            },
            resume_hold: usual.resume_hold,
            close_grace: nanos_or(self.close_grace_ns, usual.close_grace),
        })
    }
}

/// Texts, of which NULL is the end; none, where the list itself is NULL.
///
/// # Safety
/// `list` is NULL, or ends with NULL, and all in it end with NUL.
pub(crate) unsafe fn list(list: *const *const c_char) -> Vec<OsString> {
    let mut texts = Vec::new();
    if !list.is_null() {
        // SAFETY: by the contract.
        while let Some(text) = unsafe { c_bytes(*list.add(texts.len())) } {
            texts.push(text.to_owned());
        }
    }
    texts
}

/// The same as a request to a server, which chooses all but the program and its window.
///
/// # Safety
/// The options' texts and lists end as they should.
pub(crate) unsafe fn spawn_message(options: &OrchSpawnOptions) -> Result<Spawn, Failure> {
    check_flags(options.flags, ORCH_SPAWN_SECRET, "flags")?;
    let OrchSpawnOptions { history_bytes, queue_bytes, input_bytes, drain_ns, drain_quiet_ns, close_grace_ns, .. } = *options;
    if history_bytes | queue_bytes | input_bytes | drain_ns | drain_quiet_ns | close_grace_ns != 0 {
        return Err(Failure::invalid("only `argv`, `env`, `cwd` and `window` can be asked of a server: leave the rest 0"));
    }
    // SAFETY: by the contract.
    let (argv, env, cwd) = unsafe { (list(options.argv), list(options.env), c_text(options.cwd, "cwd")?) };
    let text = |text: OsString| text.into_string().map_err(|_| Failure::invalid("a server is asked in UTF-8, and this program is not"));
    let mut argv = argv.into_iter().map(text).collect::<Result<Vec<_>, _>>()?.into_iter();
    let change = |change: OsString| {
        let change = text(change)?;
        Ok(match change.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (change, None),
        })
    };
    Ok(Spawn {
        program: argv.next(),
        args: argv.collect(),
        env: env.into_iter().map(change).collect::<Result<_, Failure>>()?,
        cwd: cwd.map(str::to_owned),
        size: (options.window != OrchSize::default()).then(|| options.window.checked()).transpose()?,
        secret: options.flags & ORCH_SPAWN_SECRET != 0,
        ..Spawn::default()
    })
}
