/**
 * Stands in for xterm.js's widths of Unicode 6, which this page replaces by those of Unicode 15 before anything is shown.
 */

const WIDTH_1 = 1 << 1;

export class UnicodeV6 {
  readonly version = "6";

  wcwidth(): number {
    return 1;
  }

  charProperties(): number {
    return WIDTH_1;
  }
}
