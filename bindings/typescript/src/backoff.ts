/**
 * When to try again: full jitter, so that a thousand clients that lost their server together do not come back together.
 */

import { RETRY_FIRST_MS, RETRY_MAX_MS } from "./limits.js";

/** Delays drawn from a range that doubles with each. */
export class Backoff {
  /** Attempts since the last reset. */
  attempts = 0;
  readonly #firstMs: number;

  constructor(firstMs: number = RETRY_FIRST_MS) {
    this.#firstMs = firstMs;
  }

  /** The next delay in milliseconds, from 0 to the range's end; `random` is from 0 to 1. */
  next(random: number, maxMs: number = RETRY_MAX_MS): number {
    const range = Math.min(maxMs, this.#firstMs * 2 ** Math.min(this.attempts, 30));
    this.attempts += 1;
    return random * range;
  }

  /** Begins anew. */
  reset(): void {
    this.attempts = 0;
  }
}
