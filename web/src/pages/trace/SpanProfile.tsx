import { useMemo } from "react";
import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { ApiError } from "@/api/client";
import { type FlameAnswer, flameOfQuery, spanProfileQuery } from "@/api/profiles";
import type { Span, SpanProfileAnswer } from "@/api/types";
import { FlameGraph } from "@/charts/FlameGraph";
import { flameOf, functions } from "@/lib/flame";
import { unitOf, words } from "@/lib/profiletype";
import { Num } from "@/ui/Num";
import { Query, Skeleton } from "@/ui/States";
import css from "./SpanProfile.module.css";

const SHOWN = 8;

/** What the process did while the span ran: of the span itself where samples carry its id, else said what it is. */
export function SpanProfile({ traceId, span }: { traceId: string; span: Span }) {
  const q = useQuery(spanProfileQuery(traceId, span.span_id));
  if (q.error instanceof ApiError && q.error.status === 404) return <p className={css.sentence}>The span is not stored yet: its profile can be looked for in a moment.</p>;
  return (
    <Query query={q} skeleton={<Skeleton height={160} />}>
      {(data) => (
        <div className={css.profile}>
          <p className={css.sentence} data-exact={data.exact || undefined}>
            {data.sentence}
          </p>
          {data.found && <Found data={data} />}
        </div>
      )}
    </Query>
  );
}

function Found({ data }: { data: SpanProfileAnswer }) {
  const { service, type, sample_type, version, instance, label } = data.choice;
  const q = useQuery(flameOfQuery(data.choice, data.from_ms, data.to_ms));
  const to = (fn?: string) =>
    ({ to: "/profiles", search: { service, type, st: sample_type || undefined, version: version || undefined, instance: instance || undefined, label: label[0], from: String(data.from_ms), to: String(data.to_ms), fn } }) as unknown as { to: never; search: never };
  return (
    <>
      <Query query={q} skeleton={<Skeleton height={200} />}>
        {(flame) => <Graph data={flame} link={to} />}
      </Query>
      <Link {...to()} className="link">
        Open in Profiles
      </Link>
    </>
  );
}

function Graph({ data, link }: { data: FlameAnswer; link: (fn: string) => { to: never; search: never } }) {
  const flame = useMemo(() => flameOf(data.frames, data.nodes), [data]);
  const top = useMemo(() => functions(flame).filter((r) => r.self > 0).sort((a, b) => b.self - a.self).slice(0, SHOWN), [flame]);
  return (
    <>
      <FlameGraph flame={flame} label="Flame graph of the span" colour="package" found={null} words={(v) => words(v, data.unit)} />
      <table className={css.top} aria-label="Functions that take most">
        <tbody>
          {top.map((r) => (
            <tr key={`${r.function} ${r.file}`}>
              <td>
                <Link {...link(r.function)} title={r.function}>
                  {r.function}
                </Link>
              </td>
              <td>
                <Num value={r.self} unit={unitOf(data.unit)} />
              </td>
              <td>
                <Num value={r.self / (data.total || 1)} unit="ratio" />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
