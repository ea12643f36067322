/**
 * Packed output comes out as it went in, and what a server must not send is refused in little time and memory.
 */

import * as fc from "fast-check";
import { Inflate } from "fflate";
import { describe, expect, test, vi } from "vitest";
import { decodeMap } from "../src/cbor.js";
import { ProtocolError } from "../src/error.js";
import { type Frame, decodeFrames } from "../src/frame.js";
import { KINDS } from "../src/kind.js";
import { CONTEXTS_MAX, PACKED_MAX, UNPACK_BYTES } from "../src/limits.js";
import { decode } from "../src/messages.js";
import { Unpacking } from "../src/unpack.js";
import { golden, hex, unhex } from "./golden.js";
import { Packer, deflated, framed } from "./kit/packer.js";
import { messagesOf, online, server, watch, world } from "./kit/rig.js";

interface Run {
  name: string;
  codec: string;
  frames: { frame: string; offset: number; bytes: string }[];
}

interface Malformed {
  name: string;
  codec: string;
  before: string[];
  frame: string;
  fault: string;
}

const { streams, malformed } = golden<{ streams: Run[]; malformed: Malformed[] }>("packed.json");
const agreed = (): Unpacking => new Unpacking(["deflate"]);

function output(frame: Frame, unpacking: Unpacking): { offset: number; bytes: Uint8Array } {
  const message = decode(frame, unpacking);
  if (message?.type !== "Output") throw new Error(`no output: ${message?.type}`);
  return message;
}

const only = (text: string): Frame => [...decodeFrames(unhex(text), 1 << 20)][0]!;

function faultOf(take: () => unknown): string {
  try {
    take();
  } catch (error) {
    if (error instanceof ProtocolError && error.isFatal) return error.fault;
    throw error;
  }
  return "none";
}

describe("golden packed output", () => {
  test.each(streams)("$name by $codec", ({ codec, frames }) => {
    const unpacking = agreed();
    if (codec !== "deflate") {
      for (const { frame } of frames) expect(faultOf(() => output(only(frame), unpacking))).toBe("codec");
      return;
    }
    for (const { frame, offset, bytes } of frames) {
      const whole = output(only(frame), unpacking);
      expect([whole.offset, hex(whole.bytes)]).toEqual([offset, bytes]);
    }
  });

  test.each(malformed)("$name by $codec is refused", ({ codec, before, frame, fault }) => {
    const unpacking = agreed();
    if (codec !== "deflate") {
      for (const unknown of [...before, frame]) expect(faultOf(() => output(only(unknown), unpacking))).toBe("codec");
      return;
    }
    for (const good of before) output(only(good), unpacking);
    expect(faultOf(() => output(only(frame), unpacking))).toBe(fault);
  });
});

describe("packed output", () => {
  test("comes out as it went in, on streams that are mixed, whatever the pieces", () => {
    const piece = fc.oneof(fc.string({ minLength: 1, maxLength: 200 }), fc.constantFrom("ls --color\r\n", "\x1b[32mfile.rs\x1b[0m\r\n"));
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(2), piece, fc.nat(7)), { maxLength: 30 }), (pieces) => {
        const packers = [1, 2, 3].map((stream) => new Packer(stream));
        const unpacking = agreed();
        for (const [at, text, chance] of pieces) {
          if (chance === 0) packers[at] = new Packer(at + 1); // Its context begins anew.
          const bytes = new TextEncoder().encode(text);
          expect(output(packers[at]!.frame(bytes), unpacking).bytes).toEqual(bytes);
        }
      }),
    );
  });

  test("is as long as a frame may be", () => {
    for (const bytes of [new Uint8Array(PACKED_MAX), crypto.getRandomValues(new Uint8Array(PACKED_MAX))]) {
      expect(output(framed(1, true, bytes.length, deflated(bytes)), agreed()).bytes).toEqual(bytes);
    }
  });

  test("is no longer than a frame may be", () => {
    const bytes = new Uint8Array(PACKED_MAX + 1);
    expect(faultOf(() => output(framed(1, true, bytes.length, deflated(bytes)), agreed()))).toBe("packed");
  });

  test("has nothing left of a context where another begins", () => {
    const unpacking = agreed();
    const old = new TextEncoder().encode("what an older context knows by heart");
    const next = new TextEncoder().encode("new");
    const both = Buffer.concat([old, next]);
    output(framed(1, true, old.length, deflated(old)), unpacking);
    expect(output(framed(1, false, next.length, deflated(next, old)), unpacking).bytes).toEqual(next);
    expect(output(framed(1, false, old.length, deflated(old, both)), unpacking).bytes).toEqual(old);
    output(framed(1, true, next.length, deflated(next)), unpacking);
    expect(faultOf(() => output(framed(1, false, old.length, deflated(old, both)), unpacking))).toBe("packed");
  });

  test("that nobody packed is refused, or has the length it says", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.integer({ min: 1, max: PACKED_MAX }), (data, length) => {
        try {
          expect(output(framed(1, true, length, data), agreed()).bytes.length).toBe(length);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("that is a bomb is given up after a thousandth of it", () => {
    const bomb = deflated(new Uint8Array(256 << 20));
    expect(bomb.length).toBeLessThan(1 << 20);
    const before = process.memoryUsage().arrayBuffers;
    expect(faultOf(() => output(framed(1, true, PACKED_MAX, bomb), agreed()))).toBe("packed");
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 << 20);
  });

  test("that is more than it says is not unpacked to its end", () => {
    const long = deflated(new Uint8Array(16 << 20));
    expect(long.length).toBeGreaterThan(8 * UNPACK_BYTES);
    for (const length of [1, PACKED_MAX]) {
      const push = vi.spyOn(Inflate.prototype, "push");
      expect(faultOf(() => output(framed(1, true, length, long), agreed()))).toBe("packed");
      const taken = push.mock.calls.map(([piece]) => piece.length);
      push.mockRestore();
      // A first piece of zeros is a million, and the end of the flush may follow it.
      expect(taken.slice(0, 1)).toEqual([UNPACK_BYTES]);
      expect(taken.slice(1).reduce((sum, bytes) => sum + bytes, 0)).toBeLessThanOrEqual(4);
    }
  });

  test("needs a codec that was agreed on, and a type that is packed", () => {
    const frame = framed(1, true, 5, deflated(new TextEncoder().encode("hello")));
    expect(faultOf(() => decode(frame))).toBe("codec");
    expect(faultOf(() => decode(frame, new Unpacking([])))).toBe("codec");
    expect(faultOf(() => decode({ ...frame, codec: 3 }, agreed()))).toBe("codec");
    expect(faultOf(() => decode({ ...frame, kind: 0x23 }, agreed()))).toBe("codec");
    expect(faultOf(() => decode(frame, agreed()))).toBe("none");
  });

  test("keeps the contexts of as many streams as were used last", () => {
    const unpacking = agreed();
    const bytes = new TextEncoder().encode("a line that comes again");
    const first = new Packer(1);
    output(first.frame(bytes), unpacking);
    for (let stream = 2; stream <= CONTEXTS_MAX; stream++) output(new Packer(stream).frame(bytes), unpacking);
    expect(output(first.frame(bytes), unpacking).bytes).toEqual(bytes);
    for (let stream = 2; stream <= CONTEXTS_MAX + 1; stream++) output(new Packer(stream).frame(bytes), unpacking);
    expect(faultOf(() => output(first.frame(bytes), unpacking))).toBe("packed");
  });

  test("takes the place of what was used the longest ago, not of what began first", () => {
    const bytes = new TextEncoder().encode("a line that comes again");
    const packers = Array.from({ length: CONTEXTS_MAX + 1 }, (_, at) => new Packer(at + 1));
    const [first, second] = packers;
    const last = packers.pop()!;
    const unpacking = agreed();
    for (const packer of [...packers, first!, last, first!]) expect(output(packer.frame(bytes), unpacking).bytes).toEqual(bytes);
    expect(faultOf(() => output(second!.frame(bytes), unpacking))).toBe("packed");
  });
});

describe("a client", () => {
  const textOf = (lines: number): string => Array.from({ length: lines }, (_, at) => `line ${at} of what a program says\r\n`).join("");

  test("is sent packed output where it offers to take it, and shows all of it once across cuts", async () => {
    for (const compression of [true, false]) {
      const client = await online({ compression });
      const session = client.spawn();
      const seen = watch(session);
      await world.until(() => session.id !== undefined);
      const terminal = server.sessions.get(session.id!)!;
      for (let round = 0; round < 4; round += 1) {
        terminal.write(textOf(50));
        await world.run(50);
        world.link.cut();
        await world.until(() => client.state.phase === "online");
      }
      await world.until(() => seen.text.length === 4 * textOf(50).length);
      expect(seen.text).toBe(textOf(50).repeat(4));
      expect(server.packed > 0).toBe(compression);
      server.packed = 0;
      client.close();
    }
  });

  test("leaves a server that packs nonsense, and says so", async () => {
    const client = await online();
    const session = client.spawn();
    await world.until(() => session.id !== undefined);
    const { link } = world;
    const [connection] = server.connections;
    connection!.sendFrame(framed(session.stream, true, 1000, deflated(new Uint8Array(999))));
    await world.until(() => client.state.phase !== "online");
    expect(messagesOf(link).at(-1)).toMatchObject({ type: "Goodbye", code: "malformed" });
  });

  test("leaves a server that packs for one who did not ask for it", async () => {
    const client = await online({ compression: false });
    const session = client.spawn();
    const seen = watch(session);
    await world.until(() => session.id !== undefined);
    const { link } = world;
    const [connection] = server.connections;
    const before = seen.text;
    connection!.sendFrame(framed(session.stream, true, 5, deflated(new TextEncoder().encode("hello"))));
    await world.until(() => client.state.phase !== "online");
    expect(messagesOf(link).at(-1)).toMatchObject({ type: "Goodbye", code: "malformed" });
    expect(seen.text).toBe(before);
  });

  test("says which session's output is secret, and says nothing of the others", async () => {
    const client = await online();
    const sessions = [client.spawn({ secret: true }), client.spawn()];
    await world.until(() => sessions.every(({ id }) => id !== undefined));
    const frames = world.link.sent.flatMap((bytes) => [...decodeFrames(bytes, 1 << 20)]).filter(({ kind }) => kind === KINDS.Spawn.code);
    expect(frames.map(({ body }) => decodeMap(body).get("secret"))).toEqual([true, undefined]);
  });
});
