/**
 * The side that packs output, for tests.
 */

import { constants, deflateRawSync } from "node:zlib";
import type { Frame } from "../../src/frame.js";

const WINDOW_BYTES = 32 << 10;

/** A stream of deflate as a server's: each piece is flushed, and packed with what came before. */
export class Packer {
  readonly #stream: number;
  #before: Uint8Array | undefined;

  constructor(stream: number) {
    this.#stream = stream;
  }

  /** Output at 0 that holds `bytes`. */
  frame(bytes: Uint8Array): Frame {
    const before = this.#before ?? new Uint8Array(0);
    const frame = framed(this.#stream, this.#before === undefined, bytes.length, deflated(bytes, before));
    this.#before = Buffer.concat([before, bytes]).subarray(-WINDOW_BYTES);
    return frame;
  }
}

/** `bytes` as blocks of deflate, without the end of the flush. */
export function deflated(bytes: Uint8Array, dictionary: Uint8Array = new Uint8Array(0)): Uint8Array {
  const known = dictionary.length > 0 ? { dictionary } : {};
  const whole = deflateRawSync(bytes, { ...known, finishFlush: constants.Z_SYNC_FLUSH });
  return whole.subarray(0, whole.length - 4);
}

/** Packed output that says what it is told to. */
export function framed(stream: number, begins: boolean, length: number, data: Uint8Array): Frame {
  const body = new Uint8Array(4 + data.length);
  new DataView(body.buffer).setUint32(0, length + (begins ? 2 ** 31 : 0), true);
  body.set(data, 4);
  return { kind: 0x20, flags: 0, stream, position: 0, codec: 1, body };
}
