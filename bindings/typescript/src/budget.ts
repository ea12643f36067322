/**
 * How often what was refused may be asked again, so that clients do not bring down a server that is merely slow.
 *
 * Each first try puts a part of a retry into a bucket, each retry takes one out, and a reserve comes with time. The same machine as
 * `core/src/resilience/budget.rs`, which says where it comes from.
 */

import { RETRIES_KEPT, RETRIES_PERCENT, RETRIES_START, RETRY_RESERVE_MS, TRIES_MAX } from "./limits.js";

/** How many retries there are. */
export interface BudgetOptions {
  /** How often one request is tried, the first time included. */
  readonly triesMax: number;
  /** Hundredths of a retry that each first try pays in. */
  readonly percent: number;
  /** Retries there are at first. */
  readonly start: number;
  /** Retries that can be saved up. */
  readonly keptMax: number;
  /** After this long there is one more; counted from the first time that one was asked for. */
  readonly reserveEveryMs: number;
}

export const BUDGET: BudgetOptions = {
  triesMax: TRIES_MAX,
  percent: RETRIES_PERCENT,
  start: RETRIES_START,
  keptMax: RETRIES_KEPT,
  reserveEveryMs: RETRY_RESERVE_MS,
};

/** The retries that are left. */
export class RetryBudget {
  readonly #options: BudgetOptions;
  /** In hundredths of a retry. */
  #balance: number;
  /** Up to when the reserve was paid in. */
  #since: number | undefined;

  constructor(options: BudgetOptions = BUDGET) {
    this.#options = options;
    this.#balance = RETRY * Math.min(options.start, options.keptMax);
  }

  /** Something is asked for the first time. */
  handleFirstTry(): void {
    this.#payIn(this.#options.percent);
  }

  /** Whether a request that was refused `tries` times may be tried again; if so, that is paid for. */
  take(tries: number, now: number): boolean {
    const { reserveEveryMs, triesMax } = this.#options;
    this.#since ??= now;
    const periods = Math.floor(Math.max(0, now - this.#since) / reserveEveryMs);
    this.#since += periods * reserveEveryMs;
    this.#payIn(periods * RETRY);
    const may = tries < triesMax && this.#balance >= RETRY;
    if (may) this.#balance -= RETRY;
    return may;
  }

  /** Retries that are left. */
  get left(): number {
    return Math.floor(this.#balance / RETRY);
  }

  #payIn(hundredths: number): void {
    this.#balance = Math.min(this.#balance + hundredths, RETRY * this.#options.keptMax);
  }
}

/** What a retry costs, in hundredths of one. */
const RETRY = 100;
