//! Operations asked for within the server's process, and over many connections at once.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use futures::{FutureExt, StreamExt};
use orchflow_core::batch::Class;
use orchflow_core::host::{Operator, Run};
use orchflow_core::hub::Hub;
use orchflow_core::hub::serve::Service;
use orchflow_core::limits::WORKERS_MAX;
use orchflow_core::protocol::message::{Act, Answer, Batch, ErrorCode, Fault, Message, Mode, Operation, Results};
use orchflow_core::protocol::token::Role;

use crate::line::{AUTHORITY, Line, hello, service, token, wire};

const SOON: Duration = Duration::from_secs(20);

/// What comes of a batch, with nobody else beside it.
fn all(hub: &Hub, service: &Service, batch: Batch) -> Results {
    let results = service.submit(batch).unwrap().all();
    let patience = hub.sleep(SOON);
    match smol::block_on(select(Box::pin(results), patience)) {
        Either::Left((results, _)) => results,
        Either::Right(_) => panic!("no results in time"),
    }
}

fn start(hub: &Hub, service: &Service) -> u64 {
    let results = all(hub, service, Batch::new([Operation::Spawn(Box::default())]));
    let Some(Answer::Spawned { session, .. }) = results.answers.first().map(|answered| &answered.answer) else { panic!("{results:?}") };
    *session
}

fn host(body: &'static str) -> Operation {
    Operation::Host { name: "work".into(), body: Bytes::from_static(body.as_bytes()) }
}

/// Works elsewhere: says on which thread, or panics, or waits for a word.
struct Works(Option<mpsc::Receiver<()>>);

impl Operator for Works {
    fn run(&mut self, body: Bytes) -> Run {
        let waits = if body.starts_with(b"wait") { self.0.take() } else { None };
        Run::Work(Box::new(move || {
            if body.starts_with(b"panic") {
                panic!("as was wanted");
            }
            if let Some(waits) = waits {
                waits.recv_timeout(SOON).map_err(|_| Fault::new(ErrorCode::Timeout, "no word came"))?;
            }
            Ok(format!("{:?}", thread::current().name()).into())
        }))
    }
}

#[test]
fn what_can_be_done_at_once_is_done_before_the_call_returns() {
    let (hub, service) = service();
    let session = start(&hub, &service);
    let titles = (0..64).map(|at| Operation::Control { session, act: Act::Title(format!("title {at}")) });
    let results = service.submit(Batch::new(titles)).unwrap().all().now_or_never().expect("all of it at once");
    assert_eq!(results.done, [(0, 63)]);
    let results = all(&hub, &service, Batch::new([Operation::Query { session }]));
    assert!(matches!(&results.answers[0].answer, Answer::Session(info) if info.title == "title 63"));
}

#[test]
fn more_than_is_done_at_a_time_goes_on_while_its_owner_waits() {
    let (hub, service) = service();
    let session = start(&hub, &service);
    let queries = |session| (0..1_000).map(move |_| Operation::Query { session });
    let mut results = service.submit(Batch::new(queries(session))).unwrap();
    let first = results.next().now_or_never().flatten().expect("some at once");
    assert!(first.more && first.answers.len() < 1_000, "{}", first.answers.len());
    let rest = smol::block_on(results.all());
    assert_eq!(first.answers.len() + rest.answers.len(), 1_000);
}

#[test]
fn what_takes_long_is_done_on_few_threads_of_its_own_and_others_do_not_wait_for_it() {
    let (hub, service) = service();
    let (go, waits) = mpsc::channel();
    service.add_operation("work", Works(Some(waits)));
    let mut long = service.submit(Batch { mode: Mode::Ordered, ..Batch::new([host("wait"), host("panic"), host("fine")]) }).unwrap();
    assert!(long.next().now_or_never().is_none());
    let session = start(&hub, &service);
    assert!(all(&hub, &service, Batch::new([Operation::Query { session }])).refused.is_empty(), "others go on");
    go.send(()).unwrap();
    let results = smol::block_on(long.all());
    let on = |at: usize| if let Answer::Host(name) = &results.answers[at].answer { name.clone() } else { Bytes::new() };
    assert_eq!((on(0), on(1)), (Bytes::from("Some(\"orchflow-work\")"), Bytes::from("Some(\"orchflow-work\")")));
    assert_eq!((results.refused[0].from, results.refused[0].code), (1, ErrorCode::Internal));
    let many = all(&hub, &service, Batch::new((0..64).map(|_| host("fine"))));
    assert_eq!(many.answers.len(), 64);
    let threads = || {
        std::fs::read_dir("/proc/self/task").map_or(0, |tasks| {
            let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            tasks.flatten().filter(|_| true).map(name).filter(|name| name.trim() == "orchflow-work").count()
        })
    };
    assert!(threads() <= 2 * WORKERS_MAX, "{} threads, of this test and its neighbours", threads());
}

#[test]
fn who_calls_off_is_told_what_was_not_begun_and_who_does_not_listen_changes_nothing() {
    let (hub, service) = service();
    let (go, waits) = mpsc::channel();
    service.add_operation("work", Works(Some(waits)));
    let session = start(&hub, &service);
    let title = |text: &str| Operation::Control { session, act: Act::Title(text.into()) };
    let long = service.submit(Batch { mode: Mode::Ordered, ..Batch::new([host("wait"), title("never")]) }).unwrap();
    long.cancel();
    go.send(()).unwrap();
    let results = smol::block_on(long.all());
    assert_eq!((results.answers.len(), results.refused[0].code), (1, ErrorCode::Cancelled));
    drop(service.submit(Batch::new([title("all the same")])).unwrap());
    let results = all(&hub, &service, Batch::new([Operation::Query { session }]));
    assert!(matches!(&results.answers[0].answer, Answer::Session(info) if info.title == "all the same"));
}

#[test]
fn a_service_that_ends_leaves_nobody_waiting() {
    let (hub, service) = service();
    let (go, waits) = mpsc::channel();
    service.add_operation("work", Works(Some(waits)));
    let session = start(&hub, &service);
    let long = service.submit(Batch { mode: Mode::Ordered, ..Batch::new([host("wait"), Operation::Query { session }]) }).unwrap();
    service.shut_down("for the night");
    go.send(()).unwrap();
    let results = smol::block_on(long.all());
    assert_eq!((results.answers.len(), results.refused[0].code), (1, ErrorCode::ShuttingDown));
    let refused = service.submit(Batch::new([Operation::Query { session }])).err().unwrap();
    assert_eq!(refused.code, ErrorCode::ShuttingDown);
}

#[test]
fn a_key_is_one_for_this_process_and_for_clients() {
    let (hub, service) = service();
    let executor = smol::LocalExecutor::new();
    let session = start(&hub, &service);
    let batch =
        || Batch { key: Some("once".into()), ..Batch::new([Operation::Query { session }, Operation::Close { session: 99, grace_ms: 0 }]) };
    let ours = all(&hub, &service, batch());
    let (wire, mut line) = wire();
    let served = service.clone();
    executor.spawn(async move { served.serve(wire, AUTHORITY.into()).await }).detach();
    smol::block_on(executor.run(async {
        line.enter(&token(), hello(Role::Owner)).await.unwrap();
        line.send(0, Message::Batch(Box::new(Batch { number: 1, ..batch() })));
        let (0, Message::Results(theirs)) = line.message().await else { panic!("no results") };
        assert_eq!(Results { number: 0, ..*theirs }, ours);
    }));
}

/// Connections whose clients have asked for as much as they may, and how often each was answered.
const CROWD: usize = 30;
const BATCHES: u64 = 8;

#[test]
fn whoever_asks_for_little_waits_for_few_of_those_who_ask_for_much() {
    let (hub, service) = service();
    let session = start(&hub, &service);
    let executor = smol::LocalExecutor::new();
    let enter = || {
        let (wire, mut line) = wire();
        let served = service.clone();
        executor.spawn(async move { served.serve(wire, AUTHORITY.into()).await }).detach();
        smol::block_on(executor.run(line.enter(&token(), hello(Role::Owner)))).unwrap();
        line
    };
    let (mut one, mut crowd): (Line, Vec<Line>) = (enter(), (0..CROWD).map(|_| enter()).collect());
    let ask = |line: &Line, number, class, count| {
        let queries = (0..count).map(|_| Operation::Query { session });
        line.send(0, Message::Batch(Box::new(Batch { number, class, ..Batch::new(queries) })));
    };
    for number in 1..=BATCHES {
        crowd.iter().for_each(|line| ask(line, number, Class::Bulk, 64));
    }
    let mut answered = 0;
    let mut tick = |until: &mut dyn FnMut(usize) -> bool| {
        while !until(answered) {
            assert!(executor.try_tick(), "there is more to do");
            answered +=
                crowd.iter_mut().map(|line| std::iter::from_fn(|| line.incoming.next().now_or_never().flatten()).count()).sum::<usize>();
        }
        answered
    };
    // Each is heard once before it is known how much it asks for.
    let before = tick(&mut |answered| answered > CROWD + 10);
    ask(&one, 1, Class::Interactive, 1);
    let mut result = None;
    let after = tick(&mut |_| {
        result = result.take().or_else(|| one.message().now_or_never());
        result.is_some()
    });
    assert!(matches!(result, Some((0, Message::Results(_)))));
    assert!(after - before <= 4, "{} of those were answered first", after - before);
    let all = tick(&mut |answered| answered >= CROWD * BATCHES as usize);
    assert_eq!(all, CROWD * BATCHES as usize, "and all of them are answered");
}
