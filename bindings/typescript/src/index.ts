/**
 * Terminals of an OrchFlow server: {@link Client} connects and comes back, {@link Session} is one terminal.
 *
 * The codec beneath them is here too, for tools and tests; `docs/protocol.md` of the repository says what it speaks.
 */

export { type AttachOptions, Client, type ClientEvents, type ClientOptions, type ClientState, type StopCode } from "./client.js";
export { type Output, Session, type SessionEnd, type SessionEvents, type SessionState } from "./session.js";
export { Batch, type BatchOptions, type OperationResult } from "./batch.js";
export { RequestError } from "./requests.js";
export { Backoff, SCHEDULE, type Schedule } from "./backoff.js";
export { BUDGET, type BudgetOptions, RetryBudget } from "./budget.js";
export { BREAKER, Breaker, type BreakerOptions, type BreakerState, type Outcome, type Refused } from "./breaker.js";
export { ProtocolError } from "./error.js";
export { cleanLabel } from "./label.js";
export { cleanPaste, pasteBytes } from "./paste.js";
export { type Env, type Socket, platformEnv } from "./env.js";
export { Flags, type Frame, decodeFrames, encodeFrames } from "./frame.js";
export { type Fields, type Message, type MessageOf, decode, encode } from "./messages.js";
export { Unpacking } from "./unpack.js";
export { KINDS, type Kind } from "./kind.js";
export { type Pass, authorityOf, passOf, passText, proofOf, readPass } from "./handshake.js";
export type * from "./bodies.js";
