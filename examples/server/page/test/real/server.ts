/**
 * The real server, as a child with a home of its own. Both go with the test, and so does whatever was started in it.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** What the shell in the server's terminals says when it waits. */
export const PROMPT = "ready $";

/** No echo of the prompt's own definition, no colours, no history: what stands on the screen is what a test asked for. */
const BASHRC = `PS1='${PROMPT} '; PS2='> '; HISTFILE=; unset PROMPT_COMMAND\n`;

/** Where a build leaves it, for those who run these tests by hand. */
const BUILT = fileURLToPath(new URL("../../../../../target/release/orchflow-server", import.meta.url));

/** Nothing here takes a tenth of it, even on a machine that is busy with something else. */
const PATIENCE_MS = 20_000;

export interface RealServer {
  port: number;
  /** `owner.` and the rest: what stands in the link behind `#token=`. */
  pass: string;
  /** The page's address with the pass, as printed. */
  link: string;
  /** The home of the shells, empty at first but for their settings. */
  home: string;
  stop(): Promise<void>;
}

/** Starts it on a free port with these further flags, and waits for its link. */
export async function startServer(...flags: string[]): Promise<RealServer> {
  const program = process.env["ORCHFLOW_SERVER"] ?? BUILT;
  if (!existsSync(program)) throw new Error(`${program} is not there: cargo build --release --package orchflow-server, or name it in ORCHFLOW_SERVER`);
  const home = await mkdtemp(join(tmpdir(), "orchflow-page-"));
  for (const name of [".bashrc", ".bash_profile"]) await writeFile(join(home, name), BASHRC); // The latter for shells inside tmux.
  const env = { PATH: process.env["PATH"], HOME: home, XDG_RUNTIME_DIR: home, TMUX_TMPDIR: home, SHELL: "/bin/bash", LANG: "C.UTF-8" };
  const child = spawn(program, ["--port", "0", ...flags], { cwd: home, env, stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(child, "exit");
  const log: string[] = [];
  createInterface(child.stderr).on("line", (line) => log.push(line));
  const stop = async (): Promise<void> => {
    await stopChild(child, ended);
    await endLeftovers(home);
    await rm(home, { recursive: true, force: true });
  };
  try {
    const link = await within(firstLine(child), () => `the server printed no link: ${log.join("\n")}`);
    const [, port, pass] = /^http:\/\/127\.0\.0\.1:(\d+)\/#token=(.+)$/u.exec(link) ?? [];
    if (port === undefined || pass === undefined) throw new Error(`this is no link: ${link}\n${log.join("\n")}`);
    return { port: Number(port), pass, link, home, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function firstLine(child: ChildProcess): Promise<string> {
  const lines = createInterface(child.stdout!);
  const [line] = (await Promise.race([once(lines, "line"), once(lines, "close")])) as [string?];
  return line ?? "";
}

/** As a person would, by a signal; by force where that does not help. */
async function stopChild(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
  await within(ended, () => "the server did not end when told to").catch(async (error: unknown) => {
    child.kill("SIGKILL");
    await ended;
    throw error;
  });
}

/** Programs that left their terminal, as tmux does, are known by their home. */
async function endLeftovers(home: string): Promise<void> {
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/u.test(name))) {
    const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
    if (!environment.split("\0").includes(`HOME=${home}`)) continue;
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch {
      // It ended by itself meanwhile.
    }
  }
}

/** The result, or after too long an error that says what is missing. */
async function within<T>(result: Promise<T>, missing: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(missing())), PATIENCE_MS);
  });
  return Promise.race([result, late]).finally(() => clearTimeout(timer));
}
