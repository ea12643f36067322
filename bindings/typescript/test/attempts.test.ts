/**
 * How the client comes in: when it tries again, whom it believes, and when it gives up.
 */

import { describe, expect, test } from "vitest";
import type { ErrorCode } from "../src/bodies.js";
import { passOf, passText } from "../src/handshake.js";
import type { MessageOf } from "../src/messages.js";
import { connect, messagesOf, online, pass, server, world } from "./kit/scene.js";

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
