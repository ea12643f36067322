/**
 * Control bodies: one map of a narrow kind of CBOR, checked to the last byte before anything is made of it.
 *
 * Keys are text, each once in its map; numbers and lengths take their shortest form, and numbers stay within 2^53 - 1; no
 * indefinite lengths, no tags, nothing deeper than eight, nothing behind the map. No announced length is believed.
 *
 * Deliberately absent: floats. They pass the check, as a newer peer may send them, and are decoded as {@link UNUSED}, which no message
 * accepts.
 */

import { ProtocolError } from "./error.js";
import { ITEMS_MAX, KEYS_MAX, KEY_BYTES_MAX, NESTING_MAX, NUMBER_MAX } from "./limits.js";

/** A value of a kind that no message uses. */
export const UNUSED: unique symbol = Symbol("unused");

/** A decoded value. */
export type Value = number | string | boolean | null | typeof UNUSED | Uint8Array | Value[] | ValueMap;

/** A decoded map: not an object, so that no key is special. */
export interface ValueMap extends Map<string, Value> {}

/** A value to encode; keys of objects and maps go out in their order, those that are undefined not at all. */
export type Encodable =
  | number
  | string
  | boolean
  | null
  | undefined
  | Uint8Array
  | readonly Encodable[]
  | ReadonlyMap<string, Encodable>
  | { readonly [key: string]: Encodable };

const UNSIGNED = 0;
const NEGATIVE = 1;
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;
const MAP = 5;
const SIMPLE = 7;
const TWO_32 = 2 ** 32;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const toUtf8 = new TextEncoder();

/**
 * The map that `body` is.
 *
 * @throws {ProtocolError} with a name that begins with `cbor_`, at the first byte that does not belong.
 */
export function decodeMap(body: Uint8Array): ValueMap {
  if (body.length > 0 && body[0]! >> 5 !== MAP) throw fault("not_a_map", 0, "the body is no map");
  const walk = new Walk(body);
  const value = walk.value(0) as ValueMap;
  if (walk.at < body.length) throw fault("trailing", walk.at, "bytes follow the map");
  return value;
}

class Walk {
  at = 0;
  #items = 0;
  #major = 0;
  #argument = 0;
  readonly #body: Uint8Array;
  readonly #view: DataView;

  constructor(body: Uint8Array) {
    this.#body = body;
    this.#view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  }

  value(depth: number): Value {
    const at = this.at;
    this.#head();
    const argument = this.#argument;
    switch (this.#major) {
      case UNSIGNED:
      case NEGATIVE:
        if (argument > (this.#major === UNSIGNED ? NUMBER_MAX : NUMBER_MAX - 1)) throw fault("number", at, `the number is beyond ${NUMBER_MAX}`);
        return this.#major === UNSIGNED ? argument : -1 - argument;
      case BYTES:
        return this.#skip(at, argument);
      case TEXT:
        return this.#text(at, argument);
      case ARRAY:
      case MAP:
        if (depth === NESTING_MAX) throw fault("nesting", at, `the value is nested deeper than ${NESTING_MAX}`);
        return this.#major === MAP ? this.#map(at, argument, depth + 1) : this.#array(argument, depth + 1);
      case SIMPLE:
        return this.#simple(at, argument);
      default:
        throw fault("unsupported", at, "messages use no tags");
    }
  }

  #array(length: number, depth: number): Value[] {
    const array: Value[] = [];
    for (let index = 0; index < length; index += 1) array.push(this.value(depth));
    return array;
  }

  #map(at: number, entries: number, depth: number): ValueMap {
    if (entries > KEYS_MAX) throw fault("keys", at, `the map has more than ${KEYS_MAX} keys`);
    const map: ValueMap = new Map();
    for (let index = 0; index < entries; index += 1) {
      const keyAt = this.at;
      this.#head();
      if (this.#major !== TEXT || this.#argument > KEY_BYTES_MAX) {
        throw fault("key", keyAt, `the key is no text of at most ${KEY_BYTES_MAX} bytes`);
      }
      const key = this.#text(keyAt, this.#argument);
      if (map.has(key)) throw fault("duplicate", keyAt, "the key stands twice in its map");
      map.set(key, this.value(depth));
    }
    return map;
  }

  #simple(at: number, argument: number): Value {
    if (this.at > at + 1) return UNUSED; // A float.
    return argument === 20 ? false : argument === 21 ? true : null;
  }

  #text(at: number, length: number): string {
    const bytes = this.#skip(at, length);
    try {
      return utf8.decode(bytes);
    } catch {
      throw fault("utf8", at, "the text is not UTF-8");
    }
  }

  #skip(at: number, length: number): Uint8Array {
    if (length > this.#body.length - this.at) throw fault("truncated", at, "the body ends inside the value");
    this.at += length;
    return this.#body.subarray(this.at - length, this.at);
  }

  #head(): void {
    const at = this.at;
    this.#items += 1;
    if (this.#items > ITEMS_MAX) throw fault("items", at, `the message holds more than ${ITEMS_MAX} values`);
    if (at >= this.#body.length) throw fault("truncated", at, "the body ends where a value is due");
    const first = this.#body[at]!;
    this.at += 1;
    this.#major = first >> 5;
    const short = first & 0x1f;
    if (short < 24) {
      if (this.#major === SIMPLE && (short < 20 || short > 22)) throw fault("unsupported", at, "messages use no such simple value");
      this.#argument = short;
      return;
    }
    if (short > 27) throw fault("unsupported", at, "messages use no indefinite lengths");
    const width = 1 << (short - 24);
    this.#skip(at, width);
    const view = this.#view;
    const from = at + 1;
    if (width === 1) this.#argument = view.getUint8(from);
    else if (width === 2) this.#argument = view.getUint16(from);
    else if (width === 4) this.#argument = view.getUint32(from);
    else this.#argument = view.getUint32(from) * TWO_32 + view.getUint32(from + 4);
    if (this.#major === SIMPLE) {
      if (width === 1) throw fault("unsupported", at, "messages use no simple values of two bytes");
      return;
    }
    const least = width === 1 ? 24 : 2 ** (4 * width);
    if (this.#argument < least) throw fault("shortest", at, "the number or length is not in its shortest form");
  }
}

function fault(name: string, at: number, message: string): ProtocolError {
  return new ProtocolError(`cbor_${name}`, `${message} (byte ${at} of the body)`, at);
}

/** `value` in its one encoding. */
export function encodeCbor(value: Encodable): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  writer.value(value);
  return writer.bytes();
}

class Writer {
  #bytes = new Uint8Array(256);
  #length = 0;

  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  value(value: Encodable): void {
    if (typeof value === "number") {
      if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is no whole number that a message can hold`);
      if (value < 0) this.#head(NEGATIVE, -1 - value);
      else this.#head(UNSIGNED, value);
    } else if (typeof value === "string") {
      const text = toUtf8.encode(value);
      this.#head(TEXT, text.length);
      this.#raw(text);
    } else if (typeof value === "boolean") {
      this.#head(SIMPLE, value ? 21 : 20);
    } else if (value === null || value === undefined) {
      this.#head(SIMPLE, 22);
    } else if (value instanceof Uint8Array) {
      this.#head(BYTES, value.length);
      this.#raw(value);
    } else if (Array.isArray(value)) {
      this.#head(ARRAY, value.length);
      for (const item of value) this.value(item);
    } else {
      const entries = [...(value instanceof Map ? value.entries() : Object.entries(value))].filter(([, item]) => item !== undefined);
      this.#head(MAP, entries.length);
      for (const [key, item] of entries) {
        this.value(key);
        this.value(item);
      }
    }
  }

  #head(major: number, argument: number): void {
    const first = major << 5;
    if (argument < 24) this.#raw([first | argument]);
    else if (argument < 0x100) this.#raw([first | 24, argument]);
    else if (argument < 0x1_0000) this.#raw([first | 25, argument >> 8, argument & 0xff]);
    else {
      const wide = argument >= TWO_32;
      const bytes = new Uint8Array(wide ? 9 : 5);
      const view = new DataView(bytes.buffer);
      bytes[0] = first | (wide ? 27 : 26);
      if (wide) view.setUint32(1, Math.floor(argument / TWO_32));
      view.setUint32(wide ? 5 : 1, argument % TWO_32);
      this.#raw(bytes);
    }
  }

  #raw(bytes: ArrayLike<number>): void {
    const end = this.#length + bytes.length;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, 2 * this.#bytes.length));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = end;
  }
}
