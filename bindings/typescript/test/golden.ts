/**
 * The golden files of the protocol, which every language reads alike.
 */

import { readFileSync } from "node:fs";

const FOLDER = new URL("../../../core/testdata/frames/", import.meta.url);

export function golden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(name, FOLDER), "utf8")) as T;
}

export function unhex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
