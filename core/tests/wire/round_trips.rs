//! Messages with any content come back as they went.

use bytes::Bytes;
use orchflow_core::limits::{NUMBER_MAX, PACKED_MAX};
use orchflow_core::pack::Codec;
use orchflow_core::protocol::frame::StreamId;
use orchflow_core::protocol::message::*;
use orchflow_core::protocol::token::Role;
use orchflow_core::pty::ExitStatus;
use orchflow_core::size::{Pixels, Size};
use orchflow_core::time::Time;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..1000_u64, 0..=NUMBER_MAX]
}

fn size() -> impl Strategy<Value = Size> {
    let pixels = of((any::<u16>(), any::<u16>()).prop_map(|(width, height)| Pixels { width, height }));
    (1..2000_u16, 1..2000_u16, pixels).prop_map(|(cols, rows, pixels)| Size::new(cols, rows).unwrap().with_pixels(pixels))
}

fn status() -> impl Strategy<Value = ExitStatus> {
    prop_oneof![any::<i32>().prop_map(ExitStatus::Code), any::<i32>().prop_map(ExitStatus::Signal), Just(ExitStatus::Unknown)]
}

fn role() -> impl Strategy<Value = Role> {
    select(Role::ALL)
}

fn code() -> impl Strategy<Value = ErrorCode> {
    select(ErrorCode::ALL)
}

fn policy() -> impl Strategy<Value = Policy> {
    select(Policy::ALL)
}

fn spawn() -> impl Strategy<Value = Message> {
    let env = vec((".*", of(".*")), 0..5);
    let rest = (of(size()), ".*", any::<bool>());
    (number(), of(".*"), vec(".*", 0..5), env, of(".*"), rest).prop_map(|(number, program, args, env, cwd, (size, title, secret))| {
        Message::Spawn(Box::new(Spawn { number, program, args, env, cwd, size, title, secret }))
    })
}

fn attach() -> impl Strategy<Value = Message> {
    let start = prop_oneof![number().prop_map(Start::Offset), number().prop_map(Start::Tail)];
    (number(), number(), start, of(role()), of(size()), of(policy()))
        .prop_map(|(number, session, start, role, size, policy)| Message::Attach(Attach { number, session, start, role, size, policy }))
}

fn attached() -> impl Strategy<Value = Message> {
    (number(), number(), role(), number(), number(), number(), size(), (policy(), any::<bool>()), ".*").prop_map(
        |(number, session, role, start, end, input, size, (policy, replies), title)| {
            Message::Attached(Box::new(Attached { number, session, role, start, end, input, size, policy, replies, title }))
        },
    )
}

fn sessions() -> impl Strategy<Value = Message> {
    let info = (number(), ".*", ".*", size(), number(), number(), any::<u32>(), of(status())).prop_map(
        |(session, title, program, size, age_ms, end, viewers, status)| SessionInfo {
            session,
            title,
            program,
            size,
            age_ms,
            end,
            viewers,
            status,
        },
    );
    (number(), any::<bool>(), vec(info, 0..8)).prop_map(|(number, more, sessions)| Message::Sessions(Sessions { number, more, sessions }))
}

fn packed() -> impl Strategy<Value = Message> {
    let (data, marks) = (vec(any::<u8>(), 1..600).prop_map(Bytes::from), (any::<bool>(), any::<bool>(), any::<bool>()));
    let any = (number(), select(Codec::ALL), 1..=PACKED_MAX, data, marks);
    any.prop_map(|(offset, codec, length, data, (begins, replay, more))| {
        Message::Packed(Packed { offset, codec, begins, length, data, replay, more })
    })
}

fn flowing() -> impl Strategy<Value = Message> {
    let bytes = || vec(any::<u8>(), 0..600).prop_map(Bytes::from);
    prop_oneof![
        (number(), bytes(), any::<bool>(), any::<bool>()).prop_map(|(offset, bytes, replay, more)| Message::Output(Output {
            offset,
            bytes,
            replay,
            more
        })),
        packed(),
        (number(), bytes(), any::<bool>(), any::<bool>()).prop_map(|(sequence, bytes, urgent, reply)| Message::Input(Input {
            sequence,
            bytes,
            urgent,
            reply
        })),
        (number(), number(), select(GapReason::ALL)).prop_map(|(from, to, why)| Message::Gap(Gap { from, to, why })),
        (number(), number(), number()).prop_map(|(from, to, bytes)| Message::InputDropped(InputDropped { from, to, bytes })),
        (number(), code(), ".*", any::<bool>()).prop_map(|(sequence, code, message, retryable)| {
            Message::InputRefused(InputRefused { sequence, code, message, retryable })
        }),
        (number(), size()).prop_map(|(number, size)| Message::Resize(Resize { number, size })),
        (number(), size()).prop_map(|(number, size)| Message::Resized(Resized { number, size })),
        (number(), status()).prop_map(|(offset, status)| Message::ProcessExited(Exited { offset, status })),
        (number(), status(), any::<bool>()).prop_map(|(offset, status, orphaned)| Message::Exit(Ended { offset, status, orphaned })),
        number().prop_map(|rendered| Message::Ack { rendered }),
        number().prop_map(|sequence| Message::InputAck { sequence }),
        (number(), code(), ".*").prop_map(|(number, code, message)| Message::Error(Refusal::new(number, code, message))),
    ]
}

proptest! {
    #[test]
    fn a_message_comes_back_as_it_went(
        message in prop_oneof![spawn(), attach(), attached(), sessions(), flowing()],
        stamp in of(any::<u64>().prop_map(Time::from_nanos)),
    ) {
        let stream = StreamId::new(u16::from(!matches!(message, Message::Sessions(_))));
        let frame = message.clone().stamped(stream, stamp);
        prop_assert_eq!(frame.timestamp, stamp);
        prop_assert_eq!(Message::decode(frame), Ok(Some(message)));
    }
}
