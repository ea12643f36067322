/**
 * The types of frames: their codes, where each may stand, what its body is.
 *
 * Codes whose low four bits are all set never get a meaning: peers send them to keep the door for new ones open.
 */

type Place = "connection" | "session" | "anywhere";
type Body = "map" | "raw" | "empty";

interface KindInfo {
  readonly code: number;
  readonly place: Place;
  readonly body: Body;
}

const kind = (code: number, place: Place, body: Body): KindInfo => ({ code, place, body });

/** Every type that has a meaning in this version, by its name in the specification. */
export const KINDS = {
  Hello: kind(0x01, "connection", "map"),
  Challenge: kind(0x02, "connection", "map"),
  Proof: kind(0x03, "connection", "map"),
  Welcome: kind(0x04, "connection", "map"),
  Ping: kind(0x05, "connection", "empty"),
  Pong: kind(0x06, "connection", "empty"),
  Error: kind(0x07, "anywhere", "map"),
  Done: kind(0x08, "anywhere", "empty"),
  Goodbye: kind(0x09, "connection", "map"),
  Spawn: kind(0x10, "session", "map"),
  Spawned: kind(0x11, "session", "map"),
  Attach: kind(0x12, "session", "map"),
  Attached: kind(0x13, "session", "map"),
  Detach: kind(0x14, "session", "empty"),
  Detached: kind(0x15, "session", "map"),
  List: kind(0x16, "connection", "map"),
  Sessions: kind(0x17, "connection", "map"),
  Close: kind(0x18, "anywhere", "map"),
  Control: kind(0x19, "session", "map"),
  Viewers: kind(0x1a, "session", "map"),
  Batch: kind(0x1b, "connection", "map"),
  Cancel: kind(0x1c, "connection", "empty"),
  Results: kind(0x1d, "connection", "map"),
  Output: kind(0x20, "session", "raw"),
  Ack: kind(0x21, "session", "empty"),
  Gap: kind(0x22, "session", "map"),
  Input: kind(0x23, "session", "raw"),
  Interrupt: kind(0x24, "session", "raw"),
  InputAck: kind(0x25, "session", "empty"),
  InputDropped: kind(0x26, "session", "map"),
  InputRefused: kind(0x27, "session", "map"),
  Resize: kind(0x28, "session", "map"),
  Resized: kind(0x29, "session", "map"),
  ProcessExited: kind(0x2a, "session", "map"),
  Exit: kind(0x2b, "session", "map"),
} as const;

/** The name of a type. */
export type Kind = keyof typeof KINDS;

const BY_CODE = new Map<number, Kind>(Object.entries(KINDS).map(([name, info]) => [info.code, name as Kind]));

/** The type with this code, if it has a meaning. */
export function kindOf(code: number): Kind | undefined {
  return BY_CODE.get(code);
}

/** Whether a type with this code never gets a meaning. */
export function isGrease(code: number): boolean {
  return (code & 0x0f) === 0x0f;
}

/** Whether `kind` may stand on `stream`. */
export function mayStand(kind: Kind, stream: number): boolean {
  const { place } = KINDS[kind];
  return place === "anywhere" || (place === "connection") === (stream === 0);
}
