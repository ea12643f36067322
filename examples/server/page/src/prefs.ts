/**
 * What the user chose, kept in this browser; and the pass, kept in this tab.
 */

export type Theme = "system" | "light" | "dark";

export interface Prefs {
  theme: Theme;
  fontSize: number;
  /** Says out loud what the terminal shows. */
  screenReader: boolean;
}

const DEFAULTS: Prefs = { theme: "system", fontSize: 14, screenReader: false };
const FONT_MIN = 8;
const FONT_MAX = 32;
const KEY = "orchflow.prefs";

/** What was chosen before; whatever does not fit is what it is at first. */
export function loadPrefs(): Prefs {
  const stored = parsed(read(localStorage, KEY));
  const { theme, fontSize, screenReader } = { ...DEFAULTS, ...stored } as Prefs;
  return {
    theme: theme === "light" || theme === "dark" ? theme : "system",
    fontSize: clampFont(typeof fontSize === "number" ? fontSize : DEFAULTS.fontSize),
    screenReader: screenReader === true,
  };
}

export function savePrefs(prefs: Prefs): void {
  write(localStorage, KEY, JSON.stringify(prefs));
}

export function clampFont(size: number): number {
  return Math.min(FONT_MAX, Math.max(FONT_MIN, Math.round(size)));
}

export const FONT_DEFAULT = DEFAULTS.fontSize;

const PASS = "orchflow.pass";
const TABS = "orchflow.tabs";

/** The pass out of the address bar, where it does not stay, or the one this tab has. */
export function takePass(): string | undefined {
  const fragment = decodeURIComponent(location.hash.slice(1)).replace(/^token=/, "");
  if (fragment !== "") {
    history.replaceState(null, "", location.pathname + location.search);
    keepPass(fragment);
    return fragment;
  }
  return read(sessionStorage, PASS) ?? undefined;
}

/** Keeps a pass. Another one is another run of the server, where sessions have other numbers. */
export function keepPass(pass: string): void {
  if (pass !== read(sessionStorage, PASS)) write(sessionStorage, TABS, "[]");
  write(sessionStorage, PASS, pass);
}

export function forgetPass(): void {
  sessionStorage.removeItem(PASS);
}

/** The sessions that were open in this tab, in order, the one looked at first marked. */
export interface OpenTabs {
  sessions: number[];
  active: number | undefined;
}

export function loadTabs(): OpenTabs {
  const { sessions, active } = (parsed(read(sessionStorage, TABS)) ?? {}) as Partial<OpenTabs>;
  return { sessions: Array.isArray(sessions) ? sessions.filter(Number.isSafeInteger) : [], active };
}

export function saveTabs(tabs: OpenTabs): void {
  write(sessionStorage, TABS, JSON.stringify(tabs));
}

// A browser may forbid to store anything; then nothing is kept.

function read(storage: Storage, key: string): string | null {
  try {
    return storage.getItem(key);
  } catch {
    return null;
  }
}

function write(storage: Storage, key: string, value: string): void {
  try {
    storage.setItem(key, value);
  } catch {
    // Full or forbidden.
  }
}

function parsed(text: string | null): object | undefined {
  try {
    const value: unknown = JSON.parse(text ?? "null");
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
