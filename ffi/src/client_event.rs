//! What a client is told.

use std::ptr;

use orchflow_core::peer::client::{Event, Loss, Past};
use orchflow_core::protocol::message::{Act, ErrorCode};

use crate::event::code_and_signal;
use crate::outcome::OrchSessionInfo;
use crate::sized::Growing;
use crate::token::role_number;
use crate::values::{OrchBytes, OrchSize};

/// Open a transport now, and say how that went: orch_client_connected or orch_client_broken.
pub const ORCH_CLIENT_DIAL: u32 = 1;
/// Send what waits, then close the transport.
pub const ORCH_CLIENT_HANG_UP: u32 = 2;
/// It is in, as `role`, and goes on where it was: `past`.
pub const ORCH_CLIENT_WELCOME: u32 = 3;
/// It is out: `code` and `message` say why. It dials again at `at_ns`, or not by itself where that is 0. Streams stay.
pub const ORCH_CLIENT_LOST: u32 = 4;
/// The server has answered a ping, after `at_ns` nanoseconds.
pub const ORCH_CLIENT_PONG: u32 = 5;
/// `session` was started, and its output follows from offset 0 on `stream`.
pub const ORCH_CLIENT_SPAWNED: u32 = 6;
/// Output of `session` follows on `stream` from offset `from`, at first or again after a break; it ends at `to` so far.
pub const ORCH_CLIENT_ATTACHED: u32 = 7;
/// Nothing more comes on `stream`: as asked, or for the reason in `code` and `message`.
pub const ORCH_CLIENT_DETACHED: u32 = 8;
/// Sessions there are: `sessions`, for request `number`; ORCH_CLIENT_EVENT_MORE when others follow.
pub const ORCH_CLIENT_SESSIONS: u32 = 9;
/// What came of operations of batch `number`: orch_client_next_outcome; ORCH_CLIENT_EVENT_MORE when others have not ended.
pub const ORCH_CLIENT_RESULTS: u32 = 10;
/// Request `number` was carried out.
pub const ORCH_CLIENT_DONE: u32 = 11;
/// Request `number` was refused, for the reason in `code` and `message`; `stream` is free again where it was to be opened.
pub const ORCH_CLIENT_REFUSED: u32 = 12;
/// The link broke before request `number` was answered: it may or may not have been carried out.
pub const ORCH_CLIENT_UNANSWERED: u32 = 13;
/// `viewers` watch the session on `stream`.
pub const ORCH_CLIENT_VIEWERS: u32 = 14;
/// Somebody cleared, reset or named the session on `stream`: `act` is an ORCH_ACT_ constant, `data` the name.
pub const ORCH_CLIENT_CONTROL: u32 = 15;
/// `data` is what the terminal on `stream` wrote, from offset `from` up to `to`. Say when it is rendered: orch_client_rendered.
pub const ORCH_CLIENT_OUTPUT: u32 = 16;
/// Output of `stream` from `from` up to `to` will not come, for the reason in `code`. Say when that was seen to, as with output.
pub const ORCH_CLIENT_GAP: u32 = 17;
/// The terminal on `stream` has the size `window` now; `number` is the request that is settled.
pub const ORCH_CLIENT_RESIZED: u32 = 18;
/// The process on `stream` has ended; output may still come.
pub const ORCH_CLIENT_PROCESS_EXITED: u32 = 19;
/// The end, after the last byte. `stream` is free again.
pub const ORCH_CLIENT_EXIT: u32 = 20;
/// The terminal on `stream` has accepted input up to piece `to`.
pub const ORCH_CLIENT_SETTLED: u32 = 21;
/// Input on `stream` from piece `from` to piece `to`, both included, was not taken, for the reason in `code` and `message`. It is given up.
pub const ORCH_CLIENT_INPUT_REFUSED: u32 = 22;
/// Input on `stream` that was accepted will never reach the program: from piece `from` to piece `to`, both included.
pub const ORCH_CLIENT_INPUT_DROPPED: u32 = 23;
/// Input to `session` from piece `from` to piece `to`, both included, may or may not have reached the program. It is given up.
pub const ORCH_CLIENT_INPUT_UNCERTAIN: u32 = 24;

/// Others may have seen this output before: do not answer queries in it.
pub const ORCH_CLIENT_EVENT_REPLAY: u32 = 1;
/// More follows.
pub const ORCH_CLIENT_EVENT_MORE: u32 = 2;
/// The same may succeed later.
pub const ORCH_CLIENT_EVENT_RETRYABLE: u32 = 4;
/// This client's terminal shall answer what programs ask terminals.
pub const ORCH_CLIENT_EVENT_REPLIES: u32 = 8;
/// Something that the process left behind held its terminal open.
pub const ORCH_CLIENT_EVENT_ORPHANED: u32 = 16;

/// It had nothing before: this is the first time.
pub const ORCH_PAST_NONE: u32 = 0;
/// The server knows it; everything goes on.
pub const ORCH_PAST_RESUMED: u32 = 1;
/// The same server knows it no longer: streams are asked for again, and input that was not settled is given up.
pub const ORCH_PAST_FORGOTTEN: u32 = 2;
/// The server was started anew, and the sessions are gone.
pub const ORCH_PAST_RESTARTED: u32 = 3;

/// Something a client is told. Fields that do not belong to the kind are 0 and NULL. What it points to is valid until the next event is taken, or free.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OrchClientEvent {
    /// Bytes of this struct: ORCH_INIT sets it.
    pub size: usize,
    /// An ORCH_CLIENT_ kind. Ignore those you do not know.
    pub kind: u32,
    /// ORCH_CLIENT_EVENT_ bits.
    pub flags: u32,
    /// A session's number.
    pub session: u64,
    /// A request's number.
    pub number: u64,
    /// The first of a range.
    pub from: u64,
    /// What ends the range.
    pub to: u64,
    /// A time, or how long something took, in nanoseconds.
    pub at_ns: u64,
    /// Bytes, or UTF-8.
    pub data: OrchBytes,
    /// A reason, by name.
    pub code: OrchBytes,
    /// The same for people: UTF-8.
    pub message: OrchBytes,
    /// Sessions.
    pub sessions: *const OrchSessionInfo,
    /// How many those are.
    pub sessions_len: usize,
    /// What the process returned; -1 where it was ended by a signal, or nobody knows.
    pub exit_code: i32,
    /// The system's number of the signal that ended it; 0 where none did.
    pub exit_signal: i32,
    /// A terminal's size.
    pub window: OrchSize,
    /// The stream.
    pub stream: u16,
    /// Keep out.
    pub reserved: u16,
    /// An ORCH_ROLE_ constant.
    pub role: u32,
    /// An ORCH_PAST_ constant.
    pub past: u32,
    /// An ORCH_ACT_ constant.
    pub act: u32,
    /// How many watch.
    pub viewers: u32,
    /// A process's number; 0 where there is none.
    pub pid: u32,
}

// SAFETY: numbers and pointers.
unsafe impl Growing for OrchClientEvent {
    const NAME: &'static str = "OrchClientEvent";
}

/// The event that was taken last, and what C points into.
#[derive(Default)]
pub(crate) struct Lent {
    event: Option<Box<Event>>,
    text: String,
    sessions: Vec<OrchSessionInfo>,
}

// SAFETY: the pointers in `sessions` lead into `event`, which goes where it goes.
unsafe impl Send for Lent {}

const NONE: OrchClientEvent = OrchClientEvent {
    size: 0,
    kind: 0,
    flags: 0,
    session: 0,
    number: 0,
    from: 0,
    to: 0,
    at_ns: 0,
    data: OrchBytes::NONE,
    code: OrchBytes::NONE,
    message: OrchBytes::NONE,
    sessions: ptr::null(),
    sessions_len: 0,
    exit_code: 0,
    exit_signal: 0,
    window: OrchSize { cols: 0, rows: 0, width_px: 0, height_px: 0 },
    stream: 0,
    reserved: 0,
    role: 0,
    past: 0,
    act: 0,
    viewers: 0,
    pid: 0,
};

fn flag(is_set: bool, flag: u32) -> u32 {
    if is_set { flag } else { 0 }
}

impl Lent {
    /// What C is told of `event`, which is kept as long as C may point into it; nothing of what a newer core may tell.
    pub(crate) fn lend(&mut self, event: Event) -> Option<OrchClientEvent> {
        self.sessions.clear();
        self.text.clear();
        let event: &Event = self.event.insert(Box::new(event));
        if let Event::Sessions(told) = event {
            self.sessions.extend(told.sessions.iter().map(OrchSessionInfo::from));
        }
        if let Event::Lost { why, .. } = event {
            self.text = reason(why);
        }
        let told = told(event)?;
        let has_text = !self.text.is_empty();
        Some(OrchClientEvent {
            message: if has_text { self.text.as_bytes().into() } else { told.message },
            sessions: if self.sessions.is_empty() { ptr::null() } else { self.sessions.as_ptr() },
            sessions_len: self.sessions.len(),
            ..told
        })
    }
}

/// Why a link ended, for people.
fn reason(why: &Loss) -> String {
    match why {
        Loss::Broke => "the transport broke, or could not be opened".into(),
        Loss::Silent => "nothing was heard of the server".into(),
        Loss::Slow => "the server did not answer in time".into(),
        Loss::Goodbye(goodbye) => goodbye.message.clone(),
        Loss::Breach(breach) => breach.to_string(),
        Loss::Impostor => "whoever listens there does not hold the pass".into(),
        Loss::Left => "the client left".into(),
        _ => String::new(),
    }
}

/// The same, by name.
fn reason_code(why: &Loss) -> &'static str {
    match why {
        Loss::Broke => "broke",
        Loss::Silent => "silent",
        Loss::Slow => "slow",
        Loss::Goodbye(goodbye) => goodbye.code.as_str(),
        Loss::Breach(_) => "breach",
        Loss::Impostor => "impostor",
        Loss::Left => "left",
        _ => "unknown",
    }
}

/// All of it that lies in the event itself.
fn told(event: &Event) -> Option<OrchClientEvent> {
    let of = |kind, stream: &orchflow_core::protocol::frame::StreamId| OrchClientEvent { kind, stream: stream.as_raw(), ..NONE };
    let because = |code: ErrorCode| -> OrchBytes { code.as_str().as_bytes().into() };
    let text = |text: &str| -> OrchBytes { text.as_bytes().into() };
    Some(match event {
        Event::Dial => OrchClientEvent { kind: ORCH_CLIENT_DIAL, ..NONE },
        Event::HangUp => OrchClientEvent { kind: ORCH_CLIENT_HANG_UP, ..NONE },
        Event::Welcome(welcomed) => {
            let past = match welcomed.past {
                Past::None => ORCH_PAST_NONE,
                Past::Resumed => ORCH_PAST_RESUMED,
                Past::Forgotten => ORCH_PAST_FORGOTTEN,
                Past::Restarted => ORCH_PAST_RESTARTED,
            };
            OrchClientEvent { kind: ORCH_CLIENT_WELCOME, role: role_number(welcomed.role), past, ..NONE }
        }
        Event::Lost { why, again } => OrchClientEvent {
            kind: ORCH_CLIENT_LOST,
            code: text(reason_code(why)),
            // A clock at 0 is the only one that could not be told from never.
            at_ns: again.map_or(0, |at| at.as_nanos().max(1)),
            ..NONE
        },
        Event::Pong { after, .. } => {
            OrchClientEvent { kind: ORCH_CLIENT_PONG, at_ns: u64::try_from(after.as_nanos()).unwrap_or(u64::MAX), ..NONE }
        }
        Event::Spawned { stream, spawned } => OrchClientEvent {
            session: spawned.session,
            number: spawned.number,
            pid: spawned.pid.unwrap_or(0),
            window: spawned.size.into(),
            flags: flag(spawned.replies, ORCH_CLIENT_EVENT_REPLIES),
            ..of(ORCH_CLIENT_SPAWNED, stream)
        },
        Event::Attached { stream, attached } => OrchClientEvent {
            session: attached.session,
            number: attached.number,
            from: attached.start,
            to: attached.end,
            role: role_number(attached.role),
            window: attached.size.into(),
            data: text(&attached.title),
            flags: flag(attached.replies, ORCH_CLIENT_EVENT_REPLIES),
            ..of(ORCH_CLIENT_ATTACHED, stream)
        },
        Event::Detached { stream, detached } => OrchClientEvent {
            number: detached.number,
            code: detached.code.map_or(OrchBytes::NONE, because),
            message: text(&detached.message),
            ..of(ORCH_CLIENT_DETACHED, stream)
        },
        Event::Sessions(sessions) => OrchClientEvent {
            kind: ORCH_CLIENT_SESSIONS,
            number: sessions.number,
            flags: flag(sessions.more, ORCH_CLIENT_EVENT_MORE),
            ..NONE
        },
        Event::Results(results) => {
            OrchClientEvent { kind: ORCH_CLIENT_RESULTS, number: results.number, flags: flag(results.more, ORCH_CLIENT_EVENT_MORE), ..NONE }
        }
        Event::Done { number } => OrchClientEvent { kind: ORCH_CLIENT_DONE, number: *number, ..NONE },
        Event::Refused { stream, refusal } => OrchClientEvent {
            number: refusal.number,
            code: because(refusal.code),
            message: text(&refusal.message),
            flags: flag(refusal.retryable, ORCH_CLIENT_EVENT_RETRYABLE),
            ..of(ORCH_CLIENT_REFUSED, stream)
        },
        Event::Unanswered { stream, number } => OrchClientEvent { number: *number, ..of(ORCH_CLIENT_UNANSWERED, stream) },
        Event::Viewers { stream, viewers } => OrchClientEvent { viewers: viewers.count, ..of(ORCH_CLIENT_VIEWERS, stream) },
        Event::Control { stream, act } => {
            let (act, data) = match act {
                Act::Clear => (crate::batch::ORCH_ACT_CLEAR, OrchBytes::NONE),
                Act::Reset => (crate::batch::ORCH_ACT_RESET, OrchBytes::NONE),
                Act::Title(title) => (crate::batch::ORCH_ACT_TITLE, text(title)),
                _ => return None, // A server does not tell of signals.
            };
            OrchClientEvent { act, data, ..of(ORCH_CLIENT_CONTROL, stream) }
        }
        Event::Output { stream, offset, bytes, replay, sent } => OrchClientEvent {
            from: *offset,
            to: offset + bytes.len() as u64,
            data: bytes[..].into(),
            at_ns: sent.map_or(0, |sent| sent.as_nanos()),
            flags: flag(*replay, ORCH_CLIENT_EVENT_REPLAY),
            ..of(ORCH_CLIENT_OUTPUT, stream)
        },
        Event::Gap { stream, gap } => {
            OrchClientEvent { from: gap.from, to: gap.to, code: text(gap.why.as_str()), ..of(ORCH_CLIENT_GAP, stream) }
        }
        Event::Resized { stream, resized } => {
            OrchClientEvent { number: resized.number, window: resized.size.into(), ..of(ORCH_CLIENT_RESIZED, stream) }
        }
        Event::ProcessExited { stream, exited } => {
            let (exit_code, exit_signal) = code_and_signal(exited.status);
            OrchClientEvent { to: exited.offset, exit_code, exit_signal, ..of(ORCH_CLIENT_PROCESS_EXITED, stream) }
        }
        Event::Exit { stream, ended } => {
            let (exit_code, exit_signal) = code_and_signal(ended.status);
            let flags = flag(ended.orphaned, ORCH_CLIENT_EVENT_ORPHANED);
            OrchClientEvent { to: ended.offset, exit_code, exit_signal, flags, ..of(ORCH_CLIENT_EXIT, stream) }
        }
        Event::Settled { stream, sequence } => OrchClientEvent { to: *sequence, ..of(ORCH_CLIENT_SETTLED, stream) },
        Event::InputRefused { stream, refused, to } => OrchClientEvent {
            from: refused.sequence,
            to: *to,
            code: because(refused.code),
            message: text(&refused.message),
            flags: flag(refused.retryable, ORCH_CLIENT_EVENT_RETRYABLE),
            ..of(ORCH_CLIENT_INPUT_REFUSED, stream)
        },
        Event::InputDropped { stream, dropped } => {
            OrchClientEvent { from: dropped.from, to: dropped.to, ..of(ORCH_CLIENT_INPUT_DROPPED, stream) }
        }
        Event::InputUncertain { session, from, to } => {
            OrchClientEvent { kind: ORCH_CLIENT_INPUT_UNCERTAIN, session: *session, from: *from, to: *to, ..NONE }
        }
        _ => return None,
    })
}
