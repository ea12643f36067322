/**
 * The machines that say when to try again do, event by event, what those of the other languages do.
 */

import { expect, test } from "vitest";
import { Backoff, SCHEDULE, type Schedule } from "../src/backoff.js";
import { BREAKER, Breaker, type BreakerOptions, type Outcome } from "../src/breaker.js";
import { BUDGET, type BudgetOptions, RetryBudget } from "../src/budget.js";
import { vectors } from "./golden.js";

/** What a file calls `window_ms` is `windowMs` here. */
function camel<T>(fields: Record<string, number>): T {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()), value])) as T;
}

interface Case<E> {
  name: string;
  events: E[];
}

type Wait = { at_ms: number } & (
  | { do: "up" }
  | { do: "reset" }
  | { do: "down"; at_least_ms: number; wait_ns: number }
  | { do: "max"; max_ms: number }
);

test.each(vectors<Case<Wait> & { schedule: Record<string, number>; seed: string }>("backoff.json"))("waits: $name", ({ schedule, seed, events }) => {
  const backoff = new Backoff(camel<Schedule>(schedule), BigInt(seed));
  for (const event of events) {
    if (event.do === "up") backoff.handleUp(event.at_ms);
    else if (event.do === "reset") backoff.reset();
    else if (event.do === "max") backoff.maxMs = event.max_ms;
    else expect([event, Math.round(backoff.handleDown(event.at_ms, event.at_least_ms) * 1e6)]).toEqual([event, event.wait_ns]);
  }
});

type Retry = { at_ms: number; left: number } & ({ do: "first" } | { do: "take"; tries: number; may: boolean });

test.each(vectors<Case<Retry> & { options: Record<string, number> }>("budget.json"))("retries: $name", ({ options, events }) => {
  const budget = new RetryBudget(camel<BudgetOptions>(options));
  for (const event of events) {
    if (event.do === "first") budget.handleFirstTry();
    else expect([event, budget.take(event.tries, event.at_ms)]).toEqual([event, event.may]);
    expect([event, budget.left]).toEqual([event, event.left]);
  }
});

type Step = { at_ms: number; state: string } & (
  | { do: "pass"; ticket?: number; since_ms?: number; until_ms?: number | null }
  | { do: "end"; ticket: number; outcome: Outcome }
  | { do: "force"; force: "open" | "closed" | null }
);

test.each(vectors<Case<Step> & { options: Record<string, number> }>("breaker.json"))("a breaker: $name", ({ options, events }) => {
  const breaker = new Breaker(camel<BreakerOptions>(options));
  const tickets: number[] = [];
  for (const event of events) {
    if (event.do === "force") breaker.force(event.force ?? "automatic", event.at_ms);
    else if (event.do === "end") breaker.handle(tickets[event.ticket]!, event.outcome, event.at_ms);
    else {
      const passed = breaker.pass(event.at_ms);
      if (event.ticket === undefined) expect([event, passed]).toEqual([event, { since: event.since_ms, until: event.until_ms ?? undefined }]);
      else expect([event, typeof passed]).toEqual([event, "number"]);
      if (typeof passed === "number") tickets.push(passed);
    }
    expect([event, breaker.state(event.at_ms)]).toEqual([event, event.state]);
  }
});

test("what is usual is so in every language", () => {
  const [waits] = vectors<{ schedule: Record<string, number> }>("backoff.json");
  const [retries] = vectors<{ options: Record<string, number> }>("budget.json");
  const [breaker] = vectors<{ options: Record<string, number> }>("breaker.json");
  expect([camel(waits!.schedule), camel(retries!.options), camel(breaker!.options)]).toEqual([SCHEDULE, BUDGET, BREAKER]);
});
