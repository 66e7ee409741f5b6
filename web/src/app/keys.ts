// Keyboard shortcuts. One listener; "g" then a letter goes to a page. Typing in
// a field is never a shortcut.
import { useEffect, useRef } from "react";

export interface Shortcut {
  keys: string;
  does: string;
}

/** Shown under "?". Pages list their own keys with registerHelp. */
export const SHORTCUTS: readonly { group: string; list: readonly Shortcut[] }[] = [
  {
    group: "Everywhere",
    list: [
      { keys: "⌘ K", does: "Search pages, services and actions" },
      { keys: "/", does: "Focus the page's search" },
      { keys: "t", does: "Change the time range" },
      { keys: "l", does: "Pause or resume live" },
      { keys: "[  ]", does: "Earlier, later" },
      { keys: "-", does: "Zoom out" },
      { keys: "?", does: "This list" },
    ],
  },
  {
    group: "Incidents",
    list: [
      { keys: "j  k", does: "Next, previous incident; Enter opens it" },
      { keys: "a", does: "Acknowledge the incident" },
      { keys: "r", does: "Resolve it" },
      { keys: "m", does: "Mute its series" },
    ],
  },
  {
    group: "Charts",
    list: [
      { keys: "drag", does: "Zoom to a range" },
      { keys: "double click", does: "Back to the range before" },
      { keys: "click", does: "Open the traces at that moment" },
      { keys: "click a legend", does: "Show or hide a series; ⌥ click shows it alone" },
    ],
  },
  {
    group: "Flame graphs",
    list: [
      { keys: "↑  ↓  ←  →", does: "Caller, callee, neighbours" },
      { keys: "Enter", does: "Zoom into a call; Esc goes back, Home shows all" },
      { keys: "Space", does: "Callers and callees of a function; ⌥ click or right click too" },
    ],
  },
];

export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

const SEQUENCE_MS = 1200;

/** Runs `handlers["g s"]` or `handlers["t"]` when those keys are pressed outside fields. */
export function useKeys(handlers: Record<string, (e: KeyboardEvent) => void>): void {
  const latest = useRef(handlers);
  latest.current = handlers;
  useEffect(() => {
    let prefix = "";
    let at = 0;
    const onKey = (e: KeyboardEvent) => {
      if (e.defaultPrevented || e.altKey) return;
      const mod = e.metaKey || e.ctrlKey;
      if (mod) {
        const run = latest.current[`mod ${e.key.toLowerCase()}`];
        if (run) {
          e.preventDefault();
          run(e);
        }
        return;
      }
      if (isTyping(e.target) || document.querySelector("dialog[open]")) return;
      const now = Date.now();
      const name = prefix && now - at < SEQUENCE_MS ? `${prefix} ${e.key}` : e.key;
      const run = latest.current[name];
      prefix = "";
      if (run) {
        e.preventDefault();
        run(e);
      } else if (Object.keys(latest.current).some((k) => k.startsWith(e.key + " "))) {
        prefix = e.key;
        at = now;
      }
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}
