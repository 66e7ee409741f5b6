import type { ReactNode } from "react";
import { Link } from "@tanstack/react-router";
import { ChevronDown, ChevronRight, Clock, ExternalLink, Info, MoreHorizontal } from "lucide-react";
import type { DashLink, Panel } from "@/api/dashboards";
import { pageOf } from "@/app/links";
import { useScope } from "@/app/range";
import { IconButton } from "@/ui/Button";
import { MenuItem, Popover } from "@/ui/Popover";
import { Tip } from "@/ui/Tip";
import css from "./Frame.module.css";

export interface FrameActions {
  onView?: () => void;
  onEdit?: () => void;
  onExplore?: () => void;
  onDuplicate?: () => void;
  onRemove?: () => void;
  onFold?: () => void;
}

/** What is around a panel: its title, what it is about, where it leads, and what can be done with it. */
export function Frame({ panel, handle, actions, children }: { panel: Panel; handle?: ReactNode; actions: FrameActions; children: ReactNode }) {
  if (panel.type === "row") return <Row panel={panel} handle={handle} actions={actions} />;
  return (
    <section className={css.panel} aria-label={panel.title || "Panel"} data-testid="panel" data-type={panel.type}>
      <header className={css.head} data-head data-untitled={!panel.title || undefined}>
        {handle}
        <h2 className={css.title} title={panel.title}>
          {panel.title}
        </h2>
        {panel.description && (
          <Tip text={panel.description}>
            <button type="button" className={css.about} aria-label={`About ${panel.title || "this panel"}`}>
              <Info size={13} aria-hidden />
            </button>
          </Tip>
        )}
        {panel.range && (
          <span className={css.range}>
            <Clock size={11} aria-hidden /> last {panel.range.replace("now-", "")}
          </span>
        )}
        <span className={css.space} />
        <Links links={panel.links} />
        <Menu panel={panel} actions={actions} />
      </header>
      <div className={css.body}>{children}</div>
    </section>
  );
}

function Row({ panel, handle, actions }: { panel: Panel; handle?: ReactNode; actions: FrameActions }) {
  return (
    <div className={css.row} data-row data-head>
      {handle}
      <button type="button" className={css.fold} aria-expanded={!panel.collapsed} onClick={actions.onFold}>
        {panel.collapsed ? <ChevronRight size={14} aria-hidden /> : <ChevronDown size={14} aria-hidden />}
        <h2 className={css.title}>{panel.title || "Row"}</h2>
      </button>
      <span className={css.space} />
      {(actions.onEdit || actions.onRemove) && <Menu panel={panel} actions={actions} />}
    </div>
  );
}

function Links({ links }: { links: readonly DashLink[] }) {
  if (links.length === 0) return null;
  if (links.length === 1) return <OneLink link={links[0]!} />;
  return (
    <Popover
      label="Links"
      trigger={
        <button type="button" className={css.about} aria-label={`${links.length} links`}>
          <ExternalLink size={13} aria-hidden />
        </button>
      }
    >
      {links.map((l) => (
        <OneLink key={l.title + l.url} link={l} words />
      ))}
    </Popover>
  );
}

/** Inside the application through its router; elsewhere in a tab of its own. */
export function OneLink({ link, words }: { link: DashLink; words?: boolean }) {
  const { range } = useScope();
  const target = pageOf(link.url);
  const text = words ? link.title : <ExternalLink size={13} aria-hidden />;
  const shared = { className: words ? css.wordLink : css.about, "aria-label": words ? undefined : link.title, title: words ? undefined : link.title };
  if (target) {
    const { to, search } = target as unknown as { to: string; search: Record<string, string> };
    return (
      <Link to={to as never} search={(link.range ? { ...search, from: range.from, to: range.to } : search) as never} {...shared}>
        {text}
      </Link>
    );
  }
  const url = link.range ? `${link.url}${link.url.includes("?") ? "&" : "?"}from=${encodeURIComponent(range.from)}&to=${encodeURIComponent(range.to)}` : link.url;
  return (
    <a href={url} target="_blank" rel="noreferrer" {...shared}>
      {text}
    </a>
  );
}

function Menu({ panel, actions }: { panel: Panel; actions: FrameActions }) {
  const items: [string, (() => void) | undefined][] = [
    ["Edit", actions.onEdit],
    ["View alone", actions.onView],
    ["Explore the queries", panel.queries.length > 0 ? actions.onExplore : undefined],
    ["Duplicate", actions.onDuplicate],
    ["Remove", actions.onRemove],
  ];
  const offered = items.filter((i) => i[1]);
  if (offered.length === 0) return null;
  return (
    <Popover
      label={`What to do with ${panel.title || "the panel"}`}
      trigger={
        <IconButton size="sm" label={`Menu of ${panel.title || "the panel"}`} className={css.menu}>
          <MoreHorizontal size={14} />
        </IconButton>
      }
    >
      {offered.map(([label, run]) => (
        <MenuItem key={label} onSelect={run!}>
          {label}
        </MenuItem>
      ))}
    </Popover>
  );
}
