/**
 * One connection, from its first byte to its last: the handshake, the frames, and whether the other side still lives.
 *
 * It holds no session and tries nothing twice; that is the client's.
 */

import type { Challenge, Hello, ResumePoint, ServerLimits, Versions, Welcome } from "./bodies.js";
import { sameBytes } from "./bytes.js";
import { ProtocolError } from "./error.js";
import type { Env, Socket } from "./env.js";
import { type Frame, decodeFrames, encodeFrames } from "./frame.js";
import { type Pass, proofOf } from "./handshake.js";
import { CONNECT_MS, FRAME_BEFORE_PROOF_MAX, FRAME_MAX } from "./limits.js";
import { type Message, type MessageOf, decode, encode } from "./messages.js";
import { FEATURES, VERSIONS, greaseFeature, greaseFrame } from "./negotiation.js";
import { CODEC_FEATURES, Unpacking } from "./unpack.js";

/** Who the client was on its last connection. */
export interface Identity {
  /** Missing where somebody else goes on under that name. */
  readonly client: Uint8Array | undefined;
  readonly secret: Uint8Array;
  readonly instance: Uint8Array;
}

/** Why a connection ended. */
export type LinkEnd =
  | { why: "closed"; code: number; reason: string }
  | { why: "goodbye"; goodbye: MessageOf<"Goodbye"> }
  | { why: "silent" | "slow" }
  | { why: "impostor" }
  | { why: "fault"; error: ProtocolError }
  | { why: "unusable"; message: string };

/** What a connection begins with. */
export interface LinkOptions {
  readonly url: string;
  readonly authority: string;
  readonly pass: Pass;
  readonly agent: string;
  readonly name: string;
  readonly credit: number;
  /** Whether output may come packed. */
  readonly compression: boolean;
  readonly identity: Identity | undefined;
  readonly resume: readonly ResumePoint[];
  /** How often to ask whether the other side lives; the server's own interval where it is shorter. */
  readonly pingMs: number | undefined;
}

/** Whom a connection tells what happens. */
export interface LinkOwner {
  /** Both sides have proved themselves. `points` of the resume list fitted into Hello. */
  opened(welcome: Welcome, challenge: Challenge, points: number): void;
  received(stream: number, message: Message, timestamp: bigint | undefined): void;
  /** One message made no sense; the connection goes on. */
  misunderstood(stream: number, error: ProtocolError): void;
  /** The round trip took so long. */
  measured(ms: number): void;
  ended(end: LinkEnd): void;
}

/** One connection. */
export class Link {
  limits: ServerLimits | undefined;
  readonly #env: Env;
  readonly #options: LinkOptions;
  readonly #owner: LinkOwner;
  #socket: Socket | undefined;
  #phase: "opening" | "greeted" | "challenged" | "proving" | "open" | "over" = "opening";
  #hello: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #points = 0;
  #offered: Hello["features"] = new Map();
  #unpacking: Unpacking | undefined;
  #challenge: { frame: Uint8Array; fields: Challenge } | undefined;
  /** Frames that came while a proof was being computed. */
  #backlog: Frame[] = [];
  #cancelTimer = (): void => {};
  /** When the other side was asked whether it lives; `undefined` once it has said anything. */
  #askedAt: number | undefined;
  #heardAt = 0;
  #pingMs = 0;

  constructor(env: Env, options: LinkOptions, owner: LinkOwner) {
    this.#env = env;
    this.#options = options;
    this.#owner = owner;
  }

  get isOpen(): boolean {
    return this.#phase === "open";
  }

  /** Bytes handed over that the socket has not sent. */
  get buffered(): number {
    return this.#socket?.bufferedAmount ?? 0;
  }

  /** Connects. May end at once. */
  open(): void {
    this.#timer(CONNECT_MS, () => this.end({ why: "slow" }));
    try {
      this.#socket = this.#env.open(this.#options.url);
    } catch (error) {
      this.end({ why: "unusable", message: error instanceof Error ? error.message : String(error) });
      return;
    }
    const socket = this.#socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#greet();
    socket.onmessage = ({ data }) => this.#handle(data);
    socket.onclose = ({ code, reason }) => this.end({ why: "closed", code, reason });
    socket.onerror = () => {}; // A close follows, and tells as much.
  }

  send(stream: number, message: Message): void {
    this.#write(encodeFrames(encode(stream, message)));
  }

  /** Asks whether the other side lives, and gives it `ms` to say anything. */
  ask(ms: number): void {
    if (this.#phase !== "open") return;
    this.#ping();
    this.#timer(ms, () => this.#check(ms));
  }

  /** Ends the connection, and says so if the other side can hear it. */
  leave(code: string, message: string): void {
    if (this.#phase === "open") this.send(0, { type: "Goodbye", code, message });
    this.#over();
  }

  /** Ends the connection and tells the owner. */
  end(end: LinkEnd): void {
    if (this.#phase === "over") return;
    if (end.why === "fault" && this.#phase === "open") {
      this.send(0, { type: "Goodbye", code: SAYS.has(end.error.fault) ? end.error.fault : "malformed", message: end.error.message });
    }
    this.#over();
    this.#owner.ended(end);
  }

  #over(): void {
    this.#phase = "over";
    this.#cancelTimer();
    this.#backlog = [];
    const socket = this.#socket;
    if (socket === undefined) return;
    socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null;
    // Closing a socket that is still connecting makes some platforms report an error, which needs a listener.
    socket.onerror = () => {};
    socket.close(1000);
  }

  // ---- The handshake ----

  #greet(): void {
    const { pass, identity, agent, name, credit, resume } = this.#options;
    const codecs = this.#options.compression ? CODEC_FEATURES : [];
    this.#offered = new Map([...FEATURES, ...codecs, greaseFeature(this.#env.random())].map((feature) => [feature, []]));
    const hello: MessageOf<"Hello"> = {
      type: "Hello",
      versions: VERSIONS,
      role: pass.role,
      nonce: this.#env.randomBytes(32),
      features: this.#offered,
      limits: { frame: FRAME_MAX, credit },
      agent,
      name,
      client: identity?.client,
      instance: identity?.client && identity.instance,
      resume: [],
    };
    // Before it is known who we are, the server takes little: streams that do not fit are attached to afterwards.
    for (this.#points = resume.length; ; this.#points = Math.floor(this.#points / 2)) {
      this.#hello = encodeFrames(encode(0, { ...hello, resume: resume.slice(0, this.#points) }));
      if (this.#hello.length <= FRAME_BEFORE_PROOF_MAX || this.#points === 0) break;
    }
    this.#phase = "greeted";
    this.#write(this.#hello);
  }

  #shake(frame: Frame, message: Message): void {
    if (this.#phase === "greeted" && message.type === "Challenge") {
      const { version, features } = message;
      const [oldest, newest] = VERSIONS as Versions;
      if (version < oldest || version > newest) throw unexpected(`version ${version} was chosen, and ${oldest} to ${newest} were offered`);
      const unasked = features.find((feature) => !this.#offered.has(feature));
      if (unasked !== undefined) throw unexpected("a feature was chosen that was not offered");
      this.#challenge = { frame: encodeFrames(frame), fields: message };
      this.#unpacking = new Unpacking(features);
      this.#phase = "challenged";
    } else if (this.#phase === "challenged" && message.type === "Proof") {
      this.#phase = "proving";
      this.#prove(message.mac).catch((error: unknown) => {
        this.end({ why: "unusable", message: error instanceof Error ? error.message : String(error) });
      });
    } else if (this.#phase === "proving" && message.type === "Welcome") {
      this.#welcome(message);
    } else {
      throw unexpected(`${message.type} came before the handshake was done`);
    }
  }

  /** Judges the server's proof, and only if it is right shows ours. */
  async #prove(theirs: Uint8Array): Promise<void> {
    const { pass, identity, authority } = this.#options;
    const { hmac } = this.#env;
    const seen = { authority, hello: this.#hello, challenge: this.#challenge!.frame };
    if (!sameBytes(await proofOf("server", pass.key, seen, hmac), theirs)) {
      this.end({ why: "impostor" });
      return;
    }
    const mac = await proofOf("client", pass.key, seen, hmac);
    const resume = identity?.client === undefined ? undefined : await proofOf("resume", identity.secret, seen, hmac);
    if (this.#phase !== "proving") return;
    this.send(0, { type: "Proof", mac, resume });
    this.#proved = true;
    this.#replay();
  }

  #proved = false;

  #welcome(message: MessageOf<"Welcome">): void {
    this.#phase = "open";
    this.limits = message.limits;
    this.#pingMs = Math.max(1, Math.min(message.limits.pingMs, this.#options.pingMs ?? message.limits.pingMs));
    this.#tick();
    this.#write(encodeFrames(greaseFrame(this.#env.random())));
    this.#owner.opened(message, this.#challenge!.fields, this.#points);
  }

  // ---- Frames ----

  #handle(data: unknown): void {
    this.#askedAt = undefined;
    this.#heardAt = this.#env.now();
    try {
      if (!(data instanceof ArrayBuffer)) throw unexpected("a message came as text");
      if (data.byteLength > FRAME_MAX) throw new ProtocolError("too_long", `a message of ${data.byteLength} bytes is longer than ${FRAME_MAX}`);
      const frameMax = (): number => (this.#phase === "open" ? FRAME_MAX : FRAME_BEFORE_PROOF_MAX);
      for (const frame of decodeFrames(new Uint8Array(data), frameMax)) {
        if (this.#phase === "over") return;
        if (this.#phase === "proving" && !this.#proved) this.#backlog.push(frame);
        else this.#take(frame);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #replay(): void {
    const frames = this.#backlog;
    this.#backlog = [];
    try {
      for (const frame of frames) {
        if (this.#phase !== "over") this.#take(frame);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #take(frame: Frame): void {
    let message: Message | undefined;
    try {
      message = decode(frame, this.#unpacking);
    } catch (error) {
      if (!(error instanceof ProtocolError) || error.isFatal || this.#phase !== "open") throw error;
      this.#owner.misunderstood(frame.stream, error);
      return;
    }
    if (message === undefined) return; // Nonsense on purpose, or the future.
    if (message.type === "Goodbye") this.end({ why: "goodbye", goodbye: message });
    else if (this.#phase !== "open") this.#shake(frame, message);
    else if (message.type === "Ping") this.send(0, { type: "Pong", echo: message.echo });
    else if (message.type === "Pong") this.#pong(message.echo);
    else this.#owner.received(frame.stream, message, frame.timestamp);
  }

  #fail(error: unknown): void {
    if (!(error instanceof ProtocolError)) throw error;
    this.end({ why: "fault", error });
  }

  #write(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#phase !== "over") this.#socket?.send(bytes);
  }

  // ---- Whether the other side lives ----

  #tick(): void {
    const quiet = this.#env.now() - this.#heardAt;
    // Who wants to know how long the way is asks in any case; others only into silence.
    if (this.#options.pingMs === undefined && quiet < this.#pingMs) return this.#timer(this.#pingMs - quiet, () => this.#tick());
    this.#ping();
    this.#timer(this.#pingMs, () => this.#check(this.#pingMs));
  }

  #ping(): void {
    const now = this.#env.now();
    this.#askedAt ??= now;
    this.send(0, { type: "Ping", echo: Math.round(now * 1000) });
  }

  /** Silence counts from the question, not from the last frame: a page that slept has not listened. */
  #check(ms: number): void {
    const askedAt = this.#askedAt;
    if (askedAt !== undefined && this.#env.now() - askedAt >= ms) this.end({ why: "silent" });
    else this.#tick();
  }

  #pong(echo: number): void {
    const ms = this.#env.now() - echo / 1000;
    if (ms >= 0) this.#owner.measured(ms);
  }

  #timer(ms: number, then: () => void): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#env.after(ms, then);
  }
}

/** Faults that have a code of their own. */
const SAYS = new Set(["unknown_type", "unexpected"]);

function unexpected(message: string): ProtocolError {
  return new ProtocolError("unexpected", message);
}
