/**
 * What a body must hold, said once and used in both directions: reading judges every value, writing puts the keys in the order of the
 * specification.
 *
 * Unknown keys are ignored, as a newer peer may send them. A required key that is missing, or a value of another type,
 * is a {@link ProtocolError} named `shape`.
 */

import { type Encodable, type Value, type ValueMap, decodeMap, encodeCbor } from "./cbor.js";
import { ProtocolError } from "./error.js";
import { NUMBER_MAX } from "./limits.js";

/** How values of one type are read and written. */
export interface Shape<T> {
  read(value: Value): T;
  write(value: T): Encodable;
}

/** One key of a map. */
export interface Field<T> {
  /** The key on the wire, where it is not the property's name. */
  readonly key?: string | undefined;
  read(value: Value | undefined): T;
  /** `undefined` leaves the key out. */
  write(value: T): Encodable;
}

/** A body that is a map, but not the one that is due. */
class Misfit extends ProtocolError {
  readonly why: string;

  constructor(why: string) {
    super("shape", `the body does not fit: ${why}`);
    this.why = why;
  }
}

/** That a body does not fit. */
export function misfit(why: string): ProtocolError {
  return new Misfit(why);
}

const same = (value: Encodable): Encodable => value;

/** Whole numbers from `min` to `max`. */
export function integer(min: number, max: number): Shape<number> {
  return {
    read(value) {
      if (typeof value !== "number" || value < min || value > max) throw misfit(`a number from ${min} to ${max} is due`);
      return value;
    },
    write: same,
  };
}

export const u16 = integer(0, 0xffff);
export const u32 = integer(0, 0xffff_ffff);
export const u64 = integer(0, NUMBER_MAX);
export const i32 = integer(-0x8000_0000, 0x7fff_ffff);

export const text: Shape<string> = {
  read(value) {
    if (typeof value !== "string") throw misfit("a text is due");
    return value;
  },
  write: same,
};

export const flag: Shape<boolean> = {
  read(value) {
    if (typeof value !== "boolean") throw misfit("true or false is due");
    return value;
  },
  write: same,
};

/** Exactly `length` bytes. */
export function bytes(length: number): Shape<Uint8Array> {
  return {
    read(value) {
      if (!(value instanceof Uint8Array) || value.length !== length) throw misfit(`${length} bytes are due`);
      return value;
    },
    write: same,
  };
}

/** Any number of bytes. */
export const blob: Shape<Uint8Array> = {
  read(value) {
    if (!(value instanceof Uint8Array)) throw misfit("bytes are due");
    return value;
  },
  write: same,
};

/** One of these names; others are kept where `open` says that newer peers may have more. */
export function name<T extends string>(names: readonly T[], open = false): Shape<T> {
  return {
    read(value) {
      const known = text.read(value) as T;
      if (!open && !names.includes(known)) throw misfit(`one of ${names.join(", ")} is due`);
      return known;
    },
    write: same,
  };
}

export function list<T>(item: Shape<T>): Shape<T[]> {
  return {
    read(value) {
      if (!Array.isArray(value)) throw misfit("a list is due");
      return value.map((one) => item.read(one));
    },
    write: (items) => items.map((one) => item.write(one)),
  };
}

/** Two values side by side. */
export function pair<A, B>(first: Shape<A>, second: Shape<B>): Shape<[A, B]> {
  return {
    read(value) {
      if (!Array.isArray(value) || value.length !== 2) throw misfit("a pair is due");
      return [first.read(value[0]!), second.read(value[1]!)];
    },
    write: ([a, b]) => [first.write(a), second.write(b)],
  };
}

/** A value or nothing. */
export function maybe<T>(shape: Shape<T>): Shape<T | null> {
  return {
    read: (value) => (value === null ? null : shape.read(value)),
    write: (value) => (value === null ? null : shape.write(value)),
  };
}

/** A map from any text. */
export function dictionary<T>(item: Shape<T>): Shape<Map<string, T>> {
  return {
    read: (value) => new Map([...map(value)].map(([key, one]) => [key, item.read(one)])),
    write: (items) => new Map([...items].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, one]) => [key, item.write(one)])),
  };
}

/** What a shape reads and writes, seen as something else. `back` must undo `to`. */
export function mapped<A, B>(shape: Shape<A>, to: (value: A) => B, back: (value: B) => A): Shape<B> {
  return { read: (value) => to(shape.read(value)), write: (value) => shape.write(back(value)) };
}

/** A map with these keys. */
export function record<T extends object>(fields: { readonly [K in keyof T]-?: Field<T[K]> }): Shape<T> {
  const entries = Object.entries(fields) as [string, Field<unknown>][];
  return {
    read(value) {
      const source = map(value);
      const result: Record<string, unknown> = {};
      for (const [property, field] of entries) {
        const key = field.key ?? property;
        try {
          const read = field.read(source.get(key));
          if (read !== undefined) result[property] = read;
        } catch (error) {
          throw error instanceof Misfit ? misfit(`${key}: ${error.why}`) : error;
        }
      }
      return result as T;
    },
    write(value) {
      const source = value as Record<string, unknown>;
      return new Map(entries.map(([property, field]) => [field.key ?? property, field.write(source[property])]));
    },
  };
}

/** One of several things, named by the only key of a map. */
export function variant<T extends object>(shapes: Readonly<Record<string, Shape<any>>>): Shape<T> {
  return {
    read(value) {
      const source = map(value);
      const [entry, ...more] = source;
      const shape = entry && Object.hasOwn(shapes, entry[0]) ? shapes[entry[0]] : undefined;
      if (entry === undefined || shape === undefined || more.length > 0) throw misfit(`one of ${Object.keys(shapes).join(", ")} is due`);
      return { [entry[0]]: shape.read(entry[1]) } as T;
    },
    write(value) {
      const [key, content] = Object.entries(value)[0]!;
      return new Map([[key, shapes[key]!.write(content)]]);
    },
  };
}

/** One of several names, or else what `other` says. */
export function either<const N extends string, T extends object>(names: readonly N[], other: Shape<T>): Shape<N | T> {
  const plain = name(names);
  return {
    read: (value) => (typeof value === "string" ? plain.read(value) : other.read(value)),
    write: (value) => (typeof value === "string" ? plain.write(value) : other.write(value)),
  };
}

/** A key that must be there. */
export function need<T>(shape: Shape<T>, key?: string): Field<T> {
  return {
    key,
    read(value) {
      if (value === undefined) throw misfit("missing");
      return shape.read(value);
    },
    write: (value) => shape.write(value),
  };
}

/** A key that may be missing. */
export function may<T>(shape: Shape<T>, key?: string): Field<T | undefined> {
  return {
    key,
    read: (value) => (value === undefined || value === null ? undefined : shape.read(value)),
    write: (value) => (value === undefined ? undefined : shape.write(value)),
  };
}

/** A key that means `otherwise` where it is missing; left out in that case if `skips`. */
export function or<T>(shape: Shape<T>, otherwise: () => T, skips?: (value: T) => boolean, key?: string): Field<T> {
  return {
    key,
    read: (value) => (value === undefined ? otherwise() : shape.read(value)),
    write: (value) => (skips?.(value) ? undefined : shape.write(value)),
  };
}

/** A text that is left out where it is empty. */
export const words: Field<string> = or(text, () => "", (value) => value === "");

/** A mark that is left out where it is not set. */
export const mark: Field<boolean> = or(flag, () => false, (value) => !value);

/** A list that is left out where it is empty. */
export function some<T>(item: Shape<T>): Field<T[]> {
  return or(list(item), () => [], (value) => value.length === 0);
}

/** Reads a body. */
export function readBody<T>(shape: Shape<T>, body: Uint8Array): T {
  return shape.read(decodeMap(body));
}

/** Writes a body. */
export function writeBody<T>(shape: Shape<T>, value: T): Uint8Array {
  return encodeCbor(shape.write(value));
}

function map(value: Value): ValueMap {
  if (!(value instanceof Map)) throw misfit("a map is due");
  return value;
}
