/**
 * One session as this client sees it, on one stream: output with exact offsets, input that is applied once, sizes, the end.
 *
 * Output waits for its first listener, and whoever listens says what it has rendered ({@link Session.rendered}): only that is
 * acknowledged, and only so much more is sent. Over a broken link the session waits, keeps what is typed and goes on.
 */

import type { Act, ExitStatus, GapReason, Geometry, Policy, Role, Signal, Start, Target, Viewers } from "./bodies.js";
import { Backoff, seedOf } from "./backoff.js";
import { Emitter } from "./emitter.js";
import type { Env } from "./env.js";
import { ProtocolError } from "./error.js";
import { Inputs } from "./inputs.js";
import { cleanLabel } from "./label.js";
import { Hop } from "./latency.js";
import type { Message, MessageOf } from "./messages.js";
import { type Question, RequestError, type Requests } from "./requests.js";

/** Bytes the terminal wrote, from `offset` on. A character may be cut at either end. */
export interface Output {
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** Seen before this viewer came: a terminal must not answer queries in it. */
  readonly replay: boolean;
}

/** What is told of a session. The first six come in their place between the bytes of output. */
export interface SessionEvents {
  output: Output;
  /** Output from `from` to `to` will not come. */
  gap: { from: number; to: number; why: GapReason };
  /** The terminal has this size; `mine` if it is what this client asked for. */
  resized: { size: Geometry; mine: boolean };
  /** Somebody cleared or reset it. */
  control: "clear" | "reset";
  /** The process ended; output may still come. */
  processExited: { status: ExitStatus };
  /** The end. `exit` comes after the last byte. */
  ended: SessionEnd;
  title: string;
  viewers: Viewers;
  state: SessionState;
  /** Input that will not reach the program. */
  inputLost: { bytes: number; why: "dropped" | "refused" | "uncertain" | "ended"; message: string };
  /** The queue is full, and what was just typed was not taken. */
  inputFull: { bytes: number };
  /** Nothing waits to be settled any more. */
  inputSettled: undefined;
}

/** How watching ended. */
export type SessionEnd =
  | { why: "exit"; status: ExitStatus; orphaned: boolean }
  | { why: "detached" | "lost" | "refused"; code: RequestError["code"] | undefined; message: string };

/** `opening`: asked for. `live`. `waiting`: the link is broken. `ended`. */
export type SessionState = "opening" | "live" | "waiting" | "ended";

/** What a session needs of its client. */
export interface SessionHost {
  readonly env: Env;
  readonly requests: Requests;
  readonly queueBytesMax: number | undefined;
  /** Answers whether there was a connection. */
  send(stream: number, message: Message): boolean;
  /** Whether the socket may take more bulk now; if not, sessions are asked again. */
  mayUpload(): boolean;
  readonly inputWindow: number;
  readonly ackBytes: number;
  /** The stream is free. */
  freed(stream: number): void;
}

type Opening = Extract<Question, { type: "Spawn" | "Attach" }>;

/** One session on one stream. Made by the client. */
export class Session extends Emitter<SessionEvents> {
  /** Settles when the session runs and this client watches it; rejects with a {@link RequestError}. */
  readonly opened: Promise<this>;
  readonly stream: number;
  /** How long the program took to answer a key, and the consumer to render it. */
  readonly program = new Hop();
  readonly renderer = new Hop();
  #id: number | undefined;
  #state: SessionState = "opening";
  #role: Role | undefined;
  /** What happens when it falls behind; who spawns is waited for. */
  #policy: Policy = "backpressure";
  #size: Geometry = { cols: 80, rows: 24 };
  #title = "";
  #pid: number | undefined;
  #replies = false;
  #end: SessionEnd | undefined;
  #opening: Opening;
  #opened!: () => void;
  #refused!: (error: RequestError) => void;

  #received = 0;
  #rendered = 0;
  #acked = 0;
  /** Output and gaps not rendered yet: where each ends, and when it came. */
  #unrendered: { from: number; to: number; isGap: boolean; at: number }[] = [];
  /** Events in order, until somebody listens to output. */
  #held: (() => void)[] | undefined = [];

  readonly #inputs: Inputs;
  readonly #retry: Backoff;
  #cancelRetry: (() => void) | undefined;
  /** The server's moment of the newest acknowledged input, until output follows. */
  #settledAt: bigint | undefined;
  /** The size of the consumer's window, and the number of the request that tells it. */
  #window: Geometry | undefined;
  #isTold = true;
  #resizing = 0;
  readonly #host: SessionHost;

  constructor(host: SessionHost, stream: number, opening: Opening) {
    super();
    this.#host = host;
    this.stream = stream;
    this.#opening = opening;
    this.#inputs = new Inputs(host.queueBytesMax);
    this.#retry = new Backoff({ firstMs: 50, maxMs: RETRY_INPUT_MS_MAX, stableMs: 0 }, seedOf(host.env));
    this.opened = new Promise((resolve, reject) => {
      this.#opened = () => resolve(this);
      this.#refused = reject;
    });
    this.opened.catch(() => {}); // Who does not wait for it learns by `ended`.
    if (opening.type === "Attach") {
      this.#id = opening.session;
      if ("offset" in opening.start) this.#received = this.#rendered = this.#acked = opening.start.offset;
    }
    this.#open();
  }

  /** The session's number, once it is known. */
  get id(): number | undefined {
    return this.#id;
  }

  get state(): SessionState {
    return this.#state;
  }

  /** What this client may do with it, once it is known. */
  get role(): Role | undefined {
    return this.#role;
  }

  /** Whether this client may type. */
  get types(): boolean {
    return this.#role !== "viewer" && this.#role !== "metrics";
  }

  /** The size the terminal has. */
  get size(): Geometry {
    return this.#size;
  }

  get title(): string {
    return this.#title;
  }

  /** The process's number on its machine. */
  get pid(): number | undefined {
    return this.#pid;
  }

  /** Whether this viewer's terminal shall answer what programs ask terminals. */
  get replies(): boolean {
    return this.#replies;
  }

  /** How it ended, if it has. */
  get end(): SessionEnd | undefined {
    return this.#end;
  }

  /** The offset after the last byte that came. */
  get received(): number {
    return this.#received;
  }

  /** Bytes typed and not settled. */
  get unsettled(): number {
    return this.#inputs.bytes;
  }

  override on<E extends keyof SessionEvents>(event: E, listener: (event: SessionEvents[E]) => void): () => void {
    const off = super.on(event, listener);
    // Not at once: whoever listens to output sets up its other listeners first.
    if (event === "output") queueMicrotask(() => this.#flow());
    return off;
  }

  // ---- What one can do ----

  /**
   * Types `data`: text as UTF-8, or bytes. All of it is taken, or nothing and the answer is false: the queue is full, or the session
   * has ended. `urgent` is for interrupt keys; `reply` for what a terminal answers by itself.
   */
  input(data: string | Uint8Array, { urgent = false, reply = false } = {}): boolean {
    const bytes = typeof data === "string" ? utf8.encode(data) : data;
    if (bytes.length === 0) return true;
    if (this.#state === "ended" || !this.types) return false;
    if (!this.#inputs.push(bytes, urgent, reply)) {
      this.emit("inputFull", { bytes: this.#inputs.bytes });
      return false;
    }
    this.pump();
    return true;
  }

  /** Output before `offset` was rendered; what was missed in between counts as well. */
  rendered(offset: number): void {
    const now = this.#host.env.now();
    let upTo = Math.max(this.#rendered, Math.min(offset, this.#received));
    for (let first = this.#unrendered[0]; first !== undefined && (first.to <= upTo || (first.isGap && first.from <= upTo)); first = this.#unrendered[0]) {
      upTo = Math.max(upTo, first.to);
      if (!first.isGap) this.renderer.add(now - first.at);
      this.#unrendered.shift();
    }
    this.#rendered = upTo;
    const fresh = this.#rendered - this.#acked;
    if (this.#state === "live" && fresh > 0 && (fresh >= this.#host.ackBytes || this.#rendered === this.#received)) this.#ack();
  }

  /** The window has this size. The newest of several counts; what results is told by `resized`. */
  resize(size: Geometry): void {
    this.#window = size;
    this.#isTold = false;
    if (this.#state === "live") this.#tellSize();
  }

  /** Sends a signal. */
  signal(name: Signal, to: Target = "foreground"): Promise<void> {
    return this.control({ signal: { name, to } });
  }

  /** Clears, resets, names or signals it. */
  control(act: Act): Promise<void> {
    return this.#ask({ type: "Control", act });
  }

  /** Ends the session: hang up, terminate, kill, with a grace after each. */
  close(graceMs = 1000): Promise<void> {
    return this.#ask({ type: "Close", graceMs });
  }

  /** Watches no longer; the session goes on. */
  detach(): void {
    if (this.#state === "ended") return;
    // Over a broken link there is nothing to leave: it will not ask for the stream again.
    const isFree = this.#state === "waiting";
    this.#finish({ why: "detached", code: undefined, message: "" }, isFree);
    if (!isFree) this.#askDetach();
  }

  /** The output, chunk by chunk; each counts as rendered when the next is asked for. Ends with the session. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Output, void> {
    const chunks: Output[] = [];
    let wake = (): void => {};
    const offs = [
      this.on("output", (chunk) => void (chunks.push(chunk), wake())),
      this.on("ended", () => wake()),
    ];
    try {
      for (;;) {
        const chunk = chunks.shift();
        if (chunk !== undefined) {
          yield chunk;
          this.rendered(chunk.offset + chunk.bytes.length);
        } else if (this.#end !== undefined && this.#held === undefined) return;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      for (const off of offs) off();
    }
  }

  // ---- What the client tells ----

  /** Sends what may be sent. */
  pump(): void {
    if (this.#state !== "live" || this.#cancelRetry !== undefined) return;
    const { env, inputWindow } = this.#host;
    while (this.#host.mayUpload()) {
      const piece = this.#inputs.take(inputWindow, env.now());
      if (piece === undefined) return;
      const { sequence, bytes, reply, urgent } = piece;
      this.#host.send(this.stream, { type: urgent ? "Interrupt" : "Input", sequence, bytes, reply });
    }
  }

  /** The link broke. */
  suspend(): void {
    this.#inputs.unsend();
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#settledAt = undefined;
    this.#host.requests.forget(this.#resizing);
    this.#resizing = 0;
    if (this.#state === "live") this.#become("waiting");
  }

  /** Whether it wants to go on where it was. */
  get resumable(): boolean {
    return this.#state === "waiting" && this.#id !== undefined;
  }

  /** A new connection does not bring it back by itself: attach again, from where we are. */
  reattach(): void {
    if (!this.resumable) return;
    this.#opening = { type: "Attach", session: this.#id!, start: { offset: this.#received }, policy: this.#policy };
    if (this.#role !== undefined) this.#opening.role = this.#role;
    this.#open();
  }

  /** The server is another, or gone for good. */
  lose(code: RequestError["code"], message: string): void {
    this.#finish({ why: "lost", code, message });
  }

  /** A message on its stream, other than an answer to a request. */
  handle(message: Message, timestamp: bigint | undefined): void {
    switch (message.type) {
      case "Attached":
        return this.#attached(message);
      case "Detached":
        return this.#finish({ why: "detached", code: message.code, message: message.message }, true);
      case "Output":
        return this.#output(message, timestamp);
      case "Gap":
        return this.#gap(message.from, message.to, message.why);
      case "Resized":
        return this.#resized(message);
      case "Control":
        return this.#told(message.act);
      case "Viewers":
        this.#replies = message.viewers.find((viewer) => viewer.you)?.replies ?? this.#replies;
        return this.emit("viewers", { count: message.count, viewers: message.viewers });
      case "InputAck":
        return this.#settled(message.sequence, timestamp);
      case "InputDropped":
        return this.emit("inputLost", { bytes: message.bytes, why: "dropped", message: "the terminal discarded it, as an interrupt key does" });
      case "InputRefused":
        return this.#inputRefused(message);
      case "ProcessExited":
        return this.#inOrder("processExited", { status: message.status });
      case "Exit":
        if (message.offset > this.#received) throw new ProtocolError("unexpected", `the end came at ${message.offset}, and ${this.#received} was due`);
        return this.#finish({ why: "exit", status: message.status, orphaned: message.orphaned }, true);
      case "Error":
        // Of no request: the server could not bring the stream back.
        if (this.#state === "waiting") this.#finish({ why: "lost", code: message.code, message: message.message }, true);
        return;
      default:
        return; // Sent to us by mistake; it changes nothing.
    }
  }

  // ---- Opening ----

  #open(): void {
    if (this.#window !== undefined) this.#opening = { ...this.#opening, size: this.#window };
    // One that comes back is not kept from it by what new ones met with.
    const isNew = this.#state === "opening";
    const asker = {
      answered: (message: Message): void => {
        if (message.type === "Spawned") this.#spawned(message);
        else if (message.type === "Attached") this.#attached(message);
      },
      failed: (error: RequestError): void => {
        const why = this.#state === "waiting" ? "lost" : "refused";
        this.#finish({ why, code: error.code, message: error.message }, true, error);
      },
    };
    this.#host.requests.ask(this.stream, this.#opening, asker, isNew);
  }

  #spawned({ session, pid, size, replies }: MessageOf<"Spawned">): void {
    if (this.#state === "ended") return this.#askDetach(); // Left before it was opened.
    // A spawn that was carried out before the link broke is answered again, and its output begins where we are: at 0.
    this.#id = session;
    this.#pid = pid;
    this.#role = "owner";
    this.#title = this.#opening.type === "Spawn" ? cleanLabel(this.#opening.title) : "";
    this.#live(size, replies, true);
  }

  #attached(message: MessageOf<"Attached">): void {
    if (this.#state === "ended") return this.#askDetach();
    const isFirst = this.#state === "opening";
    this.#id = message.session;
    this.#role = message.role;
    this.#policy = message.policy;
    if (isFirst) this.#received = this.#rendered = this.#acked = message.start;
    else if (message.start !== this.#received) throw new ProtocolError("unexpected", `it goes on at ${message.start}, and ${this.#received} was due`);
    if (message.number === 0) this.#inputs.resume(message.input);
    else {
      const bytes = this.#inputs.restart(message.input);
      if (bytes > 0) this.emit("inputLost", { bytes, why: "uncertain", message: "the server forgot this client, and nobody can say whether it arrived" });
    }
    this.#retitle(message.title);
    this.#live(message.size, message.replies, isFirst);
  }

  #askDetach(): void {
    const done = (): void => this.#host.freed(this.stream);
    this.#host.requests.ask(this.stream, { type: "Detach" }, { answered: done, failed: done });
  }

  #live(size: Geometry, replies: boolean, isFirst: boolean): void {
    this.#replies = replies;
    this.#acked = Math.min(this.#acked, this.#received);
    this.#become("live");
    this.#opened();
    this.#size = size;
    this.#inOrder("resized", { size, mine: false });
    if (this.#rendered > this.#acked) this.#ack();
    if (this.#opening.size !== this.#window || !isFirst) this.#isTold = false;
    this.#tellSize();
    this.pump();
  }

  // ---- Output ----

  #output({ offset, bytes, replay }: MessageOf<"Output">, timestamp: bigint | undefined): void {
    let fresh = bytes;
    if (offset < this.#received) {
      if (offset + bytes.length <= this.#received) return; // Every byte once, whatever the other side does.
      fresh = bytes.subarray(this.#received - offset);
    } else if (offset > this.#received) {
      throw new ProtocolError("unexpected", `output came from ${offset} on, and ${this.#received} was due`);
    }
    if (timestamp !== undefined && this.#settledAt !== undefined && !replay) {
      const ms = Number(timestamp - this.#settledAt) / 1e6;
      if (ms >= 0 && ms < ANSWER_MS_MAX) this.program.add(ms);
      this.#settledAt = undefined;
    }
    const from = this.#received;
    this.#received += fresh.length;
    this.#unrendered.push({ from, to: this.#received, isGap: false, at: this.#host.env.now() });
    this.#inOrder("output", { offset: from, bytes: fresh, replay });
  }

  #gap(from: number, to: number, why: GapReason): void {
    if (to <= this.#received) return;
    if (from > this.#received) throw new ProtocolError("unexpected", `a gap came from ${from} on, and ${this.#received} was due`);
    const first = this.#received;
    this.#received = to;
    this.#unrendered.push({ from: first, to, isGap: true, at: 0 });
    this.#inOrder("gap", { from: first, to, why });
    this.rendered(this.#rendered); // Nothing may come after it that would take it along.
  }

  #ack(): void {
    if (this.#host.send(this.stream, { type: "Ack", rendered: this.#rendered })) this.#acked = this.#rendered;
  }

  /** Tells in order, and holds back until somebody takes the output. */
  #inOrder<E extends keyof SessionEvents>(event: E, what: SessionEvents[E]): void {
    if (this.#held === undefined) this.emit(event, what);
    else this.#held.push(() => this.emit(event, what));
  }

  #flow(): void {
    const held = this.#held;
    this.#held = undefined;
    for (const tell of held ?? []) tell();
  }

  // ---- Input ----

  #settled(sequence: number, timestamp: bigint | undefined): void {
    const newest = this.#inputs.settle(sequence);
    if (newest === undefined) return;
    this.#retry.reset();
    if (!newest.reply) this.#settledAt = timestamp;
    if (this.#inputs.bytes === 0) this.emit("inputSettled", undefined);
    this.pump();
  }

  #inputRefused({ sequence, code, message, retryable }: MessageOf<"InputRefused">): void {
    const isGap = code === "input_gap"; // Our numbers, not our bytes, are wrong: go on from where it stands.
    const given = this.#inputs.refuse(sequence, retryable || isGap);
    if (code === "ended" || code === "forbidden") {
      const bytes = (given?.bytes.length ?? 0) + this.#inputs.clear();
      this.emit("inputLost", { bytes, why: code === "ended" ? "ended" : "refused", message });
    } else if (given !== undefined) {
      this.emit("inputLost", { bytes: given.bytes.length, why: "refused", message });
    }
    if (!retryable) return this.pump();
    const { env } = this.#host;
    this.#cancelRetry?.();
    this.#cancelRetry = env.after(this.#retry.handleDown(env.now()), () => {
      this.#cancelRetry = undefined;
      this.pump();
    });
  }

  // ---- Sizes, titles, the end ----

  #tellSize(): void {
    const size = this.#window;
    if (this.#isTold || size === undefined || this.#resizing !== 0 || !this.types) return;
    this.#isTold = true;
    const next = (): void => {
      this.#resizing = 0;
      this.#tellSize();
    };
    this.#resizing = this.#host.requests.ask(this.stream, { type: "Resize", size }, { answered: next, failed: next });
  }

  #resized(message: MessageOf<"Resized">): void {
    this.#size = message.size;
    this.#inOrder("resized", { size: message.size, mine: message.number !== 0 });
    if (message.number !== 0) this.#host.requests.answer(message.number, message);
  }

  #told(act: Act): void {
    if (act === "clear" || act === "reset") this.#inOrder("control", act);
    else if ("title" in act) this.#retitle(act.title);
  }

  #retitle(title: string): void {
    const clean = cleanLabel(title);
    if (clean === this.#title) return;
    this.#title = clean;
    this.emit("title", clean);
  }

  #finish(end: SessionEnd, isFree = false, error?: RequestError): void {
    if (this.#state === "ended") return;
    this.#end = end;
    const bytes = this.#inputs.clear();
    this.suspend();
    this.#become("ended");
    if (bytes > 0) this.emit("inputLost", { bytes, why: "ended", message: "the session ended first" });
    this.#refused(error ?? (end.why === "exit" ? new RequestError("ended", "the session has ended") : new RequestError(end.code ?? "closed", end.message)));
    this.#inOrder("ended", end);
    if (isFree) this.#host.freed(this.stream);
  }

  #become(state: SessionState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.emit("state", state);
  }

  #ask(question: Question): Promise<void> {
    if (this.#state === "ended") return Promise.reject(new RequestError("ended", "the session has ended"));
    return new Promise((resolve, reject) => {
      this.#host.requests.ask(this.stream, question, { answered: () => resolve(), failed: reject });
    });
  }
}

/** Output that comes later than this after a key is no answer to it. */
const ANSWER_MS_MAX = 1000;

/** The longest wait before refused input is tried again. */
const RETRY_INPUT_MS_MAX = 2000;

const utf8 = new TextEncoder();

/** Where to begin watching: from the first byte on. */
export const FROM_START: Start = { offset: 0 };
