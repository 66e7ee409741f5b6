import { useMemo, useRef, useState } from "react";
import { useNavigate } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { ArrowRight, Clock, type LucideIcon, Moon, Pause, Play, Siren, Sun, SunMoon, Waypoints, Globe } from "lucide-react";
import { servicesQuery } from "@/api/queries";
import { fuzzy } from "@/lib/fuzzy";
import { describe, parseTyped, PRESETS } from "@/lib/time";
import { Dialog } from "@/ui/Dialog";
import { Kbd } from "@/ui/Kbd";
import { ServiceDot } from "@/ui/Service";
import { NAV } from "./nav";
import { useScope, useScopeActions } from "./range";
import { setTheme } from "./theme";
import { useOpenIncidents } from "./useOpenIncidents";
import css from "./CommandPalette.module.css";

interface Command {
  id: string;
  group: "Go to" | "Open incidents" | "Services" | "Time range" | "Actions";
  label: string;
  keys?: string;
  icon?: LucideIcon;
  service?: string;
  run: () => void;
}

const MAX_SHOWN = 60;

/** ⌘K: pages, services, a trace id, a time range, actions. */
export function CommandPalette({ open, onClose }: { open: boolean; onClose: () => void }) {
  return (
    <Dialog open={open} onClose={onClose} label="Search and commands" className={css.dialog}>
      <PaletteBody onClose={onClose} />
    </Dialog>
  );
}

function PaletteBody({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState("");
  const [active, setActive] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const commands = useCommands(text);
  const shown = useMemo(() => rank(text, commands), [text, commands]);
  const index = Math.min(active, shown.length - 1);

  const run = (c: Command | undefined) => {
    if (!c) return;
    onClose();
    c.run();
  };
  const move = (by: number) => {
    const next = (index + by + shown.length) % Math.max(1, shown.length);
    setActive(next);
    list.current?.querySelector(`[data-index="${next}"]`)?.scrollIntoView({ block: "nearest" });
  };
  return (
    <>
      <input
        className={css.input}
        autoFocus
        role="combobox"
        aria-expanded
        aria-controls="palette-list"
        aria-activedescendant={shown[index] ? `palette-${index}` : undefined}
        aria-label="Search pages, services, trace ids and actions"
        placeholder="Search pages, services, a trace id, a time range…"
        value={text}
        onChange={(e) => {
          setText(e.target.value);
          setActive(0);
        }}
        onKeyDown={(e) => {
          if (e.key === "ArrowDown") move(1);
          else if (e.key === "ArrowUp") move(-1);
          else if (e.key === "Enter") run(shown[index]);
          else return;
          e.preventDefault();
        }}
      />
      <div id="palette-list" ref={list} role="listbox" aria-label="Results" className={css.list}>
        {shown.length === 0 && <p className={css.none}>Nothing matches “{text}”.</p>}
        {shown.map((c, i) => (
          <div key={c.id} role="presentation">
            {c.group !== shown[i - 1]?.group && (
              <div className={css.group} role="presentation">
                {c.group}
              </div>
            )}
            <div
              id={`palette-${i}`}
              data-index={i}
              role="option"
              aria-selected={i === index}
              className={css.option}
              onMouseMove={() => setActive(i)}
              onClick={() => run(c)}
            >
              <span className={css.icon} aria-hidden>
                {c.service ? <ServiceDot name={c.service} /> : c.icon ? <c.icon size={15} /> : <ArrowRight size={15} />}
              </span>
              <span className={css.label}>{c.label}</span>
              {c.keys && <Kbd keys={c.keys} />}
            </div>
          </div>
        ))}
      </div>
    </>
  );
}

const ORDER: Record<Command["group"], number> = { "Open incidents": 0, "Go to": 1, Services: 2, "Time range": 3, Actions: 4 };

// Without a query everything is in its group's order; with one, groups are
// ordered by their best match so that what was meant is on top.
function rank(text: string, commands: readonly Command[]): Command[] {
  const scored = commands.map((c) => ({ c, score: c.id === "exact" ? 1e6 : fuzzy(text, c.label) })).filter((s) => s.score > 0);
  const best = new Map<string, number>();
  for (const { c, score } of scored) best.set(c.group, Math.max(best.get(c.group) ?? 0, score));
  const hasText = text.trim() !== "";
  scored.sort((a, b) => {
    if (a.c.group !== b.c.group) return hasText ? best.get(b.c.group)! - best.get(a.c.group)! : ORDER[a.c.group] - ORDER[b.c.group];
    return hasText ? b.score - a.score : 0;
  });
  return scored.slice(0, MAX_SHOWN).map((s) => s.c);
}

function useCommands(text: string): Command[] {
  const navigate = useNavigate();
  const scope = useScope();
  const actions = useScopeActions();
  // Asked anew each time: the live services page does not keep the cached answer up to date.
  const { data } = useQuery({ ...servicesQuery({ ...scope, live: false }), refetchOnMount: "always" });
  const { open } = useOpenIncidents();
  return useMemo(() => {
    const out: Command[] = [];
    const typed = text.trim().toLowerCase();
    if (/^[0-9a-f]{32}$/.test(typed)) {
      out.push({ id: "exact", group: "Go to", label: `Trace ${typed}`, icon: Waypoints, run: () => void navigate({ href: `/traces/${typed}` }) });
    }
    const range = typed && parseTyped(typed, Date.now(), scope.utc);
    if (range) out.push({ id: "exact", group: "Time range", label: describe(range, Date.now(), scope.utc), icon: Clock, run: () => actions.setRange(range) });
    for (const i of open ?? []) out.push({ id: `i:${i.id}`, group: "Open incidents", label: i.title, icon: Siren, run: () => void navigate({ to: "/incidents/$incident", params: { incident: i.id } }) });
    for (const n of NAV) out.push({ id: n.to, group: "Go to", label: n.label, icon: n.icon, keys: `g ${n.key}`, run: () => void navigate({ to: n.to as never }) });
    for (const s of data?.services ?? []) {
      out.push({ id: `s:${s.service}`, group: "Services", label: s.service, service: s.service, run: () => void navigate({ to: "/services/$service", params: { service: s.service } }) });
    }
    for (const p of PRESETS) {
      out.push({ id: `t:${p.value}`, group: "Time range", label: `Last ${p.label}`, icon: Clock, run: () => actions.setRange({ from: `now-${p.value}`, to: "now" }) });
    }
    out.push(
      { id: "live", group: "Actions", label: scope.live ? "Pause live" : "Resume live", icon: scope.live ? Pause : Play, keys: "l", run: () => actions.setLive(!scope.live) },
      { id: "utc", group: "Actions", label: scope.utc ? "Show local time" : "Show UTC", icon: Globe, run: () => actions.setUTC(!scope.utc) },
      { id: "dark", group: "Actions", label: "Dark theme", icon: Moon, run: () => setTheme("dark") },
      { id: "light", group: "Actions", label: "Light theme", icon: Sun, run: () => setTheme("light") },
      { id: "system", group: "Actions", label: "Theme of the system", icon: SunMoon, run: () => setTheme("system") },
    );
    return out;
  }, [text, scope, actions, data, open, navigate]);
}
