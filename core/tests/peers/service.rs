//! The same client against a whole service: its driver, its timers and its wakers, over a transport in memory.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{Sink, Stream};
use orchflow_core::hub::Hub;
use orchflow_core::hub::serve::{Framing, Service, ServiceOptions, Transport};
use orchflow_core::limits::{BATCH_WAIT, BULK_BYTES, RETRY_TOLD};
use orchflow_core::protocol::frame::FrameDecoder;
use orchflow_core::protocol::message::{ErrorCode, Goodbye, Spawn};
use orchflow_core::protocol::token::Role;
use orchflow_core::pty::scripted::{Script, ScriptedPtys};
use parking_lot::Mutex;

use crate::dice::Dice;
use crate::server::{AUTHORITY, token};
use crate::shapes;
use crate::user::User;

const FLOOD: u64 = if cfg!(debug_assertions) { 1 << 20 } else { 4 << 20 };
const LINES: usize = 300;

/// Messages that fit on the way to the client.
const PIPE_MESSAGES: usize = 4;

/// A link, as both ends and the test see it.
#[derive(Default)]
struct Pipe {
    up: VecDeque<Bytes>,
    down: VecDeque<Bytes>,
    waker: Option<Waker>,
    /// The client is gone.
    is_cut: bool,
    /// The server has closed.
    is_closed: bool,
}

struct Wire {
    pipe: Arc<Mutex<Pipe>>,
    framing: Framing,
}

impl Stream for Wire {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let mut pipe = self.pipe.lock();
        pipe.waker = Some(cx.waker().clone());
        match pipe.up.pop_front() {
            Some(bytes) => Poll::Ready(Some(Ok(bytes))),
            None if pipe.is_cut => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

impl Sink<Bytes> for Wire {
    type Error = io::Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = self.pipe.lock();
        pipe.waker = Some(cx.waker().clone());
        match () {
            () if pipe.is_cut => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            () if pipe.down.len() >= PIPE_MESSAGES => Poll::Pending,
            () => Poll::Ready(Ok(())),
        }
    }

    fn start_send(self: Pin<&mut Self>, bytes: Bytes) -> io::Result<()> {
        shapes::hold_all(&bytes);
        self.pipe.lock().down.push_back(bytes);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pipe.lock().is_closed = true;
        Poll::Ready(Ok(()))
    }
}

impl Transport for Wire {
    fn framing(&self) -> Framing {
        self.framing
    }

    fn set_message_max(&mut self, _: usize) {}
}

/// A future that is polled only when it was woken, as an executor does: a waker that was not kept shows.
struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    woken: Arc<Woken>,
}

/// It asks the service for something at once, as a waker may: so none is called while the service is locked.
struct Woken {
    woken: AtomicBool,
    service: Service,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.service.counts();
        self.woken.store(true, Ordering::SeqCst);
    }
}

impl Task {
    fn new(service: &Service, future: impl Future<Output = ()> + 'static) -> Task {
        let woken = Woken { woken: AtomicBool::new(true), service: service.clone() };
        Task { future: Box::pin(future), woken: Arc::new(woken) }
    }

    /// Polls it if it was woken. Answers whether it has ended.
    fn run(&mut self) -> bool {
        let waker = Waker::from(Arc::clone(&self.woken));
        self.woken.woken.swap(false, Ordering::SeqCst) && self.future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
    }
}

struct Play {
    hub: Hub,
    ptys: ScriptedPtys,
    service: Service,
    tasks: Vec<Task>,
    user: User,
    pipe: Option<Arc<Mutex<Pipe>>>,
    framing: Framing,
    dice: Dice,
}

impl Play {
    fn new(framing: Framing, seed: u64) -> Play {
        let lines = Script::new().echo(false).cat();
        let bulk = Script::new().raw().wait_gate("bulk").print(vec![b'.'; BULK_BYTES as usize]).wait_gate("more").print("more").cat();
        let flood = Script::new().raw().flood(FLOOD).exit(0);
        let ptys = ScriptedPtys::new().with("flood", flood).with("lines", lines).with("bulk", bulk);
        let hub = Hub::builder().backend(Arc::new(ptys.clone())).events().manual_clock().hosted().unwrap();
        let service = Service::new(&hub, token(), ServiceOptions::default()).unwrap();
        let runner = service.clone();
        let tasks = vec![Task::new(&service, async move { runner.run().await })];
        Play { hub, ptys, service, tasks, user: User::new(Role::Owner, seed), pipe: None, framing, dice: Dice::new(seed) }
    }

    /// The hub and whoever was woken have their turn.
    fn turn(&mut self) {
        self.hub.dispatch(64 << 10).unwrap();
        self.tasks.retain_mut(|task| !task.run());
    }

    fn step(&mut self) {
        self.hub.advance(Duration::from_millis(1));
        self.turn();
        let now = self.hub.now();
        if self.user.is_due(now) {
            self.user.client.handle_timeout(now);
        }
        self.user.look();
        if std::mem::take(&mut self.user.dials) {
            self.dial();
        }
        let Some(pipe) = self.pipe.clone() else { return };
        let mut message = BytesMut::new();
        while let Some(frame) = self.user.client.poll_frame() {
            frame.append_to(&mut message);
        }
        if !message.is_empty() {
            pipe.lock().up.push_back(message.freeze());
        }
        let (came, is_closed) = {
            let mut pipe = pipe.lock();
            let came = pipe.down.pop_front();
            pipe.waker.take().into_iter().for_each(Waker::wake);
            (came, pipe.is_closed)
        };
        match came {
            Some(bytes) => self.hand_over(bytes),
            None if is_closed => self.cut(),
            None => {}
        }
        if std::mem::take(&mut self.user.hung_up) {
            self.cut();
        }
    }

    fn hand_over(&mut self, bytes: Bytes) {
        let now = self.hub.now();
        if self.framing == Framing::Messages {
            self.user.client.handle_message(bytes, now);
        } else {
            self.user.decoder.handle_bytes(&bytes);
            while let Ok(Some(frame)) = {
                self.user.decoder.set_frame_max(self.user.client.frame_max());
                self.user.decoder.poll_frame()
            } {
                self.user.client.handle_frame(frame, now);
            }
        }
        self.user.look();
    }

    fn dial(&mut self) {
        let pipe = Arc::<Mutex<Pipe>>::default();
        let wire = Wire { pipe: Arc::clone(&pipe), framing: self.framing };
        let service = self.service.clone();
        self.tasks.push(Task::new(&self.service, async move { drop(service.serve(wire, AUTHORITY.into()).await) }));
        self.pipe = Some(pipe);
        self.user.decoder = FrameDecoder::new(4096);
        let mut dice = self.dice.clone();
        self.dice.next();
        self.user.client.handle_connected(&mut |bytes| dice.fill(bytes), self.hub.now());
    }

    /// The link is gone; of what was under way down some arrives, the last of it in part.
    fn cut(&mut self) {
        let Some(pipe) = self.pipe.take() else { return };
        let down = {
            let mut pipe = pipe.lock();
            pipe.is_cut = true;
            if self.dice.one_in(2) {
                pipe.up.clear();
            }
            pipe.waker.take().into_iter().for_each(Waker::wake);
            std::mem::take(&mut pipe.down)
        };
        let arrives = self.dice.below(down.len() + 1);
        for bytes in down.into_iter().take(arrives) {
            self.hand_over(bytes);
        }
        let now = self.hub.now();
        self.user.client.handle_broken(now);
    }

    fn until(&mut self, what: &str, mut done: impl FnMut(&mut Play) -> bool) {
        for _ in 0..1_000_000 {
            if done(self) {
                return;
            }
            self.step();
        }
        panic!("still no {what}; losses {:?}, told {:?}", self.user.losses, self.user.told);
    }
}

fn program(name: &str) -> Spawn {
    Spawn { program: Some(name.into()), ..Spawn::default() }
}

fn line(number: usize) -> String {
    format!("line {number:06}\n")
}

fn play(framing: Framing, seed: u64) {
    let mut play = Play::new(framing, seed);
    let (flood, lines) = (play.user.client.spawn(program("flood")).unwrap(), play.user.client.spawn(program("lines")).unwrap());
    play.user.screens.entry(flood).or_default().floods = true;
    play.until("sessions", |play| play.user.screens.get(&lines).is_some_and(|screen| screen.spawned.is_some()));
    let (mut typed, mut cuts) = (0, 0);
    let expected: String = (0..LINES).map(|number| line(number).replace('\n', "\r\n")).collect();
    play.until("end", |play| {
        if play.user.client.is_open() && play.dice.one_in(30) && cuts < 30 {
            cuts += 1;
            play.cut();
        }
        if typed < LINES && play.user.client.is_open() && play.dice.one_in(3) {
            play.user.client.write(lines, line(typed)).unwrap();
            typed += 1;
        }
        play.user.screen(lines).bytes.len() >= expected.len() && play.user.screen(flood).ended.is_some()
    });
    assert!(cuts > 10, "{cuts} cuts");
    assert!(play.user.screen(lines).bytes == expected.as_bytes(), "lines were lost, doubled or out of order");
    assert_eq!((play.user.screen(flood).at, play.user.screen(flood).gaps.len(), play.user.told.len()), (FLOOD, 0, 0));
    assert_eq!(play.service.counts().sessions, 2);
}

#[test]
fn a_service_whose_links_are_cut_loses_and_doubles_nothing() {
    for seed in 0..4 {
        play(Framing::Messages, seed);
        play(Framing::Stream, seed + 100);
    }
}

#[test]
fn a_service_that_shuts_down_says_so_and_the_client_asks_again() {
    let mut play = Play::new(Framing::Messages, 9);
    play.until("welcome", |play| play.user.client.is_open());
    let before = play.hub.now();
    play.service.shut_down("back in a minute");
    play.until("loss", |play| !play.user.losses.is_empty());
    let retry_ms = Some(RETRY_TOLD.as_millis() as u32);
    let goodbye = Goodbye { retry_ms, ..Goodbye::new(ErrorCode::ShuttingDown, "back in a minute") };
    assert_eq!(play.user.losses[0], orchflow_core::peer::client::Loss::Goodbye(goodbye));
    let seen = play.service.counts().connections_total;
    play.until("another try", |play| play.service.counts().connections_total > seen);
    assert!(play.hub.now() - before >= RETRY_TOLD, "it did not wait as it was asked to");
    assert!(!play.user.client.is_over());
}

#[test]
fn output_that_was_gathered_leaves_in_time_although_nothing_else_wakes_its_connection() {
    let mut play = Play::new(Framing::Messages, 5);
    let stream = play.user.client.spawn(program("bulk")).unwrap();
    let waiting = |play: &Play| play.pipe.as_ref().map_or(0, |pipe| pipe.lock().down.len());
    play.until("session", |play| play.user.screens.contains_key(&stream) && waiting(play) == 0);
    play.ptys.release("bulk");
    play.step();
    assert_eq!(play.user.screen(stream).at, BULK_BYTES);
    play.ptys.release("more");
    play.turn();
    assert_eq!(waiting(&play), 0, "it went by itself right after a bulk");
    play.hub.advance(BATCH_WAIT);
    play.turn();
    assert_eq!(waiting(&play), 1, "it was forgotten");
}
