/**
 * The client when the link is silent, the server turns it away or breaks the rules, in virtual time.
 */

import { describe, expect, test } from "vitest";
import type { ErrorCode } from "../src/bodies.js";
import type { Client } from "../src/client.js";
import { passOf, passText } from "../src/handshake.js";
import type { Message, MessageOf } from "../src/messages.js";
import { connect, messagesOf, online, pass, server, terminalOf, typed, watch, world } from "./kit/rig.js";

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

describe("attempts", () => {
  test("lie at random in ranges that double to ten seconds, and thirty while hidden", async () => {
    const client = connect();
    world.reachable = false;
    await world.run(600_000);
    const delays = world.delays.filter((delay) => delay !== 10_000);
    expect(Math.max(...delays)).toBeGreaterThan(5_000);
    expect(Math.max(...delays)).toBeLessThanOrEqual(10_000);
    expect(delays[0]).toBeLessThanOrEqual(100);
    world.delays.length = 0;
    client.hidden = true;
    await world.run(600_000);
    expect(Math.max(...world.delays)).toBeGreaterThan(10_000);
  });

  test("begin anew only after five stable seconds", async () => {
    const client = await online();
    for (let turn = 0; turn < 10; turn += 1) {
      await world.until(() => client.state.phase === "online", 120_000);
      world.link.cut();
    }
    const waits = (): number => (client.state.phase === "waiting" ? client.state.retryAt - world.now : 0);
    const after10 = [waits()];
    await world.until(() => client.state.phase === "online", 120_000);
    await world.run(5_100);
    world.link.cut();
    expect(waits()).toBeLessThanOrEqual(100);
    expect(after10[0]).toBeGreaterThan(0);
  });

  test("are made at once when the network is back", async () => {
    const client = await online();
    world.reachable = false;
    world.link.cut();
    await world.run(100_000);
    world.reachable = true;
    await world.until(() => client.state.phase === "waiting");
    client.nudge();
    await world.run(20);
    expect(client.state.phase).toBe("online");
  });

  test("wait for as long as a server asks", async () => {
    const client = await online();
    server.goodbye("shutting_down", { retryMs: 60_000 });
    await world.until(() => client.state.phase === "waiting");
    await world.run(59_000);
    expect(client.state.phase).toBe("waiting");
    await world.until(() => client.state.phase === "online", 2_000);
  });

  test.each([
    ["unauthorized", {}],
    ["version", { versions: [3, 4], offered: [1, 1] }],
    ["forbidden", {}],
    ["a_code_of_the_future", {}],
  ] as [ErrorCode, Partial<MessageOf<"Goodbye">>][])("end for good on %s, with the reason", async (code, more) => {
    const client = await online();
    server.goodbye(code, { message: "because", ...more });
    await world.run(100_000);
    expect(client.state).toMatchObject({ phase: "stopped", code });
    const { reason } = client.state as { reason: string };
    expect(reason).toContain("because");
    if (code === "version") expect(reason).toContain("versions 3 to 4");
    expect(world.links.length).toBe(1);
  });

  test("after a bug of either side there is one more, and not another before it has held", async () => {
    const client = await online();
    server.goodbye("malformed");
    await world.until(() => client.state.phase === "waiting");
    await world.until(() => client.state.phase === "online");
    server.goodbye("malformed");
    await world.run(100_000);
    expect(client.state).toMatchObject({ phase: "stopped", code: "malformed" });
  });
});

describe("a handshake that fails", () => {
  test("a stranger on the port learns nothing but a nonce", async () => {
    const real = server.token;
    server.token = new Uint8Array(32).fill(9);
    const client = connect();
    await world.run(60_000);
    expect(client.state).toMatchObject({ phase: "stopped", code: "impostor" });
    expect(messagesOf(world.links[0]!).map(({ type }) => type)).toEqual(["Hello"]);
    expect(world.links.length).toBe(1);
    server.token = real;
  });

  test("one who passes frames on is dialled under another authority", async () => {
    server.authority = "127.0.0.1:9999";
    const client = connect();
    await world.run(1_000);
    expect(client.state).toMatchObject({ phase: "stopped", code: "impostor" });
  });

  test("a token that changed is read anew once", async () => {
    let reads = 0;
    server.token = new Uint8Array(32).fill(9);
    const fresh = passText(await passOf(server.token, "owner"));
    const client = connect({ pass: () => (reads++ === 0 ? pass : fresh) });
    await world.until(() => client.state.phase === "online");
    expect(reads).toBe(2);
  });

  test("a version nobody offered is refused", async () => {
    server.version = 2;
    const client = connect();
    await world.run(1_000);
    expect(client.state).toMatchObject({ phase: "stopped", code: "version" });
  });

  test("a link that is no pass stops at once", async () => {
    const client = connect({ pass: "owner.short" });
    await world.run(10);
    expect(client.state).toMatchObject({ phase: "stopped", code: "unusable" });
    expect(world.links.length).toBe(0);
  });

  test("a link cut during the handshake is dialled again", async () => {
    const client = connect();
    for (const ms of [0.5, 1.5, 2.5, 3.5, 4.5]) {
      await world.run(ms);
      world.link?.cut();
      await world.until(() => client.state.phase === "connecting");
    }
    await world.until(() => client.state.phase === "online");
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
