/**
 * Whatever comes is a frame, a message or a typed error; and an independent decoder sees what ours sees.
 */

import * as cborg from "cborg";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Encodable, UNUSED, type Value, decodeMap, encodeCbor } from "../src/cbor.js";
import { ProtocolError } from "../src/error.js";
import { type Frame, decodeFrames, encodeFrames } from "../src/frame.js";
import { KINDS } from "../src/kind.js";
import { decode, encode } from "../src/messages.js";
import { golden, hex, unhex } from "./golden.js";

const FRAME_MAX = 1 << 20;
const samples = golden<{ frames: { hex: string }[] }>("v1.json").frames.map((frame) => unhex(frame.hex));

/** The messages in `bytes`; throws over anything but a typed error. */
function messages(bytes: Uint8Array): string {
  try {
    for (const frame of decodeFrames(bytes, FRAME_MAX)) decode(frame);
    return "fine";
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return error.fault;
  }
}

test("random bytes end in a typed error at the worst", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void messages(bytes)), { numRuns: 2000 });
});

test("random bodies under every type end in a typed error at the worst", () => {
  const codes = Object.values(KINDS).map(({ code }) => code);
  const body = fc.oneof(fc.uint8Array({ maxLength: 64 }), fc.jsonValue().map((value) => encodeCbor({ value: plainNumbers(value) } as Encodable)));
  fc.assert(
    fc.property(fc.constantFrom(...codes), fc.nat(3), body, (kind, stream, bytes) => {
      messages(encodeFrames({ kind, flags: 0, stream, position: 0, body: bytes }));
    }),
    { numRuns: 2000 },
  );
});

test("golden frames with bytes changed end in a typed error at the worst", () => {
  fc.assert(
    fc.property(fc.constantFrom(...samples), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 }), (sample, changes) => {
      const bytes = sample.slice();
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      messages(bytes);
    }),
    { numRuns: 5000 },
  );
});

test("golden frames cut anywhere are truncated", () => {
  for (const sample of samples) {
    for (let length = 1; length < sample.length; length += 1) expect(messages(sample.subarray(0, length))).toBe("truncated");
  }
});

const anyFrame: fc.Arbitrary<Frame> = fc.record({
  kind: fc.nat(255),
  flags: fc.nat(15).map((bits) => bits << 3),
  stream: fc.nat(0xffff),
  codec: fc.nat(3),
  position: fc.maxSafeNat(),
  timestamp: fc.option(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { nil: undefined }),
  body: fc.uint8Array({ maxLength: 100 }),
});

test("frames come back as they went", () => {
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 5 }), (frames) => {
      expect([...decodeFrames(encodeFrames(...frames), FRAME_MAX)]).toEqual(frames);
    }),
  );
});

const anyValue = fc.letrec<{ value: Encodable }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", maxDepth: 6 },
    fc.maxSafeInteger(),
    fc.string({ unit: "grapheme" }),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array({ maxLength: 40 }),
    fc.array(tie("value"), { maxLength: 5 }),
    fc.dictionary(fc.string({ maxLength: 12 }), tie("value"), { maxKeys: 5 }).map((entries) => new Map(Object.entries(entries))),
  ),
})).value;

test("an independent decoder reads what we write, and so do we", () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      const bytes = encodeCbor({ value });
      const strict = { strict: true, allowIndefinite: false, rejectDuplicateMapKeys: true, useMaps: true };
      expect(cborg.decode(bytes, strict)).toEqual(decodeMap(bytes));
      expect(decodeMap(bytes).get("value")).toEqual(value);
    }),
  );
});

test("what we accept, an independent decoder accepts", () => {
  fc.assert(
    fc.property(fc.constantFrom(...samples), fc.nat(), fc.nat(255), (sample, at, value) => {
      const body = sample.slice(16);
      if (body.length > 0) body[at % body.length] = value;
      let ours: Value;
      try {
        ours = decodeMap(body);
      } catch {
        return;
      }
      if (hasUnused(ours)) return; // Which it may refuse.
      const theirs: unknown = cborg.decode(body, { strict: true, allowIndefinite: false, rejectDuplicateMapKeys: true, useMaps: true });
      expect(theirs).toEqual(ours);
    }),
    { numRuns: 5000 },
  );
});

test("messages come back as they went", () => {
  const message = encode(3, { type: "Attach", number: 7, session: 2 ** 40, start: { tail: 1000 }, policy: "resync", size: { cols: 80, rows: 24 } });
  expect(decode(message)).toEqual({ type: "Attach", number: 7, session: 2 ** 40, start: { tail: 1000 }, policy: "resync", size: { cols: 80, rows: 24 } });
  const signal = encode(1, { type: "Control", number: 1, act: { signal: { name: "interrupt", to: "foreground" } } });
  expect(hex(signal.body)).toBe(hex(encodeCbor({ do: { signal: { name: "interrupt", to: "foreground" } } })));
});

test("keys of a newer peer are ignored, also one named like a property of every object", () => {
  const frame = (body: Encodable): Frame => ({ kind: KINDS.Gap.code, flags: 0, stream: 1, position: 4, body: encodeCbor(body) });
  expect(decode(frame({ to: 9, why: "weird", new: [1, { x: null }] }))).toEqual({ type: "Gap", from: 4, to: 9, why: "weird" });
  expect(decode(frame(new Map<string, Encodable>([["__proto__", { to: 1 }], ["to", 9], ["why", "resync"]])))).toEqual({ type: "Gap", from: 4, to: 9, why: "resync" });
});

function hasUnused(value: Value): boolean {
  if (value === UNUSED) return true;
  if (Array.isArray(value)) return value.some(hasUnused);
  return value instanceof Map && [...value.values()].some(hasUnused);
}

/** JSON without fractions, which we cannot write. */
function plainNumbers(value: unknown): unknown {
  if (typeof value === "number") return Number.isSafeInteger(value) ? value : 0;
  if (Array.isArray(value)) return value.map(plainNumbers);
  if (typeof value === "object" && value !== null) return new Map(Object.entries(value).map(([key, item]) => [key, plainNumbers(item)]));
  return value;
}
