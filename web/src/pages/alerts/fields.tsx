// What routes, silences and inhibitions have in common: which incidents, and which hours.
import { useId, useState } from "react";
import type { Match, TimeWindow } from "@/api/types";
import { names, ownZone, WEEK } from "@/lib/routing";
import { Checks, Field, Input, Switch } from "@/ui/Form";
import { SEVERITY_OPTIONS } from "@/ui/Severity";
import css from "./Page.module.css";

/** Fields for a Match. What is typed is kept as typed and read at every change. */
export function MatchFields({ value, onChange }: { value: Match; onChange: (m: Match) => void }) {
  const [services, setServices] = useState(value.services.join(", "));
  const [envs, setEnvs] = useState(value.envs.join(", "));
  return (
    <>
      <Field half label="Services" hint="Names separated by commas, * stands for anything. Empty: all.">
        {(ids) => (
          <Input
            {...ids}
            value={services}
            placeholder="all"
            onChange={(e) => {
              setServices(e.target.value);
              onChange({ ...value, services: names(e.target.value) });
            }}
          />
        )}
      </Field>
      <Field half label="Environments" hint="Empty: all.">
        {(ids) => (
          <Input
            {...ids}
            value={envs}
            placeholder="all"
            onChange={(e) => {
              setEnvs(e.target.value);
              onChange({ ...value, envs: names(e.target.value) });
            }}
          />
        )}
      </Field>
      <Checks label="Severity (none: all)" options={SEVERITY_OPTIONS} value={value.severities} onChange={(severities) => onChange({ ...value, severities })} />
    </>
  );
}

/** Fields for hours of the week, behind a switch. */
export function WindowFields({ label, value, onChange, error }: { label: string; value: TimeWindow | null; onChange: (w: TimeWindow | null) => void; error?: (field: string) => string | null }) {
  const zones = useId();
  return (
    <>
      <div className={css.full}>
        <Switch label={label} checked={value !== null} onChange={(on) => onChange(on ? { days: ["mon", "tue", "wed", "thu", "fri"], from: "09:00", to: "18:00", zone: ownZone() } : null)} />
      </div>
      {value && (
        <>
          <Checks label="Days" options={WEEK} value={value.days} onChange={(days) => onChange({ ...value, days })} />
          <Field half label="From" error={error?.("from")}>
            {(ids) => <Input {...ids} type="time" value={value.from} onChange={(e) => onChange({ ...value, from: e.target.value })} />}
          </Field>
          <Field half label="To" hint="Not later than the beginning: the next day." error={error?.("to")}>
            {(ids) => <Input {...ids} type="time" value={value.to} onChange={(e) => onChange({ ...value, to: e.target.value })} />}
          </Field>
          <Field label="Time zone" hint="The hours follow its daylight saving." error={error?.("zone")}>
            {(ids) => (
              <>
                <Input {...ids} list={zones} value={value.zone} placeholder="UTC" onChange={(e) => onChange({ ...value, zone: e.target.value })} />
                <datalist id={zones}>
                  {["UTC", ownZone()].map((z) => (
                    <option key={z} value={z} />
                  ))}
                </datalist>
              </>
            )}
          </Field>
        </>
      )}
    </>
  );
}
