/**
 * The client against a server that is cut off, restarted, full, silent or wrong, in virtual time.
 */

import { describe, expect, test } from "vitest";
import { Client } from "../src/client.js";
import { decodeFrames } from "../src/frame.js";
import { isGrease } from "../src/kind.js";
import { type Message, type MessageOf, decode } from "../src/messages.js";
import { RequestError } from "../src/requests.js";
import { connect, elsewhere, messagesOf, online, server, terminalOf, typed, watch, world } from "./kit/scene.js";
import { echo } from "./kit/terminal.js";
import { World } from "./kit/world.js";

describe("a good connection", () => {
  test("types, echoes and ends", async () => {
    const client = await online();
    const session = client.spawn({ program: "sh", size: { cols: 100, rows: 30 } });
    const seen = watch(session);
    await world.until(() => session.state === "live");
    expect(await session.opened).toBe(session);
    expect(session.input("hello")).toBe(true);
    await world.until(() => seen.text === "hello");
    terminalOf(session).exit({ code: 3 });
    await world.until(() => session.state === "ended");
    expect(seen.events).toEqual(["size 100x30", 'exit {"code":3}']);
    expect(client.sessions).toEqual([]);
  });

  test("offers and sends nonsense, which a good server skips", async () => {
    await online();
    await world.run(10);
    expect(server.skipped).toBe(1);
    const frames = world.link.sent.flatMap((bytes) => [...decodeFrames(bytes, 1 << 20)]);
    expect(frames.some((frame) => isGrease(frame.kind))).toBe(true);
    const hello = decode(frames[0]!) as MessageOf<"Hello">;
    expect([...hello.features.keys()].some((name) => name.startsWith("grease-"))).toBe(true);
  });

  test("output waits for its first listener, and other listeners may come before it", async () => {
    const client = await online();
    const terminal = server.start({ start: (it) => it.write("before") });
    const session = client.attach(terminal.id);
    await world.run(100);
    const seen = watch(session);
    await world.run(1);
    expect(seen).toMatchObject({ text: "before", replays: "before" });
    terminal.write(" after");
    await world.until(() => seen.text === "before after");
    expect(seen.replays).toBe("before");
  });

  test("only what was rendered is acknowledged, so a flood waits", async () => {
    const client = await online();
    const terminal = server.start({});
    const session = client.attach(terminal.id);
    const seen = watch(session, false);
    terminal.write("x".repeat(1 << 20));
    await world.run(1000);
    expect(seen.text.length).toBe(256 << 10);
    session.rendered(256 << 10);
    await world.run(1000);
    expect(seen.text.length).toBe(512 << 10);
    for (let turn = 0; turn < 8; turn += 1) {
      session.rendered(session.received);
      await world.run(10);
    }
    expect(seen.text.length).toBe(1 << 20);
    const acks = messagesOf(world.link).filter((message) => message.type === "Ack");
    expect(acks.at(-1)).toEqual({ type: "Ack", rendered: 1 << 20 });
    expect(acks.length).toBeLessThan(10);
  });

  test("its output can be read by a loop", async () => {
    const client = await online();
    const terminal = server.start({ start: (it) => it.write("y".repeat(600 << 10)) });
    let read = 0;
    const done = (async () => {
      for await (const chunk of client.attach(terminal.id)) read += chunk.bytes.length;
    })();
    await world.run(500);
    terminal.exit({ code: 0 });
    await world.run(500);
    await done;
    expect(read).toBe(600 << 10);
  });

  test("lists sessions that come in several frames", async () => {
    const client = await online();
    for (let index = 0; index < 5; index += 1) server.start(echo(), `title ${index}`);
    let listed: string[] = [];
    void client.list().then((sessions) => (listed = sessions.map(({ title }) => title)));
    await world.until(() => listed.length > 0);
    expect(listed).toEqual([0, 1, 2, 3, 4].map((index) => `title ${index}`));
  });

  test("resizes one at a time, and the newest counts", async () => {
    const client = await online();
    const session = client.spawn();
    const seen = watch(session);
    await world.until(() => session.state === "live");
    for (let cols = 81; cols <= 120; cols += 1) session.resize({ cols, rows: 24 });
    await world.run(100);
    expect(terminalOf(session).size.cols).toBe(120);
    expect(seen.events).toEqual(["size 80x24", "size 81x24", "size 120x24"]);
  });

  test("a key waits for nobody", async () => {
    const client = await online();
    const session = client.spawn();
    await world.until(() => session.state === "live");
    const before = world.link.sent.length;
    session.input("x");
    session.input("\u0003", { urgent: true });
    expect(messagesOf(world.link).slice(before - 1).map(({ type }) => type)).toEqual(["Input", "Interrupt"]);
  });

  test("a socket that is full gets no more", async () => {
    const client = await online();
    const session = client.spawn();
    await world.until(() => session.state === "live");
    world.link.bufferedAmount = 2 << 20;
    session.input("later");
    await world.run(1000);
    expect(typed(terminalOf(session))).toBe("");
    world.link.bufferedAmount = 0;
    await world.until(() => typed(terminalOf(session)) === "later");
  });

  test("detaching leaves the session alone, and frees its stream", async () => {
    const client = await online();
    const session = client.spawn();
    const seen = watch(session);
    await world.until(() => session.state === "live");
    session.detach();
    expect(session.input("x")).toBe(false);
    await world.run(10);
    expect(seen.events.at(-1)).toBe("detached");
    expect(client.sessions).toEqual([]);
    expect(server.sessions.size).toBe(1);
  });

  test("requests that are refused say so by name", async () => {
    const client = await online();
    const errors: unknown[] = [];
    client.spawn({ program: "gone" }).opened.catch((error: unknown) => errors.push(error));
    client.attach(99).opened.catch((error: unknown) => errors.push(error));
    await world.run(10);
    expect(errors.map((error) => error instanceof RequestError && error.code)).toEqual(["spawn_failed", "no_session"]);
    expect(client.sessions).toEqual([]);
  });

  test("a viewer neither types nor resizes", async () => {
    const client = await online();
    const terminal = server.start(echo());
    const session = client.attach(terminal.id, { role: "viewer" });
    await world.until(() => session.state === "live");
    expect(session.input("x")).toBe(false);
    session.resize({ cols: 10, rows: 10 });
    await world.run(100);
    expect([typed(terminal), terminal.size.cols]).toEqual(["", 80]);
  });

  test("a listener that throws breaks nothing", async () => {
    const errors: unknown[] = [];
    const catches = (error: unknown): void => void errors.push(error);
    process.on("uncaughtException", catches);
    const listeners = process.listeners("uncaughtException").filter((listener) => listener !== catches);
    for (const listener of listeners) process.off("uncaughtException", listener);
    try {
      const client = await online();
      const session = client.spawn();
      session.on("output", () => {
        throw new Error("mine");
      });
      const seen = watch(session);
      session.input("x");
      await world.until(() => seen.text === "x");
      await new Promise(setImmediate);
      expect(errors).toEqual([new Error("mine")]);
      expect(client.state.phase).toBe("online");
    } finally {
      for (const listener of listeners) process.on("uncaughtException", listener);
      process.off("uncaughtException", catches);
    }
  });
});

describe("a broken link", () => {
  test("output goes on at its byte, and input that was not settled is applied once", async () => {
    const client = await online();
    const session = client.spawn();
    const seen = watch(session);
    await world.until(() => session.state === "live");
    session.input("abc");
    await world.until(() => seen.text === "abc");
    world.link.cut();
    expect([client.state.phase, session.state]).toEqual(["waiting", "waiting"]);
    session.input("def");
    terminalOf(session).write("while away ");
    await world.until(() => seen.text === "abcwhile away def");
    expect(typed(terminalOf(session))).toBe("abcdef");
    expect(seen.events.filter((event) => !event.startsWith("size"))).toEqual([]);
  });

  test.each(Array.from({ length: 100 }, (_, seed) => seed))("cut at moment %i nothing is lost, doubled or reordered", async (seed) => {
    elsewhere(seed + 1);
    world.delayMs = 1 + (seed % 7);
    const client = connect();
    const session = client.spawn();
    const seen = watch(session);
    let expected = "";
    let cuts = 0;
    for (let step = 0; step < 60; step += 1) {
      const kind = world.random();
      if (kind < 0.6) {
        const word = `${seed}.${step} `;
        if (session.input(word)) expected += word;
      } else if (kind < 0.75 && session.id !== undefined) {
        terminalOf(session).write(`<${step}>`);
      } else if (kind < 0.9) {
        world.link?.cut();
        cuts += 1;
      } else if (kind < 0.95) {
        world.reachable = !world.reachable;
      } else {
        session.resize({ cols: 80 + step, rows: 24 });
      }
      await world.run(world.random() * (seed % 3 === 0 ? 3 : 40));
    }
    world.reachable = true;
    await world.until(() => session.unsettled === 0 && session.state === "live");
    await world.until(() => seen.text.length === terminalOf(session).output.length);
    expect(cuts).toBeGreaterThan(0);
    expect(typed(terminalOf(session))).toBe(expected);
    expect(seen.text).toBe(Buffer.from(terminalOf(session).output).toString("latin1"));
    expect(server.sessions.size).toBe(1);
    expect(seen.lost).toBe(0);
  });

  test("a spawn whose answer was lost is carried out once", async () => {
    const client = await online();
    let swallow = true;
    server.intercept = (message) => {
      if (message.type !== "Spawn" || !swallow) return false;
      swallow = false;
      queueMicrotask(() => world.link.cut());
      return false;
    };
    const session = client.spawn();
    await world.until(() => session.state === "live");
    expect(server.sessions.size).toBe(1);
  });

  test("a signal whose answer was lost is not sent again", async () => {
    const client = await online();
    const session = client.spawn();
    await world.until(() => session.state === "live");
    const answer = session.signal("interrupt").catch((error: unknown) => error);
    await world.run(1.5);
    world.link.cut();
    await world.until(() => session.state === "live");
    expect(await answer).toMatchObject({ code: "uncertain" });
    expect(terminalOf(session).signals).toEqual(["interrupt"]);
  });

  test("the queue is bounded, and says when it is full", async () => {
    const client = await online({ queueBytesMax: 100 });
    const session = client.spawn();
    const seen = watch(session);
    let full = 0;
    session.on("inputFull", () => (full += 1));
    await world.until(() => session.state === "live");
    world.link.cut();
    world.reachable = false;
    let taken = "";
    for (let index = 0; index < 30; index += 1) if (session.input("0123456789")) taken += "0123456789";
    expect([taken.length, full]).toEqual([100, 20]);
    world.reachable = true;
    await world.until(() => seen.text.length === 100);
    expect(typed(terminalOf(session))).toBe(taken);
  });

  test("more sessions than a Hello holds come back all the same", async () => {
    const client = await online();
    const terminals = Array.from({ length: 200 }, () => server.start(echo()));
    const seen = terminals.map((terminal) => watch(client.attach(terminal.id)));
    await world.run(50);
    world.link.cut();
    for (const session of client.sessions) session.input(`${session.id} `);
    for (const terminal of terminals) terminal.write("away ");
    await world.until(() => client.sessions.every((session) => session.state === "live" && session.unsettled === 0));
    await world.run(50);
    expect(world.link.sent[0]!.length).toBeLessThanOrEqual(4096);
    expect(seen.map(({ text }) => text)).toEqual(terminals.map(({ id }) => `away ${id} `));
  });

  test("a server that was started anew has lost the sessions, and says so at once", async () => {
    const client = await online();
    const session = client.spawn();
    const seen = watch(session);
    await world.until(() => session.state === "live");
    session.input("x");
    server.restart();
    await world.until(() => client.state.phase === "waiting");
    await world.until(() => client.state.phase === "online");
    expect(seen.events.slice(-1)).toEqual(["lost lost"]);
    const other = client.spawn();
    await world.until(() => other.state === "live");
  });

  test("a server that forgot the client is attached to again, and doubtful input is told and not repeated", async () => {
    const client = await online();
    const session = client.spawn();
    const seen = watch(session);
    await world.until(() => session.state === "live");
    session.input("sent ");
    world.link.cut();
    session.input("kept ");
    server.clients.clear();
    terminalOf(session).write("away ");
    await world.until(() => typed(terminalOf(session)) === "kept ");
    await world.until(() => seen.text === "away kept ");
    expect(seen.events.filter((event) => event.startsWith("lost"))).toEqual(["lost 5 uncertain"]);
  });

  test("who was replaced does not come back by itself, and then as somebody new", async () => {
    const client = await online();
    const session = client.spawn();
    await world.until(() => session.state === "live");
    server.goodbye("replaced");
    await world.run(60_000);
    expect(client.state).toMatchObject({ phase: "stopped", code: "replaced" });
    client.connect();
    await world.until(() => session.state === "live");
    expect((messagesOf(world.link)[0] as MessageOf<"Hello">).client).toBeUndefined();
  });
});

describe("a silent link", () => {
  test("is given up after twice the interval, and not before", async () => {
    server.limits.pingMs = 5000;
    const client = await online();
    const link = world.link;
    await world.run(30_000);
    expect(world.link).toBe(link);
    void client.list();
    await world.run(10);
    link.isDead = true; // Half open: nobody is told.
    await world.run(9_000);
    expect([client.state.phase, world.links.length]).toEqual(["online", 1]);
    await world.run(1_600);
    expect([client.state.phase, world.links.length]).toEqual(["online", 2]);
  });

  test("is found out at once when the page is looked at again", async () => {
    const client = await online();
    world.link.isDead = true;
    client.nudge();
    await world.run(1_900);
    expect(world.links.length).toBe(1);
    await world.run(300);
    expect([client.state.phase, world.links.length]).toEqual(["online", 2]);
  });

  test("a page that slept does not take its own sleep for silence", async () => {
    const client = await online();
    const link = world.link;
    world.now += 3_600_000; // No timer ran meanwhile.
    await world.run(10_000);
    expect([client.state.phase, world.link]).toEqual(["online", link]);
  });

  test("a server that never answers is left after ten seconds", async () => {
    server.intercept = () => true;
    const client = connect();
    await world.run(10_100);
    expect(world.links.length).toBeGreaterThan(1);
    expect(client.state).not.toMatchObject({ phase: "online" });
  });

  test("the way to the server is measured", async () => {
    world.delayMs = 4;
    const client = await online({ pingMs: 1000 });
    await world.run(5_000);
    expect(client.network.ms).toBeCloseTo(8, 1);
  });
});

describe("refused input", () => {
  test("that may succeed later is tried again, in order", async () => {
    const client = await online();
    const session = client.spawn();
    await world.until(() => session.state === "live");
    let refusals = 3;
    server.refuse = () => (refusals-- > 0 ? { code: "input_full", retryable: true } : undefined);
    for (const word of ["one ", "two ", "three "]) session.input(word);
    await world.until(() => session.unsettled === 0);
    expect(typed(terminalOf(session))).toBe("one two three ");
  });

  test("that never will is told, and what follows goes on", async () => {
    const client = await online();
    const session = client.spawn();
    const seen = watch(session);
    await world.until(() => session.state === "live");
    server.refuse = (input) => (Buffer.from(input.bytes).toString() === "long" ? { code: "line_too_long", retryable: false } : undefined);
    for (const word of ["one ", "long", "three "]) session.input(word);
    await world.until(() => session.unsettled === 0);
    expect(typed(terminalOf(session))).toBe("one three ");
    expect(seen.events).toContain("lost 4 refused");
  });
});

describe("a server that breaks the rules", () => {
  /** Sends `messages` on `stream` to a client that watches a session, and returns what became of it. */
  async function told(...messages: Message[]): Promise<{ client: Client; events: string[]; text: string }> {
    const client = await online();
    const session = client.spawn();
    const seen = watch(session);
    await world.until(() => session.state === "live");
    for (const message of messages) [...server.connections][0]!.send(session.stream, message);
    await world.run(5);
    return { client, ...seen };
  }

  test("output that came before comes once", async () => {
    const output = (offset: number, text: string): Message => ({ type: "Output", offset, bytes: Buffer.from(text), replay: false, more: false });
    const { text } = await told(output(0, "abc"), output(0, "abc"), output(1, "bcd"));
    expect(text).toBe("abcd");
  });

  test("output with a hole ends the connection, and it comes back where it was", async () => {
    const { client } = await told({ type: "Output", offset: 10, bytes: Buffer.from("x"), replay: false, more: false });
    await world.until(() => client.state.phase === "online");
    expect(world.links.length).toBe(2);
  });

  test("a gap is told exactly, and counts as rendered", async () => {
    const { events } = await told({ type: "Gap", from: 0, to: 100_000, why: "history" });
    expect(events).toContain("gap 0..100000 history");
    expect(messagesOf(world.link).at(-1)).toEqual({ type: "Ack", rendered: 100_000 });
  });

  test("a message that makes no sense is skipped and told", async () => {
    const client = await online();
    const errors: string[] = [];
    client.on("misunderstood", (error) => errors.push(error.fault));
    world.link.onmessage?.({ data: Uint8Array.from([0x22, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xa0]).buffer });
    expect(errors).toEqual(["shape"]);
    expect(client.state.phase).toBe("online");
  });

  test("text, garbage and giants end the connection with a word", async () => {
    for (const data of ["text", new Uint8Array(20).fill(0xff).buffer, new Uint8Array((1 << 20) + 1).buffer]) {
      const client = await online();
      const { link } = world;
      link.onmessage?.({ data });
      expect(client.state.phase).toBe("waiting");
      expect(messagesOf(link).at(-1)).toMatchObject({ type: "Goodbye" });
      client.close();
    }
  });

  test("an unknown type that may not be skipped is named", async () => {
    const client = await online();
    const { link } = world;
    link.onmessage?.({ data: Uint8Array.from([0x9f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).buffer });
    expect(messagesOf(link).at(-1)).toMatchObject({ type: "Goodbye", code: "unknown_type" });
    client.close();
  });
});
