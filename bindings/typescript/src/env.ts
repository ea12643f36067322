/**
 * The world as the client sees it. Tests bring their own, and an hour takes a millisecond.
 */

import { type Hmac, webCryptoHmac } from "./handshake.js";

/** A WebSocket, as far as it is used here: the platform's, Node's, or a test's. */
export interface Socket {
  binaryType: string;
  readonly bufferedAmount: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  onerror: ((event: never) => void) | null;
  send(bytes: Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}

/** Clock, timers, randomness and sockets. */
export interface Env {
  /** Milliseconds from an origin of its choice; never runs backwards. */
  now(): number;
  /** Calls `then` after `ms`; the returned function calls it off. */
  after(ms: number, then: () => void): () => void;
  /** From 0 up to 1; for delays, not for secrets. */
  random(): number;
  /** From a cryptographic source. */
  randomBytes(length: number): Uint8Array;
  hmac: Hmac;
  open(url: string): Socket;
}

/** The platform's own; `WebSocket` where it is not the global one (Node 20: the packages `ws` or `undici`). */
export function platformEnv(WebSocket?: new (url: string) => unknown): Env {
  return {
    now: () => performance.now(),
    after(ms, then) {
      const timer = setTimeout(then, ms);
      return () => clearTimeout(timer);
    },
    random: Math.random,
    randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
    hmac: webCryptoHmac,
    open(url) {
      const Chosen = WebSocket ?? globalThis.WebSocket;
      if (Chosen === undefined) throw new Error("there is no WebSocket here: pass one as the option `WebSocket`");
      return new Chosen(url) as Socket;
    },
  };
}
