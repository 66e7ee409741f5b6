import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { plain, servicesQuery } from "@/api/queries";
import type { DetectionState } from "@/api/types";
import { useScope } from "@/app/range";
import { integer, plural } from "@/lib/format";
import { type Learning, learning } from "@/lib/learning";
import { Empty } from "@/ui/States";
import { Tip } from "@/ui/Tip";
import css from "./Page.module.css";

const POLL_MS = 15_000;

function useLearning(): { learning: Learning; state: DetectionState } | null {
  const { data } = useQuery(plain<DetectionState>("/detection", {}, POLL_MS));
  return data ? { learning: learning(data), state: data } : null;
}

/** How well the product knows what is normal, in one line. */
export function Confidence() {
  const l = useLearning()?.learning;
  if (!l) return null;
  return (
    <Tip text={l.words}>
      <button type="button" className={css.confidence}>
        <Bar share={l.share} />
        {l.title}
      </button>
    </Tip>
  );
}

function Bar({ share }: { share: number }) {
  return (
    <span className={css.track} aria-hidden>
      <span className={css.fill} style={{ width: `${Math.round(share * 100)}%` }} />
    </span>
  );
}

const WATCHED = [
  ["Traffic", "requests of every service, operation and call between services; silence too"],
  ["Errors", "the share of requests that fail, and new kinds of failure"],
  ["Latency", "the whole distribution, so that a slow tail is seen as well"],
  ["Resources", "CPU, memory, pools, queues and caches that services report as metrics"],
] as const;

/** Nothing is open: what is watched, and how far that can be trusted by now. */
export function Quiet({ filtered }: { filtered: boolean }) {
  const scope = useScope();
  const services = useQuery(servicesQuery(scope));
  const known = useLearning();
  const l = known?.learning;
  if (filtered) return <p className={css.none}>No open incident matches the filter.</p>;
  const n = services.data?.services.length ?? 0;
  return (
    <Empty title={n > 0 ? `Nothing unusual in ${plural(n, "service")}` : "Nothing unusual"}>
      {l && (
        <div className={css.learning}>
          <Bar share={l.share} />
          <p>
            <strong>{l.title}.</strong> {l.words}
          </p>
          {known.state.series > 0 && (
            <p>
              {integer(known.state.ready)} of {plural(known.state.series, "series", "series")} are known long enough to be judged.
            </p>
          )}
        </div>
      )}
      <dl className={css.watched}>
        {WATCHED.map(([name, what]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p>
        Deviations open an incident here within seconds and tell the <Link to="/alerts" search={{ tab: "channels" }} className="link">channels</Link> you set up.
      </p>
    </Empty>
  );
}
