/**
 * Pictures of the page in its states, for whoever changes how it looks: `npx vitest run --config test/shots.config.ts`.
 */

import { mkdirSync } from "node:fs";
import { test } from "vitest";
import { launch, troubles, type } from "./browser.js";
import { serve } from "./serve.js";

const FOLDER = process.env["SHOTS"] ?? "shots";
const SIZE = { width: 1180, height: 720 };

test("pictures", { timeout: 120_000 }, async () => {
  mkdirSync(FOLDER, { recursive: true });
  const served = await serve();
  const browser = await launch();
  for (const colorScheme of ["dark", "light"] as const) {
    const context = await browser.newContext({ viewport: SIZE, colorScheme, permissions: ["clipboard-read", "clipboard-write"] });
    const page = await context.newPage();
    const found = troubles(page);
    const shot = async (name: string): Promise<void> => {
      await page.waitForTimeout(350);
      await page.screenshot({ path: `${FOLDER}/${colorScheme}-${name}.png` });
    };
    await page.goto(served.url);
    await shot("ask");
    await page.goto(await served.link());
    await page.waitForSelector(".xterm");
    await page.waitForTimeout(300);
    for (const line of ["ls", "test", "colours", "unicode", "link"]) await type(page, line);
    await shot("terminal");
    await page.click("[aria-label='Settings']");
    await shot("menu");
    await page.keyboard.press("Escape");
    await page.click("[aria-label='Latency']");
    await shot("latency");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Control+Shift+F");
    await page.keyboard.type("test");
    await shot("search");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Control+Shift+Enter");
    await page.waitForTimeout(300);
    await type(page, "title cargo watch");
    await page.keyboard.press("Control+Shift+Enter");
    await page.waitForTimeout(300);
    await type(page, "lines 90");
    await type(page, "exit 2");
    await shot("ended");
    await page.keyboard.press("Control+Shift+ArrowUp");
    await shot("focus");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Control+Shift+L");
    await shot("sessions");
    await page.keyboard.press("Control+Shift+ArrowRight");
    await page.evaluate(() => navigator.clipboard.writeText("git add -A\ngit commit -m 'all of it'\ngit push --force\n"));
    await page.keyboard.press("Control+Shift+V");
    await shot("paste");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Control+Shift+X");
    await shot("close");
    await page.keyboard.press("Escape");
    await page.click("[aria-label='Settings']");
    await page.click("text=Keyboard shortcuts");
    await shot("keys");
    await page.keyboard.press("Escape");
    served.isDown = true;
    for (const connection of [...served.server.connections]) connection.drop();
    await page.keyboard.type("kept");
    await page.waitForTimeout(3000);
    await shot("reconnecting");
    served.isDown = false;
    await page.click("text=Try now").catch(() => {});
    await page.waitForTimeout(500);
    served.server.goodbye("unauthorized", { message: "the proof is wrong: use this run's link, and the address it names" });
    await shot("stopped");
    const viewer = await context.newPage();
    await viewer.setViewportSize({ width: 720, height: 420 });
    await viewer.goto(await served.link("viewer"));
    await viewer.waitForTimeout(500);
    await viewer.screenshot({ path: `${FOLDER}/${colorScheme}-viewer.png` });
    await viewer.click(".session").catch(() => {});
    await viewer.waitForTimeout(500);
    await viewer.screenshot({ path: `${FOLDER}/${colorScheme}-viewer-terminal.png` });
    console.log(found);
    await context.close();
    served.server.restart();
  }
  await browser.close();
  await served.close();
});
