/**
 * A shell that knows a few words: enough to show and to test everything the page does.
 */

import type { FakeTerminal, Program } from "../../../../bindings/typescript/test/kit/terminal.js";

const PROMPT = "\u001b[1;32mmara@atlas\u001b[0m \u001b[1;34m~/src/orchflow\u001b[0m $ ";

const LISTING = [
  "\u001b[1;34mcore\u001b[0m        \u001b[1;34mexamples\u001b[0m   ARCHITECTURE.md  Cargo.toml   rustfmt.toml",
  "\u001b[1;34mbenches\u001b[0m     \u001b[1;34mbindings\u001b[0m   CHANGELOG.md     deny.toml    LICENSE-MIT",
  "\u001b[1;34mdocs\u001b[0m        \u001b[1;34mxtask\u001b[0m      CONTRIBUTING.md  \u001b[32mbuild.sh\u001b[0m     README.md",
].join("\r\n");

const TESTS = [
  "\u001b[1;32m   Compiling\u001b[0m orchflow-core v0.1.0",
  "\u001b[1;33mwarning\u001b[0m: unused variable: `frame`",
  "   \u001b[1;34m-->\u001b[0m core/src/ring/reader.rs:118:9",
  "\u001b[1;32m    Finished\u001b[0m test profile in 12.41s",
  "\u001b[1;32m     Running\u001b[0m unittests src/lib.rs",
  "",
  "running 5 tests",
  "test ring::a_reader_that_fell_behind_is_told_the_gap ... \u001b[32mok\u001b[0m",
  "test ring::bytes_below_the_end_never_change ... \u001b[32mok\u001b[0m",
  "test session::exit_comes_after_the_last_byte ... \u001b[32mok\u001b[0m",
  "test flow::a_slow_viewer_stalls_nobody ... \u001b[32mok\u001b[0m",
  "test hub::idle_costs_no_wake_ups ... \u001b[31mFAILED\u001b[0m",
  "",
  "\u001b[2mfailures:\u001b[0m hub::idle_costs_no_wake_ups: expected 0, found \u001b[1;31m1\u001b[0m",
].join("\r\n");

const COLOURS = [0, 1]
  .map((bright) => Array.from({ length: 8 }, (_, colour) => `\u001b[${bright ? 100 + colour : 40 + colour}m   \u001b[0m\u001b[${bright ? 90 + colour : 30 + colour}m colour ${colour + 8 * bright}`.padEnd(30)).join("\u001b[0m "))
  .join("\u001b[0m\r\n");

/** What each word does. */
const WORDS: Record<string, (terminal: FakeTerminal, rest: string) => void> = {
  ls: (terminal) => terminal.write(`${LISTING}\r\n`),
  test: (terminal) => terminal.write(`${TESTS}\r\n`),
  colours: (terminal) => terminal.write(`${COLOURS}\u001b[0m\r\n`),
  unicode: (terminal) => terminal.write("日本語 中文 한국어  👩‍👩‍👧 🏳️‍🌈 é ñ Ελληνικά кириллица\r\n"),
  exit: (terminal, rest) => terminal.exit({ code: Number(rest) || 0 }),
  crash: (terminal) => terminal.exit({ signal: 11 }),
  title: (terminal, rest) => terminal.write(`\u001b]0;${rest}\u0007`),
  link: (terminal) => terminal.write("see https://example.org/docs?page=1 or \u001b]8;;https://example.net/hidden\u0007this\u001b]8;;\u0007 or \u001b]8;;javascript:alert(1)\u0007that\u001b]8;;\u0007\r\n"),
  copy: (terminal, rest) => terminal.write(`\u001b]52;c;${Buffer.from(rest).toString("base64")}\u0007`),
  steal: (terminal) => terminal.write("\u001b]52;c;?\u0007\u001b[21t\u001b]0;x\u0007"),
  ask: (terminal) => terminal.write("\u001b[c\u001b[6n"),
  bracket: (terminal, rest) => terminal.write(rest === "off" ? "\u001b[?2004l" : "\u001b[?2004h"),
  lines: (terminal, rest) => terminal.write(Array.from({ length: Number(rest) || 200 }, (_, line) => `line ${line + 1} of many\r\n`).join("")),
  html: (terminal) => terminal.write("<img src=x onerror=alert(1)><b>bold</b>\u001b]0;<script>alert(2)</script>\u0007\r\n"),
  size: (terminal) => terminal.write(`${terminal.size.cols}x${terminal.size.rows}\r\n`),
  clear: (terminal) => terminal.write("\u001b[2J\u001b[H"),
};

export function shell(): Program {
  let line = "";
  const decoder = new TextDecoder();
  return {
    start: (terminal) => terminal.write(`\u001b]0;~/src/orchflow\u0007${PROMPT}`),
    input(terminal, bytes) {
      for (const character of decoder.decode(bytes, { stream: true })) {
        if (character === "\r") {
          terminal.write("\r\n");
          const [word = "", ...rest] = line.trim().split(" ");
          line = "";
          if (word !== "") (WORDS[word] ?? ((it) => it.write(`${word}: command not found\r\n`)))(terminal, rest.join(" "));
          if (terminal.status === undefined) terminal.write(PROMPT);
        } else if (character === "\u0003") {
          line = "";
          terminal.write(`^C\r\n${PROMPT}`);
        } else if (character === "\u007f") {
          if (line !== "") terminal.write("\b \b");
          line = line.slice(0, -1);
        } else if (character >= " ") {
          line += character;
          terminal.write(character);
        }
      }
    },
  };
}
