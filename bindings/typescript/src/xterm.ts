/**
 * A session in an xterm.js terminal: output in, keys out, and nothing that the program on the other side could abuse.
 *
 * Exactly one viewer's terminal answers what programs ask terminals, and never in output that is replayed: what this terminal answers is
 * told apart from what a person types, marked as a reply, and dropped where it is not ours to give. Programs may put text on the
 * clipboard (OSC 52), within a limit, and never read it. Sizes change in their place between the bytes.
 *
 * Works with `@xterm/xterm` and `@xterm/headless`, 5.5 and 6; imports neither. Deliberately absent: the window. Who has one measures it
 * and calls {@link TerminalBinding.fit}; who takes pastes asks first where {@link runsByItself} says so.
 */

import { joined } from "./bytes.js";
import { pasteBytes } from "./paste.js";
import type { Output, Session } from "./session.js";

export { cleanPaste, pasteBytes, runsByItself } from "./paste.js";

interface Disposable {
  dispose(): void;
}

interface FunctionId {
  prefix?: string;
  intermediates?: string;
  final: string;
}

/** What is used of a terminal. */
export interface TerminalLike {
  readonly cols: number;
  readonly rows: number;
  readonly modes: { readonly bracketedPasteMode: boolean };
  readonly parser: {
    registerCsiHandler(id: FunctionId, callback: (params: (number | number[])[]) => boolean): Disposable;
    registerDcsHandler(id: FunctionId, callback: (data: string, params: (number | number[])[]) => boolean): Disposable;
    registerOscHandler(ident: number, callback: (data: string) => boolean): Disposable;
  };
  write(data: string | Uint8Array, callback?: () => void): void;
  resize(cols: number, rows: number): void;
  clear(): void;
  reset(): void;
  onData(listener: (data: string) => void): Disposable;
  onBinary(listener: (data: string) => void): Disposable;
}

export interface BindOptions {
  /** A program wants `text` on the clipboard. Without this, it gets nowhere. */
  onClipboard?: (text: string) => void;
  /** Output is missing, and why; by default a dim line in the terminal. */
  onGap?: (bytes: number, why: string) => void;
}

/** The most a program may put on the clipboard, in bytes. */
export const CLIPBOARD_BYTES_MAX = 100_000;

/** Ctrl-C, Ctrl-\ and Ctrl-Z, where one of them is all that was typed. */
const INTERRUPTS = new Set(["\u0003", "\u001c", "\u001a"]);

/** What terminals answer: attributes, status, modes, window, version, kitty's keyboard; settings; colours. */
const ASKS_CSI: FunctionId[] = [
  ...["", ">", "="].map((prefix) => ({ prefix, final: "c" })),
  ...["", "?", ">"].map((prefix) => ({ prefix, final: "n" })),
  ...["", "?"].map((prefix) => ({ prefix, intermediates: "$", final: "p" })),
  ...["", ">"].map((prefix) => ({ prefix, final: "t" })),
  { final: "x" },
  { prefix: ">", final: "q" },
  { prefix: "?", final: "u" },
  { intermediates: "$", final: "w" },
  { intermediates: "*", final: "y" },
  { prefix: "?", intermediates: "$", final: "w" },
  { prefix: "?", final: "S" },
];
const ASKS_DCS: FunctionId[] = [{ intermediates: "$", final: "q" }, { intermediates: "+", final: "q" }];
const ASKS_OSC = [4, 5, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 21];

/** A session and a terminal that belong together. */
export class TerminalBinding {
  readonly #session: Session;
  readonly #terminal: TerminalLike;
  readonly #offs: (() => void)[] = [];
  /** Chunks under way in the terminal, oldest first: whether each is replayed. */
  readonly #parsing: boolean[] = [];
  /** The beginning of a character whose end has not come: xterm.js 6.0 loses some that are cut between two writes. */
  #tail: Uint8Array = new Uint8Array(0);
  /** The terminal is about to answer a program, until this turn of the event loop ends. */
  #isAsked = false;

  constructor(session: Session, terminal: TerminalLike, { onClipboard, onGap }: BindOptions = {}) {
    this.#session = session;
    this.#terminal = terminal;
    const { parser } = terminal;
    const asked = (): boolean => this.#asked();
    this.#keep(
      ...ASKS_CSI.map((id) => parser.registerCsiHandler(id.prefix === "" ? { ...id, prefix: undefined! } : id, asked)),
      ...ASKS_DCS.map((id) => parser.registerDcsHandler(id, asked)),
      ...ASKS_OSC.map((ident) => parser.registerOscHandler(ident, (data) => data.includes("?") && asked())),
      parser.registerOscHandler(52, (data) => this.#clip(data, onClipboard)),
      terminal.onData((data) => this.#typed(data)),
      terminal.onBinary((data) => void session.input(Uint8Array.from(data, (character) => character.charCodeAt(0)))),
    );
    this.#offs.push(
      session.on("gap", ({ from, to, why }) => this.#gap(to - from, why, onGap)),
      session.on("control", (act) => this.#then(() => (act === "clear" ? terminal.clear() : terminal.reset()))),
      session.on("resized", ({ size }) => this.#then(() => this.#resize(size.cols, size.rows))),
      session.on("output", (output) => this.#write(output)),
    );
  }

  /** The window has room for so much, and is so large in pixels. The terminal follows once the session has that size. */
  fit(cols: number, rows: number, width?: number, height?: number): void {
    const { state, types } = this.#session;
    if (!types) return;
    if (state !== "live" && state !== "opening") this.#resize(cols, rows);
    this.#session.resize(width === undefined || height === undefined ? { cols, rows } : { cols, rows, width, height });
  }

  /** Types a paste: cleaned, and bracketed where the program asked for that. Answers whether it was taken. */
  paste(text: string): boolean {
    return this.#session.input(pasteBytes(text, this.#terminal.modes.bracketedPasteMode));
  }

  /** Lets go of both. */
  dispose(): void {
    for (const off of this.#offs.splice(0)) off();
  }

  // ---- Output ----

  #write({ offset, bytes, replay }: Output): void {
    const all = this.#tail.length > 0 ? joined([this.#tail, bytes]) : bytes;
    const whole = all.length - cutBytes(all);
    this.#tail = all.slice(whole);
    if (whole === 0) return;
    const end = offset + bytes.length - this.#tail.length;
    this.#parsing.push(replay);
    this.#terminal.write(all.subarray(0, whole), () => {
      this.#parsing.shift();
      this.#session.rendered(end);
    });
  }

  /** Does something once the terminal has parsed what came before. */
  #then(act: () => void): void {
    this.#terminal.write("", act);
  }

  #resize(cols: number, rows: number): void {
    if (cols !== this.#terminal.cols || rows !== this.#terminal.rows) this.#terminal.resize(cols, rows);
  }

  #gap(bytes: number, why: string, told: BindOptions["onGap"]): void {
    this.#tail = new Uint8Array(0); // Its other half will not come.
    // What the missing bytes did to the screen nobody knows; only an interrupt leaves it standing.
    if (why === "cleared") this.#then(() => this.#terminal.clear());
    else if (why !== "interrupt") this.#then(() => this.#terminal.reset());
    if (told !== undefined) told(bytes, why);
    else if (why !== "cleared") this.#terminal.write(`\u001b[0;2m[${bytes.toLocaleString("en")} bytes of output are missing]\u001b[0m\r\n`);
  }

  // ---- Input ----

  #typed(data: string): void {
    if (!this.#isAsked) {
      this.#session.input(data, { urgent: INTERRUPTS.has(data) });
      return;
    }
    const isReplayed = this.#parsing[0] ?? false;
    if (this.#session.replies && !isReplayed) this.#session.input(data, { reply: true });
  }

  /**
   * A program asks, and the terminal's own handler, which comes next, may answer at once. People cannot type meanwhile, for
   * the event loop is ours until then.
   */
  #asked(): false {
    if (!this.#isAsked) {
      this.#isAsked = true;
      queueMicrotask(() => (this.#isAsked = false));
    }
    return false;
  }

  /** OSC 52: `c;` and base64. Asking for the clipboard's content gets no answer. */
  #clip(data: string, told: BindOptions["onClipboard"]): true {
    const content = data.slice(data.indexOf(";") + 1);
    const isReplayed = this.#parsing[0] ?? false;
    if (told === undefined || isReplayed || !this.#session.types || content === "?" || content.length > (CLIPBOARD_BYTES_MAX * 4) / 3 + 4) return true;
    try {
      const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
      if (bytes.length > 0 && bytes.length <= CLIPBOARD_BYTES_MAX) told(new TextDecoder().decode(bytes));
    } catch {
      // No base64: nothing was said.
    }
    return true;
  }

  #keep(...disposables: Disposable[]): void {
    for (const disposable of disposables) this.#offs.push(() => disposable.dispose());
  }
}

/** Bytes at the end of `bytes` that begin a character of UTF-8 and do not end it: 0 to 3. */
function cutBytes(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) > back ? back : 0;
  }
  return 0;
}
