/**
 * Colours of terminals, by day and by night; the page's own stand in style.css.
 */

import type { ITheme } from "@xterm/xterm";

const DARK: ITheme = {
  background: "#101216",
  foreground: "#d7dae0",
  cursor: "#d7dae0",
  cursorAccent: "#101216",
  selectionBackground: "#3a5a8c99",
  selectionInactiveBackground: "#3a4254aa",
  scrollbarSliderBackground: "#ffffff1c",
  scrollbarSliderHoverBackground: "#ffffff30",
  scrollbarSliderActiveBackground: "#ffffff40",
  black: "#23272f",
  red: "#f0717b",
  green: "#8cc570",
  yellow: "#e2b86b",
  blue: "#6cb0f5",
  magenta: "#c98be8",
  cyan: "#5cc2cc",
  white: "#c4c9d2",
  brightBlack: "#6b7280",
  brightRed: "#ff9199",
  brightGreen: "#a9dc8f",
  brightYellow: "#f2d08e",
  brightBlue: "#92c6ff",
  brightMagenta: "#dcaaf5",
  brightCyan: "#86dde5",
  brightWhite: "#f2f4f7",
};

const LIGHT: ITheme = {
  background: "#ffffff",
  foreground: "#23272e",
  cursor: "#23272e",
  cursorAccent: "#ffffff",
  selectionBackground: "#a9cbff99",
  selectionInactiveBackground: "#d5d9e0aa",
  scrollbarSliderBackground: "#0000001a",
  scrollbarSliderHoverBackground: "#0000002e",
  scrollbarSliderActiveBackground: "#00000040",
  black: "#23272e",
  red: "#c0323e",
  green: "#2f7d32",
  yellow: "#8f6400",
  blue: "#1f63c4",
  magenta: "#8a3fb0",
  cyan: "#0b7783",
  white: "#7a808a",
  brightBlack: "#5d636d",
  brightRed: "#d9454f",
  brightGreen: "#3c9140",
  brightYellow: "#a97800",
  brightBlue: "#3478dd",
  brightMagenta: "#a055c8",
  brightCyan: "#138c99",
  brightWhite: "#9aa0aa",
};

/** The colours for a page that is dark, or not. */
export function terminalTheme(isDark: boolean): ITheme {
  return isDark ? DARK : LIGHT;
}

/** What a terminal is set in. */
export const FONT = 'ui-monospace, "SF Mono", "Cascadia Mono", "JetBrains Mono", Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace';
