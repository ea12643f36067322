/**
 * Pasted text, made so that it cannot run by itself or break out of its brackets.
 *
 * ESC and its 8-bit cousins go entirely, not only the marker that ends a paste: `ESC ESC[201~[201~` would form it anew. The core
 * does the same; a page does it as well, for it cannot know who stands behind it.
 */

// C0 without tab, line feed and carriage return; DEL; C1.
const UNWANTED = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/gu;

/** `text` without control characters but tabs and line ends, which become what the Enter key sends. */
export function cleanPaste(text: string): string {
  return text.replace(/\r?\n/gu, "\r").replace(UNWANTED, "");
}

/** What to type for a paste of `text`. */
export function pasteBytes(text: string, isBracketed: boolean): Uint8Array {
  const clean = cleanPaste(text);
  return new TextEncoder().encode(isBracketed ? `\u001b[200~${clean}\u001b[201~` : clean);
}

/** Whether a paste would run something, or might: it has a line end, and the program does not know it for a paste. */
export function runsByItself(text: string, isBracketed: boolean): boolean {
  return !isBracketed && cleanPaste(text).includes("\r");
}
