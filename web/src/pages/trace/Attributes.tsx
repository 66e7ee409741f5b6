import { useState } from "react";
import { Link } from "@tanstack/react-router";
import { Filter, FilterX } from "lucide-react";
import type { Attr } from "@/api/types";
import { term, tracesSearch } from "@/app/links";
import { plural } from "@/lib/format";
import { CopyButton } from "@/ui/Copy";
import { Tip } from "@/ui/Tip";
import css from "./Detail.module.css";

const FILTER_FROM = 12;

export function attributesOf(record: Record<string, unknown>): Attr[] {
  return Object.entries(record).map(([key, v]) => ({ key, value: typeof v === "string" ? v : JSON.stringify(v), type: typeof v === "string" ? "string" : typeof v === "object" ? "json" : "double" }));
}

/** Keys and values; each leads to the traces that share it. */
export function Attributes({ list, dropped, empty }: { list: readonly Attr[]; dropped: number; empty: string }) {
  const [filter, setFilter] = useState("");
  const words = filter.toLowerCase();
  const shown = [...list].filter((a) => !words || `${a.key} ${a.value}`.toLowerCase().includes(words)).sort((a, b) => a.key.localeCompare(b.key));
  return (
    <>
      {list.length >= FILTER_FROM && <input className={css.filter} aria-label="Filter attributes" placeholder="Filter" value={filter} onChange={(e) => setFilter(e.target.value)} />}
      {list.length === 0 && <p className={css.none}>{empty}</p>}
      <dl className={css.attributes}>
        {shown.map((a) => (
          <Attribute key={a.key} attr={a} />
        ))}
      </dl>
      {dropped > 0 && <p className={css.none}>{plural(dropped, "more attribute")} dropped by the SDK or by Tidemark&rsquo;s limits.</p>}
    </>
  );
}

function Attribute({ attr }: { attr: Attr }) {
  const t = term(attr.key, attr.value);
  const value = attr.type === "json" ? pretty(attr.value) : attr.value;
  return (
    <div className={css.attribute}>
      <dt className={css.key} title={attr.key}>
        {attr.key}
      </dt>
      <dd className={css.value} data-type={attr.type}>
        <span className={css.text}>{value === "" ? "(empty)" : value}</span>
        <span className={css.tools}>
          <Tip text="Traces with this">
            <Link {...tracesSearch(t)} className={css.tool} aria-label={`Traces with ${attr.key} ${attr.value}`}>
              <Filter size={13} />
            </Link>
          </Tip>
          <Tip text="Traces without this">
            <Link {...tracesSearch(`-${t}`)} className={css.tool} aria-label={`Traces without ${attr.key} ${attr.value}`}>
              <FilterX size={13} />
            </Link>
          </Tip>
          <CopyButton text={attr.value} label={`Copy ${attr.key}`} />
        </span>
      </dd>
    </div>
  );
}

function pretty(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json;
  }
}
