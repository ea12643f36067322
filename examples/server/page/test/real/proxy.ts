/**
 * A way to the server that breaks: WebSocket connections end after so many bytes in either direction, wherever that is in a frame. Or one
 * that is long.
 */

import { type AddressInfo, type Server, type Socket, connect, createServer } from "node:net";

/** How many bytes a connection carries before it is cut. */
export interface Budget {
  down: number;
  up: number;
}

export class CuttingProxy {
  /** Where the server listens; known only once it was told our port. */
  target = 0;
  /** What the next connection may carry; without one, it is never cut. */
  budget: (() => Budget) | undefined;
  /** How long everything is on its way, in milliseconds. */
  delayMs = 0;
  /** Bytes for browsers. */
  carriedDown = 0;
  /** Connections that were cut. */
  cuts = 0;
  /** Those that ended between the first byte and the last of a frame for the browser. */
  cutsInFrames = 0;
  readonly #server: Server;
  readonly #open = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    server.on("connection", (near) => this.#carry(near));
  }

  static async listen(): Promise<CuttingProxy> {
    const server = createServer();
    const proxy = new CuttingProxy(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get authority(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Cuts what is open now, whatever it has carried. */
  cutNow(): void {
    for (const socket of this.#open) socket.destroy();
  }

  async close(): Promise<void> {
    this.cutNow();
    await new Promise<void>((resolve) => void this.#server.close(() => resolve()));
  }

  #carry(near: Socket): void {
    const far = connect(this.target, "127.0.0.1");
    const down = new FrameReader();
    let left: Budget | undefined;
    let isCut = false;
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      this.#open.add(socket);
      socket.on("close", () => this.#open.delete(socket));
      socket.on("error", () => {}); // The other side hears of it by its own end.
    }
    const pass = (chunk: Buffer, way: keyof Budget, from: Socket, to: Socket): void => {
      if (isCut) return;
      const part = left === undefined ? chunk : chunk.subarray(0, left[way]);
      if (way === "down" && left !== undefined) down.read(part);
      if (left !== undefined) left[way] -= part.length;
      if (way === "down") this.carriedDown += part.length;
      if (this.delayMs > 0) {
        setTimeout(() => to.writable && to.write(part), this.delayMs);
      } else if (left === undefined || left[way] > 0) {
        if (!to.write(part)) {
          from.pause();
          to.once("drain", () => from.resume());
        }
      } else cut(part, from, to);
    };
    const cut = (part: Buffer, from: Socket, to: Socket): void => {
      isCut = true;
      this.cuts += 1;
      if (down.isWithin) this.cutsInFrames += 1;
      // Every other cut is a reset, which may take along what was on the way.
      to.end(part, () => this.cuts % 2 === 0 && to.resetAndDestroy());
      from.destroy();
    };
    near.once("data", (head: Buffer) => {
      if (head.toString("latin1").startsWith("GET /ws ")) left = this.budget?.();
    });
    near.on("data", (chunk: Buffer) => pass(chunk, "up", near, far));
    far.on("data", (chunk: Buffer) => pass(chunk, "down", far, near));
    near.on("close", () => far.destroySoon());
    far.on("close", () => near.destroySoon());
  }
}

/** Knows where in the stream of a server's WebSocket one stands. */
class FrameReader {
  #head = "";
  #isUpgraded = false;
  #bytes = Buffer.alloc(0);
  /** Bytes of the current frame's body that are still to come. */
  #left = 0;

  /** Whether a frame has begun and not ended. */
  get isWithin(): boolean {
    return this.#left > 0 || this.#bytes.length > 0;
  }

  read(chunk: Buffer): void {
    if (!this.#isUpgraded) {
      this.#head += chunk.toString("latin1");
      const end = this.#head.indexOf("\r\n\r\n");
      if (end < 0) return;
      this.#isUpgraded = true;
      chunk = Buffer.from(this.#head.slice(end + 4), "latin1");
    }
    let rest = Buffer.concat([this.#bytes, chunk]);
    for (;;) {
      const skipped = Math.min(this.#left, rest.length);
      this.#left -= skipped;
      rest = rest.subarray(skipped);
      const header = headerOf(rest);
      if (this.#left > 0 || header === undefined) break;
      rest = rest.subarray(header.bytes);
      this.#left = header.body;
    }
    this.#bytes = rest;
  }
}

/** A server's frames are not masked: two bytes, and a longer length where that is not enough. */
function headerOf(bytes: Buffer): { bytes: number; body: number } | undefined {
  const short = (bytes[1] ?? 0) & 0x7f;
  const needed = short === 127 ? 10 : short === 126 ? 4 : 2;
  if (bytes.length < needed) return undefined;
  return { bytes: needed, body: short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short };
}
