/**
 * A server made of the client's own codec, for tests only: it keeps the rules that clients rely on, and breaks them on request.
 */

import { createHmac, randomBytes } from "node:crypto";
import type { ErrorCode, Geometry, Role } from "../../src/bodies.js";
import { sameBytes } from "../../src/bytes.js";
import { type Frame, decodeFrames, encodeFrames } from "../../src/frame.js";
import { type Pass, passOf, proofOf } from "../../src/handshake.js";
import { type Message, type MessageOf, decode, encode } from "../../src/messages.js";
import { PACKED_MAX } from "../../src/limits.js";
import { KINDS } from "../../src/kind.js";
import { agree, greaseFrame } from "../../src/negotiation.js";
import { Packer } from "./packer.js";
import { FakeTerminal, type Program } from "./terminal.js";

/** Output of so many bytes goes packed. */
const PACKED_LEAST = 16;

/** Before one in so many messages comes a frame that a later version may have, so that the client never forgets how to skip it. */
const NONSENSE_EVERY = 8;

/** One end of a transport. */
export interface Transport {
  send(bytes: Uint8Array): void;
  close(code: number, reason: string): void;
}

/** What a transport tells the server. */
export interface Peer {
  message(bytes: Uint8Array): void;
  closed(): void;
}

interface KnownClient {
  id: Uint8Array;
  secret: Uint8Array;
  /** The one before, good until the client shows that it has the newest: the Welcome that told it may have been lost. */
  previous: Uint8Array;
  /** By session: the last input taken. */
  taken: Map<number, number>;
  spawned: Map<number, number>;
}

const hmac = async (key: Uint8Array, data: Uint8Array): Promise<Uint8Array> => new Uint8Array(createHmac("sha256", key).update(data).digest());
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** A server without a network. */
export class FakeServer {
  instance: Uint8Array = new Uint8Array(randomBytes(16));
  token: Uint8Array = new Uint8Array(32).fill(7);
  authority = "127.0.0.1:7681";
  limits = { frame: 1 << 20, credit: 256 << 10, input: 1 << 20, streams: 1024, pingMs: 15_000, holdMs: 10_000 };
  version = 1;
  sessions = new Map<number, FakeTerminal>();
  clients = new Map<string, KnownClient>();
  connections = new Set<Connection>();
  /** Frames of output that went packed. */
  packed = 0;
  /** How programs begin, by name. */
  programs = new Map<string, () => Program>();
  /** Called with each input frame; an answer refuses it. */
  refuse: (input: MessageOf<"Input"> | MessageOf<"Interrupt">) => { code: ErrorCode; retryable: boolean } | undefined = () => undefined;
  /** Called with what a client says before anything is done with it; `true` swallows it. */
  intercept: (message: Message, connection: Connection) => boolean = () => false;
  after: (ms: number, then: () => void) => () => void = (ms, then) => {
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  };
  now: () => number = () => performance.now();
  /** Frame types that were skipped, as their senders wished. */
  skipped = 0;
  #lastSession = 0;

  accept(transport: Transport): Peer {
    const connection = new Connection(this, transport);
    this.connections.add(connection);
    return connection;
  }

  /** Starts a program, as if by somebody else. */
  start(program: Program, title = "", name = "program"): FakeTerminal {
    this.#lastSession += 1;
    const terminal = new FakeTerminal(this.#lastSession, program, title, name, this.after, this.now());
    this.sessions.set(this.#lastSession, terminal);
    terminal.begin();
    return terminal;
  }

  /** Another run: sessions and clients are gone. */
  restart(): void {
    this.instance = new Uint8Array(randomBytes(16));
    this.sessions.clear();
    this.clients.clear();
    for (const connection of [...this.connections]) connection.drop();
  }

  goodbye(code: ErrorCode, more: Partial<MessageOf<"Goodbye">> = {}): void {
    for (const connection of [...this.connections]) connection.goodbye(code, more);
  }
}

interface Lane {
  terminal: FakeTerminal;
  role: Role;
  sent: number;
  acked: number;
  replayBefore: number;
  isPaused: boolean;
  size: Geometry | undefined;
  off: () => void;
}

/** One connection, seen from the server. */
export class Connection implements Peer {
  isOpen = false;
  role: Role = "owner";
  name = "";
  readonly lanes = new Map<number, Lane>();
  readonly #server: FakeServer;
  readonly #transport: Transport;
  #hello: { frame: Frame; fields: MessageOf<"Hello"> } | undefined;
  #challenge: Uint8Array | undefined;
  #pass: Pass | undefined;
  #client!: KnownClient;
  #isOver = false;
  #sent = 0;
  #agreed: string[] = [];
  /** By stream; a stream that is used anew goes on with what came on it before, which its client has as well. */
  readonly #packers = new Map<number, Packer>();
  /** Messages are judged one after the other, also while a proof is computed. */
  #queue: Promise<void> = Promise.resolve();
  #isBusy = false;
  readonly #waiting: Frame[] = [];

  constructor(server: FakeServer, transport: Transport) {
    this.#server = server;
    this.#transport = transport;
  }

  message(bytes: Uint8Array): void {
    for (const frame of decodeFrames(bytes, this.#server.limits.frame)) {
      if (this.#isBusy) this.#waiting.push(frame);
      else this.#take(frame);
    }
  }

  closed(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const lane of this.lanes.values()) lane.off();
    this.#server.connections.delete(this);
  }

  /** Ends it without a word. */
  drop(): void {
    this.closed();
    this.#transport.close(1006, "");
  }

  goodbye(code: ErrorCode, more: Partial<MessageOf<"Goodbye">> = {}): void {
    this.send(0, { type: "Goodbye", code, message: "", ...more });
    this.closed();
    this.#transport.close(1000, "");
  }

  send(stream: number, message: Message, timestamp?: bigint): void {
    if (this.#isOver) return;
    this.#sent += 1;
    if (this.#sent % NONSENSE_EVERY === 0) this.#transport.send(encodeFrames({ ...greaseFrame(((this.#sent * 7) % 100) / 100), stream }));
    const stamp = this.#agreed.includes("timestamps") ? timestamp : undefined;
    this.sendFrame(this.#packed(encode(stream, message, stamp)));
  }

  /** Sends what no server should. */
  sendFrame(frame: Frame): void {
    this.#transport.send(encodeFrames(frame));
  }

  /** Output that is not short, packed, where that was agreed on. */
  #packed(frame: Frame): Frame {
    if (frame.kind !== KINDS.Output.code || frame.body.length < PACKED_LEAST || frame.body.length > PACKED_MAX || !this.#agreed.includes("deflate")) return frame;
    const packer = this.#packers.get(frame.stream) ?? new Packer(frame.stream);
    this.#packers.set(frame.stream, packer);
    this.#server.packed += 1;
    const { codec, body } = packer.frame(frame.body);
    return { ...frame, codec, body };
  }

  #take(frame: Frame): void {
    const message = decode(frame);
    if (message === undefined) {
      this.#server.skipped += 1;
      return;
    }
    if (this.#server.intercept(message, this)) return;
    if (message.type === "Goodbye") return this.drop();
    if (this.isOpen) return this.#serve(frame.stream, message);
    this.#isBusy = true;
    const act = async (): Promise<void> => {
      if (message.type === "Hello") await this.#greeted(frame, message);
      else if (message.type === "Proof") await this.#proved(message);
      this.#isBusy = false;
      for (const next of this.#waiting.splice(0)) this.#take(next);
    };
    this.#queue = this.#queue.then(act);
  }

  // ---- The handshake ----

  async #greeted(frame: Frame, fields: MessageOf<"Hello">): Promise<void> {
    const { version, token, instance, authority } = this.#server;
    if (version < fields.versions[0] || version > fields.versions[1]) {
      return this.goodbye("version", { message: "no common version", versions: [version, version], offered: fields.versions });
    }
    this.#hello = { frame, fields };
    this.#agreed = agree(fields.features, new Map([["timestamps", []], ["viewers", []], ["deflate", []]]));
    this.#pass = await passOf(token, fields.role, hmac);
    this.#challenge = encodeFrames(
      encode(0, { type: "Challenge", version, nonce: new Uint8Array(randomBytes(32)), instance, features: this.#agreed }),
    );
    const mac = await proofOf("server", this.#pass.key, { authority, hello: encodeFrames(frame), challenge: this.#challenge }, hmac);
    const proof = encodeFrames(encode(0, { type: "Proof", mac }));
    if (!this.#isOver) this.#transport.send(Buffer.concat([this.#challenge, proof]));
  }

  async #proved(proof: MessageOf<"Proof">): Promise<void> {
    const { authority, clients, instance } = this.#server;
    const { frame, fields } = this.#hello!;
    const seen = { authority, hello: encodeFrames(frame), challenge: this.#challenge! };
    if (!sameBytes(await proofOf("client", this.#pass!.key, seen, hmac), proof.mac)) return this.goodbye("unauthorized", { message: "wrong token" });
    const known = fields.client && clients.get(text(fields.client));
    const isSame = fields.instance !== undefined && sameBytes(fields.instance, instance);
    const shown = async (secret: Uint8Array): Promise<boolean> =>
      proof.resume !== undefined && sameBytes(await proofOf("resume", secret, seen, hmac), proof.resume);
    const hasNewest = known !== undefined && isSame && (await shown(known.secret));
    const isKnown = known !== undefined && isSame && (hasNewest || (await shown(known.previous)));
    const nobody = new Uint8Array(0);
    this.#client = isKnown ? known : { id: new Uint8Array(randomBytes(16)), secret: nobody, previous: nobody, taken: new Map(), spawned: new Map() };
    if (hasNewest) this.#client.previous = this.#client.secret;
    this.#client.secret = new Uint8Array(randomBytes(32));
    clients.set(text(this.#client.id), this.#client);
    this.role = fields.role;
    this.name = fields.name;
    this.isOpen = true;
    const { id, secret } = this.#client;
    this.send(0, { type: "Welcome", client: id, secret, role: fields.role, resumed: isKnown, limits: this.#server.limits, agent: "fake/0" });
    if (isKnown) {
      for (const { stream, session, offset } of fields.resume) this.#attach(stream, 0, session, offset, fields.role, undefined);
    }
  }

  // ---- Serving ----

  #serve(stream: number, message: Message): void {
    switch (message.type) {
      case "Ping":
        return this.send(0, { type: "Pong", echo: message.echo });
      case "Spawn":
        return this.#spawn(stream, message);
      case "Attach": {
        const terminal = this.#server.sessions.get(message.session);
        const end = terminal?.output.length ?? 0;
        const offset = "offset" in message.start ? message.start.offset : Math.max(0, end - message.start.tail);
        return this.#attach(stream, message.number, message.session, offset, message.role ?? this.role, message.size);
      }
      case "List":
        return this.#list(message.number);
      case "Close": {
        const terminal = message.session === undefined ? this.lanes.get(stream)?.terminal : this.#server.sessions.get(message.session);
        if (terminal === undefined) return this.#error(stream, message.number, "no_session");
        this.send(stream, { type: "Done", number: message.number });
        return terminal.exit({ signal: 1 });
      }
    }
    const lane = this.lanes.get(stream);
    if (lane === undefined) {
      if ("number" in message && message.number !== 0) this.#error(stream, message.number, "no_session");
      return;
    }
    this.#watching(stream, lane, message);
  }

  #watching(stream: number, lane: Lane, message: Message): void {
    const { terminal } = lane;
    switch (message.type) {
      case "Detach":
        this.#free(stream);
        return this.send(stream, { type: "Detached", number: message.number, message: "" });
      case "Ack":
        lane.acked = Math.max(lane.acked, message.rendered);
        return this.#flow(stream, lane);
      case "Input":
      case "Interrupt":
        return this.#input(stream, lane, message);
      case "Resize":
        if (lane.role === "viewer") return this.#error(stream, message.number, "forbidden");
        terminal.resize(message.size);
        return this.send(stream, { type: "Resized", number: message.number, size: terminal.size });
      case "Control":
        if (lane.role === "viewer") return this.#error(stream, message.number, "forbidden");
        if (typeof message.act === "object" && "signal" in message.act) terminal.signals.push(message.act.signal.name);
        else for (const { stream: other, connection } of this.#viewers(terminal)) connection.send(other, { type: "Control", number: 0, act: message.act });
        return this.send(stream, { type: "Done", number: message.number });
    }
  }

  #spawn(stream: number, message: MessageOf<"Spawn">): void {
    if (this.role !== "owner") return this.#error(stream, message.number, "forbidden");
    let session = this.#client.spawned.get(message.number);
    if (session === undefined) {
      const program = this.#server.programs.get(message.program ?? "sh");
      if (program === undefined) return this.#error(stream, message.number, "spawn_failed");
      session = this.#server.start(program(), message.title, message.program ?? "sh").id;
      this.#client.spawned.set(message.number, session);
    }
    const terminal = this.#server.sessions.get(session)!;
    if (message.size) terminal.resize(message.size);
    this.send(stream, { type: "Spawned", number: message.number, session, pid: 4000 + session, size: terminal.size, replies: true });
    this.#watch(stream, terminal, "owner", 0, 0);
  }

  #attach(stream: number, number: number, session: number, offset: number, role: Role, size: Geometry | undefined): void {
    const terminal = this.#server.sessions.get(session);
    if (terminal === undefined) {
      if (number !== 0) return this.#error(stream, number, "no_session");
      return this.send(stream, { type: "Detached", number, code: "no_session", message: "no session has this number" });
    }
    if (offset > terminal.output.length) return this.#error(stream, number, "offset_ahead");
    if (size && role !== "viewer") terminal.resize(size);
    const end = terminal.output.length;
    const input = this.#client.taken.get(session) ?? 0;
    this.send(stream, { type: "Attached", number, session, role, start: offset, end, input, size: terminal.size, policy: "backpressure", replies: role !== "viewer", title: terminal.title });
    this.#watch(stream, terminal, role, offset, number === 0 ? 0 : end);
  }

  #watch(stream: number, terminal: FakeTerminal, role: Role, offset: number, replayBefore: number): void {
    const lane: Lane = { terminal, role, sent: offset, acked: offset, replayBefore, isPaused: false, size: undefined, off: () => {} };
    lane.off = terminal.onChange(() => this.#flow(stream, lane));
    this.lanes.set(stream, lane);
    for (const { stream: other, connection } of this.#viewers(terminal)) connection.#tellViewers(other, terminal);
    this.#flow(stream, lane);
  }

  #tellViewers(stream: number, terminal: FakeTerminal): void {
    const all = this.#viewers(terminal).map(({ stream: other, connection }) => ({ connection, lane: connection.lanes.get(other)! }));
    const answers = all.find(({ lane }) => lane.role !== "viewer")?.connection;
    const viewers = all.map(({ connection, lane }) => ({ name: connection.name, role: lane.role, you: connection === this, replies: connection === answers }));
    this.send(stream, { type: "Viewers", count: viewers.length, viewers });
  }

  #viewers(terminal: FakeTerminal): { stream: number; connection: Connection }[] {
    return [...this.#server.connections].flatMap((connection) =>
      [...connection.lanes].filter(([, lane]) => lane.terminal === terminal).map(([stream]) => ({ stream, connection })),
    );
  }

  #flow(stream: number, lane: Lane): void {
    const { terminal } = lane;
    const { credit } = this.#server.limits;
    while (lane.sent < terminal.output.length && !this.#isOver) {
      const open = lane.sent - lane.acked;
      if (open >= credit) lane.isPaused = true;
      if (lane.isPaused && open > credit / 8) return;
      lane.isPaused = false;
      const isReplay = lane.sent < lane.replayBefore;
      const end = Math.min(terminal.output.length, lane.sent + Math.min(16 << 10, credit - open), isReplay ? lane.replayBefore : Infinity);
      const bytes = terminal.output.slice(lane.sent, end);
      this.send(stream, { type: "Output", offset: lane.sent, bytes, replay: isReplay, more: end < terminal.output.length }, this.#stamp());
      lane.sent = end;
    }
    if (terminal.status !== undefined && lane.sent === terminal.output.length) {
      this.send(stream, { type: "Exit", offset: lane.sent, status: terminal.status, orphaned: false });
      this.#free(stream);
    }
  }

  #input(stream: number, lane: Lane, message: MessageOf<"Input"> | MessageOf<"Interrupt">): void {
    const { taken } = this.#client;
    const last = taken.get(lane.terminal.id) ?? 0;
    const { sequence } = message;
    if (sequence <= last) return this.send(stream, { type: "InputAck", sequence: last });
    if (sequence > last + 1) return; // What was refused before it says it all.
    const refused = lane.role === "viewer" ? { code: "forbidden", retryable: false } : this.#server.refuse(message);
    if (refused !== undefined) return this.send(stream, { type: "InputRefused", sequence, message: "refused", ...refused });
    taken.set(lane.terminal.id, sequence);
    this.send(stream, { type: "InputAck", sequence }, this.#stamp());
    lane.terminal.input(message.bytes, message.reply);
  }

  #list(number: number): void {
    const sessions = [...this.#server.sessions.values()].map((terminal) => ({
      session: terminal.id,
      title: terminal.title,
      program: terminal.name,
      size: terminal.size,
      ageMs: Math.round(this.#server.now() - terminal.startedAt),
      end: terminal.output.length,
      viewers: this.#viewers(terminal).length,
      status: terminal.status,
    }));
    const half = sessions.length >> 1;
    if (half > 0) this.send(0, { type: "Sessions", number, more: true, sessions: sessions.slice(0, half) });
    this.send(0, { type: "Sessions", number, more: false, sessions: sessions.slice(half) });
  }

  #free(stream: number): void {
    const lane = this.lanes.get(stream);
    lane?.off();
    this.lanes.delete(stream);
    if (lane) for (const { stream: other, connection } of this.#viewers(lane.terminal)) connection.#tellViewers(other, lane.terminal);
  }

  #error(stream: number, number: number, code: ErrorCode): void {
    this.send(stream, { type: "Error", number, code, message: code, retryable: false });
  }

  #stamp(): bigint {
    return BigInt(Math.round(this.#server.now() * 1e6));
  }
}
