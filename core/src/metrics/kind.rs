//! The closed sets that metrics are split by. A set is an enum, so a label can never carry an id, a path or
//! anything else a terminal said, and every series there will ever be is known when this compiles.

/// An enum whose members have a place in an array and a label value.
macro_rules! kinds {
    ($(#[$doc:meta])* $name:ident { $($(#[$member_doc:meta])* $member:ident = $label:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$member_doc])* $member,)*
        }

        impl $name {
            /// Every member, in the order in which they are exported.
            pub const ALL: &'static [$name] = &[$($name::$member),*];

            /// How many there are.
            pub(super) const COUNT: usize = $name::ALL.len();

            /// The label value it is exported under.
            pub const fn label(self) -> &'static str {
                match self { $($name::$member => $label,)* }
            }
        }
    };
}

kinds! {
    /// What was asked of a terminal.
    Operation {
        /// Opening it and starting its process.
        Spawn = "spawn",
        /// Accepting input for it.
        Input = "input",
        /// Changing its size.
        Resize = "resize",
        /// Sending it a signal.
        Signal = "signal",
        /// Closing it.
        Close = "close",
    }
}

kinds! {
    /// The legs of a keystroke's way from a client to its echo's being seen there, as far as a server knows of them.
    Hop {
        /// Input that came from a client, until the terminal accepted it.
        Accept = "accept",
        /// From there to the session's next output: what the program takes, and the kernel.
        Program = "program",
        /// Output that was read, until it was handed to a connection: its first byte, in each message.
        Send = "send",
        /// From there until the client said that it had rendered it: the way there and back, and the rendering.
        Render = "render",
    }
}

kinds! {
    /// How urgent an operation of a batch is.
    Urgency {
        /// A person waits for it.
        Interactive = "interactive",
        /// A program waits for it.
        Control = "control",
        /// Somebody waits for all of many.
        Bulk = "bulk",
        /// Nobody waits for it.
        Background = "background",
    }
}

kinds! {
    /// What went wrong, coarse enough to alert on.
    ErrorKind {
        /// No program by that name, or no such folder to run it in.
        SpawnNotFound = "spawn_not_found",
        /// The program may not be executed.
        SpawnPermission = "spawn_permission",
        /// No terminal, descriptor, process or session was left.
        SpawnExhausted = "spawn_exhausted",
        /// Any other reason a terminal could not be started.
        SpawnOther = "spawn_other",
        /// The input queue had no room.
        InputFull = "input_full",
        /// A line was longer than the terminal can hold.
        InputLineTooLong = "input_line_too_long",
        /// The terminal takes no input any more.
        InputClosed = "input_closed",
        /// The system failed a read, a write or a control call.
        Io = "io",
    }
}

kinds! {
    /// How a process ended.
    ExitKind {
        /// It returned a code, zero or not.
        Code = "code",
        /// A signal ended it.
        Signal = "signal",
        /// It is gone, and nobody here could learn how.
        Unknown = "unknown",
    }
}
