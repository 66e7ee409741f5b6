import { ArrowLeftRight, X } from "lucide-react";
import type { ProfileChoice, ProfileKind } from "@/api/profiles";
import { useScope } from "@/app/range";
import { BASE_TIMES, type Base, baseRange, formatBase, swapped } from "@/lib/profilebase";
import { fromInputValue, inputValue, resolve } from "@/lib/time";
import { IconButton } from "@/ui/Button";
import { Select } from "@/ui/Form";
import { LabelChoice } from "./LabelChoice";
import type { ProfilesSearch } from "./route";
import css from "./Selection.module.css";

interface Props {
  base: Base;
  kind: ProfileKind;
  choice: ProfileChoice;
  set: (patch: Partial<ProfilesSearch>) => void;
}

const EXACT = "from:";

/** The other side of a comparison: each part as on this side unless chosen. */
export function Against({ base, kind, choice, set }: Props) {
  const change = (patch: Partial<Base>) => set({ vs: formatBase({ ...base, ...patch }) });
  const own = (what: string, mine: string | undefined) => ({ id: "", label: mine ? `Same ${what}` : `All ${what}s` });
  const all = (what: string, mine: string | undefined) => (mine ? [{ id: "*", label: `All ${what}s` }] : []);
  const list = (values: readonly string[], mine: string | undefined, chosen: string | undefined) =>
    [...new Set([...values.filter((v) => v !== mine), ...(chosen && chosen !== "*" ? [chosen] : [])])].map((v) => ({ id: v, label: v }));
  const exact = base.time?.startsWith(EXACT) ?? false;
  const { range } = useScope();
  const chooseTime = (id: string) => {
    if (id !== EXACT) return change({ time: id || undefined });
    const span = resolve(baseRange({ time: base.time ?? "before" }, range, Date.now()), Date.now());
    change({ time: `${EXACT}${Math.round(span.from)},${Math.round(span.to)}` });
  };
  const swap = () => {
    const s = swapped(base, choice);
    set({ vs: formatBase(s.base), version: s.version, instance: s.instance, label: s.label });
  };
  return (
    <div className={css.row} role="group" aria-label="Compared with">
      <span className={css.side} data-base="">
        Against
      </span>
      <Select aria-label="Time of the other side" options={[{ id: "", label: "Same time" }, ...BASE_TIMES, { id: EXACT, label: "Another time…" }]} value={exact ? EXACT : (base.time ?? "")} onChoose={chooseTime} />
      {exact && <Moments time={base.time!} onChange={(time) => change({ time })} />}
      {kind.versions.length > 0 && (
        <Select aria-label="Version of the other side" options={[own("version", choice.version), ...all("version", choice.version), ...list(kind.versions, choice.version, base.version)]} value={base.version ?? ""} onChoose={(v) => change({ version: v || undefined })} />
      )}
      {kind.instances.length > 1 && (
        <Select aria-label="Instance of the other side" options={[own("instance", choice.instance), ...all("instance", choice.instance), ...list(kind.instances, choice.instance, base.instance)]} value={base.instance ?? ""} onChoose={(v) => change({ instance: v || undefined })} />
      )}
      <LabelChoice choice={choice} label="Label of the other side" none={choice.label ? "Same label" : "All labels"} extra={choice.label ? [{ id: "*", label: "All labels" }] : []} value={base.label} onChange={(label) => change({ label })} />
      <span className={css.end}>
        {!base.time && (
          <IconButton label="Swap both sides" onClick={swap}>
            <ArrowLeftRight size={14} />
          </IconButton>
        )}
        <IconButton label="Stop comparing" onClick={() => set({ vs: undefined, scale: undefined, colour: undefined })}>
          <X size={15} />
        </IconButton>
      </span>
    </div>
  );
}

function Moments({ time, onChange }: { time: string; onChange: (time: string) => void }) {
  const { utc } = useScope();
  const [from, to] = time.slice(EXACT.length).split(",").map(Number) as [number, number];
  const put = (a: number | null, b: number | null) => a !== null && b !== null && a < b && onChange(`${EXACT}${a},${b}`);
  return (
    <>
      <input type="datetime-local" step={1} className={css.moment} aria-label="Other side from" defaultValue={inputValue(from, utc)} onBlur={(e) => put(fromInputValue(e.target.value, utc), to)} />
      <input type="datetime-local" step={1} className={css.moment} aria-label="Other side until" defaultValue={inputValue(to, utc)} onBlur={(e) => put(from, fromInputValue(e.target.value, utc))} />
    </>
  );
}
