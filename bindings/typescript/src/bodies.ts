/**
 * The maps that control messages carry, each as a type and as a shape. `core/protocol.cddl` has the same in its own words.
 */

import {
  CELLS_MAX,
  CLOSE_GRACE_MS,
  CREDIT_DEFAULT,
  CREDIT_MIN,
  FRAME_MAX,
  HOLD_MS,
  INPUT_WINDOW_BYTES,
  PING_MS,
  STREAMS_MAX,
} from "./limits.js";
import {
  type Field,
  type Shape,
  blob,
  bytes,
  dictionary,
  either,
  flag,
  i32,
  list,
  mapped,
  mark,
  may,
  maybe,
  misfit,
  name,
  need,
  or,
  pair,
  record,
  some,
  text,
  u16,
  u32,
  u64,
  variant,
  words,
} from "./shape.js";

// ---- Words of several messages ----

/** What a peer may do: everything; type; watch; read numbers. */
export type Role = "owner" | "writer" | "viewer" | "metrics";
export const ROLES: readonly Role[] = ["owner", "writer", "viewer", "metrics"];
const role = name(ROLES);

/** What happens when a viewer falls behind: the program waits for it, or it misses output and goes on with the newest lines. */
export type Policy = "backpressure" | "resync";
const policy = name<Policy>(["backpressure", "resync"]);

/** Why something was refused. Newer servers may have further names. */
export type ErrorCode =
  | "version" | "unauthorized" | "timeout" | "malformed" | "unknown_type" | "unexpected" | "replaced" | "overloaded"
  | "shutting_down" | "leaving" | "bad_request" | "forbidden" | "no_session" | "stream_in_use" | "too_many" | "offset_ahead"
  | "ended" | "spawn_failed" | "input_full" | "input_gap" | "line_too_long" | "expired" | "cancelled" | "skipped"
  | "key_in_use" | "no_operation" | "forgotten" | "system" | "internal" | (string & {});
const errorCode: Shape<ErrorCode> = name<ErrorCode>([], true);

/** A size in cells, and in pixels where the window knows them. */
export interface Geometry {
  cols: number;
  rows: number;
  width?: number | undefined;
  height?: number | undefined;
}
const geometry: Shape<Geometry> = mapped(
  record<Geometry>({ cols: need(u16), rows: need(u16), width: may(u16), height: may(u16) }),
  ({ cols, rows, width, height }) => {
    if (cols === 0 || rows === 0 || cols * rows > CELLS_MAX) throw misfit(`a terminal of ${cols}x${rows} cells is not possible`);
    if ((width === undefined) !== (height === undefined)) throw misfit("width and height come together or not at all");
    return width === undefined ? { cols, rows } : { cols, rows, width, height };
  },
  (size) => size,
);

/** How a process ended. */
export type ExitStatus = { code: number } | { signal: number } | "unknown";
const exitStatus: Shape<ExitStatus> = either(["unknown"] as const, variant<{ code: number } | { signal: number }>({ code: i32, signal: i32 }));

/** The oldest and the newest version spoken. */
export type Versions = [oldest: number, newest: number];
const versions: Shape<Versions> = mapped(
  pair(u16, u16),
  ([oldest, newest]) => {
    if (oldest > newest) throw misfit("the oldest version comes first");
    return [oldest, newest];
  },
  (range) => range,
);

const id = bytes(16);
const secret = bytes(32);
const yes: Field<boolean> = or(flag, () => false);

// ---- The connection ----

export interface ResumePoint {
  stream: number;
  session: number;
  offset: number;
}
const resumePoint = record<ResumePoint>({ stream: need(u16), session: need(u64), offset: need(u64) });

/** What a client can take. */
export interface ClientLimits {
  frame: number;
  credit: number;
}
const credit: Shape<number> = mapped(u32, (value) => Math.max(value, CREDIT_MIN), (value) => Math.max(value, CREDIT_MIN));
const clientLimits = record<ClientLimits>({ frame: or(u32, () => FRAME_MAX), credit: or(credit, () => CREDIT_DEFAULT) });

/** What a server can take, and how long it waits. */
export interface ServerLimits {
  frame: number;
  credit: number;
  input: number;
  streams: number;
  pingMs: number;
  holdMs: number;
}
const serverLimits = record<ServerLimits>({
  frame: or(u32, () => FRAME_MAX),
  credit: or(credit, () => CREDIT_DEFAULT),
  input: or(u32, () => INPUT_WINDOW_BYTES),
  streams: or(u16, () => STREAMS_MAX),
  pingMs: or(u32, () => PING_MS, undefined, "ping_ms"),
  holdMs: or(u32, () => HOLD_MS, undefined, "hold_ms"),
});
const noServerLimits = (): ServerLimits => serverLimits.read(new Map());

export interface Hello {
  versions: Versions;
  role: Role;
  nonce: Uint8Array;
  /** By name, each with the features it needs. */
  features: Map<string, string[]>;
  limits: ClientLimits;
  agent: string;
  name: string;
  client?: Uint8Array | undefined;
  instance?: Uint8Array | undefined;
  resume: ResumePoint[];
}
export const hello = record<Hello>({
  versions: need(versions),
  role: need(role),
  nonce: need(secret),
  features: or(dictionary(list(text)), () => new Map(), (value) => value.size === 0),
  limits: or(clientLimits, () => clientLimits.read(new Map())),
  agent: words,
  name: words,
  client: may(id),
  instance: may(id),
  resume: some(resumePoint),
});

export interface Challenge {
  version: number;
  nonce: Uint8Array;
  instance: Uint8Array;
  features: string[];
}
export const challenge = record<Challenge>({
  version: need(u16),
  nonce: need(secret),
  instance: need(id),
  features: or(list(text), () => []),
});

export interface Proof {
  mac: Uint8Array;
  resume?: Uint8Array | undefined;
}
export const proof = record<Proof>({ mac: need(secret), resume: may(secret) });

export interface Welcome {
  client: Uint8Array;
  secret: Uint8Array;
  role: Role;
  resumed: boolean;
  limits: ServerLimits;
  agent: string;
}
export const welcome = record<Welcome>({
  client: need(id),
  secret: need(secret),
  role: need(role),
  resumed: need(flag),
  limits: or(serverLimits, noServerLimits),
  agent: words,
});

export interface Refusal {
  code: ErrorCode;
  message: string;
  retryable: boolean;
}
export const refusal = record<Refusal>({ code: need(errorCode), message: need(text), retryable: yes });

export interface Goodbye {
  code: ErrorCode;
  message: string;
  retryMs?: number | undefined;
  versions?: Versions | undefined;
  offered?: Versions | undefined;
}
export const goodbye = record<Goodbye>({
  code: need(errorCode),
  message: words,
  retryMs: may(u32, "retry_ms"),
  versions: may(versions),
  offered: may(versions),
});

// ---- Sessions ----

export interface Spawn {
  program?: string | undefined;
  args: string[];
  env: [name: string, value: string | null][];
  cwd?: string | undefined;
  size?: Geometry | undefined;
  title: string;
  /** Its output is never packed: who can write to it and see how long frames are could guess at what else is in it. */
  secret: boolean;
}
export const spawn = record<Spawn>({
  program: may(text),
  args: some(text),
  env: some(pair(text, maybe(text))),
  cwd: may(text),
  size: may(geometry),
  title: words,
  secret: mark,
});

export interface Spawned {
  session: number;
  pid?: number | undefined;
  size: Geometry;
  replies: boolean;
}
export const spawned = record<Spawned>({ session: need(u64), pid: may(u32), size: need(geometry), replies: yes });

/** From an offset on, or with at most so many of the newest bytes. */
export type Start = { offset: number } | { tail: number };

export interface Attach {
  session: number;
  start: Start;
  role?: Role | undefined;
  size?: Geometry | undefined;
  policy?: Policy | undefined;
}
export const attach = record<Attach>({
  session: need(u64),
  start: need(variant<Start>({ offset: u64, tail: u64 })),
  role: may(role),
  size: may(geometry),
  policy: may(policy),
});

export interface Attached {
  session: number;
  role: Role;
  start: number;
  end: number;
  input: number;
  size: Geometry;
  policy: Policy;
  replies: boolean;
  title: string;
}
export const attached = record<Attached>({
  session: need(u64),
  role: need(role),
  start: need(u64),
  end: need(u64),
  input: need(u64),
  size: need(geometry),
  policy: need(policy),
  replies: yes,
  title: words,
});

export interface Detached {
  code?: ErrorCode | undefined;
  message: string;
}
export const detached = record<Detached>({ code: may(errorCode), message: words });

/** One session, as a list shows it. */
export interface SessionInfo {
  session: number;
  title: string;
  program: string;
  size: Geometry;
  ageMs: number;
  end: number;
  viewers: number;
  status?: ExitStatus | undefined;
}
const sessionInfo = record<SessionInfo>({
  session: need(u64),
  title: words,
  program: words,
  size: need(geometry),
  ageMs: need(u64, "age_ms"),
  end: need(u64),
  viewers: need(u32),
  status: may(exitStatus),
});

export interface Sessions {
  sessions: SessionInfo[];
}
export const sessions = record<Sessions>({ sessions: need(list(sessionInfo)) });

export interface Close {
  session?: number | undefined;
  graceMs: number;
}
export const close = record<Close>({ session: may(u64), graceMs: or(u32, () => CLOSE_GRACE_MS, undefined, "grace_ms") });

/** A signal by its name. */
export type Signal = "hangup" | "interrupt" | "quit" | "terminate" | "kill" | "continue" | "stop" | "user1" | "user2";
/** Whom it is for. */
export type Target = "leader" | "foreground" | "session";
/** What can be done to a session. */
export type Act = "clear" | "reset" | { title: string } | { signal: { name: Signal; to: Target } };

const signal = record<{ name: Signal; to: Target }>({
  name: need(name<Signal>(["hangup", "interrupt", "quit", "terminate", "kill", "continue", "stop", "user1", "user2"])),
  to: need(name<Target>(["leader", "foreground", "session"])),
});
const act: Shape<Act> = either(["clear", "reset"] as const, variant<Exclude<Act, string>>({ title: text, signal }));

export interface Control {
  act: Act;
}
export const control = record<Control>({ act: need(act, "do") });

export interface Viewer {
  name: string;
  role: Role;
  you: boolean;
  replies: boolean;
}
const viewer = record<Viewer>({ name: words, role: need(role), you: mark, replies: mark });

export interface Viewers {
  count: number;
  viewers: Viewer[];
}
export const viewers = record<Viewers>({ count: need(u32), viewers: need(list(viewer)) });

// ---- Operations ----

/** What the operations of a batch wait for: those before them on the same session; the one before; the same, up to the first refusal. */
export type Mode = "parallel" | "ordered" | "stop_on_error";
/** How urgent a batch is: who waits for it is a person; a program; somebody who waits for all of many; nobody. */
export type Class = "interactive" | "control" | "bulk" | "background";

/** Something to do. */
export type Operation =
  | { spawn: Spawn }
  | { input: { session: number; bytes: Uint8Array; urgent: boolean } }
  | { resize: { session: number; size: Geometry } }
  | { control: { session: number; act: Act } }
  | { close: { session: number; graceMs: number } }
  | { query: { session: number } }
  | { host: { name: string; body: Uint8Array } };
const operation = variant<Operation>({
  spawn,
  input: record<{ session: number; bytes: Uint8Array; urgent: boolean }>({ session: need(u64), bytes: need(blob), urgent: mark }),
  resize: record<{ session: number; size: Geometry }>({ session: need(u64), size: need(geometry) }),
  control: record<{ session: number; act: Act }>({ session: need(u64), act: need(act, "do") }),
  close: record<{ session: number; graceMs: number }>({ session: need(u64), graceMs: or(u32, () => CLOSE_GRACE_MS, undefined, "grace_ms") }),
  query: record<{ session: number }>({ session: need(u64) }),
  host: record<{ name: string; body: Uint8Array }>({ name: need(text), body: need(blob) }),
});

export interface Batch {
  /** What tells it from all others, whoever sends it: it is carried out once. */
  key?: string | undefined;
  mode: Mode;
  class: Class;
  /** After so long what has not begun is not begun any more. */
  withinMs?: number | undefined;
  operations: Operation[];
}
export const batch = record<Batch>({
  key: may(text),
  mode: or(name<Mode>(["parallel", "ordered", "stop_on_error"]), () => "parallel"),
  class: or(name<Class>(["interactive", "control", "bulk", "background"]), () => "control"),
  withinMs: may(u32, "within_ms"),
  operations: need(list(operation)),
});

/** What an operation answers that has something to say. */
export type Answer = { spawned: { session: number; pid?: number | undefined } } | { session: SessionInfo } | { host: Uint8Array };
const answer = variant<Answer>({
  spawned: record<{ session: number; pid?: number | undefined }>({ session: need(u64), pid: may(u32) }),
  session: sessionInfo,
  host: blob,
});

export interface Refused extends Refusal {
  from: number;
  to: number;
}
const refused = record<Refused>({ from: need(u32), to: need(u32), code: need(errorCode), message: need(text), retryable: mark });

/** What came of some operations, by their places in the batch; both ends of a range are included. */
export interface Results {
  done: [from: number, to: number][];
  answers: { at: number; answer: Answer }[];
  refused: Refused[];
}
export const results = record<Results>({
  done: some(pair(u32, u32)),
  answers: some(record<{ at: number; answer: Answer }>({ at: need(u32), answer: need(answer) })),
  refused: some(refused),
});

// ---- What flows ----

/** Why output is missing. */
export type GapReason = "history" | "resync" | "demoted" | "interrupt" | "cleared" | (string & {});

export interface Gap {
  to: number;
  why: GapReason;
}
export const gap = record<Gap>({ to: need(u64), why: need(name<GapReason>([], true)) });

export interface InputDropped {
  to: number;
  bytes: number;
}
export const inputDropped = record<InputDropped>({ to: need(u64), bytes: need(u64) });

export interface InputRefused {
  code: ErrorCode;
  message: string;
  retryable: boolean;
}
export const inputRefused: Shape<InputRefused> = refusal;

export interface Resize {
  size: Geometry;
}
export const resize = record<Resize>({ size: need(geometry) });

export interface Resized {
  size: Geometry;
}
export const resized: Shape<Resized> = resize;

export interface Exited {
  status: ExitStatus;
}
export const exited = record<Exited>({ status: need(exitStatus) });

export interface Ended {
  status: ExitStatus;
  orphaned: boolean;
}
export const ended = record<Ended>({ status: need(exitStatus), orphaned: mark });

/** A map in which no key has a meaning yet. */
export const nothing = record<object>({});
