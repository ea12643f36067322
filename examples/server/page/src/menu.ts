/**
 * Settings and the rarer commands, in a popover.
 */

import { button, h, icon } from "./dom.js";
import type { Prefs, Theme } from "./prefs.js";

type Act = "keys" | "clear" | "reset" | "larger" | "smaller" | "usual";

export interface MenuEvents {
  /** A setting is another. */
  changed(): void;
  act(act: Act): void;
  leave(): void;
}

const THEMES: [Theme, string][] = [["system", "System"], ["light", "Light"], ["dark", "Dark"]];

export class Menu {
  readonly button: HTMLElement;
  readonly #popover: HTMLElement;
  readonly #themes: HTMLInputElement[];
  readonly #size: HTMLElement;
  readonly #reader: HTMLInputElement;

  constructor(prefs: Prefs, events: MenuEvents) {
    this.button = h("button", { type: "button", class: "tool", popovertarget: "menu", title: "Settings", "aria-label": "Settings" }, icon("menu"));
    this.#themes = THEMES.map(([theme]) => {
      const input = h("input", { type: "radio", name: "theme", value: theme });
      input.addEventListener("change", () => {
        prefs.theme = theme;
        events.changed();
      });
      return input;
    });
    this.#size = h("output", { class: "figure" });
    this.#reader = h("input", { type: "checkbox", role: "switch" });
    this.#reader.addEventListener("change", () => {
      prefs.screenReader = this.#reader.checked;
      events.changed();
    });
    const act = (what: Act): void => {
      this.#popover.hidePopover();
      events.act(what);
    };
    const theme = h("fieldset", { class: "segments" }, h("legend", { class: "unseen-label" }, "Theme"), ...THEMES.map(([, label], index) => h("label", {}, this.#themes[index]!, h("span", {}, label))));
    const text = h(
      "div",
      { class: "row" },
      h("span", { class: "grow" }, "Text size"),
      button({ class: "tool", "aria-label": "Smaller text" }, () => events.act("smaller"), "−"),
      this.#size,
      button({ class: "tool", "aria-label": "Larger text" }, () => events.act("larger"), "+"),
    );
    const reader = h("label", { class: "row" }, h("span", { class: "grow" }, "Screen reader support"), this.#reader);
    const item = (label: string, what: Act): HTMLElement => button({ class: "item" }, () => act(what), label);
    this.#popover = h("div", { class: "menu", id: "menu", popover: "auto" }, theme, text, reader, h("hr"), item("Clear terminal", "clear"), item("Reset terminal", "reset"), h("hr"), item("Keyboard shortcuts", "keys"));
    this.#popover.addEventListener("toggle", (event) => {
      // The browser gives the focus back to the button; whoever is done with settings wants to type.
      const focus = document.activeElement;
      if ((event as ToggleEvent).newState === "closed" && (focus === document.body || focus === this.button)) events.leave();
    });
  }

  mount(parent: HTMLElement): void {
    parent.append(this.#popover);
  }

  show({ theme, fontSize, screenReader }: Prefs): void {
    for (const input of this.#themes) input.checked = input.value === theme;
    this.#size.textContent = String(fontSize);
    this.#reader.checked = screenReader;
  }
}
