/**
 * What was asked and is not answered: kept over a broken link, and asked again where that does no harm.
 */

import type { ErrorCode } from "./bodies.js";
import type { Message } from "./messages.js";

/** Requests that may be unanswered at a time. */
const REQUESTS_MAX = 4096;

/** A request was refused, or nobody can say what became of it (`uncertain`). */
export class RequestError extends Error {
  override readonly name: string = "RequestError";
  readonly code: ErrorCode | "uncertain" | "lost" | "closed" | "queue_full";
  /** Whether the same may succeed later, unchanged. */
  readonly retryable: boolean;

  constructor(code: RequestError["code"], message: string, retryable = false) {
    super(message);
    this.code = code;
    this.retryable = retryable;
  }
}

/** A message that asks for an answer. */
export type Request = Extract<Message, { type: "Spawn" | "Attach" | "Detach" | "List" | "Close" | "Control" | "Resize" }>;
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
  readonly request: Request;
  sent: boolean;
}

/** The requests of one client. */
export class Requests {
  readonly #pending = new Map<number, Pending>();
  #last = 0;
  readonly #send: (stream: number, message: Message) => boolean;

  /** `send` answers whether there was a connection. */
  constructor(send: (stream: number, message: Message) => boolean) {
    this.#send = send;
  }

  /** Asks now, or once there is a connection. Returns the request's number. */
  ask(stream: number, question: Question, asker: Asker): number {
    if (this.#pending.size >= REQUESTS_MAX) {
      asker.failed(new RequestError("queue_full", `${REQUESTS_MAX} requests wait for an answer: wait for some`, true));
      return 0;
    }
    this.#last += 1;
    const request = { ...question, number: this.#last } as Request;
    this.#pending.set(this.#last, { stream, request, sent: this.#send(stream, request), answered: asker.answered, failed: asker.failed });
    return this.#last;
  }

  /** An answer has come. Lists come in several; the last one takes the request away. */
  answer(number: number, message: Message): boolean {
    const pending = this.#pending.get(number);
    if (pending === undefined) return false;
    if (!(message.type === "Sessions" && message.more)) this.#pending.delete(number);
    if (message.type === "Error") pending.failed(new RequestError(message.code, message.message, message.retryable));
    else pending.answered(message);
    return true;
  }

  /** Calls one off; its answer, if it comes, is nobody's. */
  forget(number: number): void {
    this.#pending.delete(number);
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
      const error = pending.sent ? unrepeatable(pending.request, known, same) : undefined;
      if (error !== undefined) {
        this.#pending.delete(number);
        pending.failed(error);
      } else if (pending.sent && pending.request.type !== "Spawn") {
        // Only a Spawn is known by its number; anything else that is asked again is another request.
        this.#pending.delete(number);
        this.ask(pending.stream, pending.request, pending);
      } else if (this.#pending.has(number)) {
        pending.sent = this.#send(pending.stream, pending.request);
      }
    }
  }

  /** A stream has ended: what was asked about it is not answered any more. */
  end(stream: number): void {
    for (const [number, pending] of [...this.#pending]) {
      if (pending.stream !== stream || stream === 0) continue;
      this.#pending.delete(number);
      pending.failed(new RequestError("ended", "the session has ended, or is watched no longer"));
    }
  }

  /** Nothing will be answered any more. */
  fail(error: RequestError): void {
    const all = [...this.#pending.values()];
    this.#pending.clear();
    for (const pending of all) pending.failed(error);
  }
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
    case "Attach":
      return same ? undefined : new RequestError("lost", "the server was started anew, and its sessions are gone");
    default:
      return uncertain;
  }
}
