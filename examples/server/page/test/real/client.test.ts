/**
 * The client without a page: in Node, over the package `ws`, against the real server.
 */

import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Client, type ClientState, type Session } from "@orchflow/client";
import { build } from "esbuild";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { CuttingProxy } from "./proxy.js";
import { type RealServer, startServer } from "./server.js";

const CLIENT = fileURLToPath(new URL("../../../../../bindings/typescript/", import.meta.url));
const EXAMPLE_MS_MAX = 20_000;

let proxy: CuttingProxy;
let server: RealServer;

beforeEach(async () => {
  proxy = await CuttingProxy.listen();
  server = await startServer("--host", proxy.authority);
  proxy.target = server.port;
});

afterEach(async () => {
  await proxy.close();
  await server.stop();
});

/** All output of a session, as text that grows. */
function listen(session: Session): { text: string } {
  const heard = { text: "" };
  session.on("output", ({ offset, bytes }) => {
    heard.text += Buffer.from(bytes).toString("latin1");
    session.rendered(offset + bytes.length);
  });
  return heard;
}

test("the example of its page runs as it stands there, and prints what is promised", async () => {
  const readme = await readFile(join(CLIENT, "README.md"), "utf8");
  const [, example] = /```ts\n(.*?)```/su.exec(readme) ?? [];
  expect(example).toContain('url: "ws://127.0.0.1:7673/ws", pass: "owner.…"');
  const code = example!.replace("127.0.0.1:7673", `127.0.0.1:${server.port}`).replace("owner.…", server.pass);
  const outfile = join(server.home, "example.mjs");
  await build({
    stdin: { contents: code, loader: "ts", resolveDir: fileURLToPath(new URL("../..", import.meta.url)) },
    alias: { "@orchflow/client": join(CLIENT, "src/index.ts") },
    // `ws` is written for `require`, which a module has not.
    banner: { js: 'import { createRequire as requires } from "node:module"; const require = requires(import.meta.url);' },
    bundle: true,
    platform: "node",
    format: "esm",
    outfile,
    logLevel: "silent",
  });
  const { stdout } = await promisify(execFile)(process.execPath, [outfile], { timeout: EXAMPLE_MS_MAX, env: { PATH: process.env["PATH"] } });
  const [, promised] = /console\.log\(shell\.end\); \/\/ (.*)\n/u.exec(example!) ?? [];
  expect(stdout.replaceAll("'", '"')).toBe(`42\r\n\n${promised}\n`);
});

test("output over a long way comes packed, and is what it was", async () => {
  const lines = Array.from({ length: 10_000 }, (_, at) => `line ${at + 1} of what a program says\r\n`).join("");
  const carried: number[] = [];
  for (const delayMs of [10, 0]) {
    proxy.delayMs = delayMs;
    const client = new Client({ url: `ws://${proxy.authority}/ws`, pass: server.pass, WebSocket });
    client.connect();
    const before = proxy.carriedDown;
    const session = client.spawn({ program: "seq", args: ["-f", "line %g of what a program says", "10000"] });
    const heard = listen(session);
    await vi.waitFor(() => expect(session.end).toBeDefined(), 10_000);
    expect(heard.text).toBe(lines);
    carried.push(proxy.carriedDown - before);
    client.close();
  }
  expect(carried[0]).toBeLessThan(lines.length / 3);
  console.log(`${lines.length} bytes of output: ${carried[0]} over a long way, ${carried[1]} over a short one`);
});

test("a session goes on where it was after its link was cut", async () => {
  const states: ClientState["phase"][] = [];
  const client = new Client({ url: `ws://${proxy.authority}/ws`, pass: server.pass, WebSocket });
  client.on("state", ({ phase }) => states.push(phase));
  client.connect();
  try {
    const session = client.spawn({ program: "cat" });
    const heard = listen(session);
    await session.opened;
    session.input("before\n");
    await vi.waitFor(() => expect(heard.text).toBe("before\r\nbefore\r\n"), { timeout: 10_000 });
    proxy.cutNow();
    session.input("meanwhile\n");
    await vi.waitFor(() => expect(states).toContain("waiting"), { timeout: 10_000 });
    session.input("after\n");
    await vi.waitFor(() => expect(session.unsettled).toBe(0), { timeout: 10_000 });
    session.input("\u0004");
    await vi.waitFor(() => expect(session.end).toEqual({ why: "exit", status: { code: 0 }, orphaned: false }), { timeout: 10_000 });
    // Echo and answer of two lines may interleave; each comes once.
    for (const word of ["before", "meanwhile", "after"]) expect(heard.text.split(word).length - 1).toBe(2);
    expect(heard.text.length).toBe(session.received);
    expect(states.filter((phase) => phase === "online").length).toBe(2);
  } finally {
    client.close();
  }
});

test("a wrong pass ends it for good, with the reason", async () => {
  const client = new Client({ url: `ws://127.0.0.1:${server.port}/ws`, pass: `owner.${"A".repeat(43)}`, WebSocket });
  client.connect();
  try {
    await vi.waitFor(() => expect(client.state.phase).toBe("stopped"), { timeout: 10_000 });
    expect(client.state).toMatchObject({ code: "impostor" });
  } finally {
    client.close();
  }
});
