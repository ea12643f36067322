/**
 * What the page says of its connection: a line while it is broken, and how long each hop takes while it is not.
 */

import type { Client, ClientState, Session } from "@orchflow/client";
import { button, h } from "./dom.js";

/** A break shorter than this is mended before anybody has read about it. */
const BANNER_AFTER_MS = 400;

export class Connection {
  readonly banner: HTMLElement;
  readonly readout: HTMLElement;
  readonly #text: HTMLElement;
  readonly #why: HTMLElement;
  readonly #retry: HTMLButtonElement;
  readonly #figure: HTMLElement;
  readonly #hops: HTMLElement;
  #state: ClientState = { phase: "idle" };
  #unsettled: () => number = () => 0;
  /** Writes down how long each hop takes now. */
  #fill: () => void = () => {};
  #wasOnline = false;
  #brokenAt = 0;
  #timer: number | undefined;

  constructor(retry: () => void) {
    this.#text = h("span", { class: "what" });
    this.#why = h("span", { class: "why" });
    this.#retry = button({ class: "push small" }, retry, "Try now");
    this.banner = h("div", { class: "banner", role: "status", "aria-live": "polite", hidden: true }, h("span", { class: "dot pulse" }), this.#text, this.#why, h("span", { class: "grow" }), this.#retry);
    this.#figure = h("span", { class: "figure" });
    this.#hops = h("dl", { class: "hops", id: "hops", popover: "auto" });
    // Opened between two measurements, it has what is known by then.
    this.#hops.addEventListener("beforetoggle", () => this.#fill());
    this.readout = h("div", { class: "latency", hidden: true }, h("button", { type: "button", class: "tool text", popovertarget: "hops", title: "How long a key takes", "aria-label": "Latency" }, this.#figure), this.#hops);
  }

  told(state: ClientState, unsettled: () => number): void {
    const isBroken = this.#wasOnline && (state.phase === "waiting" || state.phase === "connecting");
    if (isBroken && this.banner.dataset["broken"] === undefined) this.#brokenAt = performance.now();
    if (isBroken) this.banner.dataset["broken"] = "";
    else delete this.banner.dataset["broken"];
    this.#state = state;
    this.#unsettled = unsettled;
    if (state.phase === "online") this.#wasOnline = true;
    if (state.phase !== "online") this.#figure.textContent = "";
    if (state.phase === "stopped") this.#wasOnline = false;
    this.readout.hidden = true; // Until there is a figure.
    clearInterval(this.#timer);
    if (isBroken) this.#timer = window.setInterval(() => this.#show(), 200);
    this.#show();
  }

  /** New figures are there; those of a hop behind the server are the session's that is looked at. */
  measured(client: Client, session: () => Session | undefined): void {
    const network = client.network.ms;
    this.readout.hidden = this.#state.phase !== "online" || network === undefined;
    this.#figure.textContent = ms(network);
    this.readout.dataset["speed"] = network === undefined || network < 40 ? "good" : network < 150 ? "fair" : "poor";
    this.#fill = () => {
      const hops: [string, string, number | undefined][] = [
        ["Network", "to the server and back", client.network.ms],
        ["Program", "from the key to its first output", session()?.program.ms],
        ["Painting", "from the output to the screen", session()?.renderer.ms],
      ];
      this.#hops.replaceChildren(...hops.flatMap(([name, what, value]) => [h("dt", {}, name, h("small", {}, what)), h("dd", {}, ms(value))]));
    };
    this.#fill();
  }

  #show(): void {
    const isBroken = this.banner.dataset["broken"] !== undefined;
    const isShown = isBroken && performance.now() - this.#brokenAt >= BANNER_AFTER_MS;
    this.banner.hidden = !isShown;
    if (!isShown) return;
    const { phase } = this.#state;
    const seconds = phase === "waiting" ? Math.ceil((this.#state.retryAt - performance.now()) / 1000) : 0;
    const when = seconds > 0 ? ` in ${seconds} s` : " …";
    // A browser that says so may be wrong: it is tried again even so.
    const isOffline = phase === "waiting" && this.#state.offline;
    set(this.#text, isOffline ? `This device is offline. Trying again${when}` : `Reconnecting${when}`);
    const waiting = this.#unsettled();
    set(this.#why, waiting > 0 ? `Nothing is lost. What you type is kept: ${size(waiting)} to send.` : "Nothing is lost. Programs go on, and what you type is kept.");
    this.#retry.hidden = phase !== "waiting";
  }
}

/** Only what changes is told to who listens instead of looking. */
function set(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

function ms(value: number | undefined): string {
  if (value === undefined) return "–";
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

function size(bytes: number): string {
  return bytes < 1000 ? `${bytes} bytes` : `${Math.round(bytes / 1000)} KB`;
}
