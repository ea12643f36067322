/**
 * Operations over links that break, against a fake server in virtual time.
 */

import { describe, expect, test } from "vitest";
import type { Operation, Results } from "../src/bodies.js";
import type { MessageOf } from "../src/messages.js";
import { RequestError } from "../src/requests.js";
import type { Connection } from "./kit/server.js";
import { messagesOf, online, server, world } from "./kit/rig.js";

const query = (session: number): Operation => ({ query: { session } });
const NOTHING: Results = { done: [], answers: [], refused: [] };

/** Hands each Batch to `answer`, and remembers it. */
function serve(answer: (batch: MessageOf<"Batch">, tell: (results: Partial<Results>, more?: boolean) => void, connection: Connection) => void): MessageOf<"Batch">[] {
  const batches: MessageOf<"Batch">[] = [];
  server.intercept = (message, connection) => {
    if (message.type !== "Batch") return message.type === "Cancel";
    batches.push(message);
    answer(message, (results, more = false) => connection.send(0, { type: "Results", number: message.number, more, ...NOTHING, ...results }), connection);
    return true;
  };
  return batches;
}

describe("a batch", () => {
  test("is told as its operations end, and then as a whole", async () => {
    const client = await online();
    const batches = serve((_, tell) => {
      tell({ answers: [{ at: 1, answer: { host: new Uint8Array([7]) } }] }, true);
      tell({ done: [[0, 0]], refused: [{ from: 2, to: 3, code: "no_session", message: "there is none", retryable: false }] });
    });
    const seen: number[] = [];
    const batch = client.batch([query(1), { host: { name: "x", body: new Uint8Array() } }, query(2), query(3)], {
      mode: "ordered", class: "interactive", key: "k", onResult: (at) => seen.push(at),
    });
    const results = await world.run(50).then(() => batch.done);
    expect(seen).toEqual([1, 0, 2, 3]);
    expect(results[0]).toEqual({ answer: undefined });
    expect(results[1]).toEqual({ answer: { host: new Uint8Array([7]) } });
    expect(results[3]).toMatchObject({ error: { code: "no_session" } });
    expect(batches[0]).toMatchObject({ mode: "ordered", class: "interactive", key: "k" });
  });

  test("is asked for again under its number after a break, with the time that is left, and told once", async () => {
    const client = await online();
    let isFirst = true;
    const batches = serve((_, tell) => {
      tell({ done: [[0, 0]] }, true);
      if (!isFirst) tell({ done: [[1, 1]] });
      isFirst = false;
    });
    const seen: number[] = [];
    const batch = client.batch([query(1), query(2)], { withinMs: 60_000, onResult: (at) => seen.push(at) });
    await world.run(50);
    expect(seen).toEqual([0]);
    world.link.cut();
    await world.until(() => batches.length === 2, 20_000);
    await world.run(50);
    expect(await batch.done).toEqual([{ answer: undefined }, { answer: undefined }]);
    expect(seen).toEqual([0, 1]);
    expect(batches[1]!.number).toBe(batches[0]!.number);
    expect(batches[1]!.withinMs).toBeLessThan(60_000);
  });

  test("that was called off while the link was broken is called off when it is back", async () => {
    const client = await online();
    const batches = serve(() => {});
    const sent = client.batch([query(1)]);
    await world.run(50);
    world.link.cut();
    sent.cancel();
    const unsent = client.batch([query(2)]);
    unsent.cancel();
    await expect(unsent.done).rejects.toMatchObject({ code: "cancelled" });
    await world.until(() => batches.length === 2, 20_000);
    await world.run(50);
    const last = messagesOf(world.link).filter(({ type }) => type === "Batch" || type === "Cancel");
    expect(last.map(({ type }) => type)).toEqual(["Batch", "Cancel"]);
  });

  test("whose time is over before there is a connection is not asked for", async () => {
    const client = await online();
    const batches = serve(() => {});
    world.link.cut();
    const late = client.batch([query(1)], { withinMs: 0 });
    const refused = expect(late.done).rejects.toMatchObject({ code: "expired" });
    await world.until(() => client.state.phase === "online", 20_000);
    await refused;
    expect(batches).toEqual([]);
  });

  test("is for one run of the server: another is not asked, whether it was sent or not", async () => {
    const client = await online();
    const batches = serve(() => {});
    const sent = client.batch([query(1)]);
    await world.run(50);
    world.link.cut();
    const unsent = client.batch([query(1)]);
    const closed = client.closeSession(1);
    const ends = Promise.allSettled([sent.done, unsent.done, closed]);
    server.restart();
    await world.until(() => client.state.phase === "online", 20_000);
    await world.run(50);
    const codes = (await ends).map((end) => (end.status === "rejected" && end.reason instanceof RequestError ? end.reason.code : end.status));
    expect(codes).toEqual(["uncertain", "lost", "lost"]);
    expect(batches.length).toBe(1);
  });

  test("of which a server tells too little is uncertain where it does not", async () => {
    const client = await online();
    serve((_, tell) => tell({ done: [[0, 4_000_000_000]], answers: [{ at: 9, answer: { host: new Uint8Array() } }] }));
    const batch = client.batch([query(1)]);
    await world.run(50);
    expect(await batch.done).toEqual([{ answer: undefined }]);
    serve((_, tell) => tell({}));
    const other = client.batch([query(1)]);
    await world.run(50);
    expect(await other.done).toMatchObject([{ error: { code: "uncertain" } }]);
  });
});
