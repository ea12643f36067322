//! Every bound of the engine, with its reason. "Everything is bounded" is a law here; these are the bounds.
//!
//! The ones an embedder may move are the defaults of [`crate::hub::HubOptions`] and
//! [`crate::session::SessionOptions`]; the rest are fixed.

use std::time::Duration;

/// Cells of the largest terminal: 4 Mi, which a screen model holds in 32 MiB.
pub const CELLS_MAX: u32 = 1 << 22;

/// Output kept per session, in bytes. At 80 columns about 13,000 lines: more than people scroll back, and a
/// thousand sessions stay under a gigabyte. Nothing is allocated before the first byte.
pub const HISTORY_BYTES: usize = 1 << 20;

/// The longest history a session may ask for, in bytes. A log can name about 16,000 segments of 64 KiB; half of them
/// hold this, the other half what readers keep alive.
pub const HISTORY_MAX: usize = 512 << 20;

/// Output buffers of one hub, in bytes. Above it the largest history shrinks, then the flooding terminal waits.
pub const POOL_BYTES: usize = 256 << 20;

/// The least that [`POOL_BYTES`] may be set to: one flood fills the largest segment while its reader deals with another.
pub const POOL_MIN: usize = 2 * READ_MAX;

/// The most bytes one `read(2)` may take, and the largest ring segment. Linux hands out about 4 KiB at a time
/// whatever one asks for; a larger segment only makes the bookkeeping rarer.
pub const READ_MAX: usize = 64 << 10;

/// Un-acknowledged bytes at which a lossless reader stops the terminal (VS Code: 100,000 characters).
pub const HIGH_WATER_BYTES: usize = 512 << 10;

/// Un-acknowledged bytes at which reading goes on again. Far from the high mark, so that the two do not flutter.
pub const LOW_WATER_BYTES: usize = 64 << 10;

/// Bytes of output one reader may keep alive by holding on to what it took.
pub const PINNED_BYTES: usize = 4 << 20;

/// Accepted input that the terminal has not taken yet, in bytes: a large paste, and then the writer is told to wait.
pub const INPUT_QUEUE_BYTES: usize = 8 << 20;

/// The longest line a terminal in canonical mode can hold without its end: Linux keeps 4,096 bytes with the
/// end of line and silently discards the rest (`N_TTY_BUF_SIZE`).
pub const LINE_MAX: usize = 4_095;

/// How long a viewer that has stopped acknowledging may hold up a session that others wait for.
pub const STALL_MAX: Duration = Duration::from_secs(10);

/// How long the claim of a viewer whose link broke is kept for its return.
pub const RESUME_HOLD: Duration = Duration::from_secs(10);

/// After the process is gone: silence this long means that what still holds the terminal open is an orphan.
pub const DRAIN_QUIET: Duration = Duration::from_millis(100);

/// After the process is gone: how long an orphan that keeps talking is listened to.
pub const DRAIN_MAX: Duration = Duration::from_secs(1);

/// How often it is looked whether a process has ended, where the system has no descriptors for processes: a fifth of what a person notices, for
/// fifty wake-ups a second and session.
pub const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Each step of the close ladder (hang-up, terminate, kill) waits this long for the processes to go.
pub const CLOSE_GRACE: Duration = Duration::from_secs(1);

/// How long after a keystroke its session's output goes first.
pub const INTERACTIVE: Duration = Duration::from_millis(2);

/// Sessions of one hub. Linux itself stops at `kernel.pty.max` (4,096 unless raised).
pub const SESSIONS_MAX: usize = 10_000;

/// Bytes of output a hub reads before it gives way to its runtime's other tasks: two reads, about 40 µs, for that long a key waits that
/// has come meanwhile. With 256 KiB it waited 2 ms (`fair.p99` in the benches: 14 times as long as alone, and 2.3 to 2.5 times with this).
pub const TURN_BYTES: usize = 8 << 10;

/// How long output may wait for more to be sent with.
pub const BATCH_WAIT: Duration = Duration::from_millis(1);

/// Output that is sent without waiting for more, in bytes: as much as is read from the log at a time.
pub const BATCH_BYTES: u64 = READ_MAX as u64;

/// Bytes that may be under way to a viewer of whose link nothing is known yet: what TCP begins with (RFC 6928). It doubles with each round trip.
pub const WINDOW_FIRST_BYTES: u64 = CREDIT_MIN as u64;

/// The least that may be under way: what Linux hands out at a time. It keeps 100 KB/s busy for 40 ms.
pub const WINDOW_LEAST_BYTES: u64 = 4 << 10;

/// By how much more may be under way where what was sent did not wait.
pub const WINDOW_STEP_BYTES: u64 = 4 << 10;

/// How long output may wait on its way for what was sent before it. Longer than a frame of a screen (17 ms) or a browser's turn of parsing
/// (xterm.js: 12 ms), which look like a queue; and less than what people notice between key and echo (100 ms).
pub const QUEUE_DELAY: Duration = Duration::from_millis(20);

/// How long the least round trip is taken for what the way itself takes (BBR: 10 s).
pub const ROUND_TRIP_KEPT: Duration = Duration::from_secs(10);

/// Batches that fill a window. A batch takes as long as it is large, which looks like a queue: with four of them a way of 120 ms at 100 KB/s was
/// used to 65 % (`core/tests/batching`), with eight to 81 %.
pub const BATCHES_UNDER_WAY: u64 = 8;

/// How long a pace is measured, unless a whole credit was rendered before: one late round trip is no pace.
pub const PACE_WAIT: Duration = Duration::from_millis(250);

/// How long output may wait to be sent, all the time, before its program is held back (CoDel: 5 ms).
pub const BACKLOG_WAIT: Duration = Duration::from_millis(5);

/// For how long that must be so; a burst is over by then (CoDel: 100 ms).
pub const BACKLOG_SPAN: Duration = Duration::from_millis(100);

/// How far ahead of what was sent a terminal is read at the least, for whose viewer the program is held back: what Linux hands out at a time.
pub const AHEAD_LEAST_BYTES: u64 = 4 << 10;

/// Output sent at once that likely is not all: half of what Linux hands out at a time. A prompt, a line or a redrawn one is less.
pub const BULK_BYTES: u64 = 2 << 10;

// ---- Packing ----

/// Output that is packed, at the least, in bytes: an echo saves nothing that its header does not cost.
pub const PACK_LEAST_BYTES: usize = 64;

/// Output that goes packed also where it grows by [`PACK_GROWTH_BYTES`], in bytes: streams of small pieces pay once their context has seen some,
/// and zstd begins one with a head of its own.
pub const PACK_SMALL_BYTES: usize = 256;

/// By as much a small piece may grow.
pub const PACK_GROWTH_BYTES: usize = 24;

/// Bytes that one packed frame may hold once it is unpacked: as much as output is read at a time.
pub const PACKED_MAX: usize = READ_MAX;

/// Contexts of one connection and direction: streams on which packed output came last. A receiver keeps 47 KiB for each, by deflate.
pub const CONTEXTS_MAX: usize = 32;

/// Contexts that a server packs with, of all its connections: 95 MiB at the most. What finds none goes as it is.
pub const PACKERS_MAX: usize = 256;

/// Round trip from which output is packed, as the handshake takes and no acknowledgement disproves. A client that is nearer mostly has a link that is as quick as packing (some
/// 200 MB/s, and a quarter of that in a browser), and others wait for their turn meanwhile.
pub const PACK_FROM: Duration = Duration::from_millis(5);

/// Bytes of output after which it is judged whether packing pays.
pub const GAIN_SPAN_BYTES: u64 = 32 << 10;

/// Output that is left alone where it did not, in bytes, at first.
pub const GAIN_REST_FIRST_BYTES: u64 = 256 << 10;

/// The same at most.
pub const GAIN_REST_MAX_BYTES: u64 = 16 << 20;

/// How hard deflate tries, of 9. The recordings in `core/testdata/recordings` become 4.2 times smaller, read by read (group `compress` in the
/// benches); with the next level 4.8 times, in more than three times the time, while others wait.
pub const DEFLATE_LEVEL: u32 = 1;

/// What deflate packs with, 2 to this, in bytes: the most there is. With half of it, 4.1 times, and 315 KiB instead of 380.
pub const DEFLATE_WINDOW_BITS: u8 = 15;

/// What LZ4 packs with, in bytes. All of it is looked through for every piece: twice as much takes a third to a half longer, for 3.4 times smaller
/// instead of 3.3.
pub const LZ4_HISTORY_BYTES: usize = 8 << 10;

/// How hard zstd tries: 4.7 times smaller; with 3, 5.0 times in up to a sixth more time.
pub const ZSTD_LEVEL: i32 = 1;

/// What zstd packs with, 2 to this, in bytes; a receiver takes no more. A context has 376 KiB with it, 584 with twice as much.
pub const ZSTD_WINDOW_BITS: u32 = 16;

// ---- The protocol ----

/// The largest frame a peer may send before it has proved who it is, header included: room for a full Hello, and
/// little for a stranger to fill.
pub const FRAME_BEFORE_PROOF_MAX: usize = 4 << 10;

/// All that a peer may send before that, in bytes: both frames of the handshake and what it need not wait with.
pub const BEFORE_PROOF_BYTES_MAX: usize = 16 << 10;

/// The largest frame after that, header included, unless a peer asks for less. Output comes in pieces of at most
/// [`READ_MAX`]; only long lists and pastes grow larger.
pub const FRAME_MAX: usize = 1 << 20;

/// What every client is taken to accept as a frame, however little it says: it could not even be welcomed otherwise.
pub const FRAME_TAKEN_MIN: u32 = 4 << 10;

/// The largest number that stands in a frame: 2^53 - 1, up to which JavaScript counts exactly. As bytes of output 9 PB.
pub const NUMBER_MAX: u64 = (1 << 53) - 1;

/// How deep maps and arrays may nest in a message. Ours need four.
pub const NESTING_MAX: usize = 8;

/// Keys of one map in a message. Ours have at most 14; the rest is for features yet to be invented.
pub const KEYS_MAX: usize = 64;

/// Bytes of one key in a message.
pub const KEY_BYTES_MAX: usize = 64;

/// Values in one message, nested ones and keys included. It bounds what decoding allocates for many tiny values.
pub const ITEMS_MAX: usize = 16 << 10;

/// Sessions told in one frame of a list. All that they carry stays below [`ITEMS_MAX`] and [`FRAME_MAX`].
pub const SESSIONS_PER_FRAME: usize = 256;

/// Characters of a session's title or program, as others are shown it.
pub const TITLE_CHARS_MAX: usize = 256;

/// Characters of a client's name or software, as others are shown it.
pub const NAME_CHARS_MAX: usize = 64;

/// The least credit a client may ask for, in bytes: a sixteenth of it is acknowledged at a time.
pub const CREDIT_MIN: u32 = 16 << 10;

/// The credit that suits a browser, in bytes: xterm.js is sluggish with more than 500 KB to parse.
pub const CREDIT_BROWSER: u32 = 256 << 10;

/// Input one stream may have under way without an acknowledgement, in bytes.
pub const INPUT_WINDOW_BYTES: u32 = 1 << 20;

/// Streams of one connection.
pub const STREAMS_MAX: u16 = 1024;

/// Silence after which a peer asks whether the other is still there; twice as much means that it is not.
pub const PING_EVERY: Duration = Duration::from_secs(15);

/// How long a connection may take to prove who it is.
pub const PROOF_WAIT: Duration = Duration::from_secs(10);

// ---- Serving ----

/// Clients that have left and are remembered by their server, for their return; and of each session, those whose input is known when it is sent
/// twice. Who is connected is remembered in any case.
pub const CLIENTS_MAX: usize = 1024;

/// Answers to Spawn that a client can ask for again after its link broke.
pub const SPAWNS_REMEMBERED: usize = 64;

/// How long a session that has ended can still be watched, if nobody watches it.
pub const ENDED_KEPT: Duration = Duration::from_secs(300);

/// Output that a viewer which may miss some has not been sent, in bytes, before any of it is skipped: several screens (EternalTerminal
/// drops from as much on).
pub const STALE_BYTES: u64 = 64 << 10;

/// How far behind such a viewer may be, at the speed at which it renders, before it goes on with the newest lines.
pub const RESYNC_LAG: Duration = Duration::from_secs(1);

/// The newest output that a viewer goes on with, in bytes: more than a large screen full of colours.
pub const TAIL_BYTES: u64 = 32 << 10;

// ---- Operations ----

/// Operations of one batch. Each is a few values of the [`ITEMS_MAX`] that one message may hold.
pub const OPERATIONS_MAX: usize = 1_024;

/// What carrying out an operation costs besides its bytes, in the units of [`QUANTUM_COST`]: about as much time as a KiB takes to be typed.
pub const OPERATION_COST: u64 = 1 << 10;

/// What starting a program costs: 0.2 ms, as long as what else makes a quantum.
pub const SPAWN_COST: u64 = QUANTUM_COST;

/// What is served of one client, and then of one class, before others have their turn: 64 small operations, or 64 KiB of input.
pub const QUANTUM_COST: u64 = 64 << 10;

/// Batches of one client that are not done, and as many that are and that it can still ask for again.
pub const BATCHES_MAX: usize = 64;

/// Bytes of one client's operations that are not done.
pub const OPERATION_BYTES_MAX: usize = 8 << 20;

/// Batches with an idempotency key that are remembered with their results, of all clients; the oldest that is done is forgotten first.
pub const KEYS_REMEMBERED: usize = 1_024;

/// Bytes of an idempotency key: a UUID or a hash as text, with something before it.
pub const BATCH_KEY_BYTES_MAX: usize = 64;

/// Bytes of the results that are remembered of one client's batches; the oldest that is done is forgotten first.
pub const REMEMBERED_BYTES_MAX: usize = 4 << 20;

/// The same of all batches with keys.
pub const KEYS_BYTES_MAX: usize = 64 << 20;

/// Those who ask for one batch by its key while it is not done.
pub const ASKERS_MAX: usize = 64;

/// Bytes that an operation of the host's own may answer with.
pub const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Bytes of what all operations of one batch come to, answers and refusals: what is kept for who asks again.
pub const ANSWERS_BYTES_MAX: usize = 1 << 20;

/// Threads for what operations of a host's own do that takes long; there are no more than processors.
pub const WORKERS_MAX: usize = 4;

/// How long such a thread waits for more to do.
pub const WORKER_IDLE: Duration = Duration::from_secs(10);

// ---- Coming back ----

/// The longest first wait before a client dials again after a break.
pub const RETRY_FIRST: Duration = Duration::from_millis(100);

/// The longest wait before a client dials again: a person who looks on does not give up by then.
pub const RETRY_MAX: Duration = Duration::from_secs(10);

/// The same for a client that nobody looks at.
pub const RETRY_UNSEEN_MAX: Duration = Duration::from_secs(30);

/// How long a connection must hold before the waits are short again.
pub const RETRY_STABLE: Duration = Duration::from_secs(5);

/// How long a server that ends, or has no room, asks to be left alone: a restart takes less, and each client adds a wait of its own.
pub const RETRY_TOLD: Duration = Duration::from_secs(1);

/// Input that a client keeps for its server, sent or not, in bytes with [`INPUT_ENTRY_BYTES`] for each piece.
pub const INPUT_KEPT_BYTES: usize = 8 << 20;

/// What keeping one piece of input costs besides its bytes.
pub const INPUT_ENTRY_BYTES: usize = 64;

/// The longest piece of input in a frame of its own, so that an interrupt key need not wait for a long paste. Every server
/// takes as much, for it takes as much from strangers.
pub const INPUT_PIECE_BYTES: usize = FRAME_BEFORE_PROOF_MAX - 16;

/// How long word that input was taken waits for output to go with. An echo takes a tenth of it, and a message less on its way is a fifth of the
/// time to it (`echo.ws.p50`); nobody waits for the word itself.
pub const INPUT_ACK_WAIT: Duration = Duration::from_millis(1);

/// How long a client waits before it sends input again that a server had no room for.
pub const INPUT_AGAIN: Duration = Duration::from_millis(50);

/// Requests a client may have without an answer.
pub const REQUESTS_MAX: usize = 1024;

// ---- Asking again ----

/// How often a client asks for one thing that is refused for too much load, the first time included: *Site Reliability Engineering*, chapter 21.
pub const TRIES_MAX: u32 = 3;

/// Retries for a hundred first tries; from the same chapter.
pub const RETRIES_PERCENT: u32 = 10;

/// Retries a client has at first: a page that comes back with ten tabs can have each asked for again.
pub const RETRIES_START: u32 = 10;

/// Retries a client can save up.
pub const RETRIES_KEPT: u32 = 100;

/// How often a client that asks for little has one more retry.
pub const RETRY_RESERVE: Duration = Duration::from_secs(10);

/// The least wait before a client asks again for what was refused for too much load; a drawn one comes on top, for it might be none.
pub const AGAIN_LEAST: Duration = Duration::from_millis(250);

/// The longest first wait on top of that.
pub const AGAIN_FIRST: Duration = Duration::from_millis(250);

/// The newest outcomes that a circuit breaker counts.
pub const BREAKER_CALLS: usize = 16;

/// No outcome counts for longer.
pub const BREAKER_WINDOW: Duration = Duration::from_secs(30);

/// Outcomes without which a circuit breaker does not open: one person who tries three times is no reason.
pub const BREAKER_CALLS_LEAST: usize = 5;

/// Failures in a hundred with which it opens.
pub const BREAKER_FAILURES_PERCENT: usize = 50;

/// How long it is open at first: a person looks up and tries again.
pub const BREAKER_OPEN_FIRST: Duration = Duration::from_secs(1);

/// How long it is open at most: who closes something to make room does not wait for longer.
pub const BREAKER_OPEN_MAX: Duration = Duration::from_secs(10);
