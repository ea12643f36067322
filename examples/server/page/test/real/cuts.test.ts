/**
 * Nothing is lost and nothing doubled, however often the way to the server breaks.
 */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { launch, troubles } from "../browser.js";
import { CuttingProxy } from "./proxy.js";
import { type RealServer, startServer } from "./server.js";
import { drawWithElements, eventually, line, openShell, prompt, scrollback, typed } from "./terminal.js";
import { Traffic, md5 } from "./traffic.js";

const LINES = 400_000;
/** How many of them the terminal holds at least. */
const KEPT = 9_900;
const TYPED = 80;
const CUTS_LEAST = 20;
/** Fewer than of all cuts: a page that was slow to prove itself is sent packed output, whose frames are short. */
const CUTS_IN_FRAMES_LEAST = 3;

/** Prints and listens at once; ends when both are done, so that the prompt comes last. */
const BOTH = `
stty -echo
seq 1 ${LINES} &
while read -r line; do
  [ "$line" = end ] && break
  echo "$line"
done > typed
wait
stty echo
`;

let browser: Browser;
let proxy: CuttingProxy;
let server: RealServer;
let context: BrowserContext;
let page: Page;
let found: string[];

beforeAll(async () => {
  browser = await launch();
});

afterAll(() => browser.close());

beforeEach(async () => {
  proxy = await CuttingProxy.listen();
  server = await startServer("--host", proxy.authority);
  proxy.target = server.port;
  context = await browser.newContext({ viewport: { width: 1000, height: 600 }, permissions: ["clipboard-read", "clipboard-write"] });
  context.setDefaultTimeout(8000);
  await drawWithElements(context);
  await comeBackAtOnce(context);
  page = await context.newPage();
  found = troubles(page);
});

afterEach(async () => {
  await context.close();
  await proxy.close();
  await server.stop();
  expect(found).toEqual([]);
});

/** After each break the page hears that the network is back, and tries again at once: patience is tested elsewhere. */
async function comeBackAtOnce(context: BrowserContext): Promise<void> {
  await context.addInitScript(() => {
    window.WebSocket = class extends WebSocket {
      constructor(...args: ConstructorParameters<typeof WebSocket>) {
        super(...args);
        // A turn later the page knows of the break itself.
        this.addEventListener("close", () => setTimeout(() => dispatchEvent(new Event("online"))));
      }
    };
  });
}

/** Connections that end anywhere: in the handshake, in a frame of output, in one of input. The same ones in every run. */
function* budgets(): Generator<{ down: number; up: number }, never> {
  let seed = 7;
  const next = (from: number, to: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return from + ((seed >>> 8) % (to - from));
  };
  for (;;) yield { down: next(300, 160_000), up: next(900, 3000) };
}

const isCutEnough = (): boolean => proxy.cuts >= CUTS_LEAST && proxy.cutsInFrames >= CUTS_IN_FRAMES_LEAST;

const numbered = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, index) => String(from + index));

test("what is printed and what is typed come once and in order over a link that is cut again and again", { timeout: 90_000 }, async () => {
  const traffic = new Traffic(page);
  await openShell(page, server.link.replace(`127.0.0.1:${server.port}`, proxy.authority));
  await writeFile(join(server.home, "both"), BOTH);
  await typed(page, ". ./both");
  const each = budgets();
  proxy.budget = () => each.next().value;
  proxy.cutNow();
  const from = traffic.received;
  await page.keyboard.press("Enter");
  // What is typed before the shell has handed the terminal over would still get the shell's line ends.
  await eventually(() => expect(traffic.from(from).toString("latin1")).toContain("1\r\n2\r\n"));
  for (let number = 1; number <= TYPED || (!isCutEnough() && number <= 5 * TYPED); number += 1) await line(page, `line-${number}`);
  await line(page, "end");
  proxy.budget = undefined;
  await prompt(page);
  console.log(`${proxy.cuts} cuts, ${proxy.cutsInFrames} of them inside a frame, over ${traffic.connections} connections`);
  expect(proxy.cuts).toBeGreaterThanOrEqual(CUTS_LEAST);
  expect(proxy.cutsInFrames).toBeGreaterThanOrEqual(CUTS_IN_FRAMES_LEAST);

  const stored = (await readFile(join(server.home, "typed"), "utf8")).trimEnd().split("\n");
  expect(stored).toEqual(numbered(1, stored.length).map((number) => `line-${number}`));
  expect(stored.length).toBeGreaterThanOrEqual(TYPED);

  const all = numbered(1, LINES).map((number) => `${number}\r\n`).join("");
  const output = traffic.from(from).toString("latin1");
  const begin = output.indexOf("1\r\n2\r\n");
  expect(md5(output.slice(begin, begin + all.length))).toBe(md5(all));
  expect(traffic.faults).toEqual([]);

  const kept = (await scrollback(page, KEPT)).filter((row) => /^\d+$/u.test(row));
  expect(kept.length).toBeGreaterThan(KEPT);
  expect(kept).toEqual(numbered(LINES - kept.length + 1, LINES));
});
