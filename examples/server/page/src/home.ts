/**
 * What is shown where no terminal is: sessions to go back to, the way in, or why there is none.
 */

import { type SessionInfo, type StopCode, cleanLabel } from "@orchflow/client";
import { button, h, icon } from "./dom.js";
import { told } from "./view.js";

export interface HomeEvents {
  spawn(): void;
  attach(session: number): void;
  close(session: number): void;
  /** The user has given a pass. */
  enter(pass: string): void;
  retry(): void;
}

/** What to say where the client has stopped. */
const STOPPED: Record<string, { title: string; asks: boolean }> = {
  unauthorized: { title: "This link is not valid any more", asks: true },
  impostor: { title: "This link is not valid any more", asks: true },
  unusable: { title: "This link cannot be used", asks: true },
  forbidden: { title: "This is not allowed here", asks: true },
  version: { title: "Page and server do not fit each other", asks: false },
  replaced: { title: "Continued in another window", asks: false },
  closed: { title: "Disconnected", asks: false },
  leaving: { title: "The server has said goodbye", asks: false },
};

export class Home {
  readonly element = h("section", { class: "home" });
  readonly #events: HomeEvents;

  constructor(events: HomeEvents) {
    this.#events = events;
  }

  focus(): void {
    this.element.querySelector<HTMLElement>("[data-first]")?.focus();
  }

  connecting(reason: string | undefined): void {
    this.#card(
      h("h1", {}, h("span", { class: "spinner", "aria-hidden": "true" }), "Connecting"),
      h("p", { class: "dim" }, reason === undefined ? "to the server on this address." : `${sentence(reason)} Trying again.`),
      ...(reason === undefined ? [] : [h("div", { class: "choices start" }, button({ class: "push", "data-first": true }, () => this.#events.retry(), "Try now"))]),
    );
  }

  /** Asks for a pass. */
  ask(why: string): void {
    this.#card(h("h1", {}, icon("key"), "Open with a link"), h("p", {}, why || "The server prints a link when it starts. Open that, or paste it here."), this.#form());
  }

  stopped(code: StopCode, reason: string): void {
    const { title, asks } = STOPPED[code] ?? { title: "The connection has ended", asks: false };
    const again = button({ class: "push main", "data-first": true }, () => this.#events.retry(), "Connect again");
    this.#card(
      h("h1", {}, icon(asks ? "key" : "alert"), title),
      h("p", {}, sentence(reason)),
      ...(asks ? [h("p", { class: "dim" }, "Each start of the server prints a new link. Paste it here to go on."), this.#form()] : [h("div", { class: "choices start" }, again)]),
    );
  }

  /** Sessions one can go to; `names` are what those call themselves that are open here. */
  list(sessions: readonly SessionInfo[], mayOwn: boolean, names: ReadonlyMap<number, string> = new Map()): void {
    const running = sessions.toSorted((a, b) => a.ageMs - b.ageMs);
    const create = button({ class: "push main", "data-first": true }, () => this.#events.spawn(), icon("plus"), "New terminal");
    if (running.length === 0) {
      const text = mayOwn ? "Programs you start here go on when you close this page." : "As soon as somebody starts a terminal, you can watch it here.";
      this.#card(h("h1", {}, icon("prompt"), "No terminals yet"), h("p", { class: "dim" }, text), ...(mayOwn ? [h("div", { class: "choices start" }, create)] : []));
      return;
    }
    const isFirst = !mayOwn;
    const rows = running.map((info, index) => this.#row({ ...info, title: names.get(info.session) ?? info.title }, mayOwn, isFirst && index === 0));
    this.#card(h("div", { class: "head" }, h("h1", {}, "Sessions"), mayOwn && create), h("ul", { class: "sessions" }, ...rows));
  }

  #row({ session, title, program, size, ageMs, viewers, status }: SessionInfo, mayOwn: boolean, isFirst: boolean): HTMLElement {
    const name = cleanLabel(title) || cleanLabel(program) || `Session ${session}`;
    const facts = [status === undefined ? `${size.cols}×${size.rows}` : told(status), age(ageMs), viewers > 0 && `${viewers} watching`];
    const open = button(
      { class: "session", "data-first": isFirst },
      () => this.#events.attach(session),
      h("span", { class: `dot ${status === undefined ? "live" : "off"}` }),
      h("span", { class: "name" }, name),
      title !== "" && program !== "" && h("span", { class: "program" }, cleanLabel(program)),
      h("span", { class: "facts" }, facts.filter(Boolean).join("  ·  ")),
    );
    const end = button({ class: "tool", title: "End this session", "aria-label": `End ${name}` }, () => this.#events.close(session), icon("close"));
    return h("li", {}, open, mayOwn && end);
  }

  #form(): HTMLElement {
    const input = h("input", { type: "password", name: "pass", required: true, placeholder: "Link or token", "aria-label": "Link or token", autocomplete: "off", spellcheck: "false", "data-first": true });
    const form = h("form", { class: "pass" }, input, h("button", { class: "push main" }, "Connect"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = input.value.trim();
      const pass = text.slice(text.lastIndexOf("#") + 1);
      if (pass !== "") this.#events.enter(pass);
    });
    return form;
  }

  #card(...content: (Node | false)[]): void {
    const hadFocus = this.element.contains(document.activeElement) || document.activeElement === document.body;
    this.element.replaceChildren(h("div", { class: "card" }, ...content));
    if (hadFocus && !this.element.hidden) this.focus();
  }
}

function sentence(text: string): string {
  const clean = cleanLabel(text, 400);
  return clean.charAt(0).toUpperCase() + clean.slice(1) + (/[.!?]$/u.test(clean) ? "" : ".");
}

function age(ms: number): string {
  const minutes = ms / 60_000;
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${Math.floor(minutes)} min`;
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1440)} days`;
}
