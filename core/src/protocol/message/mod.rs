//! Messages: what frames mean.
//!
//! [`Message::decode`] takes a frame apart; [`Message::into_frame`] puts one together. Output and Input carry their bytes as they
//! are, shared and never copied; everything else is a small CBOR map, or says all it has to say in the header.
//!
//! Who may send what when is not judged here: that is for the machines of both ends.

mod batch;
mod code;
mod connection;
mod error;
mod session;
mod stream;
mod wire;

use bytes::Bytes;
use serde::Serialize;

pub use batch::{Answer, Answered, Batch, Fault, Mode, Operation, Outcome, Refused, Results};
pub use code::ErrorCode;
pub use connection::{
    Challenge, ClientId, ClientLimits, Credit, Goodbye, Hello, InstanceId, Proof, Refusal, ResumePoint, ServerLimits, Welcome,
};
pub use error::MessageError;
pub use session::{Act, Attach, Attached, Close, Control, Detached, Policy, SessionInfo, Sessions, Spawn, Spawned, Start, Viewer, Viewers};
pub use stream::{Ended, Exited, Gap, GapReason, Input, InputDropped, InputRefused, Output, Packed, Resize, Resized};

use super::cbor;
use super::frame::{Flags, Frame, StreamId};
use super::kind::{Body, Kind};
use crate::time::Time;

/// One message. The types in [`Kind`] say who sends each.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// See [`Kind::Hello`].
    Hello(Box<Hello>),
    /// See [`Kind::Challenge`].
    Challenge(Box<Challenge>),
    /// See [`Kind::Proof`].
    Proof(Box<Proof>),
    /// See [`Kind::Welcome`].
    Welcome(Box<Welcome>),
    /// See [`Kind::Ping`].
    Ping {
        /// Comes back in the answer.
        echo: u64,
    },
    /// See [`Kind::Pong`].
    Pong {
        /// As it stood in the question.
        echo: u64,
    },
    /// See [`Kind::Error`].
    Error(Refusal),
    /// See [`Kind::Done`].
    Done {
        /// The request that was carried out.
        number: u64,
    },
    /// See [`Kind::Goodbye`].
    Goodbye(Box<Goodbye>),
    /// See [`Kind::Spawn`].
    Spawn(Box<Spawn>),
    /// See [`Kind::Spawned`].
    Spawned(Spawned),
    /// See [`Kind::Attach`].
    Attach(Attach),
    /// See [`Kind::Attached`].
    Attached(Box<Attached>),
    /// See [`Kind::Detach`].
    Detach {
        /// The request's number.
        number: u64,
    },
    /// See [`Kind::Detached`].
    Detached(Detached),
    /// See [`Kind::List`].
    List {
        /// The request's number.
        number: u64,
    },
    /// See [`Kind::Sessions`].
    Sessions(Sessions),
    /// See [`Kind::Close`].
    Close(Close),
    /// See [`Kind::Control`].
    Control(Control),
    /// See [`Kind::Viewers`].
    Viewers(Viewers),
    /// See [`Kind::Batch`].
    Batch(Box<Batch>),
    /// See [`Kind::Cancel`].
    Cancel {
        /// The batch's number.
        number: u64,
    },
    /// See [`Kind::Results`].
    Results(Box<Results>),
    /// See [`Kind::Output`].
    Output(Output),
    /// [`Kind::Output`] too, packed.
    Packed(Packed),
    /// See [`Kind::Ack`].
    Ack {
        /// Offset after the last byte rendered.
        rendered: u64,
    },
    /// See [`Kind::Gap`].
    Gap(Gap),
    /// See [`Kind::Input`] and [`Kind::Interrupt`].
    Input(Input),
    /// See [`Kind::InputAck`].
    InputAck {
        /// The last input that is settled; all before it are too.
        sequence: u64,
    },
    /// See [`Kind::InputDropped`].
    InputDropped(InputDropped),
    /// See [`Kind::InputRefused`].
    InputRefused(InputRefused),
    /// See [`Kind::Resize`].
    Resize(Resize),
    /// See [`Kind::Resized`].
    Resized(Resized),
    /// See [`Kind::ProcessExited`].
    ProcessExited(Exited),
    /// See [`Kind::Exit`].
    Exit(Ended),
}

impl Message {
    /// What `frame` means. `None` where it may be skipped: its type is unknown and marked ignorable.
    ///
    /// # Errors
    /// [`MessageError`]; it says whether the connection can go on ([`MessageError::is_fatal`]).
    ///
    /// # Examples
    /// ```
    /// # use orchflow_core::protocol::{frame::{Frame, StreamId}, message::Message};
    /// let frame = Message::Ack { rendered: 4096 }.into_frame(StreamId::new(3));
    /// assert_eq!((frame.kind, frame.position), (0x21, 4096));
    /// assert_eq!(Message::decode(frame), Ok(Some(Message::Ack { rendered: 4096 })));
    /// ```
    pub fn decode(frame: Frame) -> Result<Option<Message>, MessageError> {
        let frame = match Output::from_frame(frame) {
            Ok(output) => return Ok(Some(Message::Output(output))),
            Err(frame) => frame,
        };
        if frame.codec != 0 && frame.kind != Kind::Output.code() {
            return Err(MessageError::Codec { kind: frame.kind, codec: frame.codec });
        }
        let Some(kind) = Kind::from_code(frame.kind) else {
            let ignorable = frame.flags.contains(Flags::IGNORABLE);
            return if ignorable { Ok(None) } else { Err(MessageError::Unknown { kind: frame.kind }) };
        };
        if !kind.place().allows(frame.stream) {
            return Err(MessageError::Place { kind, stream: frame.stream });
        }
        if kind.body() == Body::Empty && !frame.body.is_empty() {
            return Err(MessageError::BodyNotEmpty { kind, length: frame.body.len() });
        }
        let (position, flags) = (frame.position, frame.flags);
        if kind == Kind::Output {
            return Ok(Some(Message::Packed(Packed::from_frame(frame)?))); // Else it was recognised above.
        }
        let read = Read { kind, position, body: &frame.body };
        Ok(Some(match kind {
            Kind::Hello => Message::Hello(Box::new(read.map()?)),
            Kind::Challenge => Message::Challenge(Box::new(read.map()?)),
            Kind::Proof => Message::Proof(Box::new(read.map()?)),
            Kind::Welcome => Message::Welcome(Box::new(read.map()?)),
            Kind::Ping => Message::Ping { echo: position },
            Kind::Pong => Message::Pong { echo: position },
            Kind::Error => Message::Error(read.placed()?),
            Kind::Done => Message::Done { number: position },
            Kind::Goodbye => Message::Goodbye(Box::new(read.map()?)),
            Kind::Spawn => Message::Spawn(Box::new(read.placed()?)),
            Kind::Spawned => Message::Spawned(read.placed()?),
            Kind::Attach => Message::Attach(read.placed()?),
            Kind::Attached => Message::Attached(Box::new(read.placed()?)),
            Kind::Detach => Message::Detach { number: position },
            Kind::Detached => Message::Detached(read.placed()?),
            Kind::List => read.map::<Nothing>().map(|_| Message::List { number: position })?,
            Kind::Sessions => Message::Sessions(Sessions { more: flags.contains(Flags::MORE), ..read.placed()? }),
            Kind::Close => Message::Close(read.placed()?),
            Kind::Control => Message::Control(read.placed()?),
            Kind::Viewers => Message::Viewers(read.map()?),
            Kind::Batch => Message::Batch(Box::new(read.placed()?)),
            Kind::Cancel => Message::Cancel { number: position },
            Kind::Results => Message::Results(Box::new(Results { more: flags.contains(Flags::MORE), ..read.placed()? })),
            Kind::Output => unreachable!("output was recognised above"),
            Kind::Ack => Message::Ack { rendered: position },
            Kind::Gap => Message::Gap(read.placed()?),
            Kind::Input | Kind::Interrupt => {
                let (urgent, reply) = (kind == Kind::Interrupt, flags.contains(Flags::REPLY));
                Message::Input(Input { sequence: position, bytes: frame.body, urgent, reply })
            }
            Kind::InputAck => Message::InputAck { sequence: position },
            Kind::InputDropped => Message::InputDropped(read.placed()?),
            Kind::InputRefused => Message::InputRefused(read.placed()?),
            Kind::Resize => Message::Resize(read.placed()?),
            Kind::Resized => Message::Resized(read.placed()?),
            Kind::ProcessExited => Message::ProcessExited(read.placed()?),
            Kind::Exit => Message::Exit(read.placed()?),
        }))
    }

    /// The message as a frame on `stream`, without a timestamp.
    #[inline]
    pub fn into_frame(self, stream: StreamId) -> Frame {
        self.stamped(stream, None)
    }

    /// The message as a frame on `stream`, which carries a moment of the server's clock.
    #[inline]
    pub fn stamped(self, stream: StreamId, timestamp: Option<Time>) -> Frame {
        match self {
            Message::Output(output) => output.into_frame(stream, timestamp),
            Message::Packed(packed) => packed.into_frame(stream, timestamp),
            other => other.into_plain_frame(stream, timestamp),
        }
    }

    fn into_plain_frame(self, stream: StreamId, timestamp: Option<Time>) -> Frame {
        let (kind, flags, position, body) = self.parts();
        Frame { kind: kind.code(), flags, codec: 0, stream, position, timestamp, body }
    }

    fn parts(self) -> (Kind, Flags, u64, Bytes) {
        const NONE: Flags = Flags::NONE;
        let bare = |kind, position| (kind, NONE, position, Bytes::new());
        match self {
            Message::Hello(fields) => (Kind::Hello, NONE, 0, cbor::encode(&fields)),
            Message::Challenge(fields) => (Kind::Challenge, NONE, 0, cbor::encode(&fields)),
            Message::Proof(fields) => (Kind::Proof, NONE, 0, cbor::encode(&fields)),
            Message::Welcome(fields) => (Kind::Welcome, NONE, 0, cbor::encode(&fields)),
            Message::Ping { echo } => bare(Kind::Ping, echo),
            Message::Pong { echo } => bare(Kind::Pong, echo),
            Message::Error(fields) => placed(Kind::Error, &fields),
            Message::Done { number } => bare(Kind::Done, number),
            Message::Goodbye(fields) => (Kind::Goodbye, NONE, 0, cbor::encode(&fields)),
            Message::Spawn(fields) => placed(Kind::Spawn, &*fields),
            Message::Spawned(fields) => placed(Kind::Spawned, &fields),
            Message::Attach(fields) => placed(Kind::Attach, &fields),
            Message::Attached(fields) => placed(Kind::Attached, &*fields),
            Message::Detach { number } => bare(Kind::Detach, number),
            Message::Detached(fields) => placed(Kind::Detached, &fields),
            Message::List { number } => (Kind::List, NONE, number, cbor::encode(&Nothing {})),
            Message::Sessions(fields) => {
                let (kind, flags, position, body) = placed(Kind::Sessions, &fields);
                (kind, flags.with(Flags::MORE, fields.more), position, body)
            }
            Message::Close(fields) => placed(Kind::Close, &fields),
            Message::Control(fields) => placed(Kind::Control, &fields),
            Message::Viewers(fields) => (Kind::Viewers, NONE, 0, cbor::encode(&fields)),
            Message::Batch(fields) => placed(Kind::Batch, &*fields),
            Message::Cancel { number } => bare(Kind::Cancel, number),
            Message::Results(fields) => {
                let (kind, flags, position, body) = placed(Kind::Results, &*fields);
                (kind, flags.with(Flags::MORE, fields.more), position, body)
            }
            Message::Output(_) | Message::Packed(_) => unreachable!("output makes its own frames"),
            Message::Ack { rendered } => bare(Kind::Ack, rendered),
            Message::Gap(fields) => placed(Kind::Gap, &fields),
            Message::Input(Input { sequence, bytes, urgent, reply }) => {
                let kind = if urgent { Kind::Interrupt } else { Kind::Input };
                (kind, NONE.with(Flags::REPLY, reply), sequence, bytes)
            }
            Message::InputAck { sequence } => bare(Kind::InputAck, sequence),
            Message::InputDropped(fields) => placed(Kind::InputDropped, &fields),
            Message::InputRefused(fields) => placed(Kind::InputRefused, &fields),
            Message::Resize(fields) => placed(Kind::Resize, &fields),
            Message::Resized(fields) => placed(Kind::Resized, &fields),
            Message::ProcessExited(fields) => placed(Kind::ProcessExited, &fields),
            Message::Exit(fields) => placed(Kind::Exit, &fields),
        }
    }
}

/// Fields of which one stands in the header, as the frame's position.
pub(super) trait Placed {
    /// That field.
    fn position(&self) -> u64;
    /// Sets it.
    fn place(&mut self, position: u64);
}

/// Implements [`Placed`] for types that name the field.
macro_rules! in_header {
    ($($Type:ident.$field:ident),+ $(,)?) => {
        $(impl super::Placed for $Type {
            fn position(&self) -> u64 {
                self.$field
            }

            fn place(&mut self, position: u64) {
                self.$field = position;
            }
        })+
    };
}
use in_header;

fn placed<T: Placed + Serialize>(kind: Kind, fields: &T) -> (Kind, Flags, u64, Bytes) {
    (kind, Flags::NONE, fields.position(), cbor::encode(fields))
}

/// A map in which no key has a meaning yet.
#[derive(serde::Serialize, serde::Deserialize)]
struct Nothing {}

/// A body about to be decoded.
struct Read<'a> {
    kind: Kind,
    position: u64,
    body: &'a [u8],
}

impl Read<'_> {
    fn map<T: serde::de::DeserializeOwned>(&self) -> Result<T, MessageError> {
        cbor::decode(self.body).map_err(|source| MessageError::Body { kind: self.kind, source })
    }

    fn placed<T: Placed + serde::de::DeserializeOwned>(&self) -> Result<T, MessageError> {
        let mut fields: T = self.map()?;
        fields.place(self.position);
        Ok(fields)
    }
}

#[cfg(test)]
mod tests;
