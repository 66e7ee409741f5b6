import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { servicesQuery, statusQuery } from "@/api/queries";
import { useNow } from "@/app/useNow";
import { useScope } from "@/app/range";
import { plural } from "@/lib/format";
import { type Learning, learning } from "@/lib/learning";
import { Empty } from "@/ui/States";
import { Tip } from "@/ui/Tip";
import css from "./Page.module.css";

function useLearning(): Learning | null {
  const status = useQuery(statusQuery());
  const now = useNow(30_000);
  return status.data ? learning(status.data.first_span_ms, now) : null;
}

/** How well the product knows what is normal, in one line. */
export function Confidence() {
  const l = useLearning();
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
  const l = useLearning();
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
