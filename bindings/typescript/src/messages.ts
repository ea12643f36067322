/**
 * Messages: what frames mean.
 *
 * `decode` takes a frame apart, `encode` puts one together. Who may say what when is not judged here: that is for the client.
 */

import { ProtocolError } from "./error.js";
import { Flags, type Frame } from "./frame.js";
import { KINDS, type Kind, kindOf, mayStand } from "./kind.js";
import * as bodies from "./bodies.js";
import { type Shape, readBody, writeBody } from "./shape.js";
import { type Unpacking, notAgreed } from "./unpack.js";

export type * from "./bodies.js";

/** What each message says. */
export interface Fields {
  Hello: bodies.Hello;
  Challenge: bodies.Challenge;
  Proof: bodies.Proof;
  Welcome: bodies.Welcome;
  Ping: { echo: number };
  Pong: { echo: number };
  Error: { number: number } & bodies.Refusal;
  Done: { number: number };
  Goodbye: bodies.Goodbye;
  Spawn: { number: number } & bodies.Spawn;
  Spawned: { number: number } & bodies.Spawned;
  Attach: { number: number } & bodies.Attach;
  Attached: { number: number } & bodies.Attached;
  Detach: { number: number };
  Detached: { number: number } & bodies.Detached;
  List: { number: number };
  Sessions: { number: number; more: boolean } & bodies.Sessions;
  Close: { number: number } & bodies.Close;
  Control: { number: number } & bodies.Control;
  Viewers: bodies.Viewers;
  Batch: { number: number } & bodies.Batch;
  Cancel: { number: number };
  Results: { number: number; more: boolean } & bodies.Results;
  /** `bytes` may cut a character at either end. */
  Output: { offset: number; bytes: Uint8Array; replay: boolean; more: boolean };
  Ack: { rendered: number };
  Gap: { from: number } & bodies.Gap;
  Input: { sequence: number; bytes: Uint8Array; reply: boolean };
  Interrupt: { sequence: number; bytes: Uint8Array; reply: boolean };
  InputAck: { sequence: number };
  InputDropped: { from: number } & bodies.InputDropped;
  InputRefused: { sequence: number } & bodies.InputRefused;
  Resize: { number: number } & bodies.Resize;
  Resized: { number: number } & bodies.Resized;
  ProcessExited: { offset: number } & bodies.Exited;
  Exit: { offset: number } & bodies.Ended;
}

/** A message of one type. */
export type MessageOf<K extends Kind> = { readonly type: K } & Fields[K];

/** Any message. */
export type Message = { [K in Kind]: MessageOf<K> }[Kind];

type Maps = { readonly [K in Kind]?: Shape<any> };

const BODIES: Maps = {
  Hello: bodies.hello,
  Challenge: bodies.challenge,
  Proof: bodies.proof,
  Welcome: bodies.welcome,
  Error: bodies.refusal,
  Goodbye: bodies.goodbye,
  Spawn: bodies.spawn,
  Spawned: bodies.spawned,
  Attach: bodies.attach,
  Attached: bodies.attached,
  Detached: bodies.detached,
  List: bodies.nothing,
  Sessions: bodies.sessions,
  Close: bodies.close,
  Control: bodies.control,
  Viewers: bodies.viewers,
  Batch: bodies.batch,
  Results: bodies.results,
  Gap: bodies.gap,
  InputDropped: bodies.inputDropped,
  InputRefused: bodies.inputRefused,
  Resize: bodies.resize,
  Resized: bodies.resized,
  ProcessExited: bodies.exited,
  Exit: bodies.ended,
};

/** What the position of a frame is called in its message; types that are not here leave it 0. */
const PLACED: { readonly [K in Kind]?: keyof Fields[K] & string } = {
  Ping: "echo",
  Pong: "echo",
  Error: "number",
  Done: "number",
  Spawn: "number",
  Spawned: "number",
  Attach: "number",
  Attached: "number",
  Detach: "number",
  Detached: "number",
  List: "number",
  Sessions: "number",
  Close: "number",
  Control: "number",
  Batch: "number",
  Cancel: "number",
  Results: "number",
  Output: "offset",
  Ack: "rendered",
  Gap: "from",
  Input: "sequence",
  Interrupt: "sequence",
  InputAck: "sequence",
  InputDropped: "from",
  InputRefused: "sequence",
  Resize: "number",
  Resized: "number",
  ProcessExited: "offset",
  Exit: "offset",
};

/** Which flags are told in the message, by their names in {@link Flags}. */
const FLAGGED: { readonly [K in Kind]?: readonly (keyof typeof Flags)[] } = {
  Sessions: ["more"],
  Results: ["more"],
  Output: ["replay", "more"],
  Input: ["reply"],
  Interrupt: ["reply"],
};

/**
 * What `frame` means; `undefined` where it may be skipped, as its type is unknown and marked ignorable. Packed output is understood by a
 * connection's `unpacking` only, which must see each such frame once, in order.
 *
 * @throws {ProtocolError} `codec`, `packed`, `unknown_type`, `place`, `body_not_empty`, `cbor_...` or `shape`; only over the last can a connection go on.
 */
export function decode(frame: Frame, unpacking?: Unpacking): Message | undefined {
  const type = kindOf(frame.kind);
  const isPacked = (frame.codec ?? 0) !== 0;
  if (isPacked && (type !== "Output" || unpacking === undefined)) throw notAgreed(frame);
  if (type === undefined) {
    if (frame.flags & Flags.ignorable) return undefined;
    throw new ProtocolError("unknown_type", `frame type 0x${frame.kind.toString(16).padStart(2, "0")} is unknown and not marked ignorable`);
  }
  if (!mayStand(type, frame.stream)) throw new ProtocolError("place", `${type} does not belong on stream ${frame.stream}`);
  const { body } = KINDS[type];
  if (body === "empty" && frame.body.length > 0) {
    throw new ProtocolError("body_not_empty", `${type} has no body, and this one ${frame.body.length} bytes`);
  }
  const message: Record<string, unknown> = { type };
  const placed = PLACED[type];
  if (placed !== undefined) message[placed] = frame.position;
  for (const flag of FLAGGED[type] ?? []) message[flag] = (frame.flags & Flags[flag]) !== 0;
  if (body === "raw") message["bytes"] = isPacked ? unpacking?.unpack(frame) : frame.body;
  if (body === "map") Object.assign(message, readBody(BODIES[type] as Shape<object>, frame.body));
  return message as unknown as Message;
}

/** `message` as a frame on `stream`. */
export function encode(stream: number, message: Message, timestamp?: bigint): Frame {
  const { type } = message;
  const fields = message as unknown as Record<string, unknown>;
  const { code, body } = KINDS[type];
  const placed = PLACED[type];
  const flags = (FLAGGED[type] ?? []).reduce((sum, flag) => (fields[flag] === true ? sum | Flags[flag] : sum), 0);
  return {
    kind: code,
    flags,
    stream,
    position: placed === undefined ? 0 : (fields[placed] as number),
    timestamp,
    body:
      body === "raw" ? (fields["bytes"] as Uint8Array)
      : body === "map" ? writeBody(BODIES[type] as Shape<unknown>, message)
      : EMPTY,
  };
}

const EMPTY = new Uint8Array(0);
