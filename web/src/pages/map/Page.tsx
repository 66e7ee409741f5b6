import { useMemo } from "react";
import { useNavigate } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { Crosshair } from "lucide-react";
import { newest, useFallback, useLive } from "@/api/live";
import { mapQuery } from "@/api/queries";
import type { MapAnswer } from "@/api/types";
import { useScope, useSpan } from "@/app/range";
import { near } from "@/lib/graph";
import { ago, plural } from "@/lib/format";
import { Button } from "@/ui/Button";
import { MenuItem, Popover } from "@/ui/Popover";
import { SearchField } from "@/ui/SearchField";
import { Empty, Query, Skeleton } from "@/ui/States";
import { Segmented } from "@/ui/Tabs";
import { useState } from "react";
import { Canvas } from "./Canvas";
import { mapRoute } from "./route";
import css from "./Page.module.css";

const DEPTHS = [{ id: "1", label: "1" }, { id: "2", label: "2" }, { id: "3", label: "3" }] as const;

export default function MapPage() {
  const scope = useScope();
  const span = useSpan();
  const live = useLive<MapAnswer>({ kind: "map", env: scope.env, window_ms: Math.round(span.to - span.from) }, { from: scope.range.from, enabled: scope.live });
  const q = useQuery({ ...mapQuery(scope, {}), refetchInterval: useFallback(scope.live, live) });
  const data = newest(live.data, q.data);
  const query = data ? { ...q, data } : q;
  return (
    <div className={css.page}>
      <h1 className="visually-hidden">Service map</h1>
      <Query query={query} skeleton={<Skeleton height="calc(100vh - 120px)" />}>
        {(data) =>
          data.nodes.length === 0 ? (
            <Empty title="Nothing called anything in this range">The map draws services, databases and queues from the spans between them. Choose a wider range.</Empty>
          ) : (
            <MapView data={data} />
          )
        }
      </Query>
    </div>
  );
}

function MapView({ data }: { data: MapAnswer }) {
  const { focus, depth = "1" } = mapRoute.useSearch();
  const navigate = useNavigate({ from: "/map" });
  const [find, setFind] = useState("");
  const shown = useMemo(() => {
    const known = focus && data.nodes.some((n) => n.id === focus || n.name === focus);
    if (!known) return data;
    const id = data.nodes.find((n) => n.id === focus || n.name === focus)!.id;
    const keep = near(data.edges, id, Number(depth));
    return { ...data, nodes: data.nodes.filter((n) => keep.has(n.id)), edges: data.edges.filter((e) => keep.has(e.source) && keep.has(e.target)) };
  }, [data, focus, depth]);
  const setFocus = (id: string | undefined) => void navigate({ search: (o) => ({ ...o, focus: id, depth: id ? (o.depth ?? "1") : undefined }) });
  return (
    <>
      <div className={css.bar}>
        <SearchField label="Find on the map" value={find} onChange={setFind} />
        <FocusMenu data={data} focus={focus} onFocus={setFocus} />
        {focus && (
          <>
            <span className={css.label}>Depth</span>
            <Segmented label="Steps from the focus" options={DEPTHS} value={depth} onChange={(d) => void navigate({ search: (o) => ({ ...o, depth: d }) })} />
            <Button tone="ghost" onClick={() => setFocus(undefined)}>
              Show all
            </Button>
          </>
        )}
        <span className={css.count}>
          {plural(shown.nodes.length, "node")} · {plural(shown.edges.length, "connection")}
          {data.sampled && " · sampled"}
          <MapAge data={data} />
        </span>
      </div>
      <Canvas data={shown} find={find} focus={focus} onFocus={setFocus} />
    </>
  );
}

/** Calls are drawn from closed windows: says how far behind the present the map is. */
function MapAge({ data }: { data: MapAnswer }) {
  const age = data.range.now_ms - data.fresh_to_ms;
  return data.fresh_to_ms > 0 && age > 5_000 && data.range.to_ms > data.fresh_to_ms ? <> · calls up to {ago(age)}</> : null;
}

function FocusMenu({ data, focus, onFocus }: { data: MapAnswer; focus: string | undefined; onFocus: (id: string | undefined) => void }) {
  return (
    <Popover
      label="Focus on a node"
      align="start"
      trigger={
        <Button>
          <Crosshair size={14} aria-hidden />
          {focus ? `Around ${data.nodes.find((n) => n.id === focus)?.name ?? focus}` : "Focus"}
        </Button>
      }
    >
      {data.nodes.map((n) => (
        <MenuItem key={n.id} checked={n.id === focus} onSelect={() => onFocus(n.id)}>
          {n.name}
        </MenuItem>
      ))}
    </Popover>
  );
}
