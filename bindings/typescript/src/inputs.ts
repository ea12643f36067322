/**
 * What was typed into one session and is not settled yet: numbered, kept, sent again after a break, and bounded.
 *
 * A piece gets its number when it is first sent. From then on it keeps its bytes, for the server knows it by the number; only
 * a refusal, after which it counts as never sent, takes the number away again.
 */

import { INPUT_FRAME_BYTES, QUEUE_BYTES_MAX } from "./limits.js";
import { joined } from "./bytes.js";

/** One frame's worth of input. */
export interface Piece {
  /** Its number; 0 before it is sent. */
  sequence: number;
  bytes: Uint8Array;
  urgent: boolean;
  reply: boolean;
  /** When it was sent on this connection. */
  sentAt?: number | undefined;
}

/** The input of one session. */
export class Inputs {
  /** Oldest first; those sent on this connection come before the others. */
  #pieces: Piece[] = [];
  #bytes = 0;
  /** How many of the first were sent on this connection, and their bytes. */
  #sent = 0;
  #sentBytes = 0;
  /** The last number given. */
  #last = 0;
  readonly #bytesMax: number;

  constructor(bytesMax: number = QUEUE_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes that are not settled. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes all of `bytes`, or answers false and takes nothing. */
  push(bytes: Uint8Array, urgent = false, reply = false): boolean {
    if (this.#bytes + bytes.length > this.#bytesMax) return false;
    this.#bytes += bytes.length;
    let rest = bytes;
    const last = this.#pieces.at(-1);
    // Keys typed while nothing can be sent share a frame.
    if (last?.sequence === 0 && !urgent && !last.urgent && last.reply === reply && last.bytes.length + rest.length <= INPUT_FRAME_BYTES) {
      last.bytes = joined([last.bytes, rest]);
      return true;
    }
    do {
      this.#pieces.push({ sequence: 0, bytes: rest.slice(0, INPUT_FRAME_BYTES), urgent, reply });
      rest = rest.subarray(INPUT_FRAME_BYTES);
    } while (rest.length > 0);
    return true;
  }

  /** The next piece to send, if `window` bytes may be under way. It counts as sent. */
  take(window: number, now: number): Piece | undefined {
    const piece = this.#pieces[this.#sent];
    if (piece === undefined || (this.#sent > 0 && this.#sentBytes + piece.bytes.length > window)) return undefined;
    if (piece.sequence === 0) {
      this.#last += 1;
      piece.sequence = this.#last;
    }
    piece.sentAt = now;
    this.#sent += 1;
    this.#sentBytes += piece.bytes.length;
    return piece;
  }

  /** All up to `sequence` is settled. Returns the newest of them, if that was not known before. */
  settle(sequence: number): Piece | undefined {
    let newest: Piece | undefined;
    for (let first = this.#pieces[0]; first !== undefined && first.sequence !== 0 && first.sequence <= sequence; first = this.#pieces[0]) {
      newest = this.#drop(0);
    }
    return newest;
  }

  /** `sequence` was refused: it and what follows count as never sent. Returns it where it will not be taken later either. */
  refuse(sequence: number, retryable: boolean): Piece | undefined {
    this.settle(sequence - 1);
    this.#last = sequence - 1;
    this.unsend();
    for (const piece of this.#pieces) piece.sequence = 0;
    return retryable || this.#pieces.length === 0 ? undefined : this.#drop(0);
  }

  /** The link broke: nothing is under way any more. */
  unsend(): void {
    this.#sent = 0;
    this.#sentBytes = 0;
  }

  /** The link is another: everything up to `settled` had arrived, the rest goes out again. */
  resume(settled: number): void {
    this.unsend();
    this.settle(settled);
    this.#last = Math.max(settled, this.#pieces.findLast((piece) => piece.sequence !== 0)?.sequence ?? 0);
  }

  /** The server does not know us any more. Returns the bytes of which nobody can say whether they arrived; they are given up. */
  restart(settled: number): number {
    this.unsend();
    const before = this.#bytes;
    while (this.#pieces[0] !== undefined && this.#pieces[0].sequence !== 0) this.#drop(0);
    this.#last = settled;
    return before - this.#bytes;
  }

  /** Gives up everything; returns how many bytes that was. */
  clear(): number {
    const bytes = this.#bytes;
    this.#pieces = [];
    this.#bytes = 0;
    this.unsend();
    return bytes;
  }

  #drop(index: number): Piece {
    const [piece] = this.#pieces.splice(index, 1) as [Piece];
    this.#bytes -= piece.bytes.length;
    if (index < this.#sent) {
      this.#sent -= 1;
      this.#sentBytes -= piece.bytes.length;
    }
    return piece;
  }
}
