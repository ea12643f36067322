//! The types of frames: who sends each, where, what its body is and what its position counts.
//!
//! A code, once used, keeps its meaning for ever. Codes whose low four bits are all set never get one
//! ([`is_grease`](super::negotiation::is_grease)).

/// Who sends a type of frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// Only clients.
    Client,
    /// Only servers.
    Server,
    /// Either side.
    Both,
}

/// On which streams a type of frame may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On stream 0 only.
    Connection,
    /// On any stream but 0.
    Session,
    /// On all of them.
    Anywhere,
}

impl Place {
    /// Whether a frame may stand there.
    pub const fn allows(self, stream: super::frame::StreamId) -> bool {
        match self {
            Place::Connection => stream.is_connection(),
            Place::Session => !stream.is_connection(),
            Place::Anywhere => true,
        }
    }
}

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// A CBOR map.
    Map,
    /// Bytes of a terminal, as they are.
    Raw,
    /// Nothing.
    Empty,
}

/// What a position counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// Nothing; it is 0, and not looked at.
    Nothing,
    /// Requests of one client, from 1 on: an answer repeats its request's. 0 answers nobody.
    Request,
    /// Bytes of output since the session began.
    Output,
    /// Input frames of one client to one session, from 1 on.
    Input,
    /// Whatever the sender likes; the answer repeats it.
    Echo,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $Name:ident = $code:literal, $sender:ident, $place:ident, $body:ident, $counts:ident;)+) => {
        /// A type of frame that has a meaning in this version.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Kind {
            $($(#[$doc])* $Name = $code,)+
        }

        impl Kind {
            /// All of them, by code.
            pub const ALL: &'static [Kind] = &[$(Kind::$Name),+];

            /// The type with this code.
            pub const fn from_code(code: u8) -> Option<Kind> {
                match code {
                    $($code => Some(Kind::$Name),)+
                    _ => None,
                }
            }

            /// Its name in the specification.
            pub const fn name(self) -> &'static str {
                match self { $(Kind::$Name => stringify!($Name),)+ }
            }

            /// Who sends it.
            pub const fn sender(self) -> Sender {
                match self { $(Kind::$Name => Sender::$sender,)+ }
            }

            /// On which streams.
            pub const fn place(self) -> Place {
                match self { $(Kind::$Name => Place::$place,)+ }
            }

            /// What its body is.
            pub const fn body(self) -> Body {
                match self { $(Kind::$Name => Body::$body,)+ }
            }

            /// What its position counts.
            pub const fn counts(self) -> Counts {
                match self { $(Kind::$Name => Counts::$counts,)+ }
            }
        }
    };
}

#[rustfmt::skip] // A table is read by its columns.
kinds! {
    /// The first frame: who calls, and what it can do.
    Hello          = 0x01, Client, Connection, Map,   Nothing;
    /// What was chosen, and the server's nonce.
    Challenge      = 0x02, Server, Connection, Map,   Nothing;
    /// That a side holds the pass.
    Proof          = 0x03, Both,   Connection, Map,   Nothing;
    /// The client is in.
    Welcome        = 0x04, Server, Connection, Map,   Nothing;
    /// Are you there?
    Ping           = 0x05, Both,   Connection, Empty, Echo;
    /// I am.
    Pong           = 0x06, Both,   Connection, Empty, Echo;
    /// A request was refused; the connection goes on.
    Error          = 0x07, Server, Anywhere,   Map,   Request;
    /// A request was carried out.
    Done           = 0x08, Server, Anywhere,   Empty, Request;
    /// The last frame: why the connection ends.
    Goodbye        = 0x09, Both,   Connection, Map,   Nothing;

    /// Start a session and watch it on this stream.
    Spawn          = 0x10, Client, Session,    Map,   Request;
    /// It runs.
    Spawned        = 0x11, Server, Session,    Map,   Request;
    /// Watch a session on this stream.
    Attach         = 0x12, Client, Session,    Map,   Request;
    /// Output follows.
    Attached       = 0x13, Server, Session,    Map,   Request;
    /// Watch no longer.
    Detach         = 0x14, Client, Session,    Empty, Request;
    /// The stream is free again.
    Detached       = 0x15, Server, Session,    Map,   Request;
    /// Which sessions are there?
    List           = 0x16, Client, Connection, Map,   Request;
    /// These.
    Sessions       = 0x17, Server, Connection, Map,   Request;
    /// End a session.
    Close          = 0x18, Client, Anywhere,   Map,   Request;
    /// Clear, reset, name or signal it; from a server: somebody did.
    Control        = 0x19, Both,   Session,    Map,   Request;
    /// Who watches.
    Viewers        = 0x1a, Server, Session,    Map,   Nothing;
    /// Carry these operations out.
    Batch          = 0x1b, Client, Connection, Map,   Request;
    /// Begin no more of a batch.
    Cancel         = 0x1c, Client, Connection, Empty, Request;
    /// What came of some of its operations.
    Results        = 0x1d, Server, Connection, Map,   Request;

    /// Bytes the terminal wrote.
    Output         = 0x20, Server, Session,    Raw,   Output;
    /// Output before here was rendered.
    Ack            = 0x21, Client, Session,    Empty, Output;
    /// Output that will not come.
    Gap            = 0x22, Server, Session,    Map,   Output;
    /// Bytes for the terminal.
    Input          = 0x23, Client, Session,    Raw,   Input;
    /// An interrupt key: the same, ahead of what waits where the terminal itself would discard it.
    Interrupt      = 0x24, Client, Session,    Raw,   Input;
    /// Input up to here is settled.
    InputAck       = 0x25, Server, Session,    Empty, Input;
    /// Settled input that will never reach the program.
    InputDropped   = 0x26, Server, Session,    Map,   Input;
    /// The input with this number was refused; it and what followed count as never sent.
    InputRefused   = 0x27, Server, Session,    Map,   Input;
    /// Make the terminal this size.
    Resize         = 0x28, Client, Session,    Map,   Request;
    /// It has this size now.
    Resized        = 0x29, Server, Session,    Map,   Request;
    /// The process ended; output may still come.
    ProcessExited  = 0x2a, Server, Session,    Map,   Output;
    /// The end, after the last byte.
    Exit           = 0x2b, Server, Session,    Map,   Output;
}

impl Kind {
    /// Its code on the wire.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

#[cfg(test)]
mod tests {
    use super::super::negotiation::is_grease;
    use super::*;

    #[test]
    fn codes_are_found_again_and_none_of_them_is_nonsense() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_code(kind.code()), Some(*kind));
            assert!(!is_grease(kind.code()), "{}", kind.name());
        }
        assert_eq!((0..=u8::MAX).filter_map(Kind::from_code).count(), Kind::ALL.len());
        assert_eq!(Kind::from_code(0), None);
    }
}
