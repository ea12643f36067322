/**
 * A terminal bound to a session: bytes arrive whole, replies are told apart, and programs cannot reach what is not theirs.
 */

import headless from "@xterm/headless";
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { Client } from "../src/client.js";
import { passOf, passText } from "../src/handshake.js";
import type { Session } from "../src/session.js";
import { type BindOptions, CLIPBOARD_BYTES_MAX, TerminalBinding } from "../src/xterm.js";
import { FakeServer } from "./kit/server.js";
import { type FakeTerminal, echo } from "./kit/terminal.js";
import { World } from "./kit/world.js";

let world: World;
let server: FakeServer;
let client: Client;

beforeEach(async () => {
  server = new FakeServer();
  server.programs.set("sh", echo);
  world = new World(server);
  client = new Client({ url: "ws://127.0.0.1:7681/ws", pass: passText(await passOf(server.token, "owner")), env: world.env });
  client.connect();
});

interface Bound {
  terminal: InstanceType<typeof headless.Terminal>;
  binding: TerminalBinding;
  session: Session;
  remote: FakeTerminal;
}

async function bind(remote: FakeTerminal, options: BindOptions = {}, role?: "viewer"): Promise<Bound> {
  const session = client.attach(remote.id, role ? { role } : {});
  const terminal = new headless.Terminal({ cols: 80, rows: 24, allowProposedApi: true });
  const binding = new TerminalBinding(session, terminal, options);
  await world.until(() => session.state === "live");
  await parsed(terminal);
  return { terminal, binding, session, remote };
}

/** Lets messages arrive and the terminal, which lives in real time, parse them. */
async function parsed(terminal: Bound["terminal"]): Promise<void> {
  await world.run(10);
  await new Promise<void>((resolve) => terminal.write("", resolve));
  await world.run(10);
}

async function says(bound: Bound, text: string | Uint8Array): Promise<void> {
  bound.remote.write(text);
  await parsed(bound.terminal);
}

function screen(terminal: Bound["terminal"]): string {
  const lines = Array.from({ length: terminal.rows }, (_, row) => terminal.buffer.active.getLine(terminal.buffer.active.viewportY + row)?.translateToString(true));
  return lines.join("\n").trimEnd();
}

const typed = (remote: FakeTerminal): string => Buffer.from(remote.typed).toString("latin1");

/** What real programs ask. */
const QUERIES: [name: string, query: string][] = [
  ["attributes", "\u001b[c"],
  ["second attributes", "\u001b[>c"],
  ["status", "\u001b[5n"],
  ["cursor", "\u001b[6n"],
  ["cursor, the other way", "\u001b[?6n"],
  ["mode", "\u001b[4$p"],
  ["private mode", "\u001b[?2026$p"],
  ["setting", "\u001bP$qm\u001b\\"],
  ["setting nobody has", "\u001bP$qx;echo pwned\n\u001b\\"],
  ["version", "\u001b[>q"],
];

describe("replies", () => {
  test.each(QUERIES)("to %s are marked, and are no keys", async (_, query) => {
    const bound = await bind(server.start({}));
    await says(bound, query);
    expect(typed(bound.remote)).toBe("");
    if (query !== "\u001b[>q") expect(bound.remote.replied).not.toBe("");
    expect(bound.remote.replied).not.toContain("pwned");
  });

  test("no sequence at all makes the terminal type", async () => {
    const bound = await bind(server.start({}));
    const intermediates = ["", "$", " ", "!", "'", "*", "\""];
    let all = "\u0005\u001bZ";
    for (let final = 0x40; final < 0x7f; final += 1) {
      for (const prefix of ["", "?", ">", "=", "<"]) {
        for (const intermediate of intermediates) {
          for (const params of ["", "1", "5", "6", "14", "18", "21", "0;1"]) all += `\u001b[${prefix}${params}${intermediate}${String.fromCharCode(final)}`;
          all += `\u001bP${prefix}1${intermediate}${String.fromCharCode(final)}m\u001b\\`;
        }
      }
    }
    for (let ident = 0; ident < 200; ident += 1) all += `\u001b]${ident};?\u0007\u001b]${ident};1;?\u001b\\`;
    for (let at = 0; at < all.length; at += 16_000) await says(bound, all.slice(at, at + 16_000));
    expect(typed(bound.remote)).toBe("");
    expect(bound.remote.replied.length).toBeGreaterThan(100);
  });

  test("are not given in output that is replayed, and are again after it", async () => {
    const remote = server.start({ start: (it) => it.write(QUERIES.map(([, query]) => query).join("")) });
    const bound = await bind(remote);
    await parsed(bound.terminal);
    expect([remote.replied, typed(remote)]).toEqual(["", ""]);
    await says(bound, "\u001b[5n");
    expect(remote.replied).toBe("\u001b[0n");
  });

  test("are not given by a viewer", async () => {
    const bound = await bind(server.start({}), {}, "viewer");
    await says(bound, "\u001b[5n");
    expect(bound.remote.replied).toBe("");
  });

  test("do not swallow keys that are typed meanwhile", async () => {
    const bound = await bind(server.start({}));
    bound.remote.write("\u001b[5n".repeat(100));
    bound.terminal.input("key");
    await parsed(bound.terminal);
    expect(typed(bound.remote)).toBe("key");
    expect(bound.remote.replied).toBe("\u001b[0n".repeat(100));
  });
});

describe("output", () => {
  test("is acknowledged once it is parsed", async () => {
    const bound = await bind(server.start({}));
    for (let turn = 0; turn < 6; turn += 1) await says(bound, `${"x".repeat(99)}\r\n`.repeat(2000));
    expect(bound.session.received).toBe(6 * 2000 * 101);
    const lane = [...[...server.connections][0]!.lanes.values()][0]!;
    expect(lane.acked).toBe(bound.session.received);
  });

  test("cut anywhere, characters stay whole", async () => {
    const text = "é日本語👩‍👩‍👧 Ελληνικά ��⿰ 𝒳 \u0800\uffff ok";
    const bytes = new TextEncoder().encode(text);
    const expected = new headless.Terminal({ cols: 80, rows: 24, allowProposedApi: true });
    await new Promise<void>((resolve) => expected.write(bytes, resolve));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 30 }), async (cuts) => {
        const bound = await bind(server.start({}));
        let at = 0;
        for (let turn = 0; at < bytes.length; turn += 1) {
          const end = at + cuts[turn % cuts.length]!;
          bound.remote.write(bytes.slice(at, end));
          at = end;
        }
        await parsed(bound.terminal);
        expect(screen(bound.terminal)).toBe(screen(expected));
      }),
      { numRuns: 25 },
    );
  });

  test("a size changes in its place between the bytes", async () => {
    const bound = await bind(server.start({ resized: (it) => it.write(`${it.size.cols}`) }));
    await says(bound, "x".repeat(100));
    bound.binding.fit(40, 10);
    await parsed(bound.terminal);
    expect([bound.terminal.cols, bound.terminal.rows]).toEqual([40, 10]);
    expect(screen(bound.terminal)).toContain("40");
  });

  test("a gap clears the screen and says how much is missing", async () => {
    const bound = await bind(server.start({}));
    await says(bound, "old");
    [...server.connections][0]!.send(bound.session.stream, { type: "Gap", from: 3, to: 12_348, why: "history" });
    await parsed(bound.terminal);
    expect(screen(bound.terminal)).toBe("[12,345 bytes of output are missing]");
  });

  test("another viewer may clear or reset", async () => {
    const bound = await bind(server.start({}));
    await says(bound, "one\r\ntwo\r\n\u001b[31mthree");
    [...server.connections][0]!.send(bound.session.stream, { type: "Control", number: 0, act: "reset" });
    await parsed(bound.terminal);
    expect(screen(bound.terminal)).toBe("");
  });
});

describe("input", () => {
  test("an interrupt key goes as one, the same byte within a text does not", async () => {
    const bound = await bind(server.start({}));
    const kinds: string[] = [];
    server.intercept = (message) => {
      if (message.type === "Input" || message.type === "Interrupt") kinds.push(message.type);
      return false;
    };
    bound.terminal.input("\u0003");
    bound.terminal.input("a\u0003b");
    await parsed(bound.terminal);
    expect(kinds).toEqual(["Interrupt", "Input"]);
  });

  test("a paste is bracketed where the program asked for that, and cannot break out", async () => {
    const bound = await bind(server.start({}));
    bound.binding.paste("a\u001b[201~\nb");
    await says(bound, "\u001b[?2004h");
    bound.binding.paste("a\u001b[201~\nb");
    await parsed(bound.terminal);
    expect(typed(bound.remote)).toBe("a[201~\rb\u001b[200~a[201~\rb\u001b[201~");
  });

  test("after dispose nothing passes in either direction", async () => {
    const bound = await bind(server.start({}));
    bound.binding.dispose();
    bound.terminal.input("x");
    await says(bound, "y");
    expect([typed(bound.remote), screen(bound.terminal)]).toEqual(["", ""]);
  });
});

describe("the clipboard", () => {
  const put = (text: string): string => `\u001b]52;c;${Buffer.from(text).toString("base64")}\u0007`;

  async function clips(...output: string[]): Promise<{ clips: string[]; remote: FakeTerminal }> {
    const seen: string[] = [];
    const bound = await bind(server.start({}), { onClipboard: (text) => seen.push(text) });
    for (const text of output) await says(bound, text);
    return { clips: seen, remote: bound.remote };
  }

  test("can be written", async () => {
    expect((await clips(put("copied é"))).clips).toEqual(["copied é"]);
  });

  test("can never be read", async () => {
    const { remote } = await clips("\u001b]52;c;?\u0007", "\u001b]52;;?\u001b\\");
    expect([remote.replied, typed(remote)]).toEqual(["", ""]);
  });

  test("takes so much and no more, and no garbage", async () => {
    const { clips: seen } = await clips(put("x".repeat(CLIPBOARD_BYTES_MAX)), put("x".repeat(CLIPBOARD_BYTES_MAX + 1)), "\u001b]52;c;***\u0007");
    expect(seen.map((text) => text.length)).toEqual([CLIPBOARD_BYTES_MAX]);
  });

  test("is not written by what is replayed", async () => {
    const seen: string[] = [];
    await bind(server.start({ start: (it) => it.write(put("old")) }), { onClipboard: (text) => seen.push(text) });
    expect(seen).toEqual([]);
  });
});
