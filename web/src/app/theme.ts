// Light, dark or as the system says. Stored in this browser (it is a reader's
// taste, not part of what a link shows); applied before first paint by public/theme.js.
import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";

const KEY = "tidemark.theme";
const listeners = new Set<() => void>();
const media = matchMedia("(prefers-color-scheme: dark)");

function stored(): Theme {
  try {
    const v = localStorage.getItem(KEY);
    return v === "light" || v === "dark" ? v : "system";
  } catch {
    return "system";
  }
}

let current: Theme = stored();

function apply() {
  const dark = current === "dark" || (current === "system" && media.matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  for (const l of listeners) l();
}
media.addEventListener("change", apply);

export function setTheme(theme: Theme): void {
  current = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Private windows may refuse storage; the choice then lasts for this page.
  }
  apply();
}

function subscribe(l: () => void) {
  listeners.add(l);
  return () => void listeners.delete(l);
}

export const useTheme = (): Theme => useSyncExternalStore(subscribe, () => current);

/** "light" or "dark", whatever was chosen: canvases repaint when it changes. */
export const useAppearance = (): string => useSyncExternalStore(subscribe, () => document.documentElement.dataset.theme ?? "light");
