/**
 * A browser for the tests: the one that is installed, started once.
 */

import { existsSync } from "node:fs";
import { type Browser, type Page, chromium } from "playwright-core";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const FLAGS = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";

export async function launch(): Promise<Browser> {
  const executablePath = process.env["CHROMIUM"] ?? PLACES.find((place) => existsSync(place));
  if (executablePath === undefined) throw new Error("Chromium is not installed: apt-get install chromium, or name it in CHROMIUM");
  return chromium.launch({ executablePath, args: FLAGS.split(" ") });
}

/** Errors and refusals that a page has reported. */
export function troubles(page: Page): string[] {
  const found: string[] = [];
  page.on("pageerror", (error) => found.push(String(error)));
  page.on("console", (message) => {
    const text = message.text();
    const isOurs = message.type() === "error" && !/WebSocket connection|favicon|Failed to load resource/u.test(text);
    if (isOurs) found.push(text);
  });
  return found;
}

/** What the terminal in front shows. */
export function screen(page: Page): Promise<string> {
  return page.evaluate(() => [...document.querySelectorAll(".view:not([hidden]) .xterm-rows > div")].map((row) => row.textContent?.trimEnd()).join("\n").trimEnd());
}

/** Types a line into the terminal in front. */
export async function type(page: Page, text: string): Promise<void> {
  await page.keyboard.type(text);
  await page.keyboard.press("Enter");
}
