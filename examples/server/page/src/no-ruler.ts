/**
 * Stands in for xterm.js's overview ruler, which this page never shows: so it need not be loaded.
 */

export class OverviewRulerRenderer {
  dispose(): void {}
}
