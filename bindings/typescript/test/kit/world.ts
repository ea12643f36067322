/**
 * A world of its own for one test: virtual time, seeded randomness, and links that can be cut at any moment.
 */

import { createHmac } from "node:crypto";
import type { Env, Socket } from "../../src/env.js";
import type { FakeServer, Peer } from "./server.js";

/** Time, timers and links between clients and a server. Nothing happens but in {@link World.run}. */
export class World {
  now = 0;
  /** Whether new links reach the server; if not, they fail. */
  reachable = true;
  /** How long a message takes, in milliseconds. */
  delayMs = 1;
  readonly links: FakeLink[] = [];
  /** Delays asked for by `after`, for tests about backoff. */
  readonly delays: number[] = [];
  #timers: { at: number; order: number; then: () => void }[] = [];
  #order = 0;
  #seed: number;
  readonly server: FakeServer;

  constructor(server: FakeServer, seed = 1) {
    this.server = server;
    this.#seed = seed;
    server.after = (ms, then) => this.after(ms, then);
    server.now = () => this.now;
  }

  readonly env: Env = {
    now: () => this.now,
    after: (ms, then) => {
      this.delays.push(ms);
      return this.after(ms, then);
    },
    random: () => this.random(),
    randomBytes: (length) => Uint8Array.from({ length }, () => this.random() * 256),
    hmac: (key, data) => Promise.resolve(new Uint8Array(createHmac("sha256", key).update(data).digest())),
    open: () => {
      const link = new FakeLink(this);
      this.links.push(link);
      return link;
    },
  };

  random(): number {
    // mulberry32
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  after(ms: number, then: () => void): () => void {
    this.#order += 1;
    const timer = { at: this.now + Math.max(0, ms), order: this.#order, then };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Lets `ms` pass, timer by timer. */
  async run(ms: number): Promise<void> {
    const until = this.now + ms;
    for (;;) {
      await settled();
      const next = this.#timers.toSorted((a, b) => a.at - b.at || a.order - b.order)[0];
      if (next === undefined || next.at > until) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.now = Math.max(this.now, next.at);
      next.then();
    }
    this.now = until;
  }

  /** Lets time pass until `is` holds; fails after `msMax`. */
  async until(is: () => boolean, msMax = 60_000): Promise<void> {
    const start = this.now;
    await settled();
    while (!is()) {
      if (this.now - start > msMax) throw new Error(`did not happen within ${msMax} ms: ${String(is)}`);
      await this.run(1);
    }
  }

  /** The link in use. */
  get link(): FakeLink {
    return this.links.at(-1)!;
  }
}

/** Lets promises that wait for nothing but each other settle. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 30; turn += 1) await Promise.resolve();
}

/** One WebSocket, seen from the client; messages take their time in both directions. */
export class FakeLink implements Socket {
  binaryType = "blob";
  bufferedAmount = 0;
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  /** Nothing passes any more, and nobody is told. */
  isDead = false;
  /** Messages the client has sent. */
  readonly sent: Uint8Array[] = [];
  #peer: Peer | undefined;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
    world.after(world.delayMs, () => {
      if (this.isDead) return;
      if (!world.reachable) return this.cut();
      this.#peer = world.server.accept({ send: (bytes) => this.#deliver(bytes), close: (code, reason) => this.#closed(code, reason) });
      this.onopen?.({} as never);
    });
  }

  send(bytes: Uint8Array<ArrayBuffer>): void {
    this.sent.push(bytes);
    this.#world.after(this.#world.delayMs, () => {
      if (!this.isDead) this.#peer?.message(bytes);
    });
  }

  close(): void {
    this.isDead = true;
    this.#peer?.closed();
  }

  /** The link breaks; both sides are told. */
  cut(): void {
    if (this.isDead) return;
    this.isDead = true;
    this.#peer?.closed();
    this.onclose?.({ code: 1006, reason: "" });
  }

  #deliver(bytes: Uint8Array): void {
    const copy = new Uint8Array(bytes).buffer;
    this.#world.after(this.#world.delayMs, () => {
      if (!this.isDead) this.onmessage?.({ data: copy });
    });
  }

  #closed(code: number, reason: string): void {
    this.#world.after(this.#world.delayMs, () => {
      if (this.isDead) return;
      this.isDead = true;
      this.onclose?.({ code, reason });
    });
  }
}
