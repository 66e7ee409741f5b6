import { useMemo } from "react";
import type { Flame, FunctionRow } from "@/lib/flame";
import { sides } from "@/lib/flame";
import type { Scale } from "@/lib/profilescale";
import { unitOf } from "@/lib/profiletype";
import { Num } from "@/ui/Num";
import { type Column, Table } from "@/ui/Table";
import type { ProfilesSearch } from "./route";
import css from "./Page.module.css";

interface Props {
  rows: readonly FunctionRow[];
  flame: Flame;
  unit: string;
  /** What a comparison counts in. */
  scale: Scale | undefined;
  q: RegExp | null;
  search: ProfilesSearch;
  set: (patch: Partial<ProfilesSearch>, replace?: boolean) => void;
  onOpen: (fn: string) => void;
}

/** The same numbers as the flame graph, by function. */
export function Functions({ rows, flame, unit, scale, q, search, set, onOpen }: Props) {
  const shown = useMemo(() => (q ? rows.filter((r) => q.test(r.function) || q.test(r.file)) : rows), [rows, q]);
  const columns = useMemo(() => columnsOf(flame, unit, scale, onOpen), [flame, unit, scale, onOpen]);
  return (
    <div className={css.table}>
      <Table
        label="Functions"
        rows={shown}
        columns={columns}
        rowKey={(r) => `${r.function}\u0000${r.file}`}
        rowHeight={30}
        sort={search.sort ?? (scale ? "change" : "self")}
        dir={search.dir ?? "desc"}
        onSort={(sort, dir) => set({ sort, dir })}
        csvName="functions"
      />
    </div>
  );
}

function columnsOf(flame: Flame, unit: string, scale: Scale | undefined, onOpen: (fn: string) => void): Column<FunctionRow>[] {
  const whole = flame.total[0] || 1;
  const u = unitOf(unit);
  const number = (id: string, label: string, of: (r: FunctionRow) => number, as: string = u, secondary = false): Column<FunctionRow> => ({
    id, label, width: "96px", align: "right", sort: of, secondary, render: (r) => <Num value={of(r)} unit={as} />,
  });
  const columns: Column<FunctionRow>[] = [
    {
      id: "function",
      label: "Function",
      width: "minmax(200px, 3fr)",
      sort: (r) => r.function,
      first: "asc",
      render: (r) => (
        <button type="button" className={css.name} title={r.function} onClick={() => onOpen(r.function)}>
          {r.function}
        </button>
      ),
    },
    number("self", "Self", (r) => r.self),
    number("selfshare", "Self %", (r) => r.self / whole, "ratio", !!scale),
    number("total", "Total", (r) => r.total, u, true),
    number("totalshare", "Total %", (r) => r.total / whole, "ratio", true),
  ];
  if (flame.baseTotal && scale) {
    const [a, b] = sides(flame);
    const change = (id: string, label: string, now: (r: FunctionRow) => number, was: (r: FunctionRow) => number, secondary: boolean): Column<FunctionRow> => ({
      id, label, width: "minmax(104px, 148px)", align: "right", secondary, sort: (r) => now(r) * a - was(r) * b, render: (r) => <Delta now={now(r) * a} was={was(r) * b} least={0.002 * whole * a} say={scale.say} />,
    });
    columns.push(change("change", `Self, change${scale.per && ` ${scale.per}`}`, (r) => r.self, (r) => r.baseSelf, false), change("totalchange", "Total, change", (r) => r.total, (r) => r.baseTotal, true));
  }
  columns.push({
    id: "file", label: "File", width: "minmax(120px, 2fr)", secondary: true, minor: true, sort: (r) => r.file, first: "asc",
    render: (r) => <span className={css.file} title={r.file}>{r.file ? `${tail(r.file)}${r.line ? `:${r.line}` : ""}` : "–"}</span>,
  });
  return columns;
}

function Delta({ now, was, least, say }: { now: number; was: number; least: number; say: (v: number) => string }) {
  const d = now - was;
  return (
    <span data-tone={d > least ? "bad" : d < -least ? "good" : undefined} className={css.points} title={`before ${say(was)}, now ${say(now)}`}>
      {d === 0 ? "0" : `${d < 0 ? "−" : "+"}${say(Math.abs(d))}`}
    </span>
  );
}

const tail = (file: string) => file.split("/").slice(-2).join("/");
