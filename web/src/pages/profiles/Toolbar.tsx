import type { ProfileChoice, ProfileKind } from "@/api/profiles";
import { useScope } from "@/app/range";
import { BASE_TIMES, type Base, baseRange } from "@/lib/profilebase";
import { meaning, typeLabel } from "@/lib/profiletype";
import { type Range, resolve } from "@/lib/time";
import { Select } from "@/ui/Form";
import { Against } from "./Against";
import { Elsewhere } from "./Elsewhere";
import { LabelChoice } from "./LabelChoice";
import type { ProfilesSearch } from "./route";
import css from "./Selection.module.css";

interface Props {
  kinds: ProfileKind[];
  kind: ProfileKind;
  choice: ProfileChoice;
  base: Base | undefined;
  search: ProfilesSearch;
  set: (patch: Partial<ProfilesSearch>) => void;
}

/** Who, what and which: every choice is in the address. */
export function Toolbar({ kinds, kind, choice, base, search, set }: Props) {
  const { range } = useScope();
  const services = [...new Set(kinds.map((k) => k.service))];
  const types = kinds.filter((k) => k.service === kind.service).map((k) => k.type);
  const any = (list: readonly string[], label: string, chosen: string | undefined) => [{ id: "", label }, ...[...new Set([...list, ...(chosen ? [chosen] : [])])].map((v) => ({ id: v, label: v }))];
  const fresh = { version: undefined, instance: undefined, label: undefined, vs: undefined, fn: undefined, view: undefined };
  return (
    <div className={css.selection}>
      <div className={css.row} role="group" aria-label="Profiles shown">
        {base && <span className={css.side}>This side</span>}
        <Select aria-label="Service" options={services.map((s) => ({ id: s, label: s }))} value={kind.service} onChoose={(service) => set({ ...fresh, service, type: kinds.some((k) => k.service === service && k.type === kind.type) ? kind.type : undefined, st: undefined })} />
        <Select aria-label="Type of profile" options={types.map((t) => ({ id: t, label: typeLabel(t) }))} value={kind.type} onChoose={(type) => set({ service: kind.service, type, st: undefined, fn: undefined, view: undefined })} />
        {kind.sample_types.length > 1 && (
          <Select aria-label="What is counted" options={kind.sample_types.map((t) => ({ id: t, label: t.split("/")[0]!.replaceAll("_", " ") }))} value={choice.sample_type ?? ""} onChoose={(st) => set({ st: st === kind.default_sample_type ? undefined : st })} />
        )}
        {kind.versions.length > 0 && <Select aria-label="Version" options={any(kind.versions, "All versions", search.version)} value={search.version ?? ""} onChoose={(v) => set({ version: v || undefined })} />}
        {(kind.instances.length > 1 || search.instance) && <Select aria-label="Instance" options={any(kind.instances, "All instances", search.instance)} value={search.instance ?? ""} onChoose={(v) => set({ instance: v || undefined })} />}
        <LabelChoice choice={{ ...choice, label: undefined }} label="Label" none="All labels" value={search.label} onChange={(label) => set({ label })} />
        <span className={css.end}>
          {!base && <Select aria-label="Compare with" options={suggestions(kind, search)} value="" onChoose={(vs) => set(vs === EXACT ? { vs: justBefore(range) } : started(vs, kind, search))} />}
          <Elsewhere choice={choice} />
        </span>
      </div>
      {base && <Against base={base} kind={kind} choice={choice} set={set} />}
      <p className={css.meaning}>{meaning(kind.type, choice.sample_type ?? kind.default_sample_type)}</p>
    </div>
  );
}

const EXACT = "from:";

/** An exact time to begin with, which the fields that then show change: the one just before. */
function justBefore(range: Range): string {
  const { from, to } = resolve(baseRange({ time: "before" }, range, Date.now()), Date.now());
  return `${EXACT}${Math.round(from)},${Math.round(to)}`;
}

/** What a comparison can begin with; from there each part can be chosen. */
function suggestions(kind: ProfileKind, search: ProfilesSearch): { id: string; label: string }[] {
  const versions = kind.versions.filter((v) => v !== search.version);
  const instances = kind.instances.filter((v) => v !== search.instance);
  return [
    { id: "", label: "Compare…" },
    ...(kind.versions.length > 1 ? versions.map((v) => ({ id: `version:${v}`, label: `with version ${v}` })) : []),
    ...BASE_TIMES.map((t) => ({ id: t.id, label: `with ${t.label[0]!.toLowerCase()}${t.label.slice(1)}` })),
    { id: EXACT, label: "with another time…" },
    ...(kind.instances.length > 1 ? instances.slice(0, 30).map((v) => ({ id: `instance:${v}`, label: `with instance ${v}` })) : []),
  ];
}

/** Without a version on this side, a comparison with one is of the other; likewise instances where there are two. */
function started(vs: string, kind: ProfileKind, search: ProfilesSearch): Partial<ProfilesSearch> {
  const [key, value] = [vs.slice(0, vs.indexOf(":")), vs.slice(vs.indexOf(":") + 1)];
  const other = (list: readonly string[]) => (list.length === 2 ? list.find((v) => v !== value) : undefined);
  if (key === "version" && !search.version) return { vs, version: other(kind.versions) };
  if (key === "instance" && !search.instance) return { vs, instance: other(kind.instances) };
  return { vs: vs || undefined };
}
