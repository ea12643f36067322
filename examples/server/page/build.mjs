/**
 * Builds the page into dist/: one script, one style sheet, one document, nothing from elsewhere.
 *
 * xterm.js and its addons are bundled from their sources, which they ship: built apart, each addon would bring a second copy
 * of what it shares with the terminal. `--check` builds aside and fails where what is committed differs; in any case it fails where the page is too large.
 */

import { analyzeMetafile, build } from "esbuild";
import { readFile, readdir, mkdir, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { fileURLToPath } from "node:url";

/** All of it, compressed, in bytes. */
const GZIP_MAX = 140 * 1000;

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const fflate = (path) => here(`../../../bindings/typescript/node_modules/fflate/${path}`);
const xterm = (path) => here(`node_modules/@xterm/${path}`);

const result = await build({
  entryPoints: { app: here("src/main.ts"), style: here("src/style.css") },
  outdir: here("dist"),
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2023", "chrome115", "firefox115", "safari17"],
  charset: "utf8",
  // The chatter of xterm.js; errors of ours are thrown, and seen all the same.
  drop: ["console"],
  legalComments: "none",
  write: false,
  metafile: true,
  absWorkingDir: here("."),
  alias: {
    "@orchflow/client/xterm": here("../../../bindings/typescript/src/xterm.ts"),
    "@orchflow/client": here("../../../bindings/typescript/src/index.ts"),
    "@xterm/xterm/css": xterm("xterm/css/xterm.css"),
    "@xterm/xterm": xterm("xterm/src/browser/public/Terminal.ts"),
    "@xterm/addon-fit": xterm("addon-fit/src/FitAddon.ts"),
    "@xterm/addon-search": xterm("addon-search/src/SearchAddon.ts"),
    "@xterm/addon-unicode-graphemes": xterm("addon-unicode-graphemes/src/UnicodeGraphemesAddon.ts"),
    "@xterm/addon-web-links": xterm("addon-web-links/src/WebLinksAddon.ts"),
    "@xterm/addon-webgl": xterm("addon-webgl/src/WebglAddon.ts"),
    fflate: fflate("esm/browser.js"),
    "browser/decorations/OverviewRulerRenderer": here("src/no-ruler.ts"),
    "common/input/UnicodeV6": here("src/no-old-widths.ts"),
    "vs/base/browser/keyboardEvent": here("src/no-key-events.ts"),
    "vs/base/common/hash": here("src/short-hash.ts"),
    browser: xterm("xterm/src/browser"),
    common: xterm("xterm/src/common"),
    vs: xterm("xterm/src/vs"),
  },
  plugins: [{ name: "one inflate", setup: ({ onResolve }) => onResolve({ filter: /\/tiny-inflate$/ }, () => ({ path: here("src/one-inflate.ts") })) }],
  // The sources of xterm.js mark what is private by an underscore, and were written for these two.
  mangleProps: /^_[a-zA-Z]/,
  tsconfigRaw: { compilerOptions: { experimentalDecorators: true, useDefineForClassFields: false } },
});

const files = new Map(result.outputFiles.map((file) => [file.path.slice(here("dist/").length), Buffer.from(file.contents)]));
files.set("index.html", await readFile(here("src/index.html")));
files.set("LICENSES.txt", await licences());

const sizes = [...files].filter(([name]) => name !== "LICENSES.txt").map(([name, bytes]) => [name, gzipSync(bytes, { level: 9 }).length]);
const total = sizes.reduce((sum, [, size]) => sum + size, 0);
console.log(`${sizes.map(([name, size]) => `${name} ${size}`).join(", ")}: ${total} of ${GZIP_MAX} bytes compressed`);

if (process.argv.includes("--analyze")) console.log(await analyzeMetafile(result.metafile));
if (process.argv.includes("--check")) await check();
else await write();
if (total > GZIP_MAX) {
  console.error(`the page is ${total - GZIP_MAX} bytes too large: node build.mjs --analyze tells of what`);
  process.exitCode = 1;
}

async function write() {
  await mkdir(here("dist"), { recursive: true });
  for (const [name, bytes] of files) await writeFile(here(`dist/${name}`), bytes);
}

async function check() {
  const committed = await readdir(here("dist")).catch(() => []);
  const stale = [];
  for (const [name, bytes] of files) {
    const there = await readFile(here(`dist/${name}`)).catch(() => undefined);
    if (there === undefined || !there.equals(bytes)) stale.push(name);
  }
  stale.push(...committed.filter((name) => !files.has(name)));
  if (stale.length === 0) return;
  console.error(`dist/ is not what the sources make: ${stale.join(", ")}. Run: npm run build`);
  process.exitCode = 1;
}

/** What the bundle is made of besides ours, and under which terms. */
async function licences() {
  const parts = [];
  for (const name of (await readdir(xterm("."))).sort()) {
    const { version } = JSON.parse(await readFile(xterm(`${name}/package.json`), "utf8"));
    if (name === "addon-unicode11") continue;
    parts.push(`@xterm/${name} ${version}\n\n${(await readFile(xterm(`${name}/LICENSE`), "utf8")).trim()}\n`);
  }
  const { version } = JSON.parse(await readFile(fflate("package.json"), "utf8"));
  parts.push(`fflate ${version}\n\n${(await readFile(fflate("LICENSE"), "utf8")).trim()}\n`);
  return Buffer.from(parts.join(`\n${"-".repeat(80)}\n\n`));
}
