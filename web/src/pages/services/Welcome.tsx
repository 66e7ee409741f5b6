import { useMemo, useState } from "react";
import { Link } from "@tanstack/react-router";
import type { Status } from "@/api/types";
import { snippets } from "@/lib/snippets";
import { CodeBlock, CopyText } from "@/ui/Copy";
import { Tabs } from "@/ui/Tabs";
import css from "./Welcome.module.css";

/** The first start: where to send telemetry and how. The page turns into the services by itself. */
export function Welcome({ status }: { status: Status }) {
  const keyed = status.ingest_keys.required || status.ingest_keys.active > 0;
  const list = useMemo(
    () => snippets({ grpc: status.otlp_grpc, http: status.otlp_http, key: keyed ? "YOUR_INGEST_KEY" : undefined }),
    [status.otlp_grpc, status.otlp_http, keyed],
  );
  const [tab, setTab] = useState(list[0]!.id);
  const shown = list.find((s) => s.id === tab) ?? list[0]!;
  return (
    <div className={css.page} data-testid="welcome">
      <div className={css.waiting} role="status">
        <span className={css.pulse} aria-hidden />
        <div>
          <h1>Waiting for the first span</h1>
          <p className={css.sub}>Tidemark is running and listening. This page turns into your services as soon as telemetry arrives.</p>
        </div>
      </div>
      <dl className={css.endpoints}>
        <div>
          <dt>OTLP over HTTP</dt>
          <dd>
            <CopyText text={status.otlp_http} />
          </dd>
        </div>
        <div>
          <dt>OTLP over gRPC</dt>
          <dd>
            <CopyText text={status.otlp_grpc} />
          </dd>
        </div>
      </dl>
      {keyed && (
        <p className={css.sub}>
          {status.ingest_keys.required ? "Senders need an ingest key. " : "Send your ingest key along, or leave its line out. "}
          <Link to="/settings" hash="ingest-keys" className="link">
            Ingest keys
          </Link>
        </p>
      )}
      <section className={css.how} aria-label="How to send telemetry">
        <Tabs label="Language" tabs={list} value={tab} onChange={setTab} panelId="snippet" />
        <div id="snippet" role="tabpanel" aria-label={shown.label}>
          <ol className={css.steps}>
            {shown.steps.map((s, i) => (
              <li key={s.title}>
                <p className={css.step}>
                  {shown.steps.length > 1 && <span className={css.number}>{i + 1}</span>}
                  {s.title}
                </p>
                <CodeBlock text={s.code} label={s.title} />
              </li>
            ))}
          </ol>
        </div>
      </section>
      <p className={css.meanwhile}>
        No service at hand?{" "}
        <Link to="/services" search={{ start: "skip" }} className="link">
          Look at Tidemark’s own telemetry
        </Link>{" "}
        meanwhile, or run <code>make demo</code>.
      </p>
    </div>
  );
}
