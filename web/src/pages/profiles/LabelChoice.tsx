import { useMemo, useState } from "react";
import { useQuery } from "@tanstack/react-query";
import { ChevronDown, X } from "lucide-react";
import { labelsQuery, type ProfileChoice, type ProfileLabelsAnswer } from "@/api/profiles";
import { useScope } from "@/app/range";
import { format } from "@/lib/format";
import { Button } from "@/ui/Button";
import { MenuItem, Popover } from "@/ui/Popover";
import { Query, SkeletonRows } from "@/ui/States";
import css from "./Selection.module.css";

interface Props {
  choice: ProfileChoice;
  /** KEY:VALUE */
  value: string | undefined;
  onChange: (label: string | undefined) => void;
  /** What the button says without a label. */
  none: string;
  label: string;
  /** Further entries above the labels. */
  extra?: readonly { id: string; label: string }[];
}

/** One label of samples, or attribute of processes, from what was seen. */
export function LabelChoice({ choice, value, onChange, none, label, extra }: Props) {
  const [open, setOpen] = useState(false);
  const words = extra?.find((e) => e.id === value)?.label ?? value?.replace(":", " = ");
  return (
    <span className={css.label}>
      <Popover
        label={label}
        align="start"
        open={open}
        onOpenChange={setOpen}
        className={css.labels}
        trigger={
          <Button aria-label={`${label}: ${words ?? none}`} className={css.labelButton}>
            <span>{words ?? none}</span>
            <ChevronDown size={13} aria-hidden />
          </Button>
        }
      >
        {extra?.map((e) => (
          <MenuItem key={e.id} checked={value === e.id} onSelect={() => onChange(e.id)}>
            {e.label}
          </MenuItem>
        ))}
        <Choices choice={choice} value={value} onChange={onChange} />
      </Popover>
      {value && (
        <Button tone="ghost" size="sm" aria-label={`Remove ${label.toLowerCase()} ${words}`} onClick={() => onChange(undefined)}>
          <X size={13} aria-hidden />
        </Button>
      )}
    </span>
  );
}

function Choices({ choice, value, onChange }: Pick<Props, "choice" | "value" | "onChange">) {
  const scope = useScope();
  const [find, setFind] = useState("");
  const q = useQuery(labelsQuery(scope, choice));
  return (
    <Query query={q} skeleton={<SkeletonRows rows={5} height={24} />}>
      {(data) =>
        data.labels.length === 0 ? (
          <p className={css.none}>
            These profiles have no labels. In Go, <code>pprof.Do</code> with <code>pprof.Labels</code> adds them; Pyroscope’s SDKs have <code>TagWrapper</code>.
          </p>
        ) : (
          <>
            <input className={css.find} type="text" role="searchbox" aria-label="Find labels" placeholder="Find a label or value" value={find} onChange={(e) => setFind(e.target.value)} />
            <List data={data} find={find.toLowerCase()} value={value} onChange={onChange} />
          </>
        )
      }
    </Query>
  );
}

function List({ data, find, value, onChange }: { data: ProfileLabelsAnswer; find: string; value: string | undefined; onChange: Props["onChange"] }) {
  const shown = useMemo(
    () =>
      data.labels
        .map((l) => ({ ...l, values: l.values.filter((v) => `${l.key}:${v.value}`.toLowerCase().includes(find)).slice(0, find ? 50 : 8) }))
        .filter((l) => l.values.length > 0),
    [data, find],
  );
  if (shown.length === 0) return <p className={css.none}>Nothing matches.</p>;
  return shown.map((l) => (
    <div key={`${l.source} ${l.key}`} role="group" aria-label={l.key}>
      <div className={css.key}>
        {l.key} <span>{l.source === "sample" ? "of samples" : "of the process"}</span>
      </div>
      {l.values.map((v) => (
        <MenuItem key={v.value} checked={value === `${l.key}:${v.value}`} onSelect={() => onChange(`${l.key}:${v.value}`)} hint={format(v.count)}>
          {v.value}
        </MenuItem>
      ))}
    </div>
  ));
}
