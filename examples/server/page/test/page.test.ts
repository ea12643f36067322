/**
 * The page in a real browser, under its real headers, against the fake server.
 */

import { type Browser, type BrowserContext, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { FakeTerminal } from "../../../../bindings/typescript/test/kit/terminal.js";
import { launch, screen, troubles, type } from "./browser.js";
import { type Served, serve } from "./serve.js";

let browser: Browser;
let served: Served;
let context: BrowserContext;
let page: Page;
let found: string[];

beforeAll(async () => {
  browser = await launch();
});

afterAll(() => browser.close());

beforeEach(async () => {
  served = await serve();
  context = await browser.newContext({ viewport: { width: 1000, height: 600 }, permissions: ["clipboard-read", "clipboard-write"] });
  context.setDefaultTimeout(8000);
  page = await context.newPage();
  found = troubles(page);
});

afterEach(async () => {
  await context.close();
  await served.close();
  expect(found).toEqual([]);
});

async function open(role: "owner" | "writer" | "viewer" = "owner"): Promise<void> {
  await page.goto(await served.link(role));
  if (role === "owner") await ready();
  else await page.waitForSelector(".home:not([hidden]) h1");
}

/** Waits until the terminal in front has shown what there is. */
async function ready(): Promise<void> {
  await page.waitForSelector(".view:not([hidden]) .xterm");
  await eventually(() => {
    const lanes = [...served.server.connections].flatMap((connection) => [...connection.lanes.values()]);
    expect(lanes.length).toBeGreaterThan(0);
    for (const { acked, terminal } of lanes) expect([acked, acked]).toEqual([terminal.output.length, Math.max(1, acked)]);
  });
}

const terminals = (): FakeTerminal[] => [...served.server.sessions.values()];
const newest = (): FakeTerminal => terminals().at(-1)!;
const typed = (): string => Buffer.from(newest().typed).toString();
const eventually = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { timeout: 8000, interval: 20 });
const cut = (): void => {
  for (const connection of [...served.server.connections]) connection.drop();
};

/** What the terminal in front tells a screen reader. */
function shown(): Promise<string> {
  return page.evaluate(() => document.querySelector(".view:not([hidden]) .xterm-accessibility-tree")?.textContent ?? "");
}

async function copied(): Promise<string> {
  return page.evaluate(() => navigator.clipboard.readText());
}

describe("the way in", () => {
  test("the token leaves the address bar and is kept for this tab only", async () => {
    await open();
    expect(page.url()).toBe(served.url);
    expect(await page.evaluate(() => [sessionStorage.getItem("orchflow.pass")?.slice(0, 6), localStorage.getItem("orchflow.pass"), document.cookie])).toEqual(["owner.", null, ""]);
    await page.reload();
    await page.waitForSelector(".view:not([hidden]) .xterm");
    expect(terminals().length).toBe(1);
  });

  test("without one the page asks, and takes a whole link", async () => {
    await page.goto(served.url);
    await page.fill("input[name=pass]", await served.link());
    await page.keyboard.press("Enter");
    await page.waitForSelector(".view:not([hidden]) .xterm");
  });

  test("a wrong one is refused with the reason, and forgotten", async () => {
    await page.goto(`${served.url}#owner.${"A".repeat(43)}`);
    await page.waitForSelector("text=This link is not valid any more");
    expect(await page.evaluate(() => sessionStorage.getItem("orchflow.pass"))).toBeNull();
    expect(terminals()).toEqual([]);
  });
});

describe("terminals", () => {
  test("echo, and take keys as they are typed", async () => {
    await open();
    await type(page, "size");
    await eventually(() => expect(typed()).toBe("size\r"));
    await page.keyboard.press("Control+c");
    await eventually(() => expect(typed()).toBe("size\r\u0003"));
  });

  test("fill the window, and follow it", async () => {
    await open();
    await eventually(() => expect(newest().size.cols).toBeGreaterThan(100));
    const { cols, rows } = newest().size;
    await page.setViewportSize({ width: 500, height: 300 });
    await eventually(() => {
      expect(newest().size.cols).toBeLessThan(cols);
      expect(newest().size.rows).toBeLessThan(rows);
    });
    const before = newest().size.cols;
    for (let press = 0; press < 3; press += 1) await page.keyboard.press("Control+=");
    await eventually(() => expect(newest().size.cols).toBeLessThan(before));
    await page.keyboard.press("Control+0");
  });

  test("show their last row whole, however high the window is", async () => {
    await open();
    // From high to low: until the terminal has followed, its last row is out of sight.
    for (let height = 600; height > 576; height -= 3) {
      await page.setViewportSize({ width: 500, height });
      await eventually(async () => {
        const { y, height: high } = (await page.locator(".view:not([hidden]) .xterm-screen").boundingBox())!;
        expect(y + high).toBeLessThanOrEqual(height);
        expect(y + high).toBeGreaterThan(height - 30);
      });
    }
  });

  test("tell how they ended, and start again", async () => {
    await open();
    await type(page, "exit 3");
    await page.waitForSelector("text=Ended with code 3");
    await page.click("text=Start again");
    await eventually(() => expect(terminals().length).toBe(2));
    await type(page, "crash");
    await page.waitForSelector("text=Ended: crashed (signal 11)");
    await page.click(".end >> text=Close tab");
    await page.waitForSelector(".home h1");
  });

  test("carry the program's title, without what would make it lie", async () => {
    await open();
    await type(page, "title build \u202e of \u2066x");
    await eventually(async () => expect(await page.textContent(".tab .label")).toBe("build  of x"));
    expect(await page.title()).toBe("build of x — OrchFlow");
  });

  test("survive a flood, and acknowledge all of it", async () => {
    await open();
    await type(page, "lines 40000");
    await eventually(() => {
      const [lane] = [...[...served.server.connections][0]!.lanes.values()];
      expect(lane!.acked).toBe(newest().output.length);
    });
  });
});

describe("promise 9: terminal output cannot script the page, read the clipboard or type into the shell through replies", () => {
  test("markup is shown as text, whoever writes it", async () => {
    await open();
    await type(page, "html");
    await eventually(async () => expect(await page.textContent(".tab .label")).toBe("<script>alert(2)</script>"));
    expect(await page.evaluate(() => document.querySelectorAll("img, b, .tab script").length)).toBe(0);
  });

  test("queries are answered once, and as replies", async () => {
    await open();
    await type(page, "ask");
    await eventually(() => expect(newest().replied).toMatch(/^\u001b\[\?1;2c\u001b\[\d+;\d+R$/u));
    await page.reload();
    await page.waitForSelector(".view:not([hidden]) .xterm");
    await type(page, "ls");
    await eventually(() => expect(typed()).toBe("ask\rls\r"));
    expect(newest().replied.match(/c/gu)?.length).toBe(1);
  });

  test("the clipboard is written by programs, and never read", async () => {
    await open();
    await type(page, "copy from a program");
    await eventually(async () => expect(await copied()).toBe("from a program"));
    await type(page, "steal");
    await page.waitForTimeout(200);
    expect(newest().replied).toBe("");
  });
});

describe("tabs", () => {
  test("open, switch and close by keyboard alone", async () => {
    await open();
    await page.keyboard.press("Control+Shift+Enter");
    await eventually(() => expect(terminals().length).toBe(2));
    await page.waitForSelector(".tab:nth-child(2)[aria-selected=true]");
    await type(page, "title second");
    await eventually(async () => expect(await page.textContent(".tab[aria-selected=true] .label")).toBe("second"));
    await page.keyboard.press("Control+Shift+ArrowLeft");
    await page.waitForSelector(".tab:nth-child(1)[aria-selected=true]");
    await page.keyboard.press("Alt+2");
    await page.waitForSelector(".tab:nth-child(2)[aria-selected=true]");
    await page.keyboard.press("Control+Shift+ArrowUp");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".tab:nth-child(1)[aria-selected=true]");
    await page.keyboard.press("Control+Shift+X");
    await page.waitForSelector("text=A program is still running");
    await page.keyboard.press("Enter");
    await eventually(async () => expect(await page.locator(".tab").count()).toBe(1));
    expect(terminals().map((terminal) => terminal.status)).toEqual([undefined, undefined]);
  });

  test("a session that was left is found in the list", async () => {
    await open();
    await page.keyboard.press("Control+Shift+X");
    await page.click("text=Keep it running");
    await page.click(".session");
    await page.waitForSelector(".view:not([hidden]) .xterm");
    await type(page, "ls");
    await eventually(() => expect(typed()).toBe("ls\r"));
  });

  test("come back after a reload, the same one in front", async () => {
    await open();
    await page.keyboard.press("Control+Shift+Enter");
    await page.waitForSelector(".tab:nth-child(2)");
    await page.keyboard.press("Control+Shift+Enter");
    await page.waitForSelector(".tab:nth-child(3)");
    await page.keyboard.press("Alt+2");
    await eventually(async () => expect(await page.evaluate(() => JSON.parse(sessionStorage.getItem("orchflow.tabs")!))).toEqual({ sessions: [1, 2, 3], active: 2 }));
    await page.reload();
    await page.waitForSelector(".tab:nth-child(2)[aria-selected=true]");
    await eventually(async () => expect(await page.locator(".tab").count()).toBe(3));
    expect(terminals().length).toBe(3);
  });
});

describe("promise 8: pasted text cannot run by itself", () => {
  test("several lines are pasted only after asking, and cleaned", async () => {
    await open();
    await page.evaluate(() => navigator.clipboard.writeText("one\u001b[201~\ntwo\u009b"));
    await page.keyboard.press("Control+Shift+V");
    await page.waitForSelector("text=Paste 2 lines?");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Control+Shift+V");
    await page.click(".dialog >> text=Paste >> nth=-1");
    await eventually(() => expect(typed()).toBe("one[201~\rtwo"));
  });

  test("it is pasted at once where the program brackets it, cleaned of what would end the bracket", async () => {
    await open();
    await type(page, "bracket on");
    await eventually(() => expect(Buffer.from(newest().output).toString()).toContain("\u001b[?2004h"));
    await ready();
    await page.evaluate(() => navigator.clipboard.writeText("a\u001b[201~\nb"));
    await page.keyboard.press("Control+Shift+V");
    await eventually(() => expect(typed()).toContain("\u001b[200~a[201~\rb\u001b[201~"));
    expect(await page.locator("dialog").count()).toBe(0);
  });

  test("a line with its end is asked for as well, and without it nothing runs", async () => {
    await open();
    await page.evaluate(() => navigator.clipboard.writeText("exit 3\n"));
    await page.keyboard.press("Control+Shift+V");
    await page.waitForSelector(".dialog");
    expect(typed()).toBe("");
    await page.keyboard.press("Escape");
    await page.evaluate(() => navigator.clipboard.writeText("exit 3"));
    await page.keyboard.press("Control+Shift+V");
    await eventually(() => expect(typed()).toBe("exit 3"));
    expect(newest().status).toBeUndefined();
  });
});

describe("the clipboard", () => {
  test("copies what is selected", async () => {
    await open();
    await type(page, "size");
    await page.waitForTimeout(200);
    const box = (await page.locator(".xterm-screen").boundingBox())!;
    await page.mouse.dblclick(box.x + 12, box.y + 26);
    await page.keyboard.press("Control+Shift+C");
    await eventually(async () => expect(await copied()).toMatch(/^\d+x\d+$/u));
    expect(typed()).toBe("size\r");
  });
});

describe("links", () => {
  test("lead nowhere before one has seen where", async () => {
    await open();
    await type(page, "link");
    await eventually(() => expect(Buffer.from(newest().output).toString()).toContain("that"));
    await ready();
    const box = (await page.locator(".xterm-screen").boundingBox())!;
    const [width, height] = [box.width / newest().size.cols, box.height / newest().size.rows];
    const click = async (column: number): Promise<void> => {
      await page.mouse.move(box.x + width * column, box.y + height * 1.5);
      await page.waitForTimeout(150);
      await page.mouse.click(box.x + width * column, box.y + height * 1.5);
    };
    await click(10);
    await page.waitForSelector("text=Open this link?");
    expect(await page.textContent(".target")).toBe("https://example.org/docs?page=1");
    await page.click(".dialog >> text=Cancel");
    await click(41);
    await page.waitForSelector(".dialog");
    expect(await page.textContent(".target")).toBe("https://example.net/hidden");
    await page.click(".dialog >> text=Cancel");
    await click(49);
    await page.waitForSelector("text=Only links to web pages");
    expect(await page.locator("dialog").count()).toBe(0);
    expect(context.pages().length).toBe(1);
  });
});

describe("a broken link", () => {
  test("is told, keeps what is typed, and is mended without loss", async () => {
    await open();
    await type(page, "ls");
    await eventually(() => expect(typed()).toBe("ls\r"));
    served.isDown = true;
    cut();
    await page.keyboard.type("si");
    await page.waitForSelector("text=Nothing is lost");
    await page.keyboard.type("ze");
    newest().write("meanwhile\r\n");
    served.isDown = false;
    await page.evaluate(() => window.dispatchEvent(new Event("online")));
    await eventually(() => expect(typed()).toBe("ls\rsize"));
    await page.waitForSelector(".banner", { state: "hidden" });
  });

  test("is tried again when one says so", async () => {
    await open();
    served.isDown = true;
    cut();
    await page.waitForSelector(".banner");
    await page.waitForTimeout(2500);
    served.isDown = false;
    await page.click("text=Try now").catch(() => {});
    await page.waitForSelector(".banner", { state: "hidden" });
    await type(page, "ls"); // The button took the focus, and gave it back.
    await eventually(() => expect(typed()).toBe("ls\r"));
  });

  test("is told in words where the browser has no network, and mended as soon as it has", async () => {
    await open();
    served.isDown = true;
    await page.evaluate(() => window.dispatchEvent(new Event("offline")));
    cut();
    await page.waitForSelector("text=This device is offline");
    served.isDown = false;
    await page.evaluate(() => window.dispatchEvent(new Event("online")));
    await page.waitForSelector(".banner", { state: "hidden", timeout: 5_000 }); // The next try was half a minute away.
    await type(page, "ls");
    await eventually(() => expect(typed()).toBe("ls\r"));
  });

  test("to a server that was started anew ends the tab, and says why", async () => {
    await open();
    served.server.restart();
    await page.waitForSelector("text=the server was started anew");
  });

  test("that ends for good says so, and leaves what was there to read", async () => {
    await open();
    served.server.goodbye("replaced", { message: "this client has come back on another connection" });
    await page.waitForSelector("text=Continued in another window");
    expect(await page.locator(".tab").count()).toBe(1);
    await page.click("text=Connect again");
    await page.click(".tab");
    await type(page, "ls");
    await eventually(() => expect(typed()).toBe("ls\r"));
  });
});

describe("others", () => {
  test("may watch and do nothing else", async () => {
    await open();
    const other = await context.newPage();
    await other.goto(await served.link("viewer"));
    await other.waitForSelector(".view:not([hidden]) .xterm");
    await other.waitForSelector("text=Read-only");
    await other.keyboard.type("rm -rf");
    await page.bringToFront();
    await type(page, "ls");
    await eventually(() => expect(typed()).toBe("ls\r"));
    await page.waitForSelector("text=2 watching");
    expect(await other.locator("[aria-label='New terminal']").isVisible()).toBe(false);
  });
});

describe("looks", () => {
  test("follow the system, or the user, and stay", async () => {
    await page.emulateMedia({ colorScheme: "light" });
    await open();
    const theme = (): Promise<string | undefined> => page.evaluate(() => document.documentElement.dataset["theme"]);
    expect(await theme()).toBe("light");
    await page.emulateMedia({ colorScheme: "dark" });
    await eventually(async () => expect(await theme()).toBe("dark"));
    await page.click("[aria-label='Settings']");
    await page.click(".segments >> text=Light");
    expect(await theme()).toBe("light");
    await page.reload();
    await eventually(async () => expect(await theme()).toBe("light"));
  });

  test("speak to screen readers when asked to", async () => {
    await open();
    await page.click("[aria-label='Settings']");
    await page.click("text=Screen reader support");
    await page.keyboard.press("Escape");
    await type(page, "ls"); // Not a key is lost on the way back.
    await eventually(() => expect(typed()).toBe("ls\r"));
    await eventually(async () => expect(await shown()).toContain("ARCHITECTURE.md"));
  });

  test("search finds, counts and lets go", async () => {
    await open();
    await type(page, "lines 300");
    await eventually(() => expect(newest().output.length).toBeGreaterThan(5000));
    await ready();
    await page.keyboard.press("Control+Shift+F");
    await page.keyboard.type("line 12");
    await eventually(async () => expect(await page.textContent(".search .count")).toMatch(/\/11$/u));
    await page.keyboard.type("zzz");
    await eventually(async () => expect(await page.textContent(".search .count")).toBe("none"));
    await page.keyboard.press("Escape");
    await type(page, "ls");
    await eventually(() => expect(typed()).toContain("ls\r"));
  });

  test("every button can be reached and has a name", async () => {
    await open();
    const nameless = await page.evaluate(() => [...document.querySelectorAll("button, input")].filter((element) => {
      const label = element.getAttribute("aria-label") ?? element.textContent ?? "";
      return label.trim() === "" && element.closest("label") === null && element.closest("[hidden]") === null;
    }).map((element) => element.outerHTML));
    expect(nameless).toEqual([]);
  });

  test("without WebGL it draws with elements", async () => {
    await page.addInitScript(() => {
      const { getContext } = HTMLCanvasElement.prototype;
      HTMLCanvasElement.prototype.getContext = function (this: HTMLCanvasElement, kind: string, ...rest: unknown[]) {
        return kind === "webgl2" ? null : (getContext as (...all: unknown[]) => unknown).call(this, kind, ...rest);
      } as typeof getContext;
    });
    await open();
    await type(page, "ls");
    await eventually(async () => expect(await screen(page)).toContain("ARCHITECTURE.md"));
  });

  test("latency is measured hop by hop", async () => {
    await open();
    await type(page, "ls");
    await page.waitForSelector(".latency:not([hidden])");
    expect(await page.textContent(".latency button")).toMatch(/^\d/u);
    await page.click(".latency button");
    expect(await page.textContent(".hops")).toContain("Network");
  });
});

test("nothing but the page's own files is ever loaded", async () => {
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  await open();
  await type(page, "unicode");
  await page.waitForTimeout(300);
  expect(asked.filter((url) => !url.startsWith(served.url) && !url.startsWith("ws://127.0.0.1:"))).toEqual([]);
});
