/**
 * Pictures of the page before the real server, for whoever changes how it looks: `npx vitest run --config test/shots.config.ts real`.
 */

import { mkdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Page } from "playwright-core";
import { expect, test } from "vitest";
import { launch } from "../browser.js";
import { CuttingProxy } from "./proxy.js";
import { PROMPT, startServer } from "./server.js";
import { drawWithElements, eventually, line, openShell, prompt, rows, run, written } from "./terminal.js";

const FOLDER = process.env["SHOTS"] ?? "shots";
const SIZE = { width: 1180, height: 720 };
const SMALLER = { width: 900, height: 533 };
const SOURCE = Array.from({ length: 60 }, (_, index) => `fn number_${index}() -> u32 {\n    // The answer, and ${index} more.\n    42 + ${index}\n}\n`).join("\n");

/** Two frames later, what was written is painted. */
const painted = (page: Page): Promise<unknown> => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

test.for(["dark", "light"] as const)("pictures, %s", { timeout: 120_000 }, async (colorScheme) => {
  mkdirSync(FOLDER, { recursive: true });
  const proxy = await CuttingProxy.listen();
  const server = await startServer("--host", proxy.authority);
  proxy.target = server.port;
  const browser = await launch();
  try {
    const context = await browser.newContext({ viewport: SIZE, colorScheme, permissions: ["clipboard-read", "clipboard-write"] });
    await drawWithElements(context);
    const page = await context.newPage();
    const shot = async (name: string): Promise<void> => {
      await painted(page);
      await page.screenshot({ path: `${FOLDER}/real-${colorScheme}-${name}.png` });
    };
    await writeFile(join(server.home, "numbers.rs"), SOURCE);
    await openShell(page, server.link.replace(`127.0.0.1:${server.port}`, proxy.authority));
    await run(page, "ls --color=always -la /; printf '\\e]0;a shell\\a'");
    await shot("bash");
    await line(page, "vim --clean -c 'set laststatus=2 number' -c 'syntax on' numbers.rs");
    await eventually(async () => expect((await rows(page)).at(-2)).toContain("numbers.rs"));
    await page.keyboard.type("Onew line");
    await shot("vim");
    await page.setViewportSize(SMALLER);
    const before = (await rows(page)).length;
    await eventually(async () => {
      const screen = await rows(page);
      expect(screen.length).toBeLessThan(before);
      expect(screen.at(-2)).toContain("numbers.rs");
    });
    await shot("vim-smaller");
    await page.setViewportSize(SIZE);
    await page.keyboard.press("Escape");
    await line(page, ":q!");
    await prompt(page);
    await line(page, "htop");
    await eventually(async () => expect((await rows(page)).join("\n")).toMatch(/PID\s+USER/u));
    await shot("htop");
    await page.keyboard.press("F10");
    await prompt(page);
    await line(page, "tmux -f /dev/null -L shots new -s work");
    await eventually(async () => expect((await rows(page)).at(-1)).toContain("[work]"));
    for (const key of ['"', "%"]) {
      await page.keyboard.press("Control+b");
      await page.keyboard.type(key);
    }
    await line(page, "seq 1 9");
    await eventually(async () => expect((await rows(page)).filter((row) => /│\s*9$/u.test(row)).length).toBe(1));
    await shot("tmux");
    await line(page, "tmux -L shots kill-server");
    await eventually(async () => expect((await written(page)).slice(-2)).toEqual(["[server exited]", PROMPT]));
    await run(page, "seq 1 500");
    await shot("scrolled");
    await page.keyboard.press("Shift+PageUp");
    await shot("scrolled-up");
    await page.click(".latency button");
    await shot("latency");
    await page.keyboard.press("Escape");
    proxy.budget = () => ({ down: 1, up: 1 });
    proxy.cutNow();
    await page.waitForSelector("text=Nothing is lost");
    await page.keyboard.type("echo kept while away");
    await eventually(async () => expect(await page.textContent(".banner")).toContain("to send"));
    await shot("reconnecting");
    proxy.budget = undefined;
    await page.click("text=Try now").catch(() => {});
    await page.waitForSelector(".banner", { state: "hidden" });
    await line(page, "; exit 3");
    await page.waitForSelector("text=Ended with code 3");
    await shot("ended");
  } finally {
    await browser.close();
    await proxy.close();
    await server.stop();
  }
});
