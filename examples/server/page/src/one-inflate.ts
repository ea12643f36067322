/**
 * Stands in for the inflate that an addon of xterm.js brings for its tables: the client has one already.
 */

import { inflateSync } from "fflate";

export default function inflate(source: Uint8Array, out: Uint8Array): Uint8Array {
  return inflateSync(source, { out });
}
