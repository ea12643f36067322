/**
 * The page: tabs with terminals, one connection beneath them, and what it says about itself.
 */

import { Client, type ClientState, type Session, type SessionInfo, cleanLabel } from "@orchflow/client";
import { askClose, showShortcuts } from "./dialog.js";
import { button, h, icon } from "./dom.js";
import { Connection } from "./connection.js";
import { Home } from "./home.js";
import { Menu } from "./menu.js";
import { FONT_DEFAULT, type Prefs, clampFont, forgetPass, keepPass, loadPrefs, loadTabs, savePrefs, saveTabs } from "./prefs.js";
import { Tabs } from "./tabs.js";
import { View } from "./view.js";

/** How often the way to the server is measured. */
const PING_MS = 5000;
const NOTICE_MS = 4000;

export class App {
  readonly element: HTMLElement;
  #client: Client | undefined;
  #views: View[] = [];
  #active: View | undefined;
  /** How many watch each session. */
  readonly #counts = new WeakMap<Session, number>();
  /** Whether the tabs of before a reload were looked for. */
  #isRestored = false;
  readonly #prefs: Prefs = loadPrefs();
  readonly #dark = matchMedia("(prefers-color-scheme: dark)");
  readonly #tabs: Tabs;
  readonly #menu: Menu;
  readonly #home: Home;
  readonly #connection: Connection;
  readonly #stage: HTMLElement;
  readonly #notices: HTMLElement;
  readonly #badge: HTMLElement;
  readonly #watchers: HTMLElement;
  readonly #new: HTMLButtonElement;
  readonly #toolbar: HTMLElement;
  readonly #search: HTMLElement;

  constructor() {
    this.#tabs = new Tabs({ select: (view) => this.#show(view), close: (view) => void this.#close(view), leave: () => this.#active?.focus() });
    this.#menu = new Menu(this.#prefs, {
      changed: () => this.#look(),
      act: (act) => this.#act(act),
    });
    this.#home = new Home({
      spawn: () => this.#spawn(),
      attach: (session) => this.#attach(session),
      close: (session) => void this.#client?.closeSession(session).then(() => this.#refresh(), () => this.#refresh()),
      enter: (pass) => this.start(pass),
      retry: () => this.#client?.retryNow(),
    });
    this.#connection = new Connection(() => {
      this.#client?.retryNow();
      this.#active?.focus(); // The button goes as soon as this succeeds, and one types on.
    });
    this.#new = button({ class: "tool", hidden: true, title: "New terminal (Ctrl Shift Enter)", "aria-label": "New terminal" }, () => this.#spawn(), icon("plus"));
    this.#badge = h("span", { class: "chip", hidden: true }, icon("eye"), "Read-only");
    this.#watchers = h("span", { class: "chip quiet", hidden: true });
    this.#search = button({ class: "tool", title: "Search (Ctrl Shift F)", "aria-label": "Search" }, () => this.#act("search"), icon("search"));
    this.#toolbar = h(
      "div",
      { class: "tools", role: "toolbar", "aria-label": "Terminals" },
      this.#badge,
      this.#watchers,
      this.#connection.readout,
      this.#search,
      button({ class: "tool", title: "All sessions (Ctrl Shift L)", "aria-label": "All sessions" }, () => this.#act("home"), icon("list")),
      this.#menu.button,
    );
    this.#stage = h("main", { class: "stage" }, this.#home.element);
    this.#notices = h("div", { class: "notices", role: "status", "aria-live": "polite" });
    this.element = h(
      "div",
      { class: "app" },
      h("header", { class: "bar" }, this.#tabs.element, this.#new, h("div", { class: "grow" }), this.#toolbar),
      this.#connection.banner,
      this.#stage,
      this.#notices,
    );
    this.#menu.mount(this.element);
    this.#dark.addEventListener("change", () => this.#look());
    // Whoever is done up there wants to type; the browser would leave the focus on a button.
    document.addEventListener("keydown", (event) => {
      const from = event.target instanceof Element ? event.target.closest(".bar, [popover]") : null;
      if (event.key !== "Escape" || from === null) return;
      event.preventDefault();
      document.querySelector<HTMLElement>("[popover]:popover-open")?.hidePopover();
      if (this.#active) this.#active.focus();
      else this.#home.focus();
    }, { capture: true });
    document.addEventListener("keydown", (event) => {
      if (!event.defaultPrevented && this.#key(event)) event.preventDefault();
    });
    document.addEventListener("visibilitychange", () => {
      if (this.#client) this.#client.hidden = document.hidden;
    });
    for (const event of ["online", "offline"]) {
      window.addEventListener(event, () => {
        if (this.#client) this.#client.offline = event === "offline";
      });
    }
    this.#look();
  }

  /** Connects with this pass; without one, asks for it. */
  start(pass: string | undefined): void {
    const before = this.#client;
    this.#client = undefined;
    before?.close();
    for (const view of this.#views.splice(0)) this.#drop(view);
    this.#show(undefined);
    if (pass === undefined) return this.#home.ask("");
    keepPass(pass);
    const url = new URL("ws", location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    url.hash = url.search = "";
    const client = new Client({ url, pass, agent: "orchflow-page/0.1.0", pingMs: PING_MS });
    this.#client = client;
    this.#isRestored = false;
    this.#home.connecting(undefined);
    client.on("state", (state) => this.#state(client, state));
    client.on("latency", () => this.#connection.measured(client, () => this.#active?.session));
    if (!navigator.onLine) client.offline = true;
    client.connect();
  }

  // ---- The connection ----

  #state(client: Client, state: ClientState): void {
    if (client !== this.#client) return;
    this.#connection.told(state, () => this.#views.reduce((sum, view) => sum + view.session.unsettled, 0));
    this.#new.hidden = state.phase !== "online" || state.role !== "owner";
    if (state.phase === "stopped") {
      if (state.code === "unauthorized" || state.code === "impostor" || state.code === "unusable") forgetPass();
      // The tabs stay: what stands in them may still be read and copied.
      this.#home.stopped(state.code, state.reason);
      this.#show(undefined);
    } else if (state.phase === "online") {
      if (!this.#isRestored) void this.#restore(client, state.role === "owner");
      else if (this.#active === undefined) this.#refresh();
    } else if (this.#views.length === 0 && !this.#isRestored) {
      this.#home.connecting(state.phase === "waiting" ? state.reason : undefined);
    }
    this.#changed();
  }

  /** After a load: the tabs there were, else the only session, else a new one. */
  async #restore(client: Client, mayOwn: boolean): Promise<void> {
    this.#isRestored = true;
    const before = loadTabs();
    const sessions = await client.list().catch((): SessionInfo[] => []);
    const there = before.sessions.filter((session) => sessions.some((info) => info.session === session));
    this.#home.list(sessions, mayOwn);
    if (there.length > 0) {
      for (const session of there) this.#attach(session);
      this.#show(this.#views.find((view) => view.session.id === before.active) ?? this.#views[0]);
    } else if (sessions.length === 0 && mayOwn) this.#spawn();
    else if (sessions.length === 1 && !mayOwn) this.#attach(sessions[0]!.session);
    else this.#show(undefined);
  }

  #refresh(): void {
    const client = this.#client;
    if (client === undefined || client.state.phase !== "online") return;
    const { role } = client.state;
    const names = new Map(this.#views.flatMap((view) => (view.session.id === undefined ? [] : [[view.session.id, view.title]])));
    client.list().then((sessions) => this.#home.list(sessions, role === "owner", names), () => {});
  }

  // ---- Sessions and tabs ----

  #spawn(): void {
    if (this.#client?.state.phase !== "online" || this.#client.state.role !== "owner") return;
    this.#add(this.#client.spawn({ env: [["TERM", "xterm-256color"], ["COLORTERM", "truecolor"]] }));
  }

  #attach(id: number): void {
    const known = this.#views.find((view) => view.session.id === id && view.session.state !== "ended");
    if (known) this.#show(known);
    else if (this.#client) this.#add(this.#client.attach(id));
  }

  #add(session: Session): void {
    const view: View = new View(session, this.#lookNow(), {
      changed: () => this.#changed(),
      notice: (text) => this.#notice(text),
      close: () => void this.#close(view),
      again: () => {
        this.#spawn();
        this.#remove(view);
      },
      takesKey: (event) => {
        if (event.type !== "keydown" || !this.#key(event)) return isClipboardKey(event);
        event.preventDefault();
        return true;
      },
    });
    session.on("viewers", ({ count }) => {
      this.#counts.set(session, count);
      this.#changed();
    });
    session.opened.then(
      () => this.#saveTabs(),
      (error: unknown) => {
        if (session.end?.why === "refused") {
          this.#notice(error instanceof Error ? error.message : String(error));
          this.#remove(view);
        }
      },
    );
    this.#views.push(view);
    this.#stage.append(view.element);
    this.#show(view);
  }

  #show(view: View | undefined): void {
    if (view !== this.#active) this.#active?.hide();
    this.#active = view;
    this.#home.element.hidden = view !== undefined;
    this.#changed();
    if (view === undefined) {
      this.#refresh();
      this.#home.focus();
    } else view.show();
    this.#saveTabs();
  }

  async #close(view: View): Promise<void> {
    const { session } = view;
    if (session.end === undefined) {
      const answer = session.role === "viewer" ? "keep" : await askClose(view.title, session.role === "owner");
      if (answer === "cancel") return view.focus();
      if (answer === "end") session.close().catch((error: unknown) => this.#notice(String(error)));
      else session.detach();
      if (answer === "end") session.detach();
    }
    this.#remove(view);
  }

  #remove(view: View): void {
    const index = this.#views.indexOf(view);
    if (index < 0) return;
    this.#views.splice(index, 1);
    this.#drop(view);
    if (this.#active === view || this.#active === undefined) this.#show(this.#views[Math.min(index, this.#views.length - 1)]);
    this.#changed();
    this.#saveTabs();
  }

  #drop(view: View): void {
    if (this.#active === view) this.#active = undefined;
    view.dispose();
  }

  #saveTabs(): void {
    if (!this.#isRestored || this.#client?.state.phase === "stopped") return;
    const ids = this.#views.filter((view) => view.session.state !== "ended").map((view) => view.session.id);
    saveTabs({ sessions: ids.filter((id) => id !== undefined), active: this.#active?.session.id });
  }

  // ---- What is shown ----

  #changed(): void {
    const view = this.#active;
    this.#search.hidden = view === undefined;
    this.#tabs.show(this.#views, view);
    const isViewer = view?.session.role === "viewer" || (this.#client?.state.phase === "online" && this.#client.state.role === "viewer");
    this.#badge.hidden = !isViewer;
    const count = (view && this.#counts.get(view.session)) ?? 1;
    this.#watchers.hidden = count < 2 || view?.session.state === "ended";
    this.#watchers.textContent = `${count} watching`;
    document.title = view === undefined ? "OrchFlow" : `${cleanLabel(view.title)} — OrchFlow`;
  }

  #notice(text: string): void {
    const notice = h("div", { class: "notice" }, text);
    this.#notices.append(notice);
    while (this.#notices.childElementCount > 3) this.#notices.firstElementChild?.remove();
    setTimeout(() => notice.remove(), NOTICE_MS);
  }

  #lookNow(): { isDark: boolean; fontSize: number; screenReader: boolean } {
    const { theme, fontSize, screenReader } = this.#prefs;
    return { isDark: theme === "system" ? this.#dark.matches : theme === "dark", fontSize, screenReader };
  }

  #look(): void {
    const look = this.#lookNow();
    document.documentElement.dataset["theme"] = look.isDark ? "dark" : "light";
    for (const view of this.#views) view.look = look;
    savePrefs(this.#prefs);
    this.#menu.show(this.#prefs);
  }

  // ---- Keys and commands ----

  #act(act: "search" | "home" | "keys" | "clear" | "reset" | "larger" | "smaller" | "usual"): void {
    const view = this.#active;
    switch (act) {
      case "search":
        return view?.search.open(view.terminal.getSelection());
      case "home":
        return this.#show(this.#active === undefined ? this.#views.at(-1) : undefined);
      case "keys":
        return void showShortcuts().then(() => view?.focus());
      case "clear":
        view?.terminal.clear();
        if (view?.session.types) view.session.control("clear").catch(() => {});
        return view?.focus();
      case "reset":
        view?.terminal.reset();
        return view?.focus();
      default:
        this.#prefs.fontSize = act === "usual" ? FONT_DEFAULT : clampFont(this.#prefs.fontSize + (act === "larger" ? 1 : -1));
        this.#look();
    }
  }

  /** Does what a key asks of the page; answers whether it was one of ours. */
  #key(event: KeyboardEvent): boolean {
    const { key, ctrlKey, shiftKey, altKey, metaKey } = event;
    if (document.querySelector("dialog[open]") !== null || metaKey) return false;
    if (altKey && !ctrlKey && !shiftKey && /^[1-9]$/u.test(key)) {
      const view = this.#views[Number(key) - 1];
      if (view) this.#show(view);
      return view !== undefined;
    }
    if (!ctrlKey || altKey) return false;
    if (key === "=" || key === "+") return this.#act("larger"), true;
    if (key === "-" && !shiftKey) return this.#act("smaller"), true;
    if (key === "0" && !shiftKey) return this.#act("usual"), true;
    if (!shiftKey) return false;
    switch (key) {
      case "Enter":
        return this.#spawn(), true;
      case "X":
        if (this.#active) void this.#close(this.#active);
        return true;
      case "F":
        return this.#act("search"), true;
      case "L":
        return this.#act("home"), true;
      case "C":
        void this.#active?.copy();
        return true;
      case "ArrowLeft":
      case "ArrowRight":
        return this.#step(key === "ArrowLeft" ? -1 : 1), true;
      case "ArrowUp":
        this.#tabs.focus();
        return true;
      default:
        return false;
    }
  }

  #step(by: number): void {
    const at = this.#active === undefined ? 0 : this.#views.indexOf(this.#active) + by;
    const view = this.#views.at(at % Math.max(1, this.#views.length));
    if (view) this.#show(view);
  }
}

/** Ctrl Shift V: neither the page's nor the terminal's, but the browser's, which then pastes. */
function isClipboardKey(event: KeyboardEvent): boolean {
  return event.ctrlKey && event.shiftKey && event.key === "V";
}
