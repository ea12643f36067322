import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const client = (path: string): string => fileURLToPath(new URL(`../../../bindings/typescript/src/${path}`, import.meta.url));

/** The client as it is in the tree, not as it is published. */
export const alias = [
  { find: "@orchflow/client/xterm", replacement: client("xterm.ts") },
  { find: "@orchflow/client", replacement: client("index.ts") },
];

export default defineConfig({ resolve: { alias }, test: { include: ["test/**/*.test.ts"], pool: "threads", maxWorkers: 1, fileParallelism: false, testTimeout: 30_000, hookTimeout: 60_000 } });
