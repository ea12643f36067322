/**
 * Looking for text in a terminal.
 */

import type { ISearchOptions, SearchAddon } from "@xterm/addon-search";
import { button, h, icon } from "./dom.js";

/** By day and by night; of the ruler nothing is shown, but it has to be named. */
const RULER = { matchOverviewRuler: "#c9a63a", activeMatchColorOverviewRuler: "#f0a92e" };
const LIGHT = { matchBackground: "#ffedb3", activeMatchBackground: "#ffc94a", ...RULER };
const DARK = { matchBackground: "#5d5124", activeMatchBackground: "#a8741a", ...RULER };

/** A bar that comes when it is called. */
export class SearchBar {
  readonly element: HTMLElement;
  readonly #input: HTMLInputElement;
  readonly #count: HTMLElement;
  readonly #case: HTMLButtonElement;
  readonly #addon: SearchAddon;
  readonly #leave: () => void;

  constructor(addon: SearchAddon, leave: () => void) {
    this.#addon = addon;
    this.#leave = leave;
    this.#input = h("input", { type: "search", placeholder: "Search", "aria-label": "Search in this terminal", spellcheck: "false", autocomplete: "off" });
    this.#count = h("output", { class: "count" });
    this.#case = button({ class: "tool text", title: "Match case", "aria-label": "Match case", "aria-pressed": "false" }, () => {
      this.#case.ariaPressed = String(this.#case.ariaPressed !== "true");
      this.#find(true, true);
    }, "Aa");
    this.element = h(
      "search",
      { class: "search", hidden: true },
      this.#input,
      this.#count,
      this.#case,
      button({ class: "tool", title: "Previous (Shift Enter)", "aria-label": "Previous match" }, () => this.#find(false), icon("up")),
      button({ class: "tool", title: "Next (Enter)", "aria-label": "Next match" }, () => this.#find(true), icon("down")),
      button({ class: "tool", title: "Close (Esc)", "aria-label": "Close search" }, () => this.close(), icon("close")),
    );
    this.#input.addEventListener("input", () => this.#find(true, true));
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
      else if (event.key === "Enter" && event.target === this.#input) this.#find(!event.shiftKey);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    addon.onDidChangeResults(({ resultIndex, resultCount }) => {
      const none = this.#input.value === "" ? "" : "none";
      this.#count.textContent = resultCount === 0 ? none : `${resultIndex < 0 ? "" : `${resultIndex + 1}/`}${resultCount}`;
      this.#input.ariaInvalid = String(resultCount === 0 && this.#input.value !== "");
    });
  }

  open(selection: string): void {
    this.element.hidden = false;
    if (selection !== "" && !selection.includes("\n")) this.#input.value = selection;
    this.#input.select();
    this.#input.focus();
    this.#find(true, true);
  }

  close(): void {
    this.element.hidden = true;
    this.#addon.clearDecorations();
    this.#leave();
  }

  #find(isForward: boolean, incremental = false): void {
    const text = this.#input.value;
    if (text === "") {
      this.#addon.clearDecorations();
      this.#count.textContent = "";
      return;
    }
    const options: ISearchOptions = { caseSensitive: this.#case.ariaPressed === "true", decorations: document.documentElement.dataset["theme"] === "light" ? LIGHT : DARK, incremental };
    if (isForward) this.#addon.findNext(text, options);
    else this.#addon.findPrevious(text, options);
  }
}
