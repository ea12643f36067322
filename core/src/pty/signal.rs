//! Signals by name, and whom they are for.

/// A signal that makes sense to send to a terminal's processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// The terminal is gone (`SIGHUP`).
    Hangup,
    /// What Ctrl-C means (`SIGINT`).
    Interrupt,
    /// What Ctrl-\ means (`SIGQUIT`).
    Quit,
    /// A polite request to end (`SIGTERM`).
    Terminate,
    /// The end, without appeal (`SIGKILL`).
    Kill,
    /// Go on after a stop (`SIGCONT`).
    Continue,
    /// Stop until told to go on (`SIGSTOP`).
    Stop,
    /// What a program gives it (`SIGUSR1`).
    User1,
    /// What a program gives it (`SIGUSR2`).
    User2,
}

/// Who receives a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The process that was spawned.
    Leader,
    /// The job in the foreground: what a keyboard's Ctrl-C reaches.
    Foreground,
    /// Every process of the session, background jobs included.
    Session,
}
