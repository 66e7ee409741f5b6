// A virtual table that scrolls with the page: five hundred rows cost as much as
// the thirty on screen. Sorting is the caller's state (the URL), so that a link
// shows the same order.
import { type KeyboardEvent, type ReactNode, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, ArrowUp } from "lucide-react";
import { csv, download } from "@/lib/csv";
import { plural } from "@/lib/format";
import { type Direction, groupBy, sortBy } from "@/lib/sort";
import css from "./Table.module.css";

export interface Column<T> {
  id: string;
  label: string;
  /** A CSS grid track: "minmax(160px, 2fr)", "90px". */
  width: string;
  align?: "right";
  render: (row: T) => ReactNode;
  /** Makes the column sortable. */
  sort?: (row: T) => number | string | null | undefined;
  /** Sorted this way at the first click. */
  first?: Direction;
  /** The label is for screen readers only. */
  quiet?: boolean;
  /** Hidden on a phone. */
  secondary?: boolean;
  /** Hidden already where the table has less than 1000 px. */
  minor?: boolean;
}

interface Props<T> {
  label: string;
  rows: readonly T[];
  columns: readonly Column<T>[];
  rowKey: (row: T) => string;
  sort?: string;
  dir?: Direction;
  onSort?: (id: string, dir: Direction) => void;
  /** Enter or a click on the row. Put a real link in the first cell too. */
  onOpen?: (row: T) => void;
  group?: (row: T) => string;
  rowHeight?: number;
  /** Offers the rows as this file, without ".csv". */
  csvName?: string;
}

type Item<T> = { kind: "group"; key: string; count: number } | { kind: "row"; key: string; row: T };

export function Table<T>({ label, rows, columns, rowKey, sort, dir = "desc", onSort, onOpen, group, rowHeight = 36, csvName }: Props<T>) {
  const sorted = useMemo(() => {
    const by = columns.find((c) => c.id === sort)?.sort;
    return by ? sortBy(rows, by, dir) : rows;
  }, [rows, columns, sort, dir]);
  const items = useMemo(() => flatten(sorted, rowKey, group), [sorted, rowKey, group]);

  const body = useRef<HTMLDivElement>(null);
  const [margin, setMargin] = useState(0);
  useLayoutEffect(() => {
    const top = body.current!.getBoundingClientRect().top + scrollY;
    if (Math.abs(top - margin) > 1) setMargin(top);
  });
  const virtual = useWindowVirtualizer({ count: items.length, estimateSize: () => rowHeight, overscan: 12, scrollMargin: margin });

  const tracks = columns.map((c) => c.width).join(" ");
  const medium = columns.filter((c) => !c.minor).map((c) => c.width).join(" ");
  const narrow = columns.filter((c) => !c.secondary && !c.minor).map((c) => c.width.replace(/minmax\(\d+px/, "minmax(0")).join(" ");
  return (
    <div className={css.table} style={{ "--tracks": tracks, "--tracks-medium": medium, "--tracks-narrow": narrow } as never}>
      <div role="table" aria-label={label} aria-rowcount={items.length + 1}>
        <div role="rowgroup" className={css.head}>
          <div role="row" className={css.row}>
            {columns.map((c) => (
              <HeadCell key={c.id} column={c} active={c.id === sort} dir={dir} onSort={onSort} />
            ))}
          </div>
        </div>
        <div role="rowgroup" ref={body} className={css.body} style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((v) => {
            const item = items[v.index]!;
            const style = { height: rowHeight, transform: `translateY(${v.start - margin}px)` };
            if (item.kind === "group") {
              return (
                <div key={item.key} role="row" className={css.group} style={style}>
                  <span role="cell">
                    {item.key || "–"} <span className={css.count}>{item.count}</span>
                  </span>
                </div>
              );
            }
            return (
              <div
                key={item.key}
                role="row"
                aria-rowindex={v.index + 2}
                className={css.row}
                data-open={onOpen ? "" : undefined}
                style={style}
                onClick={(e) => onOpen && !selecting() && !(e.target as HTMLElement).closest("a,button") && onOpen(item.row)}
                onKeyDown={moveFocus}
              >
                {columns.map((c) => (
                  <div key={c.id} role="cell" className={css.cell} data-align={c.align} data-minor={c.minor || undefined} data-secondary={c.secondary || undefined}>
                    {c.render(item.row)}
                  </div>
                ))}
              </div>
            );
          })}
        </div>
      </div>
      {csvName && rows.length > 0 && (
        <div className={css.foot}>
          {plural(rows.length, "row")}
          <button type="button" className={css.csv} onClick={() => exportRows(csvName, columns, sorted)}>
            CSV
          </button>
        </div>
      )}
    </div>
  );
}

// What a column sorts by is its plain value: durations in nanoseconds, ratios 0…1.
function exportRows<T>(name: string, columns: readonly Column<T>[], rows: readonly T[]) {
  const shown = columns.filter((c) => c.sort);
  download(`${name}.csv`, csv(shown.map((c) => c.id), rows.map((r) => shown.map((c) => c.sort!(r)))));
}

function HeadCell<T>({ column: c, active, dir, onSort }: { column: Column<T>; active: boolean; dir: Direction; onSort?: (id: string, dir: Direction) => void }) {
  const next: Direction = active ? (dir === "asc" ? "desc" : "asc") : (c.first ?? "desc");
  return (
    <div role="columnheader" className={css.cell} data-align={c.align} data-minor={c.minor || undefined} data-secondary={c.secondary || undefined} aria-sort={active ? (dir === "asc" ? "ascending" : "descending") : undefined}>
      {c.sort && onSort ? (
        <button type="button" className={css.sort} onClick={() => onSort(c.id, next)}>
          {c.label}
          {active && (dir === "asc" ? <ArrowUp size={12} aria-hidden /> : <ArrowDown size={12} aria-hidden />)}
        </button>
      ) : (
        <span className={c.quiet ? "visually-hidden" : undefined}>{c.label}</span>
      )}
    </div>
  );
}

function flatten<T>(rows: readonly T[], rowKey: (row: T) => string, group?: (row: T) => string): Item<T>[] {
  if (!group) return rows.map((row) => ({ kind: "row", key: rowKey(row), row }));
  return groupBy(rows, group).flatMap((g): Item<T>[] => [
    { kind: "group", key: g.key, count: g.rows.length },
    ...g.rows.map((row): Item<T> => ({ kind: "row", key: `${g.key}\u0000${rowKey(row)}`, row })),
  ]);
}

/** Text being selected with the mouse must not open the row. */
const selecting = () => !!getSelection()?.toString();

// Arrow keys move between the rows' first links.
function moveFocus(e: KeyboardEvent<HTMLDivElement>) {
  const step = e.key === "ArrowDown" || e.key === "j" ? "nextElementSibling" : e.key === "ArrowUp" || e.key === "k" ? "previousElementSibling" : null;
  if (!step) return;
  const rows = [...(e.currentTarget.parentElement?.children ?? [])] as HTMLElement[];
  const order = rows.sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top);
  const at = order.indexOf(e.currentTarget) + (step === "nextElementSibling" ? 1 : -1);
  const target = order[at]?.querySelector<HTMLElement>("a,button");
  if (target) {
    e.preventDefault();
    target.focus();
  }
}
