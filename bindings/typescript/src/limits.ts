/**
 * Every bound of the client, with its reason. Those of the protocol are the server's too.
 */

/** The largest number in a frame: up to here JavaScript counts exactly. */
export const NUMBER_MAX = Number.MAX_SAFE_INTEGER;

/** The largest frame before both sides have proved who they are, header included. */
export const FRAME_BEFORE_PROOF_MAX = 4 << 10;

/** The largest frame after that, header included. */
export const FRAME_MAX = 1 << 20;

/** How deep maps and arrays nest in a message. */
export const NESTING_MAX = 8;

/** Keys of one map in a message. */
export const KEYS_MAX = 64;

/** Bytes of one key. */
export const KEY_BYTES_MAX = 64;

/** Values in one message, nested ones and keys included. */
export const ITEMS_MAX = 16 << 10;

/** Cells of the largest terminal. */
export const CELLS_MAX = 1 << 22;

/** The least credit one can ask for, in bytes. */
export const CREDIT_MIN = 16 << 10;

/** The credit where nothing is said, in bytes. */
export const CREDIT_DEFAULT = 512 << 10;

/** The credit that suits a browser, in bytes: xterm.js is sluggish with more than 500 KB to parse. */
export const CREDIT_BROWSER = 256 << 10;

/** Input one stream may have under way without an acknowledgement, in bytes. */
export const INPUT_WINDOW_BYTES = 1 << 20;

/** Streams of one connection. */
export const STREAMS_MAX = 1024;

/** Silence after which a peer asks whether the other is still there, in milliseconds. */
export const PING_MS = 15_000;

/** How long the server keeps a lost client's place, in milliseconds. */
export const HOLD_MS = 10_000;

/** Patience of a Close after each step, in milliseconds. */
export const CLOSE_GRACE_MS = 1000;

/** Output in one packed frame, in bytes: as much as in any. */
export const PACKED_MAX = 64 << 10;

/** Contexts of packed output that a connection has: those of the streams on which such came last. */
export const CONTEXTS_MAX = 32;

// ---- The client's own ----

/** Bytes that are unpacked at a time: a thousand times as many come out of them at the most. */
export const UNPACK_BYTES = 1 << 10;

/** Input kept per session until it is acknowledged, in bytes: a large paste, or an hour of typing into a broken link. */
export const QUEUE_BYTES_MAX = 2 << 20;

/** One frame of input: small enough that an interrupt key waits for at most one of them. */
export const INPUT_FRAME_BYTES = 16 << 10;

/** Bytes the socket may hold back before uploads pause. */
export const BUFFERED_MAX = 1 << 20;

/** How often to look whether a socket has drained: WebSockets do not tell. */
export const DRAIN_LOOK_MS = 20;

/** How long a connection may take to open and to prove itself, in milliseconds. */
export const CONNECT_MS = 10_000;

/** The first delay before a new attempt is drawn from 0 to this, in milliseconds; each further range is twice as long. */
export const RETRY_FIRST_MS = 100;

/** The longest range of delays, in milliseconds. */
export const RETRY_MAX_MS = 10_000;

/** The same while nobody looks. */
export const RETRY_HIDDEN_MAX_MS = 30_000;

/** How long a connection must hold before delays begin anew, in milliseconds. */
export const STABLE_MS = 5_000;

/** Asked on waking whether the link still lives, a server has this long to answer, in milliseconds. */
export const NUDGE_MS = 2_000;

/** How far apart attempts lie while the platform says that there is no network, in milliseconds: it may be wrong. */
export const RETRY_OFFLINE_MS = 30_000;

/** How often one thing is asked for that is refused for too much load, the first time included. */
export const TRIES_MAX = 3;

/** Retries for a hundred first tries. */
export const RETRIES_PERCENT = 10;

/** Retries there are at first. */
export const RETRIES_START = 10;

/** Retries that can be saved up. */
export const RETRIES_KEPT = 100;

/** How often a client that asks for little has one more retry, in milliseconds. */
export const RETRY_RESERVE_MS = 10_000;

/** The least wait before it is asked again, in milliseconds; a drawn one comes on top, for it might be none. */
export const AGAIN_LEAST_MS = 250;

/** The longest first wait on top of that, in milliseconds. */
export const AGAIN_FIRST_MS = 250;

/** The newest outcomes that a circuit breaker counts. */
export const BREAKER_CALLS = 16;

/** No outcome counts for longer, in milliseconds. */
export const BREAKER_WINDOW_MS = 30_000;

/** Outcomes without which it does not open. */
export const BREAKER_CALLS_LEAST = 5;

/** Failures in a hundred with which it opens. */
export const BREAKER_FAILURES_PERCENT = 50;

/** How long it is open at first, in milliseconds. */
export const BREAKER_OPEN_FIRST_MS = 1_000;

/** How long it is open at most, in milliseconds. */
export const BREAKER_OPEN_MAX_MS = 10_000;
