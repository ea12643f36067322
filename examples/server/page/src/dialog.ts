/**
 * Questions over the page: one at a time, with the focus kept inside and given back afterwards.
 */

import { button, h, icon } from "./dom.js";

type Icon = Parameters<typeof icon>[0];

export interface Choice<T> {
  label: string;
  value: T;
  /** `main` is what Enter does; `danger` cannot be undone. */
  kind?: "main" | "danger";
}

/** A dialog that is shown until it is answered. */
export function show<T>(title: string, symbol: Icon, content: Node[], choices: Choice<T>[], otherwise: T): Promise<T> {
  return new Promise((resolve) => {
    const dialog = h("dialog", { class: "dialog", "aria-labelledby": "dialog-title" });
    let answer = otherwise;
    const close = (value: T): void => {
      answer = value;
      dialog.close();
    };
    const buttons = choices.map(({ label, value, kind }) => button({ class: `push ${kind ?? ""}` }, () => close(value), label));
    dialog.append(
      h("h2", { id: "dialog-title" }, icon(symbol), title),
      ...content,
      h("div", { class: "choices" }, ...buttons),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
    });
    document.body.append(dialog);
    dialog.showModal();
    (buttons[choices.findIndex(({ kind }) => kind === "main")] ?? buttons.at(-1))?.focus();
  });
}

/** Whether to paste several lines into a program that would run each. */
export function askPaste(text: string): Promise<boolean> {
  const lines = text.split(/\r\n|\r|\n/u);
  const rest = lines.length - PREVIEW_LINES;
  const shown = lines.slice(0, PREVIEW_LINES).map((line) => line.slice(0, PREVIEW_CHARS)).join("\n");
  const preview = h("pre", { class: "preview", tabindex: 0 }, visible(shown));
  return show(
    `Paste ${lines.length} lines?`,
    "clip",
    [
      h("p", {}, "The program in this terminal does not know pasted text from typed text, so each line would run at once."),
      preview,
      ...(rest > 0 ? [h("p", { class: "dim" }, `and ${rest} more`)] : []),
    ],
    [
      { label: "Cancel", value: false },
      { label: "Paste", value: true, kind: "main" },
    ],
    false,
  );
}

/** Whether to go where a link leads. */
export async function askLink(url: URL): Promise<void> {
  const target = h("p", { class: "target" });
  const host = url.protocol === "mailto:" ? url.pathname : url.host;
  const at = url.href.indexOf(host);
  target.append(url.href.slice(0, at), h("strong", {}, host), url.href.slice(at + host.length));
  const answer = await show(
    url.protocol === "mailto:" ? "Write to this address?" : "Open this link?",
    "link",
    [h("p", {}, "A program in the terminal shows it. It leads to:"), target],
    [
      { label: "Cancel", value: "cancel" },
      { label: "Copy", value: "copy" },
      { label: "Open", value: "open", kind: "main" },
    ],
    "cancel",
  );
  if (answer === "open") window.open(url.href, "_blank", "noopener,noreferrer");
  else if (answer === "copy") await navigator.clipboard.writeText(url.href).catch(() => {});
}

/** What to do with a session whose program still runs. */
export function askClose(title: string, mayEnd: boolean): Promise<"end" | "keep" | "cancel"> {
  return show<"end" | "keep" | "cancel">(
    "A program is still running",
    "prompt",
    [h("p", {}, h("strong", {}, title), mayEnd ? " can go on without this tab, and you can come back to it. Or end it now." : " goes on without this tab.")],
    [
      { label: "Cancel", value: "cancel" },
      ...(mayEnd ? [{ label: "End it", value: "end", kind: "danger" } as const] : []),
      { label: "Keep it running", value: "keep", kind: "main" },
    ],
    "cancel",
  );
}

export const SHORTCUTS: [keys: string, what: string][] = [
  ["Ctrl Shift Enter", "New terminal"],
  ["Ctrl Shift X", "Close tab"],
  ["Ctrl Shift ← / →", "Previous, next tab"],
  ["Alt 1 … 9", "Go to tab"],
  ["Ctrl Shift L", "All sessions"],
  ["Ctrl Shift C / V", "Copy, paste"],
  ["Ctrl Shift F", "Search"],
  ["Ctrl + / − / 0", "Larger, smaller, usual text"],
  ["Shift PgUp / PgDn", "Scroll"],
  ["Ctrl Shift ↑", "Leave the terminal for the toolbar"],
  ["Esc", "Back to the terminal"],
];

export function showShortcuts(): Promise<unknown> {
  const rows = SHORTCUTS.flatMap(([keys, what]) => [h("dt", {}, ...keys.split(" ").map((key) => h(/^[/…]$/u.test(key) ? "span" : "kbd", {}, key))), h("dd", {}, what)]);
  return show("Keyboard", "prompt", [h("dl", { class: "shortcuts" }, ...rows)], [{ label: "Close", value: undefined, kind: "main" }], undefined);
}

const PREVIEW_LINES = 8;
const PREVIEW_CHARS = 200;

/** Control characters as pictures of themselves, so that nothing hides in a preview. */
function visible(text: string): string {
  return text.replace(/[\u0000-\u0009\u000b-\u001f]/gu, (control) => String.fromCharCode(0x2400 + control.charCodeAt(0)));
}
