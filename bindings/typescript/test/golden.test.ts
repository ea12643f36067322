/**
 * Every golden frame is read and made again byte by byte; every malformed one is refused by its name.
 */

import { describe, expect, test } from "vitest";
import { type Value, decodeMap } from "../src/cbor.js";
import { ProtocolError } from "../src/error.js";
import { Flags, decodeFrames, encodeFrames } from "../src/frame.js";
import { KINDS, kindOf } from "../src/kind.js";
import { decode, encode } from "../src/messages.js";
import { CODEC_FEATURES, Unpacking } from "../src/unpack.js";
import { golden, hex, unhex } from "./golden.js";

interface Golden {
  name: string;
  hex: string;
  type: string | null;
  code: number;
  flags: string[];
  stream: number;
  position: number;
  timestamp: string | null;
  body?: unknown;
  raw?: string;
}

interface Malformed {
  name: string;
  hex: string;
  frame_max: number;
  layer: "frame" | "message";
  error: string;
  at: number;
  fatal: boolean;
}

const FRAME_MAX = 1 << 20;
const frames = golden<{ frames: Golden[] }>("v1.json").frames;
const malformed = golden<{ frames: Malformed[] }>("malformed.json").frames;

/** A body as the golden files write it. */
function plain(value: Value): unknown {
  if (value instanceof Uint8Array) return { hex: hex(value) };
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [key, plain(item)]));
  return value;
}

describe("golden frames", () => {
  test.each(frames)("$name is what it says", (expected) => {
    const [frame, ...more] = decodeFrames(unhex(expected.hex), FRAME_MAX);
    if (frame === undefined) throw new Error("no frame");
    expect(more).toEqual([]);
    expect([frame.kind, frame.stream, frame.position]).toEqual([expected.code, expected.stream, expected.position]);
    expect(Object.keys(Flags).filter((flag) => frame.flags & Flags[flag as keyof typeof Flags])).toEqual(expected.flags);
    expect(frame.timestamp?.toString() ?? null).toBe(expected.timestamp);
    expect(kindOf(frame.kind) ?? null).toBe(expected.type);
    if (expected.body !== undefined) expect(plain(decodeMap(frame.body))).toEqual(expected.body);
    if (expected.raw !== undefined) expect(hex(frame.body)).toBe(expected.raw);
  });

  test.each(frames)("$name is made again byte by byte", ({ hex: bytes, type }) => {
    const [frame] = decodeFrames(unhex(bytes), FRAME_MAX);
    const message = decode(frame!);
    if (type === null) expect(message).toBeUndefined();
    else expect(hex(encodeFrames(encode(frame!.stream, message!, frame!.timestamp)))).toBe(bytes);
  });

  test("there is one of every type", () => {
    const types = new Set(frames.map(({ type }) => type));
    for (const kind of Object.keys(KINDS)) expect(types).toContain(kind);
  });

  test("all of them travel in one message", () => {
    const parts = frames.map((frame) => unhex(frame.hex));
    const whole = unhex(frames.map((frame) => frame.hex).join(""));
    expect([...decodeFrames(whole, FRAME_MAX)].map((frame) => hex(encodeFrames(frame)))).toEqual(parts.map(hex));
  });
});

describe("malformed frames", () => {
  test.each(malformed)("$name is refused as $error", (expected) => {
    let error: unknown;
    let layer = "frame";
    try {
      for (const frame of decodeFrames(unhex(expected.hex), expected.frame_max)) {
        layer = "message";
        decode(frame, new Unpacking(CODEC_FEATURES));
        layer = "frame";
      }
    } catch (thrown) {
      error = thrown;
    }
    if (!(error instanceof ProtocolError)) throw new Error(`not refused: ${String(error)}`);
    expect({ layer, error: error.fault, at: error.at, fatal: error.isFatal }).toEqual({
      layer: expected.layer,
      error: expected.error,
      at: expected.at,
      fatal: expected.fatal,
    });
  });
});
