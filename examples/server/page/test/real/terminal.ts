/**
 * The page before a real server, as a person sees it: what stands in its rows, and what was typed.
 */

import type { BrowserContext, Page } from "playwright-core";
import { expect, vi } from "vitest";
import { PROMPT } from "./server.js";

/** For what a busy machine takes long over; a wait ends as soon as there is what it waits for. */
const PATIENCE_MS = 20_000;

export function eventually(check: () => unknown): Promise<unknown> {
  return vi.waitFor(check, { timeout: PATIENCE_MS, interval: 20 });
}

/** Draws with elements, whose text can be read; how the terminal is drawn changes nothing of what is tested here. */
export async function drawWithElements(context: BrowserContext): Promise<void> {
  await context.addInitScript(() => {
    const { getContext } = HTMLCanvasElement.prototype;
    HTMLCanvasElement.prototype.getContext = function (this: HTMLCanvasElement, kind: string, ...rest: unknown[]) {
      return kind === "webgl2" ? null : (getContext as (...all: unknown[]) => unknown).call(this, kind, ...rest);
    } as typeof getContext;
  });
}

/** Each row of the terminal in front, empty ones too. */
export function rows(page: Page): Promise<string[]> {
  return page.evaluate(() => [...document.querySelectorAll(".view:not([hidden]) .xterm-rows > div")].map((row) => (row.textContent ?? "").trimEnd()));
}

/** The same without the empty ones. */
export async function written(page: Page): Promise<string[]> {
  return (await rows(page)).filter((row) => row !== "");
}

/** Opens a link and waits for the shell. */
export async function openShell(page: Page, link: string): Promise<void> {
  await page.goto(link);
  await prompt(page);
}

/** Waits until the shell waits: its prompt is the last that stands there. */
export function prompt(page: Page): Promise<unknown> {
  return eventually(async () => expect((await written(page)).at(-1)).toBe(PROMPT));
}

/** Runs a command and waits for the next prompt. */
export async function run(page: Page, command: string): Promise<void> {
  await typed(page, command);
  await page.keyboard.press("Enter");
  await prompt(page);
}

/** Types a command at the prompt, and waits until it stands there. */
export async function typed(page: Page, command: string): Promise<void> {
  await page.keyboard.type(command);
  await eventually(async () => expect((await written(page)).at(-1)).toBe(`${PROMPT} ${command}`));
}

/** Presses a key, and tells in milliseconds how long after it the prompt stood on the screen: both as the page has it. */
export async function untilPrompt(page: Page, key: string): Promise<number> {
  const measured = await page.evaluateHandle((prompt) => {
    const isThere = (): boolean => {
      const rows = [...document.querySelectorAll(".view:not([hidden]) .xterm-rows > div")].map((row) => (row.textContent ?? "").trimEnd());
      return rows.findLast((row) => row !== "") === prompt;
    };
    const time = new Promise<number>((resolve) => {
      const pressed = (event: KeyboardEvent): void => {
        if (["Control", "Shift", "Alt"].includes(event.key)) return;
        removeEventListener("keydown", pressed, { capture: true });
        const look = (): unknown => (isThere() ? resolve(performance.now() - event.timeStamp) : requestAnimationFrame(look));
        requestAnimationFrame(look);
      };
      addEventListener("keydown", pressed, { capture: true });
    });
    return { time };
  }, PROMPT);
  await page.keyboard.press(key);
  return measured.evaluate(({ time }) => time);
}

/** Types a line. */
export async function line(page: Page, text: string): Promise<void> {
  await page.keyboard.type(text);
  await page.keyboard.press("Enter");
}

/** All that can be scrolled to but the last row, by the means a person has: a click at its end, a click with Shift at its beginning, and Copy. */
export async function scrollback(page: Page, lines: number): Promise<string[]> {
  const box = (await page.locator(".view:not([hidden]) .xterm-screen").boundingBox())!;
  const shown = (await rows(page)).length;
  await page.mouse.click(box.x + 1, box.y + box.height * (1 - 0.5 / shown));
  for (let line = 0; line < lines; line += shown - 1) await page.keyboard.press("Shift+PageUp");
  for (let before = ["somewhere"], now = [""]; before[0] !== now[0]; ) {
    before = now;
    await page.keyboard.press("Shift+PageUp");
    await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
    now = await rows(page);
  }
  await page.keyboard.down("Shift");
  await page.mouse.click(box.x + 1, box.y + 1);
  await page.keyboard.up("Shift");
  await page.evaluate(() => navigator.clipboard.writeText(""));
  await page.keyboard.press("Control+Shift+C");
  let copied = "";
  await eventually(async () => expect((copied = await page.evaluate(() => navigator.clipboard.readText()))).not.toBe(""));
  return copied.split("\n").map((row) => row.trimEnd());
}
