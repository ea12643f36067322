/**
 * The client while the server has too much to do, or there is no network to reach it, in virtual time.
 */

import { describe, expect, test } from "vitest";
import type { Client } from "../src/client.js";
import { TRIES_MAX } from "../src/limits.js";
import type { Message } from "../src/messages.js";
import { RequestError } from "../src/requests.js";
import type { Session } from "../src/session.js";
import { connect, messagesOf, online, server, watch, world } from "./kit/rig.js";

/** Refuses what asks, as often as told, and tells under which numbers it came. */
function overload(type: Message["type"], times: number): number[] {
  const numbers: number[] = [];
  // Error goes by its number, whatever its stream.
  server.intercept = (message, connection) => {
    if (message.type !== type || !("number" in message) || times === 0) return false;
    times -= 1;
    numbers.push(message.number);
    connection.send(0, { type: "Error", number: message.number, code: "overloaded", message: "too much", retryable: true });
    return true;
  };
  return numbers;
}

async function refused(session: Session): Promise<RequestError> {
  const error = await session.opened.then(() => undefined, (error: unknown) => error);
  if (!(error instanceof RequestError)) throw new Error("it was not refused");
  return error;
}

/** How many Spawns were sent. */
const spawns = (): number => messagesOf(world.link).filter((message) => message.type === "Spawn").length;

/** Has the server refuse so much that it is asked no more. */
async function exhaust(client: Client): Promise<void> {
  overload("Spawn", Infinity);
  for (let turn = 0; client.breaker.state(world.now) === "closed"; turn += 1) {
    if (turn > 20) throw new Error("the breaker does not open");
    client.spawn();
    await world.run(5);
  }
}

describe("a server with too much to do", () => {
  test("is asked again under a new number, and nobody notices", async () => {
    const client = await online();
    const numbers = overload("Spawn", 2);
    const session = client.spawn();
    const seen = watch(session);
    await world.until(() => session.state === "live", 5_000);
    expect([numbers.length, new Set(numbers).size, spawns(), seen.events.filter((event) => event.startsWith("refused"))]).toEqual([2, 2, 3, []]);
    expect(world.now).toBeGreaterThan(500); // Not at once: a quarter of a second at least, each time.
  });

  test("is asked three times at most, and then one is told", async () => {
    const client = await online();
    const numbers = overload("List", Infinity);
    const error = client.list().then(() => undefined, (error: unknown) => error);
    await world.run(10_000);
    expect(await error).toMatchObject({ code: "overloaded", retryable: true });
    expect(numbers.length).toBe(TRIES_MAX);
  });

  test("is asked a list again, which comes whole", async () => {
    const client = await online();
    server.start(server.programs.get("sh")!());
    server.start(server.programs.get("sh")!());
    overload("List", 1);
    const list = client.list();
    await world.run(2_000);
    expect((await list).map(({ session }) => session)).toEqual([1, 2]);
  });

  test("is not asked again for what cannot be done late", async () => {
    const client = await online();
    const session = client.spawn();
    await world.until(() => session.state === "live");
    const numbers = overload("Control", Infinity);
    const error = session.signal("interrupt").then(() => undefined, (error: unknown) => error);
    await world.run(10_000);
    expect([numbers.length, (await error) instanceof RequestError]).toEqual([1, true]);
  });

  test("is asked no more than the budget has", async () => {
    const client = await online();
    const numbers = overload("List", Infinity);
    const lists = Array.from({ length: 50 }, () => client.list().then(() => "listed", () => "refused"));
    await world.run(30_000);
    expect(new Set(await Promise.all(lists))).toEqual(new Set(["refused"]));
    expect(numbers.length).toBeGreaterThanOrEqual(60);
    expect(numbers.length).toBeLessThanOrEqual(66);
  });

  test("that refuses again and again is left alone, and one is told until when", async () => {
    const client = await online();
    await exhaust(client);
    const asked = spawns();
    const error = await refused(client.spawn());
    expect([error.code, error.retryable, spawns()]).toEqual(["overloaded", true, asked]);
    expect(error.retryAt! - world.now).toBeGreaterThan(900);
    expect(error.retryAt! - world.now).toBeLessThanOrEqual(1_000);
  });

  test("that has recovered is found out by one, and then by all", async () => {
    const client = await online();
    await exhaust(client);
    const { retryAt } = await refused(client.spawn());
    await world.run(retryAt! - world.now);
    server.intercept = () => false;
    const probe = client.spawn();
    expect(await refused(client.spawn())).toMatchObject({ code: "overloaded", retryAt: undefined });
    await world.until(() => probe.state === "live");
    const sessions = [client.spawn(), client.spawn()];
    await world.until(() => sessions.every((session) => session.state === "live"));
    expect(client.breaker.state(world.now)).toBe("closed");
  });

  test("is asked for sessions that come back even so", async () => {
    const client = await online();
    const session = client.spawn();
    watch(session);
    await world.until(() => session.state === "live");
    await exhaust(client);
    server.clients.clear(); // Nobody is known: each stream is asked for again.
    world.link.cut();
    await world.until(() => session.state === "live", 5_000);
  });

  test("can be asked whatever it said, where the host wants that", async () => {
    const client = await online();
    await exhaust(client);
    server.intercept = () => false;
    client.breaker.force("closed", world.now);
    const session = client.spawn();
    await world.until(() => session.state === "live");
  });

  test("what waits to be asked again goes over the next link, once", async () => {
    const client = await online();
    overload("Spawn", 1);
    const session = client.spawn();
    await world.run(10);
    world.link.cut();
    await world.until(() => session.state === "live", 5_000);
    await world.run(5_000);
    expect([server.sessions.size, spawns()]).toEqual([1, 1]);
  });
});

describe("without a network", () => {
  /** A client whose link has broken, and whose platform knows why. */
  async function offline(): Promise<Client> {
    const client = await online();
    world.reachable = false;
    client.offline = true;
    world.link.cut();
    await world.run(1);
    return client;
  }

  test("attempts lie far apart, but one may be wrong about that", async () => {
    const client = await offline();
    expect(client.state).toMatchObject({ phase: "waiting", offline: true });
    await world.run(29_000);
    expect(world.links.length).toBe(1);
    await world.run(61_500);
    expect(world.links.length).toBe(4);
    world.reachable = true;
    await world.until(() => client.state.phase === "online", 30_000);
  });

  test("an attempt follows at once when there is one again, with short waits after it", async () => {
    const client = await offline();
    await world.run(300_000);
    const tried = world.links.length;
    client.offline = false;
    expect([client.state.phase, world.links.length]).toEqual(["connecting", tried + 1]);
    await world.until(() => client.state.phase === "waiting");
    expect(client.state).toMatchObject({ offline: false });
    expect(client.state.phase === "waiting" && client.state.retryAt - world.now).toBeLessThanOrEqual(100);
  });

  test("one that waits already waits for longer", async () => {
    const client = connect();
    world.reachable = false;
    await world.until(() => client.state.phase === "waiting");
    client.offline = true;
    expect(client.state).toMatchObject({ retryAt: world.now + 30_000, offline: true });
  });

  test("one who looks at the page is reason enough to try", async () => {
    const client = await offline();
    client.hidden = true;
    await world.run(100);
    client.hidden = false;
    expect([client.state.phase, world.links.length]).toEqual(["connecting", 2]);
  });

  test("a link to this machine goes on", async () => {
    const client = await online();
    client.offline = true;
    await world.run(60_000);
    expect([client.state.phase, world.links.length]).toEqual(["online", 1]);
  });
});
