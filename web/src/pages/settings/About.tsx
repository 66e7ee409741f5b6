import { useQuery } from "@tanstack/react-query";
import { statusQuery } from "@/api/queries";
import { CopyText } from "@/ui/Copy";
import { Panel } from "@/ui/Panel";
import { Query } from "@/ui/States";
import { Time } from "@/ui/Time";
import css from "./Page.module.css";

export function About() {
  const q = useQuery(statusQuery());
  return (
    <Panel title="About">
      <Query query={q}>
        {(s) => (
          <dl className={css.facts}>
            <dt>Version</dt>
            <dd className="mono">{s.version}</dd>
            <dt>Running since</dt>
            <dd>
              <Time t={s.started_ms} />
            </dd>
            <dt>Role</dt>
            <dd>{s.role === "all" ? "Everything in one process" : s.role}</dd>
            <dt>Store</dt>
            <dd>
              {s.store.embedded ? "Embedded ClickHouse" : "ClickHouse"} <span className="mono">{s.store.version}</span>
              {!s.store.ready && <span className={css.error}> not ready{s.store.error ? `: ${s.store.error}` : ""}</span>}
            </dd>
            <dt>OTLP over HTTP</dt>
            <dd>
              <CopyText text={s.otlp_http} />
            </dd>
            <dt>OTLP over gRPC</dt>
            <dd>
              <CopyText text={s.otlp_grpc} />
            </dd>
          </dl>
        )}
      </Query>
    </Panel>
  );
}
