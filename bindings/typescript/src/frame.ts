/**
 * Frames: a 16-byte little-endian header, perhaps a timestamp, and a body that is not looked at here.
 *
 *     type u8 | flags u8 | stream u16 | length u32 | position u64 | [timestamp u64] | body
 *
 * `length` counts what follows the header. A position is read as two u32, and one that JavaScript cannot count is
 * refused. Bodies share the memory of the message they came in.
 */

import { ProtocolError } from "./error.js";
import { NUMBER_MAX } from "./limits.js";

/** Bytes of a header. */
export const HEADER_BYTES = 16;

/** Bytes of a timestamp. */
export const TIMESTAMP_BYTES = 8;

/** What a frame says of itself besides its type. */
export const Flags = {
  /** Output first sent before this viewer came: terminals must not answer queries in it. */
  replay: 1 << 3,
  /** More of the same follows at once. */
  more: 1 << 4,
  /** Whoever does not know the type may skip the frame. */
  ignorable: 1 << 5,
  /** Input that a terminal made, not a person. */
  reply: 1 << 6,
} as const;

const CODEC = 0b11;
const TIMESTAMP = 1 << 2;
const RESERVED = 1 << 7;
const SAYS = Flags.replay | Flags.more | Flags.ignorable | Flags.reply;
const TWO_32 = 2 ** 32;

/** One frame. */
export interface Frame {
  /** The type's code. */
  kind: number;
  /** Any of {@link Flags}. */
  flags: number;
  /** Which conversation: 0 is the connection itself. */
  stream: number;
  /** A byte offset, a sequence number or a request's number, by type. */
  position: number;
  /** How the body is packed; 0 or nothing where it is as it is. */
  codec?: number | undefined;
  /** Nanoseconds of the server's clock. */
  timestamp?: bigint | undefined;
  /** The rest, untouched. */
  body: Uint8Array;
}

/** Bytes of `frame` on the wire, header included. */
export function frameBytes(frame: Frame): number {
  return HEADER_BYTES + (frame.timestamp === undefined ? 0 : TIMESTAMP_BYTES) + frame.body.length;
}

/** The frames in one piece, in order. */
export function encodeFrames(...frames: Frame[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(frames.reduce((sum, frame) => sum + frameBytes(frame), 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const frame of frames) {
    const stamped = frame.timestamp !== undefined;
    view.setUint8(at, frame.kind);
    view.setUint8(at + 1, (frame.flags & SAYS) | (stamped ? TIMESTAMP : 0) | ((frame.codec ?? 0) & CODEC));
    view.setUint16(at + 2, frame.stream, true);
    view.setUint32(at + 4, frameBytes(frame) - HEADER_BYTES, true);
    view.setUint32(at + 8, frame.position % TWO_32, true);
    view.setUint32(at + 12, Math.floor(frame.position / TWO_32), true);
    at += HEADER_BYTES;
    if (frame.timestamp !== undefined) {
      view.setBigUint64(at, frame.timestamp, true);
      at += TIMESTAMP_BYTES;
    }
    bytes.set(frame.body, at);
    at += frame.body.length;
  }
  return bytes;
}

/**
 * The frames of one message, in order. A message holds one frame or several, and none in part; nothing comes after an error.
 *
 * @throws {ProtocolError} `truncated`, `too_long`, `reserved_flag`, `no_timestamp` or `position`.
 */
export function* decodeFrames(message: Uint8Array, frameMax: number | (() => number)): Generator<Frame, void> {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  let at = 0;
  while (at < message.length) {
    const found = message.length - at;
    if (found < HEADER_BYTES) throw truncated(at, HEADER_BYTES, found);
    const bits = view.getUint8(at + 1);
    const length = view.getUint32(at + 4, true);
    const high = view.getUint32(at + 12, true);
    if (bits & RESERVED) throw fault("reserved_flag", at, "sets flag bit 7, which is reserved");
    const max = typeof frameMax === "number" ? frameMax : frameMax();
    if (length + HEADER_BYTES > max) {
      throw fault("too_long", at, `announces ${length} bytes after its header, and may have ${max} in all`);
    }
    if (high > 0x1f_ffff) throw fault("position", at, `has a position beyond ${NUMBER_MAX}`);
    const stamped = (bits & TIMESTAMP) !== 0;
    if (stamped && length < TIMESTAMP_BYTES) throw fault("no_timestamp", at, `announces a timestamp in ${length} bytes`);
    if (found < HEADER_BYTES + length) throw truncated(at, HEADER_BYTES + length, found);
    const body = at + HEADER_BYTES + (stamped ? TIMESTAMP_BYTES : 0);
    const end = at + HEADER_BYTES + length;
    yield {
      kind: view.getUint8(at),
      flags: bits & SAYS,
      codec: bits & CODEC,
      stream: view.getUint16(at + 2, true),
      position: high * TWO_32 + view.getUint32(at + 8, true),
      timestamp: stamped ? view.getBigUint64(at + HEADER_BYTES, true) : undefined,
      body: message.subarray(body, end),
    };
    at = end;
  }
}

function truncated(at: number, needed: number, found: number): ProtocolError {
  return fault("truncated", at, `needs ${needed} bytes and has ${found}: a message must hold whole frames`);
}

function fault(name: string, at: number, what: string): ProtocolError {
  return new ProtocolError(name, `the frame at byte ${at} ${what}`, at);
}
