import { type FormEvent, useState } from "react";
import { ChevronDown, ChevronLeft, ChevronRight, ZoomOut } from "lucide-react";
import { describe, fromInputValue, inputValue, parseTyped, PRESETS, resolve } from "@/lib/time";
import { Button, IconButton } from "@/ui/Button";
import { Popover } from "@/ui/Popover";
import { Segmented } from "@/ui/Tabs";
import { CompareTimes } from "./CompareTimes";
import { useScope, useScopeActions } from "./range";
import css from "./TimePicker.module.css";

/** The page's time range. `open` is controlled so that "t" can open it. */
export function TimePicker({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  const { range, utc } = useScope();
  const actions = useScopeActions();
  return (
    <div className={css.picker} role="group" aria-label="Time range">
      <IconButton label="Earlier" keys="[" className={css.step} onClick={() => actions.move(-0.5)}>
        <ChevronLeft size={15} />
      </IconButton>
      <Popover
        label="Time range"
        open={open}
        onOpenChange={onOpenChange}
        trigger={
          <Button className={css.current} data-testid="time-range">
            <span className={css.words}>{describe(range, Date.now(), utc)}</span>
            {utc && <span className={css.zone}>UTC</span>}
            <ChevronDown size={13} aria-hidden />
          </Button>
        }
      >
        <PickerBody close={() => onOpenChange(false)} />
      </Popover>
      <IconButton label="Later" keys="]" className={css.step} onClick={() => actions.move(0.5)}>
        <ChevronRight size={15} />
      </IconButton>
      <IconButton label="Zoom out" keys="-" className={css.step} onClick={() => actions.widen()}>
        <ZoomOut size={14} />
      </IconButton>
    </div>
  );
}

function PickerBody({ close }: { close: () => void }) {
  const { range, utc } = useScope();
  const { setRange, setUTC } = useScopeActions();
  const span = resolve(range, Date.now());
  const [typed, setTyped] = useState("");
  const [from, setFrom] = useState(inputValue(span.from, utc));
  const [to, setTo] = useState(inputValue(span.to, utc));
  const parsed = parseTyped(typed, Date.now(), utc);
  const a = fromInputValue(from, utc);
  const b = fromInputValue(to, utc);
  const valid = a !== null && b !== null && a < b;

  const applyTyped = (e: FormEvent) => {
    e.preventDefault();
    if (!parsed) return;
    setRange(parsed);
    close();
  };
  const applyExact = (e: FormEvent) => {
    e.preventDefault();
    if (!valid) return;
    setRange({ from: String(a), to: String(b) });
    close();
  };
  return (
    <div className={css.body}>
      <form onSubmit={applyTyped} className={css.typed}>
        <label className="visually-hidden" htmlFor="range-typed">
          Type a range
        </label>
        <input
          id="range-typed"
          autoFocus
          autoComplete="off"
          className={css.input}
          placeholder="3h, now-90m, 14:00 - 14:30, yesterday"
          value={typed}
          onChange={(e) => setTyped(e.target.value)}
          aria-invalid={typed !== "" && !parsed}
          aria-describedby="range-meaning"
        />
        <p id="range-meaning" className={css.meaning} data-bad={(typed !== "" && !parsed) || undefined}>
          {typed === "" ? "Type a range, or choose one" : parsed ? `↵ ${describe(parsed, Date.now(), utc)}` : "Not understood yet"}
        </p>
      </form>
      <div className={css.columns}>
        <ul className={css.presets}>
          {PRESETS.map((p) => (
            <li key={p.value}>
              <button
                type="button"
                className={css.preset}
                aria-current={range.from === `now-${p.value}` || undefined}
                onClick={() => {
                  setRange({ from: `now-${p.value}`, to: "now" });
                  close();
                }}
              >
                {p.label}
              </button>
            </li>
          ))}
        </ul>
        <form className={css.exact} onSubmit={applyExact}>
          <label className={css.field}>
            From
            <input type="datetime-local" step={1} className={css.input} value={from} onChange={(e) => setFrom(e.target.value)} />
          </label>
          <label className={css.field}>
            To
            <input type="datetime-local" step={1} className={css.input} value={to} onChange={(e) => setTo(e.target.value)} />
          </label>
          {!valid && <p className={css.meaning} data-bad>“From” must be before “To”.</p>}
          <Button type="submit" disabled={!valid}>
            Apply exact range
          </Button>
          <div className={css.zones}>
            <Segmented
              label="Time zone"
              value={utc ? "utc" : "local"}
              onChange={(z) => {
                setUTC(z === "utc");
                setFrom(inputValue(span.from, z === "utc"));
                setTo(inputValue(span.to, z === "utc"));
              }}
              options={[
                { id: "local", label: "Local time" },
                { id: "utc", label: "UTC" },
              ]}
            />
          </div>
        </form>
      </div>
      <CompareTimes close={close} />
    </div>
  );
}
