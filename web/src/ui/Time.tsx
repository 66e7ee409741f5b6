import { useScope } from "@/app/range";
import { bothZones, clock, dateTime } from "@/lib/time";

/** An instant in the chosen zone, both zones on hover. `t` in milliseconds. */
export function Time({ t, millis, date = true }: { t: number; millis?: boolean; date?: boolean }) {
  const { utc } = useScope();
  return (
    <time className="mono" dateTime={new Date(t).toISOString()} title={bothZones(t)}>
      {date ? dateTime(t, utc, millis) : clock(t, utc, millis)}
    </time>
  );
}
