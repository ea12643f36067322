/**
 * What two peers of different age agree on: one version, and the features both know. And nonsense on purpose, so that a
 * server which chokes on the unknown is found on the first day.
 */

import type { Versions } from "./bodies.js";
import { Flags, type Frame } from "./frame.js";

/** The versions this client speaks. */
export const VERSIONS: Versions = [1, 1];

/** What this client can do besides: moments on output and acknowledgements, and who else watches. */
export const FEATURES: readonly string[] = ["timestamps", "viewers"];

/** The newest version that both sides speak, if there is one. */
export function commonVersion(ours: Versions, theirs: Versions): number | undefined {
  const newest = Math.min(ours[1], theirs[1]);
  return newest >= ours[0] && newest >= theirs[0] ? newest : undefined;
}

/** What both sides know and whose needs, by either's account, are met; in order. */
export function agree(ours: ReadonlyMap<string, readonly string[]>, theirs: ReadonlyMap<string, readonly string[]>): string[] {
  let agreed = new Set([...ours.keys()].filter((name) => theirs.has(name)));
  for (;;) {
    const left = [...agreed].filter((name) => [...(ours.get(name) ?? []), ...(theirs.get(name) ?? [])].every((need) => agreed.has(need)));
    if (left.length === agreed.size) return left.sort();
    agreed = new Set(left);
  }
}

/** A feature's name that never gets a meaning, to offer beside the real ones. */
export function greaseFeature(random: number): string {
  return `grease-${Math.floor(random * 0x1_0000).toString(16).padStart(4, "0")}`;
}

/** A frame that never gets a meaning and may be skipped, to send now and then. */
export function greaseFrame(random: number): Frame {
  const kind = (Math.floor(random * 16) << 4) | 0x0f;
  return { kind, flags: Flags.ignorable, stream: 0, position: 0, body: new Uint8Array(Math.floor(random * 4096) % 8) };
}
