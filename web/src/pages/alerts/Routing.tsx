import { type FormEvent, useState } from "react";
import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { ArrowDown, ArrowUp, Plus, X } from "lucide-react";
import { put } from "@/api/client";
import { plain } from "@/api/queries";
import type { Channel, Route, Routing } from "@/api/types";
import { conditionWords, DAYS, emptyRoute, names, ownZone, timesWords } from "@/lib/routing";
import { Button, IconButton } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Checks, Field, Fields, FormActions, Input, Select, Switch } from "@/ui/Form";
import { Panel } from "@/ui/Panel";
import { Empty, Query, SkeletonRows } from "@/ui/States";
import { SEVERITY_OPTIONS } from "@/ui/Severity";
import { channelsQuery } from "./Channels";
import { useSave } from "./useSave";
import dialog from "./Confirm.module.css";
import css from "./Page.module.css";

/** Which incident goes where: routes from top to bottom, and what takes the rest. Every change is saved at once and can be undone. */
export function RoutingTab() {
  const q = useQuery(plain<Routing>("/routing"));
  const channels = useQuery(channelsQuery());
  return (
    <Query query={q}>
      {(routing) => (channels.data ? <Editor routing={routing} channels={channels.data.channels} /> : <SkeletonRows rows={3} />)}
    </Query>
  );
}

const REPEAT = [
  { id: "0", label: "Never again" },
  { id: "3600", label: "Every hour" },
  { id: "14400", label: "Every 4 hours" },
  { id: "43200", label: "Every 12 hours" },
  { id: "86400", label: "Every day" },
] as const;
const WAIT = [
  { id: "0", label: "At once" },
  { id: "5", label: "After 5 s" },
  { id: "10", label: "After 10 s" },
  { id: "30", label: "After 30 s" },
  { id: "60", label: "After 1 min" },
] as const;

/** The choices, with what is set elsewhere among them. */
function choices<T extends string>(list: readonly { id: T; label: string }[], seconds: number): { id: string; label: string }[] {
  return list.some((o) => o.id === String(seconds)) ? [...list] : [...list, { id: String(seconds), label: `${seconds} s` }];
}

function Editor({ routing: r, channels }: { routing: Routing; channels: readonly Channel[] }) {
  const save = useSave("/routing");
  const [editing, setEditing] = useState<number | null>(null);
  const store = (next: Routing, done: string) => save.run(() => put<Routing>("/routing", next), done, () => put("/routing", r));
  const move = (from: number, by: number) => {
    const routes = [...r.routes];
    const [it] = routes.splice(from, 1);
    routes.splice(from + by, 0, it!);
    void store({ ...r, routes }, "Order saved");
  };
  const keep = async (n: number, route: Route) => {
    const routes = n < r.routes.length ? r.routes.map((old, i) => (i === n ? route : old)) : [...r.routes, route];
    if ((await store({ ...r, routes }, "Route saved")) !== undefined) setEditing(null);
  };
  if (channels.length === 0) {
    return (
      <Panel flush>
        <Empty title="Nothing to route yet" action={<Link to="/alerts" search={{ tab: "channels", edit: "new" }} className="link">Set up a channel</Link>}>
          Routes decide which channel is told of which incident. With one channel they are not needed.
        </Empty>
      </Panel>
    );
  }
  return (
    <>
      <div className={css.intro}>
        <p>The first route that fits an incident takes it. What no route takes goes to the default.</p>
        <Button tone="primary" onClick={() => setEditing(r.routes.length)}>
          <Plus size={14} aria-hidden /> New route
        </Button>
      </div>
      <Panel flush>
        <ol className={css.list} aria-label="Routes">
          {r.routes.map((route, n) => (
            <li key={n} className={css.route}>
              <span className={css.number} aria-hidden>
                {n + 1}
              </span>
              <Sentence route={route} channels={channels} />
              <div className={css.buttons}>
                <IconButton size="sm" label="Earlier" disabled={n === 0 || save.busy} onClick={() => move(n, -1)}>
                  <ArrowUp size={14} aria-hidden />
                </IconButton>
                <IconButton size="sm" label="Later" disabled={n === r.routes.length - 1 || save.busy} onClick={() => move(n, 1)}>
                  <ArrowDown size={14} aria-hidden />
                </IconButton>
                <Button size="sm" onClick={() => setEditing(n)}>
                  Edit
                </Button>
                <IconButton size="sm" label={`Remove route ${n + 1}`} disabled={save.busy} onClick={() => void store({ ...r, routes: r.routes.filter((_, i) => i !== n) }, "Route removed")}>
                  <X size={14} aria-hidden />
                </IconButton>
              </div>
            </li>
          ))}
          <li className={css.route}>
            <span className={css.number} aria-hidden>
              …
            </span>
            <div>
              <p className={css.name}>Everything else</p>
              <Checks
                label=""
                options={channels.map((c) => ({ id: c.id, label: c.name }))}
                value={r.default}
                onChange={(list) => void store({ ...r, default: list }, "Default saved")}
              />
              {r.default.length === 0 && <p className={css.detail}>Goes to no channel; it is still listed under Incidents.</p>}
            </div>
          </li>
        </ol>
      </Panel>
      <Panel title="For all messages">
        <div className={css.settings}>
          <Field label="What belongs together is told">
            {(ids) => <Select {...ids} options={choices(WAIT, r.group_wait_s)} value={String(r.group_wait_s)} onChoose={(v) => void store({ ...r, group_wait_s: Number(v) }, "Saved")} />}
          </Field>
          <Field label="While it lasts, told again">
            {(ids) => <Select {...ids} options={choices(REPEAT, r.repeat_s)} value={String(r.repeat_s)} onChoose={(v) => void store({ ...r, repeat_s: Number(v) }, "Saved")} />}
          </Field>
          <Switch label="Tell when it is over" checked={r.resolved} disabled={save.busy} onChange={(resolved) => void store({ ...r, resolved }, "Saved")} />
        </div>
      </Panel>
      <Dialog open={editing !== null} onClose={() => setEditing(null)} label="Route">
        {editing !== null && <RouteForm route={r.routes[editing] ?? emptyRoute()} channels={channels} busy={save.busy} fault={save.fault?.text} close={() => setEditing(null)} keep={(route) => void keep(editing, route)} />}
      </Dialog>
    </>
  );
}

function Sentence({ route: r, channels }: { route: Route; channels: readonly Channel[] }) {
  return (
    <div className={css.sentence}>
      {r.name && <p className={css.name}>{r.name}</p>}
      <p>
        {conditionWords(r)}
        {r.times && <span className={css.detail}>, {timesWords(r.times)},</span>} →{" "}
        {r.channels.length === 0
          ? "nobody"
          : r.channels.map((id) => (
              <span key={id} className={css.chip}>
                {channels.find((c) => c.id === id)?.name ?? "a removed channel"}
              </span>
            ))}
        {r.continue && <span className={css.detail}> and the routes below</span>}
      </p>
    </div>
  );
}

function RouteForm({ route, channels, busy, fault, close, keep }: { route: Route; channels: readonly Channel[]; busy: boolean; fault: string | undefined; close: () => void; keep: (r: Route) => void }) {
  const [r, set] = useState(route);
  const [services, setServices] = useState(route.services.join(", "));
  const [envs, setEnvs] = useState(route.envs.join(", "));
  const patch = (p: Partial<Route>) => set((o) => ({ ...o, ...p }));
  const submit = (e: FormEvent) => {
    e.preventDefault();
    keep({ ...r, name: r.name.trim(), services: names(services), envs: names(envs) });
  };
  return (
    <form onSubmit={submit} className={dialog.form} aria-label="Route">
      <h2 className={css.formTitle}>Route</h2>
      <Fields>
        <Field label="Name (optional)">{(ids) => <Input {...ids} value={r.name} onChange={(e) => patch({ name: e.target.value })} placeholder="Payments at night" />}</Field>
        <Field half label="Services" hint="Names separated by commas, * stands for anything. Empty: all.">
          {(ids) => <Input {...ids} value={services} onChange={(e) => setServices(e.target.value)} placeholder="all" />}
        </Field>
        <Field half label="Environments" hint="Empty: all.">
          {(ids) => <Input {...ids} value={envs} onChange={(e) => setEnvs(e.target.value)} placeholder="all" />}
        </Field>
        <Checks label="Severity (none: all)" options={SEVERITY_OPTIONS} value={r.severities} onChange={(severities) => patch({ severities })} />
        <div className={css.full}>
          <Switch label="Only at certain times" checked={r.times !== null} onChange={(on) => patch({ times: on ? { days: [1, 2, 3, 4, 5], from: "09:00", to: "18:00", zone: ownZone() } : null })} />
        </div>
        {r.times && (
          <>
            <Checks label="Days" options={[1, 2, 3, 4, 5, 6, 0].map((d) => ({ id: String(d), label: DAYS[d]!.slice(0, 3) }))} value={r.times.days.map(String)} onChange={(d) => patch({ times: { ...r.times!, days: d.map(Number).sort() } })} />
            <Field half label="From">{(ids) => <Input {...ids} type="time" value={r.times!.from} onChange={(e) => patch({ times: { ...r.times!, from: e.target.value } })} />}</Field>
            <Field half label="To">{(ids) => <Input {...ids} type="time" value={r.times!.to} onChange={(e) => patch({ times: { ...r.times!, to: e.target.value } })} />}</Field>
            <Field label="Time zone">{(ids) => <Input {...ids} value={r.times!.zone} onChange={(e) => patch({ times: { ...r.times!, zone: e.target.value } })} />}</Field>
          </>
        )}
        <Checks label="Tell" options={channels.map((c) => ({ id: c.id, label: c.name }))} value={r.channels} onChange={(list) => patch({ channels: list })} />
        <div className={css.full}>
          <Switch label="Try the routes below as well" checked={r.continue} onChange={(on) => patch({ continue: on })} />
        </div>
      </Fields>
      {fault && (
        <p role="alert" className={css.fault}>
          {fault}
        </p>
      )}
      <FormActions>
        <Button onClick={close}>Cancel</Button>
        <Button tone="primary" type="submit" disabled={busy}>
          Save
        </Button>
      </FormActions>
    </form>
  );
}
