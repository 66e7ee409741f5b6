import { Plus, Trash2 } from "lucide-react";
import type { Dashboard, Variable, VariableKind } from "@/api/dashboards";
import { Button, IconButton } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Field, Fields, Input, Select, Switch, TextArea } from "@/ui/Form";
import { LinksField } from "./LinksField";
import type { Document } from "./useBoard";
import css from "./Lists.module.css";

const KINDS: readonly { id: VariableKind; label: string }[] = [
  { id: "query", label: "asked of the data" }, { id: "custom", label: "a list" }, { id: "interval", label: "a list of durations" }, { id: "text", label: "free text" }, { id: "constant", label: "fixed" },
];

/** What the panels have in common: name, range, variables, what is marked, links. */
export default function Settings({ doc, onClose }: { doc: Document; onClose: () => void }) {
  const d = doc.now;
  const set = (patch: Partial<Dashboard>) => doc.change((o) => ({ ...o, ...patch }), `settings ${Object.keys(patch).join()}`);
  return (
    <Dialog open onClose={onClose} label="Settings of the dashboard" className={css.dialog}>
      <div className={css.body}>
        <header className={css.head}>
          <h2>Settings</h2>
          <Button tone="primary" onClick={onClose}>
            Done
          </Button>
        </header>
        <Field label="Title">{(ids) => <Input {...ids} value={d.title} maxLength={200} onChange={(e) => set({ title: e.target.value })} />}</Field>
        <Field label="Description">{(ids) => <TextArea {...ids} rows={2} value={d.description} onChange={(e) => set({ description: e.target.value })} />}</Field>
        <Fields>
          <Field half label="Tags" hint="separated by commas">
            {(ids) => <Input {...ids} defaultValue={d.tags.join(", ")} onBlur={(e) => set({ tags: [...new Set(e.target.value.split(",").map((t) => t.trim()).filter(Boolean))].slice(0, 20) })} />}
          </Field>
          <Field half label="Opens with" hint="now-6h; empty: the range one comes with">
            {(ids) => <Input {...ids} key={d.range} defaultValue={d.range} onBlur={(e) => set({ range: /^now-[1-9]\d*[smhdw]$/.test(e.target.value) ? e.target.value : "" })} />}
          </Field>
        </Fields>
        <div className={css.switches}>
          <Switch label="Mark deploys" checked={d.annotations.deploys} onChange={(deploys) => set({ annotations: { ...d.annotations, deploys } })} />
          <Switch label="Mark incidents" checked={d.annotations.incidents} onChange={(incidents) => set({ annotations: { ...d.annotations, incidents } })} />
        </div>
        <h3 className={css.group}>Variables</h3>
        <VariablesField list={d.variables} onChange={(variables) => set({ variables })} />
        <h3 className={css.group}>Links</h3>
        <LinksField links={d.links} onChange={(links) => set({ links })} />
      </div>
    </Dialog>
  );
}

const NEW: Omit<Variable, "name"> = { label: "", kind: "query", query: "", regex: "", options: [], multi: true, include_all: true, all_value: "", current: ["$__all"], hidden: false };

function VariablesField({ list, onChange }: { list: readonly Variable[]; onChange: (list: Variable[]) => void }) {
  const change = (i: number, patch: Partial<Variable>) => onChange(list.map((v, k) => (k === i ? { ...v, ...patch } : v)));
  const add = () => {
    let name = "service";
    for (let n = 1; list.some((v) => v.name === name); n++) name = `variable${n}`;
    onChange([...list, { ...NEW, name, query: name === "service" ? "label_values(target_info, service_name)" : "" }]);
  };
  return (
    <div className={css.list}>
      {list.map((v, i) => (
        <div key={i} className={css.item}>
          <Fields>
            <Field half label="Name" hint={`written $${v.name}`}>
              {(ids) => <Input {...ids} defaultValue={v.name} onBlur={(e) => /^[A-Za-z_]\w{0,63}$/.test(e.target.value) && !list.some((o, k) => k !== i && o.name === e.target.value) && change(i, { name: e.target.value })} />}
            </Field>
            <Field half label="Its values are">
              {(ids) => <Select {...ids} options={KINDS} value={v.kind} onChoose={(kind) => change(i, { kind, current: kind === "query" ? v.current : [] })} />}
            </Field>
          </Fields>
          {v.kind === "query" ? (
            <Fields>
              <Field half label="Asked with" hint="label_values(up, job)">
                {(ids) => <Input {...ids} value={v.query} onChange={(e) => change(i, { query: e.target.value })} />}
              </Field>
              <Field half label="Narrowed by" hint="a regular expression; its group is the value">
                {(ids) => <Input {...ids} defaultValue={v.regex} onBlur={(e) => change(i, { regex: e.target.value })} />}
              </Field>
            </Fields>
          ) : v.kind === "custom" || v.kind === "interval" ? (
            <Field label="Values" hint="separated by commas">
              {(ids) => <Input {...ids} defaultValue={v.options.join(", ")} onBlur={(e) => change(i, { options: e.target.value.split(",").map((o) => o.trim()).filter(Boolean) })} />}
            </Field>
          ) : (
            <Field label="Value">{(ids) => <Input {...ids} value={v.current[0] ?? ""} onChange={(e) => change(i, { current: [e.target.value] })} />}</Field>
          )}
          <div className={css.line}>
            <span className={css.switches}>
              {(v.kind === "query" || v.kind === "custom") && (
                <>
                  <Switch label="Several" checked={v.multi} onChange={(multi) => change(i, { multi })} />
                  <Switch label="All" checked={v.include_all} onChange={(include_all) => change(i, { include_all, current: include_all ? v.current : v.current.filter((c) => c !== "$__all") })} />
                </>
              )}
              <Switch label="Hidden" checked={v.hidden} onChange={(hidden) => change(i, { hidden })} />
            </span>
            <IconButton size="sm" label={`Remove the variable ${v.name}`} onClick={() => onChange(list.filter((_, k) => k !== i))}>
              <Trash2 size={13} />
            </IconButton>
          </div>
        </div>
      ))}
      <Button size="sm" onClick={add}>
        <Plus size={13} aria-hidden /> Variable
      </Button>
    </div>
  );
}
