/**
 * Names and titles that somebody else chose: short, on one line, and saying what they seem to say.
 */

/** Characters of a title. */
export const TITLE_CHARS_MAX = 256;

// Controls of both ranges, and what turns the direction of writing or separates lines (CVE-2021-42574).
const UNWANTED = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** `text` without control characters and without those that turn writing, cut after `charsMax`. */
export function cleanLabel(text: string, charsMax: number = TITLE_CHARS_MAX): string {
  return [...text.slice(0, 8 * charsMax).replace(UNWANTED, "")].slice(0, charsMax).join("");
}
