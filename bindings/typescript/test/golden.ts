/**
 * The golden files of the protocol, which every language reads alike.
 */

import { readFileSync } from "node:fs";

const FOLDER = new URL("../../../core/testdata/", import.meta.url);

export function golden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`frames/${name}`, FOLDER), "utf8")) as T;
}

/** The cases of a file about machines that say when to try again. */
export function vectors<C>(name: string): C[] {
  const file = readFileSync(new URL(`resilience/${name}`, FOLDER), "utf8");
  return (JSON.parse(file) as { cases: C[] }).cases;
}

export function unhex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
