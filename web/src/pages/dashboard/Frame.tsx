import { type ReactNode, useRef } from "react";
import { Link } from "@tanstack/react-router";
import { ChevronDown, ChevronRight, Clock, ExternalLink, Info, MoreHorizontal } from "lucide-react";
import type { DashLink, Panel } from "@/api/dashboards";
import { pageOf } from "@/app/links";
import { useScope } from "@/app/range";
import { toast } from "@/app/toast";
import { download } from "@/lib/csv";
import { type Drawn, DrawnContext, drawnCsv } from "@/panels/rows";
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
  const body = useRef<HTMLDivElement>(null);
  const drawn = useRef<Drawn | null>(null);
  if (panel.type === "row") return <Row panel={panel} handle={handle} actions={actions} />;
  const files: [string, () => void][] = [
    ...(HAS_ROWS.has(panel.type) ? [["Download as CSV", () => saveRows(panel.title, drawn.current)] as [string, () => void]] : []),
    ...(HAS_PICTURE.has(panel.type) ? [["Download as PNG", () => savePicture(panel.title, body.current)] as [string, () => void]] : []),
  ];
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
        <Menu panel={panel} actions={actions} files={files} />
      </header>
      <div ref={body} className={css.body}>
        <DrawnContext.Provider value={drawn}>{children}</DrawnContext.Provider>
      </div>
    </section>
  );
}

const HAS_ROWS = new Set<Panel["type"]>(["timeseries", "stat", "gauge", "bar", "histogram", "heatmap", "table"]);
const HAS_PICTURE = new Set<Panel["type"]>(["timeseries", "heatmap", "flamegraph"]);
const fileName = (title: string) => title.replace(/[^\w.-]+/g, "-") || "panel";

function saveRows(title: string, drawn: Drawn | null): void {
  if (drawn) download(`${fileName(title)}.csv`, drawnCsv(drawn));
  else toast("There is nothing to download yet");
}

/** What is drawn on a canvas, on the panel's own background and under its title. */
function savePicture(title: string, body: HTMLElement | null): void {
  const from = body?.querySelector("canvas");
  if (!body || !from) return toast("There is nothing to download yet");
  const dpr = devicePixelRatio;
  const to = document.createElement("canvas");
  to.width = from.width;
  to.height = from.height + 28 * dpr;
  const ctx = to.getContext("2d")!;
  const style = getComputedStyle(body);
  ctx.fillStyle = getComputedStyle(body.closest("section")!).backgroundColor;
  ctx.fillRect(0, 0, to.width, to.height);
  ctx.fillStyle = style.color;
  ctx.font = `600 ${13 * dpr}px ${style.fontFamily}`;
  ctx.fillText(title, 10 * dpr, 18 * dpr);
  ctx.drawImage(from, 0, 28 * dpr);
  const a = document.createElement("a");
  a.href = to.toDataURL("image/png");
  a.download = `${fileName(title)}.png`;
  a.click();
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

function Menu({ panel, actions, files = [] }: { panel: Panel; actions: FrameActions; files?: readonly [string, () => void][] }) {
  const items: [string, (() => void) | undefined][] = [
    ["Edit", actions.onEdit],
    ["View alone", actions.onView],
    ["Explore the queries", panel.queries.length > 0 ? actions.onExplore : undefined],
    ...files,
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
