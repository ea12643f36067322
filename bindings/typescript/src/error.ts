/**
 * What can be wrong with what a peer sent, by name. Nothing else is ever thrown over bytes from outside.
 */

/** Bytes that are no frame, no message, or not what a message may hold. */
export class ProtocolError extends Error {
  override readonly name: string = "ProtocolError";
  /** The fault's name, the same in every language: `truncated`, `cbor_duplicate`, `shape`, ... */
  readonly fault: string;
  /** Where, in bytes since the first of what was read. */
  readonly at: number;

  constructor(fault: string, message: string, at = 0) {
    super(message);
    this.fault = fault;
    this.at = at;
  }

  /** Whether the peer does not speak the protocol, so that the connection must end. */
  get isFatal(): boolean {
    return this.fault !== "shape";
  }
}
