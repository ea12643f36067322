//! Where scenarios are played: a hub on one kind of terminals, run by one driver.

use std::collections::HashMap;
use std::fs;
use std::future::{Future, poll_fn};
use std::os::fd::{AsFd, OwnedFd};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use orchflow_core::hub::{Hub, HubOptions, Session};
use orchflow_core::limits::CLOSE_GRACE;
use orchflow_core::pty::scripted::ScriptedPtys;
use orchflow_core::pty::unix::UnixPtys;
use orchflow_core::pty::{Command, PtyBackend};
use orchflow_core::runtime::Runtime;
use orchflow_core::session::{Event, EventKind, SessionOptions};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::process::{Pid, Signal};

use crate::act::{Act, flood_file};

// The adapters are the examples' own: what people copy is what is tested.
#[allow(dead_code, unreachable_pub)]
#[path = "../../../examples/embed_smol.rs"]
mod embed_smol;
#[allow(dead_code, unreachable_pub)]
#[path = "../../../examples/embed_tokio.rs"]
mod embed_tokio;

pub(crate) use embed_smol::Smol;
pub(crate) use embed_tokio::Tokio;

/// Who calls the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    /// `Hub::block_on` alone.
    Hosted,
    /// The hub's own thread.
    Threaded,
    /// A task of a current-thread tokio.
    Tokio,
    /// A task of smol's executor.
    Smol,
}

/// Who provides the terminals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
    /// The kernel, with a shell inside.
    Unix,
    /// Memory, with a script inside.
    Scripted,
}

/// How long one wait may take. Far more than any needs on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Plays `scenario`.
pub(crate) fn run(driver: Driver, provider: Provider, scenario: fn(Setting)) {
    watched(move || scenario(Setting { driver, provider, options: HubOptions::default(), manual_clock: false, budget: None }));
}

/// Runs a test on a thread of its own, so that even one that hangs fails, and says what it waited for.
pub(crate) fn watched(test: impl FnOnce() + Send + 'static) {
    let watch = Arc::new(Watch(Mutex::new(("its beginning".into(), Instant::now()))));
    let (done, is_done) = mpsc::channel::<()>();
    let player = thread::spawn({
        let watch = Arc::clone(&watch);
        move || {
            WATCH.set(Some(watch));
            let _done = done; // Dropped at the end, however it comes.
            test();
        }
    });
    loop {
        let (what, since) = watch.0.lock().unwrap().clone();
        let left = (since + PATIENCE).saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "still no {what} after {PATIENCE:?}");
        if let Err(mpsc::RecvTimeoutError::Disconnected) = is_done.recv_timeout(left) {
            return player.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
    }
}

/// What the scenario on this thread waits for, and since when.
struct Watch(Mutex<(String, Instant)>);

thread_local! {
    static WATCH: std::cell::RefCell<Option<Arc<Watch>>> = const { std::cell::RefCell::new(None) };
}

/// Awaits `future`, which is `what`, for as long as [`PATIENCE`] allows.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    WATCH.with_borrow(|watch| {
        if let Some(watch) = watch {
            *watch.0.lock().unwrap() = (what.to_owned(), Instant::now());
        }
    });
    future.await
}

/// Waits until `holds`, for what nobody announces: counters, the system's process table.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    within(what, async {
        while !holds() {
            smol::Timer::after(Duration::from_millis(1)).await;
        }
    })
    .await
}

/// Lets real time pass to provoke a state: a late reader, an idle stretch. Nothing may depend on its length.
pub(crate) async fn provoke(millis: u64) {
    smol::Timer::after(Duration::from_millis(millis)).await;
}

/// A driver and a provider, before the hub is made.
pub(crate) struct Setting {
    pub(crate) driver: Driver,
    pub(crate) provider: Provider,
    options: HubOptions,
    manual_clock: bool,
    budget: Option<usize>,
}

impl Setting {
    /// The hub's time moves only by [`Stage::advance`].
    pub(crate) fn manual_clock(self) -> Setting {
        Setting { manual_clock: true, ..self }
    }

    /// All sessions share this much memory.
    pub(crate) fn pool_bytes(self, pool_bytes: usize) -> Setting {
        Setting { options: HubOptions { pool_bytes, ..self.options }, ..self }
    }

    /// The driver lets the hub read this much before it looks after its other tasks. A threaded hub has no such limit.
    pub(crate) fn budget(self, bytes: usize) -> Setting {
        Setting { budget: Some(bytes), ..self }
    }

    /// Plays `scene`.
    pub(crate) fn play(self, scene: impl AsyncFnOnce(Stage)) {
        let props = Arc::new(Props::new());
        let scripted = ScriptedPtys::new();
        let backend: Arc<dyn PtyBackend> = match self.provider {
            Provider::Unix => Arc::new(UnixPtys),
            Provider::Scripted => Arc::new(scripted.clone()),
        };
        let builder = Hub::builder().options(self.options).backend(backend).events();
        let builder = if self.manual_clock { builder.manual_clock() } else { builder };
        let hub = if self.driver == Driver::Threaded { builder.threaded() } else { builder.hosted() }.unwrap();
        let stage = |hub| Stage { hub, provider: self.provider, scripted, manual_clock: self.manual_clock, props: Arc::clone(&props) };
        match self.driver {
            Driver::Hosted if self.budget.is_some() => host(&hub, self.budget.unwrap_or(1), scene(stage(hub.clone()))),
            Driver::Hosted => hub.block_on(scene(stage(hub.clone()))).unwrap(),
            Driver::Threaded => smol::block_on(scene(stage(hub))), // Any executor does.
            Driver::Tokio => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
                runtime.block_on(async {
                    drive(&hub, &Tokio, self.budget);
                    scene(stage(hub)).await;
                });
            }
            Driver::Smol => smol::block_on(async {
                drive(&hub, &Smol, self.budget);
                scene(stage(hub)).await;
            }),
        }
    }
}

/// A host's own loop: waits for the descriptor, dispatches a little, looks after everything else it has.
fn host(hub: &Hub, budget: usize, scene: impl Future<Output = ()>) {
    let mut scene = pin!(scene);
    let mut cx = Context::from_waker(Waker::noop());
    let often = Timespec { tv_sec: 0, tv_nsec: 5_000_000 }; // What the scene waits for besides wakes nobody here.
    while scene.as_mut().poll(&mut cx).is_pending() {
        poll(&mut [PollFd::new(hub, PollFlags::IN)], Some(&often)).unwrap();
        hub.dispatch(budget).unwrap();
        while hub.next_event().is_some() {}
    }
}

/// Runs the hub as a task, as [`Hub::drive`] does, with a budget of ours if there is one.
fn drive(hub: &Hub, runtime: &dyn Runtime, budget: Option<usize>) {
    let Some(budget) = budget else { return hub.drive(runtime).unwrap() };
    let mut readiness = runtime.register(Arc::new(hub.as_fd().try_clone_to_owned().unwrap())).unwrap();
    let hub = hub.clone();
    let task = async move {
        poll_fn(|cx| readiness.poll_turns(cx, &mut || hub.dispatch(budget).unwrap())).await;
    };
    runtime.spawn("hub with a budget", Box::pin(task));
}

/// A hub in use.
pub(crate) struct Stage {
    pub(crate) hub: Hub,
    pub(crate) provider: Provider,
    scripted: ScriptedPtys,
    manual_clock: bool,
    props: Arc<Props>,
}

impl Stage {
    pub(crate) fn spawn(&self, act: Act) -> Session {
        self.spawn_with(act, SessionOptions::default())
    }

    pub(crate) fn spawn_with(&self, act: Act, options: SessionOptions) -> Session {
        let command = match self.provider {
            Provider::Scripted => {
                static ACTS: AtomicUsize = AtomicUsize::new(0);
                let name = format!("act {}", ACTS.fetch_add(1, Ordering::Relaxed));
                drop(self.scripted.clone().with(&name, act.script));
                Command::new(name)
            }
            Provider::Unix => {
                act.gates.iter().for_each(|gate| drop(self.props.gate(gate)));
                let shell = Command::new("/bin/sh").args(["-c", act.shell()]);
                shell.env("FLOOD", flood_file()).env(GATES, &self.props.folder)
            }
        };
        self.hub.spawn(&command, options).unwrap()
    }

    /// Opens `gate` for good.
    pub(crate) fn release(&self, gate: &str) {
        match self.provider {
            Provider::Scripted => self.scripted.release(gate),
            // A line for each who waits there, now or later.
            Provider::Unix => assert_eq!(rustix::io::write(self.props.gate(gate), &[b'\n'; 64]), Ok(64)),
        }
    }

    /// Takes events until one of `kind`; others are dropped.
    pub(crate) async fn event<T>(&self, what: &str, mut kind: impl FnMut(&Event) -> Option<T>) -> T {
        within(what, async {
            loop {
                if let Some(found) = kind(&self.hub.event().await) {
                    return found;
                }
            }
        })
        .await
    }

    /// Waits until the process of `session` is known to have ended.
    pub(crate) async fn process_exited(&self, session: &Session) {
        let id = session.id();
        let kind = |event: &Event| (event.session == id && matches!(event.kind, EventKind::ProcessExited(_))).then_some(());
        self.event("end of the process", kind).await
    }

    /// Moves the manual clock, and returns once the hub has done what became due.
    pub(crate) async fn advance(&self, by: Duration) {
        // A sleeper whose deadline has passed would not wait for the hub; one that was woken by it has.
        let (woken, is_woken) = oneshot::channel();
        let waker = Waker::from(Arc::new(Tell(Mutex::new(Some(woken)))));
        let mut sleep = pin!(self.hub.sleep(by));
        assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        self.hub.advance(by);
        within("turn after the clock was moved", is_woken).await.unwrap();
    }

    /// Waits until no session is driven any more.
    pub(crate) async fn emptied(&self) {
        while self.manual_clock && self.hub.sessions() > 0 {
            self.advance(CLOSE_GRACE).await; // A process that is about to go is looked for at the next rung.
        }
        within("hub without sessions", self.hub.emptied()).await;
        assert_eq!(self.hub.sessions(), 0);
    }

    /// How many turns the hub makes while nothing happens for `millis`.
    pub(crate) async fn turns_in(&self, millis: u64) -> u64 {
        let before = self.hub.metrics().dispatch_turns;
        provoke(millis).await;
        self.hub.metrics().dispatch_turns - before
    }

    /// Processes of this stage that live, the kernel's only.
    pub(crate) fn processes(&self) -> usize {
        self.props.processes().len()
    }

    /// Drops the hub; what is left can still be asked for processes.
    pub(crate) fn without_hub(self) -> Arc<Props> {
        drop(self.hub);
        self.props
    }
}

/// Tells that it was woken.
struct Tell(Mutex<Option<oneshot::Sender<()>>>);

impl Wake for Tell {
    fn wake(self: Arc<Self>) {
        self.0.lock().unwrap().take().map(|woken| woken.send(()));
    }
}

/// The variable by which the stage knows its processes.
const GATES: &str = "GATES";

/// What outlives the scene: the folder of the gates, and the duty to leave nobody behind.
pub(crate) struct Props {
    folder: PathBuf,
    open: Mutex<HashMap<String, Arc<OwnedFd>>>,
}

impl Props {
    fn new() -> Props {
        static STAGES: AtomicUsize = AtomicUsize::new(0);
        let name = format!("gates-{}-{}", std::process::id(), STAGES.fetch_add(1, Ordering::Relaxed));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir(&folder).unwrap();
        Props { folder, open: Mutex::default() }
    }

    /// The named pipe at which processes wait, held open, so that they wait in `read` and never in `open`.
    fn gate(&self, gate: &str) -> Arc<OwnedFd> {
        let path = self.folder.join(gate);
        match rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => panic!("no gate: {error}"),
        }
        let mut open = self.open.lock().unwrap();
        let fd = open.entry(gate.to_owned()).or_insert_with(|| {
            Arc::new(rustix::fs::open(&path, OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()).unwrap())
        });
        Arc::clone(fd)
    }

    /// Whoever was started with our variable.
    pub(crate) fn processes(&self) -> Vec<Pid> {
        let ours = format!("{GATES}={}", self.folder.display());
        let is_ours = |pid: &Pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|&byte| byte == 0).any(|variable| variable == ours.as_bytes())
        };
        let names = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.file_name());
        let pids = names.filter_map(|name| Pid::from_raw(name.to_str()?.parse().ok()?));
        pids.filter(is_ours).collect()
    }
}

impl Drop for Props {
    fn drop(&mut self) {
        for pid in self.processes() {
            let _gone = rustix::process::kill_process(pid, Signal::KILL); // Orphans outlive their session, not the scenario.
        }
        drop(fs::remove_dir_all(&self.folder));
    }
}
