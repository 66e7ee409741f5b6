import { useState } from "react";
import { Link, Outlet, useNavigate, useSearch } from "@tanstack/react-router";
import { Menu, PanelLeftClose, PanelLeftOpen, Search } from "lucide-react";
import { Dialog } from "@/ui/Dialog";
import { Kbd } from "@/ui/Kbd";
import { Tip, TipProvider } from "@/ui/Tip";
import { Breadcrumb } from "./Breadcrumb";
import { CommandPalette } from "./CommandPalette";
import { EnvFilter } from "./EnvFilter";
import { IncidentBadge } from "./IncidentBadge";
import { useKeys } from "./keys";
import { LiveSwitch } from "./LiveSwitch";
import { NAV } from "./nav";
import { useScope, useScopeActions } from "./range";
import { ShortcutsHelp } from "./ShortcutsHelp";
import { TimePicker } from "./TimePicker";
import { Toasts } from "./toast";
import css from "./Shell.module.css";

const SLIM_KEY = "tidemark.rail";

function Rail({ slim, onSlim }: { slim: boolean; onSlim: (slim: boolean) => void }) {
  return (
    <nav className={css.rail} aria-label="Main">
      <Link to="/services" className={css.brand} aria-label="Tidemark: services">
        <Mark />
        <span className={css.word}>Tidemark</span>
      </Link>
      <NavList slim={slim} />
      <Tip text={slim ? "Widen" : "Narrow"} side="right">
        <button type="button" className={css.entry} onClick={() => onSlim(!slim)} aria-label={slim ? "Widen the navigation" : "Narrow the navigation"}>
          {slim ? <PanelLeftOpen size={16} aria-hidden /> : <PanelLeftClose size={16} aria-hidden />}
        </button>
      </Tip>
    </nav>
  );
}

function NavList({ slim, onNavigate }: { slim?: boolean; onNavigate?: () => void }) {
  return (
    <ul className={css.entries}>
      {NAV.map((n) => {
        const link = (
          <Link to={n.to as never} className={css.entry} activeProps={{ "data-active": true, "aria-current": "page" }} aria-label={slim ? n.label : undefined} onClick={onNavigate}>
            <n.icon size={16} aria-hidden />
            <span className={css.word}>{n.label}</span>
            {n.to === "/incidents" && <IncidentBadge />}
          </Link>
        );
        return (
          <li key={n.to}>
            {slim ? (
              <Tip text={n.label} keys={`g ${n.key}`} side="right">
                {link}
              </Tip>
            ) : (
              link
            )}
          </li>
        );
      })}
    </ul>
  );
}

function Mark() {
  return (
    <svg width="20" height="20" viewBox="0 0 32 32" aria-hidden className={css.mark}>
      <rect width="32" height="32" rx="8" fill="#0d9488" />
      <path d="M5 13.5c3.7 0 3.7-4 7.3-4s3.7 4 7.4 4 3.6-4 7.3-4M5 22c3.7 0 3.7-4 7.3-4s3.7 4 7.4 4 3.6-4 7.3-4" fill="none" stroke="#fff" strokeWidth="2.6" strokeLinecap="round" />
    </svg>
  );
}

function readSlim(): boolean {
  try {
    return localStorage.getItem(SLIM_KEY) === "slim";
  } catch {
    return false;
  }
}

/** The one frame: rail, top bar, page. */
export function Shell() {
  const [slim, setSlim] = useState(readSlim);
  const [palette, setPalette] = useState(false);
  const [help, setHelp] = useState(false);
  const [picker, setPicker] = useState(false);
  const [menu, setMenu] = useState(false);
  useShellKeys({ openPalette: () => setPalette(true), openHelp: () => setHelp(true), openPicker: () => setPicker(true) });
  // A dashboard on a wall shows nothing around itself.
  const kiosk = (useSearch({ strict: false }) as { kiosk?: string }).kiosk === "1";
  const onSlim = (v: boolean) => {
    setSlim(v);
    try {
      localStorage.setItem(SLIM_KEY, v ? "slim" : "wide");
    } catch {
      // The width then lasts for this page only.
    }
  };
  return (
    <TipProvider delayDuration={350} skipDelayDuration={200}>
      <div className={css.shell} data-slim={slim || undefined} data-kiosk={kiosk || undefined}>
        <a href="#main" className={css.skip}>
          Skip to content
        </a>
        <Rail slim={slim} onSlim={onSlim} />
        <div className={css.column}>
          <header className={css.top}>
            <button type="button" className={css.burger} aria-label="Open the navigation" onClick={() => setMenu(true)}>
              <Menu size={18} aria-hidden />
            </button>
            <Breadcrumb />
            <button type="button" className={css.search} onClick={() => setPalette(true)} aria-label="Search">
              <Search size={14} aria-hidden />
              <span>Search</span>
              <Kbd keys="⌘ K" />
            </button>
            <div className={css.controls}>
              <EnvFilter />
              <LiveSwitch />
              <TimePicker open={picker} onOpenChange={setPicker} />
            </div>
          </header>
          <main id="main" className={css.main} tabIndex={-1}>
            <Outlet />
          </main>
        </div>
      </div>
      <Dialog open={menu} onClose={() => setMenu(false)} label="Navigation" className={css.drawer}>
        <NavList onNavigate={() => setMenu(false)} />
      </Dialog>
      <CommandPalette open={palette} onClose={() => setPalette(false)} />
      <ShortcutsHelp open={help} onClose={() => setHelp(false)} />
      <Toasts />
    </TipProvider>
  );
}

function useShellKeys(on: { openPalette: () => void; openHelp: () => void; openPicker: () => void }) {
  const navigate = useNavigate();
  const scope = useScope();
  const actions = useScopeActions();
  const go = Object.fromEntries(NAV.map((n) => [`g ${n.key}`, () => void navigate({ to: n.to as never })]));
  useKeys({
    ...go,
    "mod k": on.openPalette,
    "?": on.openHelp,
    t: on.openPicker,
    l: () => actions.setLive(!scope.live),
    "[": () => actions.move(-0.5),
    "]": () => actions.move(0.5),
    "-": () => actions.widen(),
    "/": () => {
      const field = document.querySelector<HTMLElement>("#main [data-page-search]");
      if (field) field.focus();
      else on.openPalette();
    },
  });
}
