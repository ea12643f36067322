/**
 * How long to wait before the next try, so that clients which lost one server together do not come back together.
 *
 * Each wait is drawn evenly from nothing to a ceiling (full jitter), which doubles from try to try, and falls back to the first only
 * after a connection has held for a while. The same machine as `core/src/resilience/backoff.rs`, draw by draw: SplitMix64.
 */

import type { Env } from "./env.js";
import { RETRY_FIRST_MS, RETRY_MAX_MS, STABLE_MS } from "./limits.js";

/** How the waits grow. */
export interface Schedule {
  /** The longest the first wait can be. */
  readonly firstMs: number;
  /** The longest any wait can be. */
  readonly maxMs: number;
  /** How long a connection must hold to count as well. */
  readonly stableMs: number;
}

export const SCHEDULE: Schedule = { firstMs: RETRY_FIRST_MS, maxMs: RETRY_MAX_MS, stableMs: STABLE_MS };

/** Waits between tries. The same seed, of 64 bits, gives the same waits. */
export class Backoff {
  /** No wait is drawn from more than this. */
  maxMs: number;
  readonly #schedule: Schedule;
  /** Failures since all was well. */
  #failures = 0;
  /** Since when it is up. */
  #up: number | undefined;
  #random: bigint;

  constructor(schedule: Schedule, seed: bigint) {
    this.#schedule = schedule;
    this.maxMs = schedule.maxMs;
    this.#random = seed;
  }

  /** It works, from now on. */
  handleUp(now: number): void {
    this.#up = now;
  }

  /** Whether it has worked for so long that all is well. */
  isStable(now: number): boolean {
    return this.#up !== undefined && now - this.#up >= this.#schedule.stableMs;
  }

  /** It does not, or no longer. Returns how many milliseconds to wait: not less than `atLeastMs`, as the other side may have asked. */
  handleDown(now: number, atLeastMs = 0): number {
    if (this.isStable(now)) this.#failures = 0;
    this.#up = undefined;
    const ceiling = Math.min(this.maxMs, this.#schedule.firstMs * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    return atLeastMs + this.#draw(ceiling * 1e6) / 1e6;
  }

  /** The circumstances are other ones (the network is back): begin anew with the short waits. */
  reset(): void {
    this.#failures = 0;
  }

  /** From 0 to `max`, both included. */
  #draw(max: number): number {
    const of64 = (value: bigint): bigint => BigInt.asUintN(64, value);
    this.#random = of64(this.#random + 0x9e3779b97f4a7c15n);
    let mixed = this.#random;
    mixed = of64((mixed ^ (mixed >> 30n)) * 0xbf58476d1ce4e5b9n);
    mixed = of64((mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn);
    mixed ^= mixed >> 31n;
    return Number((mixed * (BigInt(max) + 1n)) >> 64n);
  }
}

/** A seed that other clients do not have. */
export function seedOf(env: Env): bigint {
  return env.randomBytes(8).reduce((seed, byte) => (seed << 8n) | BigInt(byte), 0n);
}
