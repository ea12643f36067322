/**
 * What was asked and is not answered: kept over a broken link, and asked again where that does no harm.
 *
 * What is refused because the server has too much to do is asked again too, a few times, within a budget; once that happens again and
 * again a breaker opens, and what would open a session is refused here, without asking.
 */

import { Backoff, seedOf } from "./backoff.js";
import type { ErrorCode } from "./bodies.js";
import type { Breaker, Outcome } from "./breaker.js";
import { RetryBudget } from "./budget.js";
import type { Env } from "./env.js";
import { AGAIN_FIRST_MS, AGAIN_LEAST_MS, RETRY_MAX_MS } from "./limits.js";
import type { Message } from "./messages.js";

/** Requests that may be unanswered at a time. */
const REQUESTS_MAX = 4096;

/** A request was refused, or nobody can say what became of it (`uncertain`). */
export class RequestError extends Error {
  override readonly name: string = "RequestError";
  readonly code: ErrorCode | "uncertain" | "lost" | "closed" | "queue_full";
  /** Whether the same may succeed later, unchanged. */
  readonly retryable: boolean;
  /** Not before then, on the clock of the environment (`performance.now()`), where that is known: until then nobody is asked. */
  readonly retryAt: number | undefined;

  constructor(code: RequestError["code"], message: string, retryable = false, retryAt?: number) {
    super(message);
    this.code = code;
    this.retryable = retryable;
    this.retryAt = retryAt;
  }
}

/** A message that asks for an answer. */
export type Request = Extract<Message, { type: "Spawn" | "Attach" | "Detach" | "List" | "Close" | "Control" | "Resize" | "Batch" }>;
type WithoutNumber<M> = M extends unknown ? Omit<M, "number"> : never;
/** A request that has no number yet. */
export type Question = WithoutNumber<Request>;

/** Who asked. Called synchronously, so that what follows an answer finds it settled. */
export interface Asker {
  answered(message: Message): void;
  failed(error: RequestError): void;
}

interface Pending extends Asker {
  readonly stream: number;
  request: Request;
  sent: boolean;
  /** How often it was tried. */
  tries: number;
  /** Of the breaker, where it asks that. */
  ticket: number | undefined;
  /** When a batch must have begun, on the clock of the environment. */
  readonly due: number | undefined;
  /** A batch that was called off. */
  isCancelled: boolean;
}

/** The requests of one client. */
export class Requests {
  readonly #pending = new Map<number, Pending>();
  #last = 0;
  readonly #send: (stream: number, message: Message) => boolean;
  readonly #env: Env;
  readonly #breaker: Breaker;
  readonly #budget = new RetryBudget();
  readonly #waits: Backoff;

  /** `send` answers whether there was a connection. */
  constructor(env: Env, breaker: Breaker, send: (stream: number, message: Message) => boolean) {
    this.#env = env;
    this.#breaker = breaker;
    this.#send = send;
    this.#waits = new Backoff({ firstMs: AGAIN_FIRST_MS, maxMs: RETRY_MAX_MS, stableMs: 0 }, seedOf(env));
  }

  /** Asks now, or once there is a connection; what `opens` a session, if the breaker lets it. Returns the request's number. */
  ask(stream: number, question: Question, asker: Asker, opens = false): number {
    if (this.#pending.size >= REQUESTS_MAX) {
      asker.failed(new RequestError("queue_full", `${REQUESTS_MAX} requests wait for an answer: wait for some`, true));
      return 0;
    }
    const passed = opens ? this.#breaker.pass(this.#env.now()) : undefined;
    if (typeof passed === "object") {
      const error = new RequestError("overloaded", "the server has refused this again and again: nobody is asked for a while", true, passed.until);
      queueMicrotask(() => asker.failed(error)); // As an answer comes: not before one can listen.
      return 0;
    }
    this.#budget.handleFirstTry();
    const due = question.type === "Batch" && question.withinMs !== undefined ? this.#env.now() + question.withinMs : undefined;
    const request = { ...question, number: 0 } as Request;
    const { answered, failed } = asker;
    const pending = { stream, request, sent: false, tries: 1, ticket: passed, due, isCancelled: false, answered, failed };
    this.#put(pending);
    pending.sent = this.#send(stream, pending.request);
    return pending.request.number;
  }

  /** Gives it a new number. */
  #put(pending: Pending): void {
    this.#last += 1;
    pending.request = { ...pending.request, number: this.#last };
    pending.sent = false;
    this.#pending.set(this.#last, pending);
  }

  /** An answer has come. Lists and results come in several; the last one takes the request away. */
  answer(number: number, message: Message): boolean {
    const pending = this.#pending.get(number);
    if (pending === undefined) return false;
    if (!((message.type === "Sessions" || message.type === "Results") && message.more)) this.#pending.delete(number);
    if (message.type !== "Error") {
      if (REPEATABLE.has(pending.request.type)) this.#waits.reset();
      this.#settle(pending, "success");
      pending.answered(message);
      return true;
    }
    const { code, message: text, retryable } = message;
    const isOverloaded = code === "overloaded" && retryable;
    const opens = pending.ticket !== undefined;
    this.#settle(pending, isOverloaded ? "failure" : "success");
    if (!isOverloaded || !this.#keeps(pending, opens)) pending.failed(new RequestError(code, text, retryable));
    return true;
  }

  /** Whether a refused request is asked again, under a new number, and who asked need not know. */
  #keeps(pending: Pending, opens: boolean): boolean {
    const now = this.#env.now();
    if (!REPEATABLE.has(pending.request.type)) return false;
    if (opens && this.#breaker.state(now) !== "closed") return false;
    if (!this.#budget.take(pending.tries, now)) return false;
    const passed = opens ? this.#breaker.pass(now) : undefined;
    if (typeof passed === "number") pending.ticket = passed;
    pending.tries += 1;
    this.#put(pending);
    this.#env.after(this.#waits.handleDown(now, AGAIN_LEAST_MS), () => {
      // Unless another connection has carried it meanwhile, or nobody wants it any longer.
      if (!pending.sent && this.#pending.get(pending.request.number) === pending) pending.sent = this.#send(pending.stream, pending.request);
    });
    return true;
  }

  /** Tells the breaker, once. */
  #settle(pending: Pending, outcome: Outcome): void {
    if (pending.ticket !== undefined) this.#breaker.handle(pending.ticket, outcome, this.#env.now());
    pending.ticket = undefined;
  }

  #drop(pending: Pending, error: RequestError): void {
    this.#pending.delete(pending.request.number);
    this.#settle(pending, "neither");
    pending.failed(error);
  }

  /** Calls one off; its answer, if it comes, is nobody's. */
  forget(number: number): void {
    this.#pending.delete(number);
  }

  /** Calls off what has not begun of a batch; once there is a connection, where it has been sent. */
  cancel(number: number): void {
    const pending = this.#pending.get(number);
    if (pending === undefined) return;
    pending.isCancelled = true;
    if (pending.sent) this.#send(0, { type: "Cancel", number });
    else this.#drop(pending, new RequestError("cancelled", "it was called off before it was sent"));
  }

  /** The number of the newest request. */
  get last(): number {
    return this.#last;
  }

  /**
   * There is a connection again: what was asked up to number `upTo` is asked again, or fails. `known`: the server knows us; `same`: it
   * is the same run of the server.
   */
  resume(known: boolean, same: boolean, upTo: number): void {
    for (const [number, pending] of [...this.#pending]) {
      if (number > upTo) continue;
      const error = pending.sent ? unrepeatable(pending.request, known, same) : (misplaced(pending.request, same) ?? this.#expired(pending));
      if (error !== undefined) {
        this.#drop(pending, error);
      } else if (pending.request.type === "Batch") {
        const withinMs = pending.due === undefined ? undefined : Math.max(0, Math.floor(pending.due - this.#env.now()));
        pending.sent = this.#send(0, { ...pending.request, withinMs });
        if (pending.isCancelled) this.#send(0, { type: "Cancel", number });
      } else if (pending.sent && pending.request.type !== "Spawn") {
        // Only a Spawn and a Batch are known by their numbers; anything else that is asked again is another request.
        this.#pending.delete(number);
        this.#put(pending);
        pending.sent = this.#send(pending.stream, pending.request);
      } else if (this.#pending.has(number)) {
        pending.sent = this.#send(pending.stream, pending.request);
      }
    }
  }

  #expired({ due }: Pending): RequestError | undefined {
    const isLate = due !== undefined && due <= this.#env.now();
    return isLate ? new RequestError("expired", "its time was over before there was a connection") : undefined;
  }

  /** A stream has ended: what was asked about it is not answered any more. */
  end(stream: number): void {
    for (const pending of [...this.#pending.values()]) {
      if (pending.stream === stream && stream !== 0) this.#drop(pending, new RequestError("ended", "the session has ended, or is watched no longer"));
    }
  }

  /** Nothing will be answered any more. */
  fail(error: RequestError): void {
    for (const pending of [...this.#pending.values()]) this.#drop(pending, error);
  }
}

/** What may be carried out late and in any order. */
const REPEATABLE: ReadonlySet<string> = new Set(["Spawn", "Attach", "List"]);

/** Why a request that was never sent must not be: its session is one of the server that it was meant for. */
function misplaced(request: Request, same: boolean): RequestError | undefined {
  const names = request.type === "Close" || request.type === "Batch";
  return names && !same ? new RequestError("lost", "the server was started anew, and its sessions are gone") : undefined;
}

/** Why a request whose answer was lost must not be sent again, if so. */
function unrepeatable(request: Request, known: boolean, same: boolean): RequestError | undefined {
  const uncertain = new RequestError("uncertain", "the link broke before the answer: it may or may not have happened");
  switch (request.type) {
    case "List":
      return undefined;
    case "Spawn":
      // A server that knows us carries it out once; with another run of the server, its sessions are gone.
      return known || !same ? undefined : uncertain;
    case "Batch":
      return known ? undefined : uncertain;
    case "Attach":
      return same ? undefined : new RequestError("lost", "the server was started anew, and its sessions are gone");
    default:
      return uncertain;
  }
}
