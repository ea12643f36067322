/**
 * What a page's WebSocket has carried for its first terminal: every byte of output by its offset, and what was acknowledged.
 */

import { createHash } from "node:crypto";
import { Unpacking, decode, decodeFrames } from "@orchflow/client";
import type { Page } from "playwright-core";

const FRAME_MAX = 1 << 20;

export class Traffic {
  /** Output as it came, in order of arrival. */
  readonly #chunks: Buffer[] = [];
  /** The offset after the last byte that came. */
  received = 0;
  /** The offset before which the page said that it has painted everything. */
  rendered = 0;
  /** Connections so far. */
  connections = 0;
  /** Bytes that came twice, were left out, or were declared missing. */
  readonly faults: string[] = [];

  constructor(page: Page) {
    page.on("websocket", (socket) => {
      this.connections += 1;
      const unpacking = new Unpacking(["deflate"]); // A browser that is slow to prove itself looks far away.
      socket.on("framereceived", ({ payload }) => this.#read(payload, unpacking));
      socket.on("framesent", ({ payload }) => this.#read(payload));
    });
  }

  /** All output from this offset on. */
  from(offset: number): Buffer {
    return Buffer.concat(this.#chunks).subarray(offset);
  }

  #read(payload: string | Buffer, unpacking?: Unpacking): void {
    for (const frame of decodeFrames(Buffer.from(payload), FRAME_MAX)) {
      const message = decode(frame, unpacking);
      if (message?.type === "Output") {
        if (message.offset !== this.received) this.faults.push(`output at ${message.offset}, and ${this.received} was due`);
        this.#chunks.push(Buffer.from(message.bytes));
        this.received = message.offset + message.bytes.length;
      } else if (message?.type === "Gap") this.faults.push(`gap from ${message.from} to ${message.to}: ${message.why}`);
      else if (message?.type === "Ack") this.rendered = message.rendered;
    }
  }
}

export function md5(bytes: Uint8Array | string): string {
  return createHash("md5").update(bytes).digest("hex");
}
