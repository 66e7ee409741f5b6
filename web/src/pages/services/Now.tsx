import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { CircleCheck, Rocket, Server, VolumeX } from "lucide-react";
import { plain, scoped } from "@/api/queries";
import type { Deployment, DeploymentsAnswer, DetectionState, HostsAnswer, Incident, SilentService } from "@/api/types";
import { useScope } from "@/app/range";
import { useNow } from "@/app/useNow";
import { ago, plural, sig3 } from "@/lib/format";
import { hostTroubles } from "@/lib/hosts";
import { causeName, incidentLasted } from "@/lib/incident";
import { choiceText } from "@/lib/dash/model";
import { silenceWords } from "@/lib/silence";
import { SeverityMark } from "@/ui/Severity";
import css from "./Now.module.css";

const SHOWN = 3;
const POLL_MS = 30_000;
/** A deploy of before yesterday explains nothing of today. */
const DEPLOYS_FROM = "now-24h";

/** What is not as usual now, and what was changed lately: the first glance. */
export function Now({ open, silent }: { open: readonly Incident[] | undefined; silent: readonly SilentService[] | undefined }) {
  const scope = useScope();
  const now = useNow();
  const detection = useQuery(plain<DetectionState>("/detection", {}, 15_000)).data;
  const deploys = useQuery(plain<DeploymentsAnswer>("/deployments", { from: DEPLOYS_FROM, to: "now", env: scope.env }, scope.live && POLL_MS)).data?.deployments ?? [];
  const hosts = useQuery({ ...scoped<HostsAnswer>("/hosts", { ...scope, range: { from: "now-15m", to: "now" }, env: undefined }, {}, POLL_MS), retry: false }).data?.hosts ?? [];
  const troubles = hostTroubles(hosts);
  const calm = open?.length === 0 && !silent?.length && troubles.length === 0;
  if (!open) return null; // what is not known is not said to be well
  return (
    <section className={css.now} aria-label="Now" data-calm={calm || undefined}>
      <div className={css.main}>
        {calm && (
          <p className={css.calm}>
            <CircleCheck size={15} aria-hidden /> Nothing unusual
            <span className={css.faint}>{learning(detection)}</span>
          </p>
        )}
        {open.slice(0, SHOWN).map((i) => (
          <Link key={i.id} to="/incidents/$incident" params={{ incident: i.id }} className={css.incident} data-severity={i.severity}>
            <SeverityMark severity={i.severity} />
            <span className={css.words}>
              <span className={css.title}>{i.title}</span>
              {i.root_causes[0] && <span className={css.cause}>likely origin: {causeName(i.root_causes[0])}</span>}
            </span>
            <span className={css.since}>{incidentLasted(i, now)}</span>
          </Link>
        ))}
        {open.length > SHOWN && (
          <Link to="/incidents" className={css.more}>
            {plural(open.length - SHOWN, "more open incident")}
          </Link>
        )}
        {silent?.slice(0, SHOWN).map((s) => (
          <Link key={s.service} to="/services/$service" params={{ service: s.service }} className={css.line}>
            <VolumeX size={14} aria-hidden /> <strong>{s.service}</strong> {silenceWords(s, now)}
          </Link>
        ))}
        {silent && silent.length > SHOWN && <p className={css.faint}>{plural(silent.length - SHOWN, "more silent service")}, see State</p>}
        {troubles.slice(0, SHOWN).map((t) => (
          <Link key={t.host} to={"/dashboards/$id" as never} params={{ id: "hosts" } as never} search={{ "var-host": choiceText([t.host]) } as never} className={css.line}>
            <Server size={14} aria-hidden /> <strong>{t.host}</strong> {t.words}
          </Link>
        ))}
        {troubles.length > SHOWN && (
          <Link to="/hosts" className={css.more}>
            {plural(troubles.length - SHOWN, "more host")} with little left
          </Link>
        )}
      </div>
      <Deploys deploys={deploys} now={now} />
    </section>
  );
}

function Deploys({ deploys, now }: { deploys: readonly Deployment[]; now: number }) {
  if (deploys.length === 0) return null;
  const newest = [...deploys].sort((a, b) => Date.parse(b.ts) - Date.parse(a.ts));
  return (
    <ul className={css.deploys} aria-label="Deployed in the last 24 hours">
      {newest.slice(0, SHOWN).map((d) => (
        <li key={`${d.service} ${d.version} ${d.ts}`}>
          <Link to="/services/$service" params={{ service: d.service }} search={{ tab: "versions" }} className={css.line} title={d.previous ? `before: ${d.previous}` : undefined}>
            <Rocket size={13} aria-hidden /> <strong>{d.service}</strong> {d.version} <span className={css.faint}>{ago(now - Date.parse(d.ts))}</span>
          </Link>
        </li>
      ))}
      {newest.length > SHOWN && <li className={css.faint}>{plural(newest.length - SHOWN, "more deploy")} in 24 h</li>}
    </ul>
  );
}

/** How much the silence is worth. */
function learning(d: DetectionState | undefined): string {
  if (!d) return "";
  if (!d.learned || d.ready === 0) return "still learning what is usual";
  const days = d.history_days;
  return `${plural(d.ready, "series")} judged, usual learned from ${days < 1 ? `${sig3(days * 24)} h` : `${sig3(days)} days`}`;
}
