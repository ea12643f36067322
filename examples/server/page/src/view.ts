/**
 * One terminal on the page: xterm.js around a session, with search, links and the line that tells how it ended.
 */

import { type ExitStatus, type Session, cleanLabel } from "@orchflow/client";
import { TerminalBinding, runsByItself } from "@orchflow/client/xterm";
import { FitAddon } from "@xterm/addon-fit";
import { SearchAddon } from "@xterm/addon-search";
import { UnicodeGraphemesAddon } from "@xterm/addon-unicode-graphemes";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { WebglAddon } from "@xterm/addon-webgl";
import { Terminal } from "@xterm/xterm";
import { askLink, askPaste } from "./dialog.js";
import { button, h, icon } from "./dom.js";
import { SearchBar } from "./search.js";
import { FONT, terminalTheme } from "./theme.js";

/** What a view tells the page. */
export interface ViewEvents {
  /** The title, the end or the activity is another. */
  changed(): void;
  /** A few words for the user that go away by themselves. */
  notice(text: string): void;
  /** The user wants the tab closed. */
  close(): void;
  /** The user wants the same program again. */
  again(): void;
  /** Whether the page takes this key for itself. */
  takesKey(event: KeyboardEvent): boolean;
}

export interface Look {
  isDark: boolean;
  fontSize: number;
  screenReader: boolean;
}

const SCROLLBACK_LINES = 10_000;
/** Programs choose colours for a background they do not know; this is what WCAG asks of text. Without WebGL xterm.js greys inverse text for it. */
const CONTRAST_LEAST = 4.5;
/** A window is dragged in many small steps; each asks the program to paint anew. */
const RESIZE_MS = 40;
/** Smaller letters than these nobody can read. */
const FONT_LEAST = 6;
/** The smallest terminal worth telling of. */
const LEAST = { cols: 2, rows: 1 };

export class View {
  readonly element: HTMLElement;
  readonly session: Session;
  readonly terminal: Terminal;
  readonly search: SearchBar;
  /** Something came while nobody looked. */
  isUnseen = false;
  #title = "";
  #isShown = false;
  #resizing: number | undefined;
  /** What the user chose; a size that others choose may need smaller letters. */
  #fontSize: number;
  readonly #binding: TerminalBinding;
  readonly #fit = new FitAddon();
  readonly #events: ViewEvents;
  readonly #frame: HTMLElement;
  readonly #end: HTMLElement;
  readonly #toBottom: HTMLButtonElement;
  readonly #observer: ResizeObserver;

  constructor(session: Session, look: Look, events: ViewEvents) {
    this.session = session;
    this.#events = events;
    this.#fontSize = look.fontSize;
    this.terminal = new Terminal({
      allowProposedApi: true,
      cursorBlink: false,
      fontFamily: FONT,
      lineHeight: 1.15,
      macOptionIsMeta: true,
      minimumContrastRatio: 1,
      scrollback: SCROLLBACK_LINES,
      linkHandler: { activate: (_, text) => this.#follow(text), allowNonHttpProtocols: true },
      ...looks(look),
    });
    const { terminal } = this;
    const search = new SearchAddon({ highlightLimit: 1000 });
    terminal.loadAddon(this.#fit);
    terminal.loadAddon(search);
    terminal.loadAddon(new WebLinksAddon((_, text) => this.#follow(text)));
    terminal.loadAddon(new UnicodeGraphemesAddon());
    this.search = new SearchBar(search, () => this.focus());
    this.#frame = h("div", { class: "frame" });
    this.#end = h("div", { class: "end", role: "status", hidden: true });
    this.#toBottom = button({ class: "to-bottom round", title: "To the newest line", "aria-label": "To the newest line", hidden: true }, () => {
      terminal.scrollToBottom();
      this.focus();
    }, icon("bottom"));
    this.element = h("section", { class: "view", role: "tabpanel", hidden: true }, this.search.element, this.#frame, this.#toBottom, this.#end);
    this.#binding = new TerminalBinding(session, terminal, { onClipboard: (text) => this.#clip(text) });
    this.#observer = new ResizeObserver(() => this.#measureSoon());
    this.#listen();
  }

  /** The title: what the program calls itself, or else what it was called. */
  get title(): string {
    return this.#title || this.session.title || "Terminal";
  }

  /** How it ended, in a few words; empty while it runs. */
  get ending(): { text: string; isGood: boolean } | undefined {
    const { end } = this.session;
    if (end === undefined) return undefined;
    if (end.why === "exit") return { text: told(end.status) + (end.orphaned ? "; something it left behind held the terminal" : ""), isGood: isGood(end.status) };
    if (end.why === "detached") return { text: end.message || "Watched no longer", isGood: true };
    return { text: end.message || "The session is gone", isGood: false };
  }

  /** Puts it on the page and gives it the focus. */
  show(): void {
    this.#isShown = true;
    this.isUnseen = false;
    this.element.hidden = false;
    if (this.terminal.element === undefined) this.#open();
    this.#measure();
    this.focus();
    this.#events.changed();
  }

  hide(): void {
    this.#isShown = false;
    this.element.hidden = true;
  }

  focus(): void {
    this.terminal.focus();
  }

  set look(look: Look) {
    this.#fontSize = look.fontSize;
    Object.assign(this.terminal.options, looks(look));
    this.#measureSoon();
  }

  /** Types what stands on a clipboard, after asking where that would run it. */
  async paste(text: string): Promise<void> {
    if (text === "" || !this.session.types) return;
    if (runsByItself(text, this.terminal.modes.bracketedPasteMode) && !(await askPaste(text.trimEnd()))) return this.focus();
    if (!this.#binding.paste(text) && this.session.end === undefined) this.#events.notice("The paste is too large for what waits to be sent");
    this.terminal.scrollToBottom();
    this.focus();
  }

  async copy(): Promise<void> {
    const text = this.terminal.getSelection();
    if (text === "") return;
    await navigator.clipboard.writeText(text).then(() => this.terminal.clearSelection(), () => this.#events.notice("The browser does not let this page copy"));
  }

  dispose(): void {
    clearTimeout(this.#resizing);
    this.#observer.disconnect();
    this.#binding.dispose();
    this.terminal.dispose();
    this.element.remove();
  }

  #open(): void {
    const { terminal } = this;
    terminal.open(this.#frame);
    try {
      const webgl = new WebglAddon();
      webgl.onContextLoss(() => {
        webgl.dispose(); // What is left draws with elements.
        terminal.options.minimumContrastRatio = 1;
      });
      terminal.loadAddon(webgl);
      terminal.options.minimumContrastRatio = CONTRAST_LEAST;
    } catch {
      // No WebGL here: the same.
    }
    this.#observer.observe(this.#frame);
  }

  #listen(): void {
    const { session, terminal } = this;
    terminal.attachCustomKeyEventHandler((event) => !this.#events.takesKey(event));
    terminal.onTitleChange((title) => {
      this.#title = cleanLabel(title);
      this.#events.changed();
    });
    terminal.onScroll(() => this.#scrolled());
    terminal.onWriteParsed(() => this.#scrolled());
    this.#frame.addEventListener("wheel", () => requestAnimationFrame(() => this.#scrolled()), { passive: true });
    // Before xterm.js, whose paste lets the end of a bracket through.
    this.#frame.addEventListener("paste", (event) => {
      event.preventDefault();
      event.stopPropagation();
      void this.paste(event.clipboardData?.getData("text/plain") ?? "");
    }, { capture: true });
    this.#frame.addEventListener("auxclick", (event) => {
      // On Linux browsers paste the selection themselves, which ends above.
      if (event.button !== 1 || navigator.userAgent.includes("Linux") || terminal.modes.mouseTrackingMode !== "none") return;
      navigator.clipboard.readText().then((text) => this.paste(text), () => {});
    });
    session.on("title", () => this.#events.changed());
    session.on("resized", () => this.#measureSoon());
    session.on("state", () => this.#events.changed());
    session.on("output", ({ replay }) => {
      if (this.#isShown || replay || this.isUnseen) return;
      this.isUnseen = true;
      this.#events.changed();
    });
    session.on("ended", () => this.#ended());
    session.on("inputLost", ({ bytes, why, message }) => {
      if (why !== "ended") this.#events.notice(`${bytes} bytes typed were not taken: ${message}`);
    });
    session.on("inputFull", () => this.#events.notice("Nothing more can be typed until what was typed is sent"));
  }

  #ended(): void {
    const { ending, session } = this;
    if (ending === undefined) return;
    const left = session.end?.why === "detached" && session.end.message === "";
    if (left) return;
    const actions = [
      session.end?.why === "exit" && session.role === "owner" && button({ class: "push" }, () => this.#events.again(), "Start again"),
      button({ class: "push main" }, () => this.#events.close(), "Close tab"),
    ];
    this.#end.replaceChildren(h("span", { class: `dot ${ending.isGood ? "good" : "bad"}` }), h("span", { class: "grow" }, ending.text), ...actions.filter((action) => action !== false));
    this.#end.hidden = false;
    this.terminal.write("\u001b[?25l"); // Nothing is written there any more.
    this.terminal.options.disableStdin = true;
    this.#events.changed();
    this.#measureSoon();
  }

  #scrolled(): void {
    const { baseY, viewportY } = this.terminal.buffer.active;
    this.#toBottom.hidden = viewportY >= baseY;
  }

  #measureSoon(): void {
    this.#resizing ??= window.setTimeout(() => {
      this.#resizing = undefined;
      this.#measure();
    }, RESIZE_MS);
  }

  #measure(): void {
    if (!this.#isShown) return;
    const room = this.#fit.proposeDimensions();
    if (room === undefined || Number.isNaN(room.cols)) return;
    this.#frame.classList.toggle("theirs", !this.session.types);
    if (!this.session.types) return this.#shrink(room);
    const ratio = window.devicePixelRatio;
    const { clientWidth, clientHeight } = this.#frame;
    const px = (length: number): number => Math.min(0xffff, Math.round(length * ratio));
    this.#binding.fit(Math.max(LEAST.cols, room.cols), Math.max(LEAST.rows, room.rows), px(clientWidth), px(clientHeight));
  }

  /** A size that is for others to choose: letters as large as it allows, and as the user likes. */
  #shrink(room: { cols: number; rows: number }): void {
    const { cols, rows } = this.session.size;
    const { options } = this.terminal;
    const fits = Math.floor((options.fontSize ?? this.#fontSize) * Math.min(room.cols / cols, room.rows / rows));
    const size = Math.min(this.#fontSize, Math.max(FONT_LEAST, fits));
    if (size !== options.fontSize) options.fontSize = size;
  }

  #clip(text: string): void {
    if (!this.#isShown || !document.hasFocus()) return;
    navigator.clipboard.writeText(text).then(
      () => this.#events.notice(`A program copied ${text.length} character${text.length === 1 ? "" : "s"}`),
      () => {},
    );
  }

  /** A link was clicked; where it leads is the program's word, so the user sees it first. */
  #follow(text: string): void {
    let url: URL;
    try {
      url = new URL(text);
    } catch {
      return;
    }
    if (["http:", "https:", "mailto:"].includes(url.protocol)) void askLink(url).then(() => this.focus());
    else this.#events.notice("Only links to web pages and mail addresses are followed");
  }
}

function looks({ isDark, fontSize, screenReader }: Look): { theme: ReturnType<typeof terminalTheme>; fontSize: number; screenReaderMode: boolean } {
  return { theme: terminalTheme(isDark), fontSize, screenReaderMode: screenReader };
}

const isGood = (status: ExitStatus): boolean => status !== "unknown" && "code" in status && status.code === 0;

const SIGNALS: Record<number, string> = { 1: "hung up", 2: "interrupted", 3: "quit", 6: "aborted", 9: "killed", 11: "crashed", 13: "cut off", 15: "terminated" };

/** How a process ended, for people. */
export function told(status: ExitStatus): string {
  if (status === "unknown") return "Ended";
  if ("code" in status) return status.code === 0 ? "Ended" : `Ended with code ${status.code}`;
  const name = SIGNALS[status.signal];
  return name === undefined ? `Ended by signal ${status.signal}` : `Ended: ${name} (signal ${status.signal})`;
}
