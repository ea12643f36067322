/**
 * The strip of tabs, for mouse and keyboard: arrows move, Delete closes, Enter goes there.
 */

import { button, h, icon } from "./dom.js";
import type { View } from "./view.js";

export interface TabsEvents {
  select(view: View): void;
  close(view: View): void;
  /** Back to the terminal. */
  leave(): void;
}

interface Tab {
  element: HTMLElement;
  label: HTMLElement;
  mark: HTMLElement;
}

export class Tabs {
  readonly element = h("div", { class: "tabs", role: "tablist", "aria-label": "Open terminals" });
  readonly #tabs = new Map<View, Tab>();
  readonly #events: TabsEvents;

  constructor(events: TabsEvents) {
    this.#events = events;
    this.element.addEventListener("keydown", (event) => this.#key(event));
    // A wheel that only turns up and down still reaches tabs that are out of sight.
    this.element.addEventListener("wheel", (event) => (this.element.scrollLeft += event.deltaY), { passive: true });
  }

  show(views: readonly View[], active: View | undefined): void {
    for (const [view, { element }] of this.#tabs) {
      if (views.includes(view)) continue;
      element.remove();
      this.#tabs.delete(view);
    }
    views.forEach((view, index) => {
      const { element, label, mark } = this.#tabs.get(view) ?? this.#make(view);
      const isActive = view === active;
      const { ending } = view;
      if (label.textContent !== view.title) label.textContent = view.title;
      element.title = ending ? `${view.title}\n${ending.text}` : view.title;
      element.ariaSelected = String(isActive);
      element.tabIndex = isActive || (active === undefined && index === 0) ? 0 : -1;
      element.classList.toggle("ended", ending !== undefined);
      mark.className = `dot ${ending ? (ending.isGood ? "good" : "bad") : view.session.state === "live" ? (view.isUnseen ? "unseen" : "none") : "away"}`;
      if (isActive && element.dataset["active"] === undefined) element.scrollIntoView({ block: "nearest", inline: "nearest" });
      if (isActive) element.dataset["active"] = "";
      else delete element.dataset["active"];
    });
    this.element.hidden = views.length === 0;
  }

  focus(): void {
    this.element.querySelector<HTMLElement>("[tabindex='0']")?.focus();
  }

  #make(view: View): Tab {
    const label = h("span", { class: "label" });
    const mark = h("span", { class: "dot none" });
    const close = button({ class: "tool close", tabindex: -1, title: "Close (Ctrl Shift X)", "aria-label": "Close tab" }, () => this.#events.close(view), icon("close"));
    const element = h("div", { class: "tab", role: "tab" }, mark, label, close);
    element.addEventListener("mousedown", (event) => {
      if (event.button === 1) event.preventDefault(); // Or the browser begins to scroll.
    });
    element.addEventListener("click", (event) => {
      if (!close.contains(event.target as Node)) this.#events.select(view);
    });
    element.addEventListener("auxclick", (event) => {
      if (event.button === 1) this.#events.close(view);
    });
    const tab = { element, label, mark };
    this.#tabs.set(view, tab);
    this.element.append(element);
    return tab;
  }

  #key(event: KeyboardEvent): void {
    const entries = [...this.#tabs];
    const at = entries.findIndex(([, { element }]) => element === document.activeElement);
    const [view] = entries[at] ?? [];
    if (view === undefined || event.ctrlKey || event.altKey) return;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: entries.length - 1 }[event.key];
    if (to !== undefined) entries.at(to % entries.length)?.[1].element.focus();
    else if (event.key === "Enter" || event.key === " ") this.#events.select(view);
    else if (event.key === "Delete") this.#events.close(view);
    else if (event.key === "Escape") this.#events.leave();
    else return;
    event.preventDefault();
  }
}
