import { type FormEvent, useState } from "react";
import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { ArrowDown, ArrowUp, Plus, X } from "lucide-react";
import { put } from "@/api/client";
import { plain } from "@/api/queries";
import type { Channel, Route, Routing } from "@/api/types";
import { capital, emptyRoute, EVERY_CHANNEL, matchWords, ownZone, timesWords } from "@/lib/routing";
import { Button, IconButton } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Checks, Field, Fields, FormActions, Input, Select, Switch } from "@/ui/Form";
import { Panel } from "@/ui/Panel";
import { Empty, Query, SkeletonRows } from "@/ui/States";
import { channelsQuery } from "./Channels";
import { MatchFields, WindowFields } from "./fields";
import { Inhibitions } from "./Inhibitions";
import { type Saving, useSave } from "./useSave";
import dialog from "./Confirm.module.css";
import css from "./Page.module.css";

/** Which incident goes where: routes from top to bottom. Every change is saved at once and can be undone. */
export function RoutingTab() {
  const q = useQuery(plain<Routing>("/routing"));
  const channels = useQuery(channelsQuery());
  return <Query query={q}>{(routing) => (channels.data ? <Editor routing={routing} channels={channels.data.channels} /> : <SkeletonRows rows={3} />)}</Query>;
}

const REPEAT = [
  { id: "0", label: "Never again" },
  { id: "60", label: "Every hour" },
  { id: "240", label: "Every 4 hours" },
  { id: "720", label: "Every 12 hours" },
  { id: "1440", label: "Every day" },
];
const WAIT = [
  { id: "0", label: "At once, each by itself" },
  { id: "10", label: "Together, after 10 s" },
  { id: "30", label: "Together, after 30 s" },
  { id: "60", label: "Together, after 1 min" },
  { id: "300", label: "Together, after 5 min" },
];

/** The choices, with what was set elsewhere among them. */
const withOwn = (list: readonly { id: string; label: string }[], n: number, unit: string) => (list.some((o) => o.id === String(n)) ? list : [...list, { id: String(n), label: `${n} ${unit}` }]);

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
  return (
    <>
      <div className={css.intro}>
        <p>The first route that fits an incident takes it. What fits none is listed under Incidents and told to nobody.</p>
        <Button tone="primary" onClick={() => setEditing(r.routes.length)}>
          <Plus size={14} aria-hidden /> New route
        </Button>
      </div>
      <Panel flush>
        {r.routes.length === 0 ? (
          <Empty title="No route: nobody is told of anything">Add one, if only “all incidents to every channel”.</Empty>
        ) : (
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
          </ol>
        )}
      </Panel>
      <Inhibitions routing={r} store={store} save={save} />
      <Zone routing={r} store={store} save={save} />
      <Dialog open={editing !== null} onClose={() => setEditing(null)} label="Route">
        {editing !== null && <RouteForm route={r.routes[editing] ?? emptyRoute()} channels={channels} save={save} close={() => setEditing(null)} keep={(route) => void keep(editing, route)} />}
      </Dialog>
    </>
  );
}

export type Store = (next: Routing, done: string) => Promise<unknown>;

function Zone({ routing: r, store, save }: { routing: Routing; store: Store; save: Saving }) {
  const [zone, setZone] = useState(r.zone);
  return (
    <Panel title="Times in messages">
      <form
        className={css.settings}
        aria-label="Times in messages"
        onSubmit={(e) => {
          e.preventDefault();
          void store({ ...r, zone: zone.trim() }, "Time zone saved");
        }}
      >
        <Field label="Time zone" error={save.errorOf("zone")}>
          {(ids) => <Input {...ids} value={zone} placeholder={`UTC, or ${ownZone()}`} onChange={(e) => setZone(e.target.value)} />}
        </Field>
        <Button type="submit" disabled={zone.trim() === r.zone || save.busy} className={css.fit}>
          Save
        </Button>
      </form>
    </Panel>
  );
}

function channelName(id: string, channels: readonly Channel[]): string {
  return id === EVERY_CHANNEL ? "every channel" : (channels.find((c) => c.id === id)?.name ?? "a removed channel");
}

function repeatWords(minutes: number): string {
  return REPEAT.find((o) => o.id === String(minutes))?.label.toLowerCase() ?? `every ${minutes} min`;
}

function Sentence({ route: r, channels }: { route: Route; channels: readonly Channel[] }) {
  return (
    <div className={css.sentence}>
      {r.name && <p className={css.name}>{r.name}</p>}
      <p>
        {capital(matchWords(r.match))}
        {r.times.length > 0 && <span className={css.detail}>, {r.times.map(timesWords).join(" and ")},</span>} →{" "}
        {r.channels.length === 0 ? "nobody" : r.channels.map((id) => <Chip key={id} text={channelName(id, channels)} />)}
        {r.continue && <span className={css.detail}> and the routes below</span>}
      </p>
      <p className={css.small}>
        {r.group_wait_seconds > 0 ? `several together after ${r.group_wait_seconds} s` : "told at once"} · {r.repeat_minutes > 0 ? `again ${repeatWords(r.repeat_minutes)}` : "not repeated"}
        {r.skip_resolved && " · not told when it is over"}
      </p>
    </div>
  );
}

const Chip = ({ text }: { text: string }) => <span className={css.chip}>{text}</span>;

function RouteForm({ route, channels, save, close, keep }: { route: Route; channels: readonly Channel[]; save: Saving; close: () => void; keep: (r: Route) => void }) {
  const [r, set] = useState(route);
  const patch = (p: Partial<Route>) => set((o) => ({ ...o, ...p }));
  const submit = (e: FormEvent) => {
    e.preventDefault();
    keep({ ...r, name: r.name.trim() });
  };
  return (
    <form onSubmit={submit} className={dialog.form} aria-label="Route">
      <h2 className={css.formTitle}>Route</h2>
      <Fields>
        <Field label="Name (optional)">{(ids) => <Input {...ids} value={r.name} onChange={(e) => patch({ name: e.target.value })} placeholder="Payments at night" />}</Field>
        <MatchFields value={r.match} onChange={(match) => patch({ match })} />
        <Checks label="Tell" options={[{ id: EVERY_CHANNEL, label: "Every channel" }, ...channels.map((c) => ({ id: c.id, label: c.name }))]} value={r.channels} onChange={(list) => patch({ channels: list })} />
        {channels.length === 0 && (
          <p className={css.full}>
            There is no channel yet. <Link to="/alerts" search={{ tab: "channels", edit: "new" }} className="link">Set one up</Link>
          </p>
        )}
        <Field half label="Several at once">
          {(ids) => <Select {...ids} options={withOwn(WAIT, r.group_wait_seconds, "s")} value={String(r.group_wait_seconds)} onChoose={(v) => patch({ group_wait_seconds: Number(v) })} />}
        </Field>
        <Field half label="While it lasts, told again">
          {(ids) => <Select {...ids} options={withOwn(REPEAT, r.repeat_minutes, "min")} value={String(r.repeat_minutes)} onChoose={(v) => patch({ repeat_minutes: Number(v) })} />}
        </Field>
        <div className={css.full}>
          <Switch label="Tell when it is over" checked={!r.skip_resolved} onChange={(on) => patch({ skip_resolved: !on })} />
        </div>
        <div className={css.full}>
          <Switch label="Try the routes below as well" checked={r.continue} onChange={(on) => patch({ continue: on })} />
        </div>
        <WindowFields label="Only at certain times" value={r.times[0] ?? null} onChange={(w) => patch({ times: w ? [w, ...r.times.slice(1)] : [] })} error={(f) => save.errorOf(`times[0].${f}`)} />
      </Fields>
      {save.fault && (
        <p role="alert" className={css.fault}>
          {save.fault.text}
        </p>
      )}
      <FormActions>
        <Button onClick={close}>Cancel</Button>
        <Button tone="primary" type="submit" disabled={save.busy}>
          Save
        </Button>
      </FormActions>
    </form>
  );
}
