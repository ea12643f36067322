/**
 * Operations that were asked for together, and what came of each.
 *
 * However often the link breaks meanwhile, each is carried out once, and told once.
 */

import type { Answer, Class, Mode, Operation } from "./bodies.js";
import type { Message, MessageOf } from "./messages.js";
import { RequestError, type Requests } from "./requests.js";

export interface BatchOptions {
  /** What its operations wait for; by default only for those before them on the same session. */
  mode?: Mode;
  /** How urgent it is; by default `control`: a program waits for it. */
  class?: Class;
  /** After so long what has not begun is refused with `expired`, in milliseconds. */
  withinMs?: number;
  /** What tells it from all others, whoever sends it: it is carried out once, and everybody who asks is told what came of it. */
  key?: string;
  /** Called with what came of each, as they end. */
  onResult?: (at: number, result: OperationResult) => void;
}

/** What came of one operation: `answer`, where it has one, or why it was refused. */
export type OperationResult = { readonly answer: Answer | undefined } | { readonly error: RequestError };

/** A batch that was asked for. */
export class Batch {
  /** What came of each, by its place. Fails where the batch was refused as a whole, or nobody can say what became of it. */
  readonly done: Promise<OperationResult[]>;
  readonly #requests: Requests;
  readonly #number: number;
  readonly #results: (OperationResult | undefined)[];
  readonly #onResult: NonNullable<BatchOptions["onResult"]>;

  constructor(requests: Requests, operations: readonly Operation[], { onResult = () => {}, mode = "parallel", class: urgency = "control", ...options }: BatchOptions) {
    this.#requests = requests;
    this.#results = operations.map(() => undefined);
    this.#onResult = onResult;
    let number = 0;
    this.done = new Promise((resolve, reject) => {
      const answered = (message: Message): void => {
        if (message.type !== "Results") return;
        this.#take(message);
        if (!message.more) resolve(this.#results.map((result) => result ?? UNTOLD));
      };
      number = requests.ask(0, { type: "Batch", mode, class: urgency, ...options, operations: [...operations] }, { answered, failed: reject });
    });
    this.#number = number;
  }

  /** Calls off what has not begun: that is told as `cancelled`, and the rest as it ends. */
  cancel(): void {
    this.#requests.cancel(this.#number);
  }

  #take({ done, answers, refused }: MessageOf<"Results">): void {
    for (const [from, to] of done) this.#tell(from, to, { answer: undefined });
    for (const { at, answer } of answers) this.#tell(at, at, { answer });
    for (const { from, to, code, message, retryable } of refused) this.#tell(from, to, { error: new RequestError(code, message, retryable) });
  }

  /** What came before a break comes again after it. */
  #tell(from: number, to: number, result: OperationResult): void {
    for (let at = from; at <= to && at < this.#results.length; at += 1) {
      if (this.#results[at] !== undefined) continue;
      this.#results[at] = result;
      this.#onResult(at, result);
    }
  }
}

const UNTOLD: OperationResult = { error: new RequestError("uncertain", "the server has not said what became of it") };
