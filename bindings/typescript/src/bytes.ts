/**
 * Bytes as text and beside each other: what several files need and no runtime has everywhere.
 */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** The 32 bytes that 43 characters of base64url stand for; `undefined` where they do not. */
export function fromBase64url(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length !== 43) return undefined;
  const bytes = new Uint8Array(32);
  let bits = 0;
  let held = 0;
  let filled = 0;
  for (const character of text) {
    const six = ALPHABET.indexOf(character);
    if (six < 0) return undefined;
    bits = ((bits << 6) | six) & 0xffff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes[filled] = bits >> held;
      filled += 1;
    }
  }
  // The last two bits say nothing and must be 0, or one secret had four texts.
  return (bits & 0b11) === 0 ? bytes : undefined;
}

/** `bytes` as 43 characters of base64url, where they are 32. */
export function toBase64url(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    bits = ((bits << 8) | byte) & 0xffff;
    held += 8;
    while (held >= 6) {
      held -= 6;
      text += ALPHABET[(bits >> held) & 0x3f];
    }
  }
  return held > 0 ? text + ALPHABET[(bits << (6 - held)) & 0x3f] : text;
}

/** The parts in one piece. */
export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Whether both hold the same, in a time that does not tell where they differ. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  let different = a.length ^ b.length;
  for (let index = 0; index < a.length; index += 1) different |= a[index]! ^ (b[index] ?? 0);
  return different === 0;
}
