import { type FormEvent, useState } from "react";
import { useNavigate } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { Plus, Send } from "lucide-react";
import { del, post, put } from "@/api/client";
import { plain } from "@/api/queries";
import type { Channel, ChannelKind, ChannelsAnswer, TestAnswer } from "@/api/types";
import { format } from "@/lib/format";
import { Button } from "@/ui/Button";
import { Field, Fields, FormActions, Input, Select, Switch, TextArea } from "@/ui/Form";
import { Panel } from "@/ui/Panel";
import { Empty, Query } from "@/ui/States";
import { Confirm } from "./Confirm";
import { alertsRoute } from "./route";
import { faultOf, useSave } from "./useSave";
import css from "./Page.module.css";

export const channelsQuery = () => plain<ChannelsAnswer>("/channels");

export function Channels() {
  const q = useQuery(channelsQuery());
  const { edit } = alertsRoute.useSearch();
  const navigate = useNavigate({ from: "/alerts" });
  const go = (id: string | undefined) => void navigate({ search: (o) => ({ ...o, edit: id }), resetScroll: false });
  return (
    <Query query={q}>
      {({ channels, kinds }) => {
        const channel = channels.find((c) => c.id === edit);
        if (edit === "new" || channel) return <Editor key={edit} channel={channel} kinds={kinds} close={() => go(undefined)} />;
        return (
          <>
            <div className={css.intro}>
              <p>Where Tidemark speaks to you. Without any routing, every enabled channel is told of each critical incident and warning when it begins, when it gets worse, and when it is over.</p>
              <Button tone="primary" onClick={() => go("new")}>
                <Plus size={14} aria-hidden /> New channel
              </Button>
            </div>
            <Panel flush>
              {channels.length === 0 ? (
                <Empty title="Nobody is told yet" action={<Button onClick={() => go("new")}>Set up the first channel</Button>}>
                  {kinds.map((k) => k.label).join(", ")}: an address is enough.
                </Empty>
              ) : (
                <ul className={css.list} aria-label="Channels">
                  {channels.map((c) => (
                    <Row key={c.id} channel={c} kind={kinds.find((k) => k.type === c.type)} edit={() => go(c.id)} />
                  ))}
                </ul>
              )}
            </Panel>
          </>
        );
      }}
    </Query>
  );
}

function Row({ channel: c, kind, edit }: { channel: Channel; kind: ChannelKind | undefined; edit: () => void }) {
  const save = useSave("/channels", "/deliveries");
  const [result, setResult] = useState<Tested | "sending" | null>(null);
  const path = `/channels/${encodeURIComponent(c.id)}`;
  const test = async () => {
    setResult("sending");
    const began = performance.now();
    try {
      const answer = await post<TestAnswer>(`${path}/test`);
      setResult({ ...answer, tookMs: performance.now() - began });
    } catch (e) {
      setResult({ ok: false, code: 0, text: faultOf(e).text });
    }
  };
  return (
    <li className={css.item}>
      <div>
        <p className={css.name}>
          {c.name} <span className={css.faint}>{kind?.label ?? c.type}</span> {!c.enabled && <span className={css.off}>off</span>}
        </p>
        <p className={css.detail}>{describe(c, kind)}</p>
        {c.problem && <p className={css.fault}>{c.problem}. Enter it again.</p>}
      </div>
      <div className={css.buttons}>
        <Switch quiet label={`${c.name} is told`} checked={c.enabled} disabled={save.busy} onChange={(enabled) => void save.run(() => put(path, { name: c.name, type: c.type, fields: c.fields, enabled }), enabled ? `${c.name} is told again` : `${c.name} is told nothing`)} />
        <Button size="sm" onClick={() => void test()} disabled={result === "sending"}>
          <Send size={12} aria-hidden /> {result === "sending" ? "Sending…" : "Test"}
        </Button>
        <Button size="sm" onClick={edit}>
          Edit
        </Button>
        <Confirm label={`Remove ${c.name}`} question={`Remove ${c.name}? Its address and secrets are forgotten.`} onYes={() => void save.run(() => del(path), `${c.name} removed`)} />
      </div>
      {result && result !== "sending" && <Result result={result} />}
    </li>
  );
}

interface Tested extends TestAnswer {
  tookMs?: number;
}

/** What the receiver said to a test. */
function Result({ result: r }: { result: Tested }) {
  return (
    <p className={css.result} data-ok={r.ok} role="status">
      <b>{r.ok ? "Delivered" : "Not delivered"}</b>
      {r.code > 0 && <span className="mono">{r.code}</span>}
      {r.text && <code>{r.text}</code>}
      {r.tookMs !== undefined && <span className={css.faint}>after {format(r.tookMs, "ms")}</span>}
    </p>
  );
}

function describe(c: Channel, kind: ChannelKind | undefined): string {
  const shown = (kind?.fields ?? []).filter((f) => c.fields[f.name] && !["template", "content_type"].includes(f.name) && !(f.secret && f.name !== "url"));
  return shown.map((f) => (f.name === "url" ? c.fields[f.name] : `${f.label}: ${c.fields[f.name]}`)).join(" · ");
}

function Editor({ channel, kinds, close }: { channel: Channel | undefined; kinds: readonly ChannelKind[]; close: () => void }) {
  const save = useSave("/channels", "/routing");
  const [type, setType] = useState(channel?.type ?? kinds[0]?.type ?? "");
  const [name, setName] = useState(channel?.name ?? "");
  const [enabled, setEnabled] = useState(channel?.enabled ?? true);
  const [values, setValues] = useState<Record<string, string>>(() => withoutSecrets(channel, kinds));
  const kind = kinds.find((k) => k.type === type);
  const fields = Object.fromEntries((kind?.fields ?? []).flatMap((f) => (values[f.name] ? [[f.name, values[f.name]!]] : [])));
  const missing = !name.trim() || !!kind?.fields.some((f) => f.required && !values[f.name]?.trim() && !(channel && f.secret && channel.fields[f.name]) && !f.default);
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    const body = { name: name.trim(), type, enabled, fields };
    const made = channel
      ? await save.run(() => put<Channel>(`/channels/${encodeURIComponent(channel.id)}`, body), `${body.name} saved`)
      : await save.run(() => post<Channel>("/channels", body), `${body.name} added. Send a test to see that it arrives.`);
    if (made !== undefined) close();
  };
  return (
    <Panel>
      <form className={css.form} onSubmit={(e) => void submit(e)} noValidate aria-label={channel ? `Edit ${channel.name}` : "New channel"}>
        <h2 className={css.formTitle}>{channel ? `Edit ${channel.name}` : "New channel"}</h2>
        <Fields>
          {!channel && (
            <div role="radiogroup" aria-label="Kind of channel" className={css.kinds}>
              {kinds.map((k) => (
                <button key={k.type} type="button" role="radio" aria-checked={k.type === type} className={css.kind} onClick={() => setType(k.type)}>
                  {k.label}
                  <small>{k.image ? "text and chart" : "text"}</small>
                </button>
              ))}
            </div>
          )}
          <Field label="Name" error={save.errorOf("name")}>
            {(ids) => <Input {...ids} value={name} maxLength={200} onChange={(e) => setName(e.target.value)} placeholder="#operations" />}
          </Field>
          {kind?.fields.map((f) => {
            const stored = channel && f.secret ? channel.fields[f.name] : undefined;
            const set = (v: string) => setValues((o) => ({ ...o, [f.name]: v }));
            return (
              <Field
                key={`${type} ${f.name}`}
                label={f.required || f.options.length > 0 || f.default ? f.label : `${f.label} (optional)`}
                hint={stored ? `Kept as ${stored}. It is not shown again; leave this empty to keep it. ${f.help}` : f.help}
                error={save.errorOf(`fields.${f.name}`)}
                half={!f.secret && f.name !== "template" && !f.name.startsWith("to")}
              >
                {(ids) =>
                  f.options.length > 0 ? (
                    <Select {...ids} options={f.options.map((o) => ({ id: o, label: o }))} value={values[f.name] || f.default} onChoose={set} />
                  ) : f.name === "template" ? (
                    <TextArea {...ids} className="mono" rows={5} value={values[f.name] ?? ""} onChange={(e) => set(e.target.value)} />
                  ) : (
                    <Input {...ids} type={f.secret && !f.name.includes("url") ? "password" : "text"} autoComplete={f.secret ? "new-password" : "off"} placeholder={stored ?? f.default} value={values[f.name] ?? ""} onChange={(e) => set(e.target.value)} />
                  )
                }
              </Field>
            );
          })}
          <div className={css.full}>
            <Switch label="Tell this channel" checked={enabled} onChange={setEnabled} />
          </div>
        </Fields>
        {save.fault && (
          <p role="alert" className={css.fault}>
            {save.fault.text}
          </p>
        )}
        <FormActions>
          <Button onClick={close}>Cancel</Button>
          <Button tone="primary" type="submit" disabled={missing || save.busy}>
            {save.busy ? "Saving…" : channel ? "Save" : "Add channel"}
          </Button>
        </FormActions>
      </form>
    </Panel>
  );
}

/** Stored secrets come shortened: they are never put into a field. */
function withoutSecrets(channel: Channel | undefined, kinds: readonly ChannelKind[]): Record<string, string> {
  const kind = kinds.find((k) => k.type === channel?.type);
  return Object.fromEntries((kind?.fields ?? []).filter((f) => !f.secret).map((f) => [f.name, channel?.fields[f.name] ?? ""]));
}
