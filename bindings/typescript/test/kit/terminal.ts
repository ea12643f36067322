/**
 * A terminal without a system: a program is a function of what is typed.
 */

import type { ExitStatus, Geometry } from "../../src/bodies.js";

/** What a program can do. */
export interface Program {
  /** It starts. */
  start?(terminal: FakeTerminal): void;
  /** Something was typed. */
  input?(terminal: FakeTerminal, bytes: Uint8Array): void;
  /** The window has another size. */
  resized?(terminal: FakeTerminal): void;
}

/** One session of a fake server. */
export class FakeTerminal {
  output: Uint8Array = new Uint8Array(0);
  /** All that was typed by people, and all that terminals replied. */
  typed: Uint8Array = new Uint8Array(0);
  replied = "";
  signals: string[] = [];
  status: ExitStatus | undefined;
  size: Geometry = { cols: 80, rows: 24 };
  title: string;
  readonly #watchers = new Set<() => void>();
  readonly id: number;
  readonly name: string;
  readonly startedAt: number;
  readonly after: (ms: number, then: () => void) => () => void;
  readonly #program: Program;

  constructor(id: number, program: Program, title: string, name: string, after: FakeTerminal["after"], startedAt: number) {
    this.id = id;
    this.name = name;
    this.title = title;
    this.startedAt = startedAt;
    this.after = after;
    this.#program = program;
  }

  begin(): void {
    this.#program.start?.(this);
  }

  write(text: string | Uint8Array): void {
    this.output = Buffer.concat([this.output, typeof text === "string" ? Buffer.from(text) : text]);
    this.#changed();
  }

  input(bytes: Uint8Array, isReply: boolean): void {
    if (isReply) this.replied += Buffer.from(bytes).toString();
    else this.typed = Buffer.concat([this.typed, bytes]);
    if (this.status === undefined) this.#program.input?.(this, bytes);
  }

  resize(size: Geometry): void {
    this.size = size;
    this.#program.resized?.(this);
  }

  exit(status: ExitStatus): void {
    this.status ??= status;
    this.#changed();
  }

  onChange(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  #changed(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}

/** Answers what is typed with the same. */
export function echo(): Program {
  return { input: (terminal, bytes) => terminal.write(bytes) };
}
