/**
 * A client that stays: it connects, proves who it is, and after any break comes back to where it was.
 *
 * Attempts wait for a time drawn at random from a range that doubles (full jitter), are made at once when there is reason to
 * hope, and end for good where a new one could not succeed: a wrong token, a version nobody shares.
 */

import { Batch, type BatchOptions } from "./batch.js";
import type { Challenge, ErrorCode, Geometry, Operation, Policy, Role, SessionInfo, Spawn, Start, Welcome } from "./bodies.js";
import { Backoff, SCHEDULE, seedOf } from "./backoff.js";
import { Breaker } from "./breaker.js";
import { sameBytes } from "./bytes.js";
import { Emitter } from "./emitter.js";
import { type Env, platformEnv } from "./env.js";
import type { ProtocolError } from "./error.js";
import { type Pass, authorityOf, readPass } from "./handshake.js";
import { Hop } from "./latency.js";
import {
  BUFFERED_MAX,
  CREDIT_BROWSER,
  DRAIN_LOOK_MS,
  INPUT_WINDOW_BYTES,
  NUDGE_MS,
  RETRY_HIDDEN_MAX_MS,
  RETRY_MAX_MS,
  RETRY_OFFLINE_MS,
  STREAMS_MAX,
} from "./limits.js";
import { type Identity, Link, type LinkEnd } from "./link.js";
import type { Message } from "./messages.js";
import { RequestError, Requests } from "./requests.js";
import { FROM_START, Session, type SessionHost } from "./session.js";

export interface ClientOptions {
  /** `ws://127.0.0.1:7673/ws` */
  url: string | URL;
  /** A pass (`owner.…`) or a token, as text, or where to read it; it never leaves this process. */
  pass: string | (() => string | Promise<string>);
  /** What other viewers call this client. */
  name?: string;
  /** Software and version, for the server's logs. */
  agent?: string;
  /** Output one stream may have under way that is not rendered, in bytes. */
  credit?: number;
  /** Whether output may come compressed (deflate), where the server finds that it pays; yes, unless told. */
  compression?: boolean;
  /** Input kept per session until it is settled, in bytes. */
  queueBytesMax?: number;
  /** How often to measure the link, in milliseconds; by default as often as the server asks for. */
  pingMs?: number;
  /** A WebSocket, where there is no global one. */
  WebSocket?: new (url: string) => unknown;
  /** Clock, timers, randomness, sockets: for tests. */
  env?: Env;
}

/** Where the client stands. */
export type ClientState =
  | { readonly phase: "idle" }
  | { readonly phase: "connecting" }
  | { readonly phase: "online"; readonly role: Role }
  /** The link broke; the next attempt is at `retryAt`, on the clock of the environment (`performance.now()`). `offline`: as the host says. */
  | { readonly phase: "waiting"; readonly retryAt: number; readonly reason: string; readonly offline: boolean }
  /** No attempt follows. */
  | { readonly phase: "stopped"; readonly code: StopCode; readonly reason: string };

/** Why no attempt follows. */
export type StopCode = ErrorCode | "impostor" | "unusable" | "closed";

export interface ClientEvents {
  state: ClientState;
  /** A new round trip was measured. */
  latency: number;
  /** Something the server sent made no sense and was skipped. */
  misunderstood: ProtocolError;
}

export interface AttachOptions {
  /** From where on; by default all that the server holds. */
  start?: Start;
  /** To do less than one could: `viewer`. */
  role?: Role;
  size?: Geometry;
  /** What happens when it falls behind; by default it misses output where others watch already, else the program waits for it. */
  policy?: Policy;
}

/** A connection to one server, kept alive. */
export class Client extends Emitter<ClientEvents> {
  /** The round trip to the server. */
  readonly network = new Hop();
  /** Opens when the server refuses new sessions for too much load again and again; `spawn` and `attach` then fail without asking it. */
  readonly breaker = new Breaker();
  readonly #options: ClientOptions;
  readonly #url: string;
  readonly #authority: string;
  readonly #env: Env;
  readonly #backoff: Backoff;
  readonly #requests: Requests;
  readonly #sessions = new Map<number, Session>();
  readonly #host: SessionHost;
  #state: ClientState = { phase: "idle" };
  #pass: Pass | undefined;
  #link: Link | undefined;
  #identity: Identity | undefined;
  #offline = false;
  /** Whether a second try follows: the token may have been read too early, and a bug of either side may have passed. */
  #mayReread = true;
  #mayStumble = true;
  #cancelRetry = (): void => {};
  #cancelDrain: (() => void) | undefined;
  #lastStream = 0;

  /** @throws {TypeError} where `url` is none. */
  constructor(options: ClientOptions) {
    super();
    this.#options = options;
    this.#url = String(options.url);
    this.#authority = authorityOf(options.url);
    this.#env = options.env ?? platformEnv(options.WebSocket);
    this.#backoff = new Backoff(SCHEDULE, seedOf(this.#env));
    this.#requests = new Requests(this.#env, this.breaker, (stream, message) => this.#send(stream, message));
    this.#host = this.#hostOfSessions();
  }

  get state(): ClientState {
    return this.#state;
  }

  /** Sessions this client watches. */
  get sessions(): Session[] {
    return [...this.#sessions.values()];
  }

  /** Begins, or begins anew after it has stopped. */
  connect(): void {
    if (this.#state.phase === "idle" || this.#state.phase === "stopped") this.#attempt();
  }

  /** Makes the next attempt now. */
  retryNow(): void {
    if (this.#state.phase === "waiting") this.#attempt();
    else this.connect();
  }

  /** There is reason to hope, or to doubt: the network is back, the page is looked at. Tries at once, or asks whether the link lives. */
  nudge(): void {
    if (this.#state.phase === "waiting") this.#attempt();
    else this.#link?.ask(NUDGE_MS);
  }

  /** Whether nobody looks; attempts may then lie further apart. */
  set hidden(hidden: boolean) {
    this.#backoff.maxMs = hidden ? RETRY_HIDDEN_MAX_MS : RETRY_MAX_MS;
    if (!hidden) this.nudge();
  }

  /**
   * Whether the platform says that there is no network. Attempts then lie as far apart as they ever do, for it may be wrong; once there is
   * one again, one follows at once, and short waits after it.
   */
  set offline(offline: boolean) {
    this.#offline = offline;
    if (!offline) this.#backoff.reset();
    if (offline && this.#state.phase === "waiting") this.#wait(RETRY_OFFLINE_MS, this.#state.reason);
    else this.nudge();
  }

  /** Leaves for good. Sessions on the server go on. */
  close(): void {
    this.#link?.leave("leaving", "");
    this.#stop("closed", "closed");
  }

  /** Starts a program and watches it from its first byte. */
  spawn(spawn: Partial<Spawn> = {}): Session {
    return this.#add((stream) => new Session(this.#host, stream, { type: "Spawn", args: [], env: [], title: "", secret: false, ...spawn }));
  }

  /** Watches a session. */
  attach(session: number, { start = FROM_START, ...options }: AttachOptions = {}): Session {
    return this.#add((stream) => new Session(this.#host, stream, { type: "Attach", session, start, ...options }));
  }

  /** The sessions this client may watch. */
  list(): Promise<SessionInfo[]> {
    return new Promise((resolve, reject) => {
      const sessions: SessionInfo[] = [];
      const answered = (message: Message): void => {
        if (message.type !== "Sessions") return;
        sessions.push(...message.sessions);
        if (!message.more) resolve(sessions);
      };
      this.#requests.ask(0, { type: "List" }, { answered, failed: reject });
    });
  }

  /** Ends a session that need not be watched. */
  closeSession(session: number, graceMs = 1000): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#requests.ask(0, { type: "Close", session, graceMs }, { answered: () => resolve(), failed: reject });
    });
  }

  /** Carries operations out, on any sessions, watched or not. */
  batch(operations: readonly Operation[], options: BatchOptions = {}): Batch {
    return new Batch(this.#requests, operations, options);
  }

  // ---- Connecting ----

  #attempt(): void {
    this.#cancelRetry();
    this.#become({ phase: "connecting" });
    if (this.#pass !== undefined) return this.#open(this.#pass);
    const { pass } = this.#options;
    const text = typeof pass === "string" ? Promise.resolve(pass) : Promise.resolve().then(pass);
    text.then((read) => readPass(read, this.#env.hmac)).then(
      (pass) => {
        this.#pass = pass;
        if (this.#state.phase === "connecting") this.#open(pass);
      },
      (error: unknown) => this.#stop("unusable", error instanceof Error ? error.message : String(error)),
    );
  }

  #open(pass: Pass): void {
    const { agent = "web/0.1.0", name = "", credit = CREDIT_BROWSER, compression = true, pingMs } = this.#options;
    const waiting = this.sessions.filter((session) => session.resumable);
    const resume = waiting.map(({ stream, id, received }) => ({ stream, session: id!, offset: received }));
    const options = { url: this.#url, authority: this.#authority, pass, agent, name, credit, compression, pingMs, identity: this.#identity, resume };
    this.#link = new Link(this.#env, options, {
      opened: (welcome, challenge, points) => this.#opened(welcome, challenge, waiting, points),
      received: (stream, message, timestamp) => this.#received(stream, message, timestamp),
      misunderstood: (stream, error) => this.emit("misunderstood", error),
      measured: (ms) => {
        this.network.add(ms);
        this.emit("latency", ms);
      },
      ended: (end) => this.#ended(end),
    });
    this.#link.open();
  }

  #opened(welcome: Welcome, { instance }: Challenge, waiting: readonly Session[], points: number): void {
    const isSame = this.#identity === undefined || sameBytes(this.#identity.instance, instance);
    const isKnown = welcome.resumed && this.#identity?.client !== undefined;
    this.#identity = { client: welcome.client.slice(), secret: welcome.secret.slice(), instance: instance.slice() };
    this.#become({ phase: "online", role: welcome.role });
    this.#mayReread = true;
    this.#backoff.handleUp(this.#env.now());
    if (!isSame) {
      for (const session of waiting) session.lose("lost", "the server was started anew, and this session is gone");
    }
    const before = this.#requests.last;
    // Streams of the resume list are answered without a question; the others come before what was asked about them.
    for (const session of isKnown ? waiting.slice(points) : waiting) session.reattach();
    this.#requests.resume(isKnown, isSame, before);
  }

  #ended(end: LinkEnd): void {
    this.#link = undefined;
    this.#cancelDrain?.();
    this.#cancelDrain = undefined;
    for (const session of this.sessions) session.suspend();
    const now = this.#env.now();
    this.#mayStumble ||= this.#backoff.isStable(now);
    const { reason, stop, retryMs } = judge(end);
    if (stop !== undefined && !this.#forgives(stop)) return this.#stop(stop, reason);
    // Without a network no attempt is made that would count.
    if (this.#offline) return this.#wait(Math.max(RETRY_OFFLINE_MS, retryMs ?? 0), reason);
    this.#wait(this.#backoff.handleDown(now, retryMs), reason);
  }

  /** Makes the next attempt after `ms`. */
  #wait(ms: number, reason: string): void {
    this.#cancelRetry();
    this.#cancelRetry = this.#env.after(ms, () => this.#attempt());
    this.#become({ phase: "waiting", retryAt: this.#env.now() + ms, reason, offline: this.#offline });
  }

  /** Whether a reason to stop is worth one more try. */
  #forgives(code: StopCode): boolean {
    if (code === "unauthorized" || code === "impostor") {
      const rereads = this.#mayReread && typeof this.#options.pass === "function";
      this.#mayReread = false;
      this.#pass = undefined;
      return rereads;
    }
    const stumbles = this.#mayStumble && BUGS.has(code);
    if (BUGS.has(code)) this.#mayStumble = false;
    return stumbles;
  }

  #stop(code: StopCode, reason: string): void {
    // Whoever took our place keeps it: should we be asked to come back, then as somebody new.
    if (code === "replaced" && this.#identity) this.#identity = { ...this.#identity, client: undefined };
    this.#cancelRetry();
    this.#link = undefined;
    this.#become({ phase: "stopped", code, reason });
    this.#requests.fail(new RequestError("closed", reason));
    for (const session of this.sessions) session.suspend();
  }

  #become(state: ClientState): void {
    this.#state = state;
    this.emit("state", state);
  }

  // ---- Messages ----

  #send(stream: number, message: Message): boolean {
    if (!this.#link?.isOpen) return false;
    this.#link.send(stream, message);
    return true;
  }

  #received(stream: number, message: Message, timestamp: bigint | undefined): void {
    const session = this.#sessions.get(stream);
    switch (message.type) {
      case "Error":
      case "Done":
      case "Spawned":
      case "Attached":
      case "Detached":
      case "Sessions":
      case "Results":
        if (message.number !== 0) return void this.#requests.answer(message.number, message);
    }
    if (stream !== 0) session?.handle(message, timestamp);
  }

  // ---- Sessions ----

  #add(make: (stream: number) => Session): Session {
    const session = make(this.#freeStream());
    this.#sessions.set(session.stream, session);
    return session;
  }

  #freeStream(): number {
    const max = Math.min(0xffff, this.#link?.limits?.streams ?? STREAMS_MAX);
    if (this.#sessions.size >= max) {
      throw new RequestError("too_many", `${max} sessions are watched, and a connection may have no more: detach from some`);
    }
    do {
      this.#lastStream = (this.#lastStream % 0xffff) + 1;
    } while (this.#sessions.has(this.#lastStream));
    return this.#lastStream;
  }

  #hostOfSessions(): SessionHost {
    const client = this;
    return {
      env: this.#env,
      requests: this.#requests,
      queueBytesMax: this.#options.queueBytesMax,
      send: (stream, message) => client.#send(stream, message),
      mayUpload: () => client.#mayUpload(),
      get inputWindow() {
        return client.#link?.limits?.input ?? INPUT_WINDOW_BYTES;
      },
      get ackBytes() {
        const ours = client.#options.credit ?? CREDIT_BROWSER;
        return Math.min(ours, client.#link?.limits?.credit ?? ours) / 16;
      },
      freed(stream) {
        client.#sessions.delete(stream);
        client.#requests.end(stream);
      },
    };
  }

  #mayUpload(): boolean {
    const link = this.#link;
    if (link === undefined) return false;
    if (link.buffered <= BUFFERED_MAX) return true;
    // A WebSocket does not tell when it has drained.
    this.#cancelDrain ??= this.#env.after(DRAIN_LOOK_MS, () => {
      this.#cancelDrain = undefined;
      for (const session of this.sessions) session.pump();
    });
    return false;
  }
}

/** What the end of a connection means: why, for people; whether to stop; how long to wait at least. */
function judge(end: LinkEnd): { reason: string; stop?: StopCode; retryMs?: number } {
  switch (end.why) {
    case "goodbye": {
      const { code, message, retryMs, versions, offered } = end.goodbye;
      const ranges = versions && offered ? ` (the server speaks ${range(versions)}, this page ${range(offered)})` : "";
      const reason = (message || `the server ended the connection: ${code}`) + ranges;
      if (retryMs !== undefined) return { reason, retryMs };
      return RETRYABLE.has(code) ? { reason } : { reason, stop: code };
    }
    case "closed":
      if (end.code === 4401) return { reason: end.reason || "the token is wrong", stop: "unauthorized" };
      if (end.code === 4403) return { reason: end.reason || "this is not allowed here", stop: "forbidden" };
      if (end.code === 4409) return { reason: end.reason || "this client came back on another connection", stop: "replaced" };
      if (end.code === 4426) return { reason: end.reason || "no common version", stop: "version" };
      return { reason: "the connection was lost" };
    case "silent":
      return { reason: "the server has not been heard of" };
    case "slow":
      return { reason: "the server did not answer in time" };
    case "impostor":
      return { reason: "whoever answered could not prove to hold the token; nothing was told to it. The server may have been started anew: use its newest link", stop: "impostor" };
    case "fault":
      return { reason: `the server sent what makes no sense: ${end.error.message}`, stop: "malformed" };
    case "unusable":
      return { reason: end.message, stop: "unusable" };
  }
}

const range = ([oldest, newest]: readonly number[]): string => (oldest === newest ? `version ${oldest}` : `versions ${oldest} to ${newest}`);

/** Reasons that are bugs of one side or the other. */
const BUGS = new Set<string>(["malformed", "unknown_type", "unexpected"]);

/** Reasons that pass by themselves, where a server says so without a time. */
const RETRYABLE = new Set<string>(["timeout", "overloaded", "shutting_down", "system", "internal"]);
