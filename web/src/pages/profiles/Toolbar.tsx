import { Download } from "lucide-react";
import type { ProfileChoice, ProfileKind } from "@/api/profiles";
import { withParams } from "@/api/client";
import { useScope } from "@/app/range";
import { meaning, typeLabel } from "@/lib/profiletype";
import { Select } from "@/ui/Form";
import { baseWords } from "./base";
import type { ProfilesSearch } from "./route";
import css from "./Page.module.css";

interface Props {
  kinds: ProfileKind[];
  kind: ProfileKind;
  choice: ProfileChoice;
  search: ProfilesSearch;
  set: (patch: Partial<ProfilesSearch>) => void;
}

/** Who, what and which: every choice is in the address. */
export function Toolbar({ kinds, kind, choice, search, set }: Props) {
  const scope = useScope();
  const services = [...new Set(kinds.map((k) => k.service))];
  const types = kinds.filter((k) => k.service === kind.service).map((k) => k.type);
  const any = (list: readonly string[], label: string) => [{ id: "", label }, ...list.map((v) => ({ id: v, label: v }))];
  const against = [
    { id: "", label: "Compare with…" },
    { id: "before", label: "The time just before" },
    ...kind.versions.filter((v) => v !== search.version).map((v) => ({ id: `version:${v}`, label: `Version ${v}` })),
    ...kind.instances.filter((v) => v !== search.instance).slice(0, 30).map((v) => ({ id: `instance:${v}`, label: `Instance ${v}` })),
  ];
  if (search.vs && !against.some((o) => o.id === search.vs)) against.push({ id: search.vs, label: baseWords(search.vs) });
  const href = `/api/v1${withParams("/profiles/pprof", { from: scope.range.from, to: scope.range.to, service: kind.service, type: kind.type, version: search.version, instance: search.instance, label: choice.label })}`;
  const fresh = { version: undefined, instance: undefined, label: undefined, vs: undefined, fn: undefined, view: undefined };
  return (
    <div>
      <div className={css.bar}>
        <Select aria-label="Service" options={services.map((s) => ({ id: s, label: s }))} value={kind.service} onChoose={(service) => set({ ...fresh, service, type: kinds.some((k) => k.service === service && k.type === kind.type) ? kind.type : undefined, st: undefined })} />
        <Select aria-label="Type of profile" options={types.map((t) => ({ id: t, label: typeLabel(t) }))} value={kind.type} onChoose={(type) => set({ service: kind.service, type, st: undefined, fn: undefined, view: undefined })} />
        {kind.sample_types.length > 1 && (
          <Select aria-label="What is counted" options={kind.sample_types.map((t) => ({ id: t, label: t.split("/")[0]!.replaceAll("_", " ") }))} value={choice.sample_type ?? ""} onChoose={(st) => set({ st: st === kind.default_sample_type ? undefined : st })} />
        )}
        {kind.versions.length > 0 && <Select aria-label="Version" options={any(kind.versions, "All versions")} value={search.version ?? ""} onChoose={(v) => set({ version: v || undefined })} />}
        {kind.instances.length > 1 && <Select aria-label="Instance" options={any(kind.instances, "All instances")} value={search.instance ?? ""} onChoose={(v) => set({ instance: v || undefined })} />}
        <Select aria-label="Compare with" options={against} value={search.vs ?? ""} onChoose={(v) => set({ vs: v || undefined })} />
        <a className={css.download} href={href} download>
          <Download size={14} aria-hidden /> pprof
        </a>
      </div>
      <p className={css.meaning}>{meaning(kind.type, choice.sample_type ?? kind.default_sample_type)}</p>
    </div>
  );
}
