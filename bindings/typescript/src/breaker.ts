/**
 * When to stop asking somebody who fails again and again, and when to ask again: a circuit breaker.
 *
 * *Closed*, everything passes, and the newest outcomes are counted. Where enough of enough of them are failures it *opens*: everything
 * is refused until a deadline. Then it is *half open*: a few probes pass. If they all succeed it closes, and if one fails it opens for
 * twice as long. The same machine as `core/src/resilience/breaker.rs`, which says where it comes from.
 */

import { BREAKER_CALLS, BREAKER_CALLS_LEAST, BREAKER_FAILURES_PERCENT, BREAKER_OPEN_FIRST_MS, BREAKER_OPEN_MAX_MS, BREAKER_WINDOW_MS } from "./limits.js";

/** When it opens, and for how long. */
export interface BreakerOptions {
  /** How many outcomes count, of the newest. */
  readonly calls: number;
  /** No outcome counts for longer. */
  readonly windowMs: number;
  /** With fewer outcomes it does not open. */
  readonly callsMin: number;
  /** It opens with so many failures in a hundred. */
  readonly failuresPercent: number;
  /** How long it is open at first; each failed probe doubles that. */
  readonly openFirstMs: number;
  /** How long it is open at most. */
  readonly openMaxMs: number;
  /** How many pass while it is half open; once they all succeeded it closes. */
  readonly probes: number;
}

export const BREAKER: BreakerOptions = {
  calls: BREAKER_CALLS,
  windowMs: BREAKER_WINDOW_MS,
  callsMin: BREAKER_CALLS_LEAST,
  failuresPercent: BREAKER_FAILURES_PERCENT,
  openFirstMs: BREAKER_OPEN_FIRST_MS,
  openMaxMs: BREAKER_OPEN_MAX_MS,
  probes: 1,
};

export type BreakerState = "closed" | "open" | "half_open";

/** How something ended that had passed: `neither` says nothing of whether it is of use to try again. */
export type Outcome = "success" | "failure" | "neither";

/** It did not pass. */
export interface Refused {
  /** Since when things fail. */
  readonly since: number;
  /** When to ask again; without it, once a probe that is under way has ended, or nobody wants it open any longer. */
  readonly until: number | undefined;
}

/** Phases: closed has no `until`; half open is what `probes` tells. */
interface Phase {
  readonly since: number;
  readonly until: number;
  readonly rounds: number;
  probes?: { underWay: number; good: number };
}

/** A circuit breaker. */
export class Breaker {
  readonly #options: BreakerOptions;
  /** Without it, it is closed. */
  #phase: Phase | undefined;
  #forced: { to: "open" | "closed"; since: number } | undefined;
  #outcomes: { at: number; isFailure: boolean }[] = [];
  /** Changes of mind: a ticket of before does not count. */
  #epoch = 0;

  constructor(options: BreakerOptions = BREAKER) {
    this.#options = options;
  }

  /** Where it stands. */
  state(now: number): BreakerState {
    if (this.#forced) return this.#forced.to;
    if (this.#phase === undefined) return "closed";
    return this.#phase.probes === undefined && now < this.#phase.until ? "open" : "half_open";
  }

  /** Asks whether to try something now. Answers a ticket, which goes back with the outcome, once; or why not. */
  pass(now: number): number | Refused {
    if (this.#forced) return this.#forced.to === "closed" ? this.#epoch : { since: this.#forced.since, until: undefined };
    const phase = this.#phase;
    if (phase) {
      const { since, until, rounds } = phase;
      if (this.state(now) === "open") return { since, until };
      if (!phase.probes) this.#become({ since, until, rounds, probes: { underWay: 0, good: 0 } });
      const probes = this.#phase!.probes!;
      if (probes.underWay + probes.good >= Math.max(1, this.#options.probes)) return { since, until: undefined };
      probes.underWay += 1;
    }
    return this.#epoch;
  }

  /** What was let through has ended. */
  handle(ticket: number, outcome: Outcome, now: number): void {
    if (ticket !== this.#epoch || this.#forced) return;
    const probes = this.#phase?.probes;
    if (this.#phase === undefined) {
      if (outcome !== "neither") this.#count(outcome === "failure", now);
    } else if (probes) {
      probes.underWay -= 1;
      if (outcome === "success" && (probes.good += 1) >= this.#options.probes) this.#become(undefined);
      else if (outcome === "failure") this.#open(this.#phase.since, this.#phase.rounds + 1, now);
    }
  }

  /** Makes it open or closed, until it is told otherwise; with `automatic` it is closed, and decides by itself again. */
  force(to: "open" | "closed" | "automatic", now: number): void {
    this.#forced = to === "automatic" ? undefined : { to, since: now };
    this.#become(undefined);
  }

  #count(isFailure: boolean, now: number): void {
    const { calls, windowMs, callsMin, failuresPercent } = this.#options;
    this.#outcomes.push({ at: now, isFailure });
    this.#outcomes = this.#outcomes.slice(-Math.max(1, calls)).filter(({ at }) => now - at <= windowMs);
    const total = this.#outcomes.length;
    const failures = this.#outcomes.filter((outcome) => outcome.isFailure).length;
    if (isFailure && total >= callsMin && failures * 100 >= total * failuresPercent) this.#open(now, 0, now);
  }

  #open(since: number, rounds: number, now: number): void {
    const { openFirstMs, openMaxMs } = this.#options;
    this.#become({ since, until: now + Math.min(openMaxMs, openFirstMs * 2 ** Math.min(rounds, 30)), rounds });
  }

  #become(phase: Phase | undefined): void {
    this.#phase = phase;
    this.#epoch += 1;
    this.#outcomes = [];
  }
}
