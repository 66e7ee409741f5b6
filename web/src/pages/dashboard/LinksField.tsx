import { Plus, Trash2 } from "lucide-react";
import type { DashLink } from "@/api/dashboards";
import { Button, IconButton } from "@/ui/Button";
import { Input, Switch } from "@/ui/Form";
import css from "./Lists.module.css";

/** Where a panel or a dashboard leads. */
export function LinksField({ links, onChange }: { links: readonly DashLink[]; onChange: (links: DashLink[]) => void }) {
  const change = (i: number, patch: Partial<DashLink>) => onChange(links.map((l, k) => (k === i ? { ...l, ...patch } : l)));
  return (
    <div className={css.list}>
      {links.map((l, i) => (
        <div key={i} className={css.item}>
          <Input aria-label={`Words of link ${i + 1}`} placeholder="Runbook" value={l.title} onChange={(e) => change(i, { title: e.target.value })} />
          <Input aria-label={`Address of link ${i + 1}`} placeholder="https://… or /traces?q=…" value={l.url} onChange={(e) => change(i, { url: e.target.value })} />
          <div className={css.line}>
            <Switch label="Takes the range along" checked={l.range} onChange={(range) => change(i, { range })} />
            <IconButton size="sm" label={`Remove link ${i + 1}`} onClick={() => onChange(links.filter((_, k) => k !== i))}>
              <Trash2 size={13} />
            </IconButton>
          </div>
        </div>
      ))}
      <Button size="sm" onClick={() => onChange([...links, { title: "", url: "https://", range: false }])}>
        <Plus size={13} aria-hidden /> Link
      </Button>
    </div>
  );
}
