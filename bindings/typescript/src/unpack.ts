/**
 * Output that comes packed, made whole again.
 *
 * Each stream has a context: what came packed on it before. fflate grows its output as it likes, so it is given little at a time, and
 * no more once there is more output than was said.
 */

import { Inflate } from "fflate";
import { ProtocolError } from "./error.js";
import type { Frame } from "./frame.js";
import { CONTEXTS_MAX, PACKED_MAX, UNPACK_BYTES } from "./limits.js";

/** The features that let output come packed, by the codec's number. */
const CODECS: ReadonlyMap<number, string> = new Map([[1, "deflate"]]);

/** What a client offers that understands all of them. */
export const CODEC_FEATURES: readonly string[] = [...CODECS.values()];

/** Bytes of a packed body before the data. */
const HEAD_BYTES = 4;
const BEGINS = 2 ** 31;

/** What every flush ends with, and no frame brings. */
const FLUSHED = new Uint8Array([0x00, 0x00, 0xff, 0xff]);

/** The contexts of one connection. */
export class Unpacking {
  readonly #agreed: ReadonlySet<string>;
  /** The last used comes last. */
  readonly #contexts = new Map<number, Context>();

  constructor(agreed: Iterable<string>) {
    this.#agreed = new Set(agreed);
  }

  /**
   * The output that `frame` brings, which is packed.
   *
   * @throws {ProtocolError} `codec` where that was not agreed on; `packed`.
   */
  unpack(frame: Frame): Uint8Array {
    const { stream, body } = frame;
    const feature = CODECS.get(frame.codec ?? 0);
    if (feature === undefined || !this.#agreed.has(feature)) throw notAgreed(frame);
    const head = body.length < HEAD_BYTES ? 0 : new DataView(body.buffer, body.byteOffset).getUint32(0, true);
    const length = head % BEGINS;
    const data = body.subarray(HEAD_BYTES);
    if (length < 1 || length > PACKED_MAX || data.length === 0) throw fault(`${data.length} bytes are said to hold ${length} bytes of output`);
    const context = head >= BEGINS ? new Context() : this.#contexts.get(stream);
    if (context === undefined) throw fault(`output on stream ${stream} goes on from a context that is not there`);
    this.#contexts.delete(stream);
    this.#contexts.set(stream, context);
    if (this.#contexts.size > CONTEXTS_MAX) this.#contexts.delete(this.#contexts.keys().next().value!);
    return context.unpack(data, length);
  }
}

/** A frame says that its body is packed, and no such was agreed on. */
export function notAgreed({ kind, codec }: Frame): ProtocolError {
  return new ProtocolError("codec", `a frame of type 0x${kind.toString(16).padStart(2, "0")} uses codec ${codec}, which was not agreed on for it`);
}

/** What came packed on one stream. */
class Context {
  #bytes = new Uint8Array(0);
  #found = 0;
  readonly #inflate = new Inflate((chunk) => {
    if (this.#found + chunk.length <= this.#bytes.length) this.#bytes.set(chunk, this.#found);
    this.#found += chunk.length;
  });

  unpack(data: Uint8Array, length: number): Uint8Array {
    this.#bytes = new Uint8Array(length);
    this.#found = 0;
    try {
      for (let at = 0; at < data.length && this.#found <= length; at += UNPACK_BYTES) this.#inflate.push(data.subarray(at, at + UNPACK_BYTES));
      this.#inflate.push(FLUSHED);
    } catch (error) {
      throw fault(`output cannot be read as deflate (${error instanceof Error ? error.message : String(error)})`);
    }
    if (this.#found !== length) throw fault(`output is ${this.#found} bytes or more, and said to be ${length}`);
    return this.#bytes;
  }
}

function fault(message: string): ProtocolError {
  return new ProtocolError("packed", message);
}
