//! What one who watches a session must hear of, though somebody else did it.

use super::Settled;
use crate::protocol::message::{InputDropped, Results};
use crate::pty::ExitStatus;
use crate::size::Size;

/// Something to tell a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Input of this client was settled or refused.
    Settled(Settled),
    /// Settled input of this client will never reach the program.
    InputDropped(InputDropped),
    /// Every resize up to `number` of the terminal's count has taken effect.
    Resized {
        /// The terminal's own number of the request.
        number: u64,
        /// The size that resulted.
        size: Size,
    },
    /// The process ended.
    ProcessExited {
        /// Bytes of output at that moment.
        offset: u64,
        /// How.
        status: ExitStatus,
    },
    /// Somebody cleared, reset or renamed the session.
    Control(crate::protocol::message::Act),
    /// Somebody pressed an interrupt key: output that piled up before it is stale.
    Interrupted,
    /// Operations that this connection asked for have ended.
    Results(Box<Results>),
    /// Somebody came or went.
    Viewers,
    /// The same client has come back on another connection.
    Replaced,
}
