import { alias } from "../vitest.config.js";

export default { resolve: { alias }, test: { include: ["test/shots.ts", "test/real/shots.ts"], pool: "threads" } };
