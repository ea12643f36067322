/**
 * Input is numbered once, kept until settled, and taken back only when it was refused.
 */

import { describe, expect, test } from "vitest";
import { Inputs } from "../src/inputs.js";
import { INPUT_FRAME_BYTES } from "../src/limits.js";
import { cleanLabel } from "../src/label.js";
import { cleanPaste, pasteBytes, runsByItself } from "../src/paste.js";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (piece: { bytes: Uint8Array } | undefined): string | undefined => piece && new TextDecoder().decode(piece.bytes);
const WINDOW = 1 << 20;

describe("inputs", () => {
  test("keys typed while nothing can be sent share a frame, interrupts and replies do not", () => {
    const inputs = new Inputs();
    for (const key of ["l", "s"]) inputs.push(bytes(key));
    inputs.push(bytes("\u0003"), true);
    inputs.push(bytes("r"), false, true);
    inputs.push(bytes("x"));
    const pieces = [1, 2, 3, 4, 5].map(() => inputs.take(WINDOW, 0));
    expect(pieces.map(text)).toEqual(["ls", "\u0003", "r", "x", undefined]);
    expect(pieces.map((piece) => piece?.sequence)).toEqual([1, 2, 3, 4, undefined]);
  });

  test("what was sent keeps its number and its bytes when it is sent again", () => {
    const inputs = new Inputs();
    inputs.push(bytes("a"));
    inputs.take(WINDOW, 0);
    inputs.push(bytes("b"));
    inputs.push(bytes("c"));
    inputs.unsend();
    inputs.resume(0);
    expect([1, 2, 3].map(() => inputs.take(WINDOW, 0)).map((piece) => [piece?.sequence, text(piece)])).toEqual([[1, "a"], [2, "bc"], [undefined, undefined]]);
  });

  test("what had arrived before the link broke is not sent again", () => {
    const inputs = new Inputs();
    for (const key of ["a", "b", "c"]) {
      inputs.push(bytes(key));
      inputs.take(WINDOW, 0);
    }
    inputs.resume(2);
    expect(text(inputs.take(WINDOW, 0))).toBe("c");
    expect(inputs.bytes).toBe(1);
    inputs.push(bytes("d"));
    expect(inputs.take(WINDOW, 0)?.sequence).toBe(4);
  });

  test("a refusal takes numbers back, and gives up only what will never be taken", () => {
    const inputs = new Inputs();
    for (const key of ["a", "b", "c"]) {
      inputs.push(bytes(key));
      inputs.take(WINDOW, 0);
    }
    expect(text(inputs.refuse(2, false))).toBe("b");
    const again = inputs.take(WINDOW, 0);
    expect([again?.sequence, text(again)]).toEqual([2, "c"]);
    expect(inputs.refuse(2, true)).toBeUndefined();
    expect(inputs.take(WINDOW, 0)?.sequence).toBe(2);
  });

  test("the queue is bounded to the byte and takes all or nothing", () => {
    const inputs = new Inputs(10);
    expect(inputs.push(bytes("12345678"))).toBe(true);
    expect(inputs.push(bytes("901"))).toBe(false);
    expect(inputs.bytes).toBe(8);
    expect(inputs.push(bytes("90"))).toBe(true);
    inputs.take(WINDOW, 0);
    inputs.settle(1);
    expect(inputs.bytes).toBe(0);
  });

  test("a paste is cut into frames, and the window holds", () => {
    const inputs = new Inputs();
    inputs.push(new Uint8Array(3 * INPUT_FRAME_BYTES + 1));
    const window = 2 * INPUT_FRAME_BYTES;
    expect([1, 2, 3].map(() => inputs.take(window, 0)?.bytes.length)).toEqual([INPUT_FRAME_BYTES, INPUT_FRAME_BYTES, undefined]);
    inputs.settle(1);
    expect(inputs.take(window, 0)?.sequence).toBe(3);
  });

  test("a server that forgot us is told nothing twice", () => {
    const inputs = new Inputs();
    inputs.push(bytes("sent"));
    inputs.take(WINDOW, 0);
    inputs.push(bytes("kept"));
    expect(inputs.restart(0)).toBe(4);
    const next = inputs.take(WINDOW, 0);
    expect([next?.sequence, text(next)]).toEqual([1, "kept"]);
  });
});

describe("pastes", () => {
  test("nothing in them can end the brackets or run by itself", () => {
    for (const end of ["\u001b[201~", "\u009b201~", "\u001b\u001b[201~[201~", "\u001b\u0000[201~", "\u001b\u007f[201~"]) {
      const pasted = new TextDecoder().decode(pasteBytes(`a${end}rm -rf ~\n`, true));
      expect(pasted.slice(6, -6)).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/u);
      expect(pasted.indexOf("\u001b[201~")).toBe(pasted.length - 6);
    }
  });

  test("line ends become the Enter key's, tabs and letters stay", () => {
    expect(cleanPaste("a\r\nb\nc\td é 日本 👩‍👩‍👧")).toBe("a\rb\rc\td é 日本 👩‍👩‍👧");
    expect(runsByItself("a\nb", false)).toBe(true);
    expect(runsByItself("a\nb", true)).toBe(false);
    expect(runsByItself("ab", false)).toBe(false);
  });
});

test("titles lose what would make them lie, and are cut between characters", () => {
  expect(cleanLabel("build\u001b]0;sudo\u0007")).toBe("build]0;sudo");
  expect(cleanLabel("invoice\u202efdp.exe\u2028x\u009b")).toBe("invoicefdp.exex");
  expect(cleanLabel("日本語 עברית ☕", 256)).toBe("日本語 עברית ☕");
  expect(cleanLabel("👩".repeat(300))).toBe("👩".repeat(256));
});
