//! Three builds at once, from one batch: started, named, typed into; then an operation of this program's own counts the lines each has
//! said, elsewhere, while the terminals go on.
//!
//! The same batches can come from clients of a server: see `Service::serve`.

use std::error::Error;

use bytes::Bytes;
use orchflow_core::batch::Class;
use orchflow_core::host::{Operator, Run};
use orchflow_core::hub::serve::{Service, ServiceOptions, WeakService};
use orchflow_core::hub::{Hub, Output, Session};
use orchflow_core::protocol::message::{Act, Answer, Batch, ErrorCode, Fault, Mode, Operation, Spawn};
use orchflow_core::protocol::token::Token;

fn main() -> Result<(), Box<dyn Error>> {
    let hub = Hub::builder().events().threaded()?;
    let service = Service::new(&hub, Token::from_bytes([0; 32]), ServiceOptions::default())?; // Nobody dials this one.
    service.add_operation("lines", Lines { hub: hub.clone(), service: service.downgrade() });

    let start = || Operation::Spawn(Box::new(Spawn { program: Some("sh".into()), ..Spawn::default() }));
    let started = hub.block_on(service.submit(Batch::new([start(), start(), start()]))?.all())?;
    let sessions: Vec<u64> = started.answers.iter().filter_map(|answered| session(&answered.answer)).collect();

    // In order on each session, side by side on different ones; nothing after the first refusal.
    let work = sessions.iter().zip(1..).flat_map(|(&session, number)| {
        let script = format!("seq {number}00; exit\n");
        [
            Operation::Control { session, act: Act::Title(format!("build {number}")) },
            Operation::Input { session, bytes: script.into(), urgent: false },
        ]
    });
    let batch = Batch { mode: Mode::StopOnError, class: Class::Interactive, within_ms: Some(5_000), ..Batch::new(work) };
    let results = hub.block_on(service.submit(batch)?.all())?;
    assert!(results.refused.is_empty(), "{:?}", results.refused);

    // Asked for again under the same key, it would not be done again: the answers are kept.
    let count = |session: &u64| Operation::Host { name: "lines".into(), body: Bytes::copy_from_slice(&session.to_be_bytes()) };
    let batch = Batch { class: Class::Background, key: Some("count".into()), ..Batch::new(sessions.iter().map(count)) };
    for answered in hub.block_on(service.submit(batch)?.all())?.answers {
        if let Answer::Host(lines) = answered.answer {
            println!("build {}: {} lines", answered.at + 1, String::from_utf8_lossy(&lines));
        }
    }
    Ok(())
}

fn session(answer: &Answer) -> Option<u64> {
    if let Answer::Spawned { session, .. } = answer { Some(*session) } else { None }
}

/// Counts the lines that a session says, to its end. The body is the session's number.
struct Lines {
    hub: Hub,
    service: WeakService,
}

impl Operator for Lines {
    fn run(&mut self, body: Bytes) -> Run {
        let Some(number) = body.first_chunk().map(|bytes| u64::from_be_bytes(*bytes)) else {
            return Run::Done(Err(Fault::new(ErrorCode::BadRequest, "the body is the session's number, in eight bytes")));
        };
        let (hub, service) = (self.hub.clone(), self.service.clone());
        // It waits, so it is done on another thread.
        Run::Work(Box::new(move || {
            let session = service.upgrade().and_then(|service| service.session(number));
            let session = session.ok_or_else(|| Fault::new(ErrorCode::NoSession, format!("there is no session {number}")))?;
            let lines = hub.block_on(count_lines(&session)).map_err(|error| Fault::new(ErrorCode::System, error.to_string()))?;
            Ok(lines.to_string().into())
        }))
    }
}

async fn count_lines(session: &Session) -> usize {
    let (mut reader, mut lines) = (session.reader(), 0);
    loop {
        match reader.read().await {
            Output::Chunk { bytes, .. } => lines += bytes.iter().filter(|byte| **byte == b'\n').count(),
            Output::Gap { .. } => {}
            Output::Exit(_) => return lines,
        }
    }
}
