/**
 * What the client's tests have in common: a world in virtual time, a server in it, and somebody who watches.
 */

import { beforeEach, expect } from "vitest";
import { Client, type ClientOptions } from "../../src/client.js";
import { decodeFrames } from "../../src/frame.js";
import { passOf, passText } from "../../src/handshake.js";
import { type Message, decode } from "../../src/messages.js";
import type { Output, Session } from "../../src/session.js";
import { FakeServer } from "./server.js";
import { type FakeTerminal, echo } from "./terminal.js";
import { type FakeLink, World } from "./world.js";

export let world: World;
export let server: FakeServer;
export let pass: string;

beforeEach(async () => {
  server = new FakeServer();
  server.programs.set("sh", echo);
  world = new World(server);
  pass = passText(await passOf(server.token, "owner"));
});

export function connect(options: Partial<ClientOptions> = {}): Client {
  const client = new Client({ url: "ws://127.0.0.1:7681/ws", pass, env: world.env, ...options });
  client.connect();
  return client;
}

export async function online(options: Partial<ClientOptions> = {}): Promise<Client> {
  const client = connect(options);
  await world.until(() => client.state.phase === "online");
  return client;
}

/** Everything a session tells, with its output as one text; renders at once. */
export function watch(session: Session, renders = true) {
  const seen = { text: "", events: [] as string[], replays: "", lost: 0 };
  session.on("output", ({ offset, bytes, replay }: Output) => {
    expect(offset).toBe(session.received - bytes.length);
    seen.text += Buffer.from(bytes).toString("latin1");
    if (replay) seen.replays += Buffer.from(bytes).toString("latin1");
    if (renders) session.rendered(offset + bytes.length);
  });
  session.on("gap", ({ from, to, why }) => seen.events.push(`gap ${from}..${to} ${why}`));
  session.on("resized", ({ size }) => seen.events.push(`size ${size.cols}x${size.rows}`));
  session.on("ended", (end) => seen.events.push(end.why === "exit" ? `exit ${JSON.stringify(end.status)}` : `${end.why} ${end.code ?? ""}`.trim()));
  session.on("inputLost", ({ why, bytes }) => {
    seen.lost += bytes;
    seen.events.push(`lost ${bytes} ${why}`);
  });
  return seen;
}

export const terminalOf = (session: Session): FakeTerminal => server.sessions.get(session.id!)!;
export const messagesOf = (link: FakeLink): Message[] => link.sent.flatMap((bytes) => [...decodeFrames(bytes, 1 << 20)].flatMap((frame) => decode(frame) ?? []));
export const typed = (terminal: FakeTerminal): string => Buffer.from(terminal.typed).toString("latin1");

/** Begins again in another world, of other chances. */
export function elsewhere(seed: number): void {
  world = new World(server, seed);
}
