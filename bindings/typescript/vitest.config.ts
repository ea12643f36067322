import { defineConfig } from "vitest/config";

// One worker: the checks run beside others, and the whole suite takes seconds.
export default defineConfig({ test: { include: ["test/**/*.test.ts"], pool: "threads", maxWorkers: 1, fileParallelism: false } });
