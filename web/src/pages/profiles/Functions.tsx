import { useMemo } from "react";
import type { Flame, FunctionRow } from "@/lib/flame";
import { sides } from "@/lib/flame";
import { unitOf } from "@/lib/profiletype";
import { Num } from "@/ui/Num";
import { type Column, Table } from "@/ui/Table";
import type { ProfilesSearch } from "./route";
import css from "./Page.module.css";

interface Props {
  rows: readonly FunctionRow[];
  flame: Flame;
  unit: string;
  q: RegExp | null;
  search: ProfilesSearch;
  set: (patch: Partial<ProfilesSearch>, replace?: boolean) => void;
  onOpen: (fn: string) => void;
}

/** The same numbers as the flame graph, by function. */
export function Functions({ rows, flame, unit, q, search, set, onOpen }: Props) {
  const shown = useMemo(() => (q ? rows.filter((r) => q.test(r.function) || q.test(r.file)) : rows), [rows, q]);
  const columns = useMemo(() => columnsOf(flame, unit, onOpen), [flame, unit, onOpen]);
  return (
    <div className={css.table}>
      <Table
        label="Functions"
        rows={shown}
        columns={columns}
        rowKey={(r) => `${r.function}\u0000${r.file}`}
        rowHeight={30}
        sort={search.sort ?? "self"}
        dir={search.dir ?? "desc"}
        onSort={(sort, dir) => set({ sort, dir })}
        csvName="functions"
      />
    </div>
  );
}

function columnsOf(flame: Flame, unit: string, onOpen: (fn: string) => void): Column<FunctionRow>[] {
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
    number("selfshare", "Self %", (r) => r.self / whole, "ratio"),
    number("total", "Total", (r) => r.total, u, true),
    number("totalshare", "Total %", (r) => r.total / whole, "ratio", true),
  ];
  if (flame.baseTotal) {
    const [a, b] = sides(flame);
    columns.push({
      id: "change", label: "Self, change", width: "110px", align: "right", sort: (r) => r.self * a - r.baseSelf * b,
      render: (r) => <Points share={r.self * a - r.baseSelf * b} />,
    });
  }
  columns.push({
    id: "file", label: "File", width: "minmax(120px, 2fr)", secondary: true, minor: true, sort: (r) => r.file, first: "asc",
    render: (r) => <span className={css.file} title={r.file}>{r.file ? `${tail(r.file)}${r.line ? `:${r.line}` : ""}` : "–"}</span>,
  });
  return columns;
}

function Points({ share }: { share: number }) {
  const text = `${share >= 0 ? "+" : "−"}${Math.abs(100 * share).toFixed(1)} pp`;
  return <span data-tone={share > 0.005 ? "bad" : share < -0.005 ? "good" : undefined} className={css.points}>{text}</span>;
}

const tail = (file: string) => file.split("/").slice(-2).join("/");
