import { type FormEvent, type KeyboardEvent, useMemo, useState } from "react";
import { Activity, type LucideIcon, MessageSquare, Rocket, RotateCw, Send, SendHorizontal, Siren, TriangleAlert } from "lucide-react";
import { ApiError } from "@/api/client";
import type { Delivery, IncidentAnswer } from "@/api/types";
import { useScope } from "@/app/range";
import { story, type StoryItem, type StoryKind } from "@/lib/incident";
import { bothZones, clock, dateTime } from "@/lib/time";
import { Button } from "@/ui/Button";
import { TextArea } from "@/ui/Form";
import { Panel } from "@/ui/Panel";
import { useIncidentActions } from "./actions";
import css from "./Story.module.css";

const ICONS: Record<StoryKind, LucideIcon> = { symptom: TriangleAlert, cause: Siren, deploy: Rocket, restart: RotateCw, event: Activity, note: MessageSquare, message: Send };
const FOLD_ABOVE = 40;

/** Everything in time's order, and a place to add to it. */
export function Story({ answer: a, deliveries, nameOf }: { answer: IncidentAnswer; deliveries: readonly Delivery[]; nameOf: (channel: string) => string }) {
  const [all, setAll] = useState(false);
  const items = useMemo(() => story({ ...a, deliveries, channelName: nameOf }), [a, deliveries, nameOf]);
  const shown = all || items.length <= FOLD_ABOVE ? items : items.slice(-FOLD_ABOVE);
  return (
    <Panel title="Timeline">
      {shown.length < items.length && (
        <Button size="sm" tone="ghost" onClick={() => setAll(true)}>
          {items.length - shown.length} earlier entries
        </Button>
      )}
      <ol className={css.story} aria-label="Timeline">
        {shown.map((item, n) => (
          <Item key={n} item={item} dayBefore={n === 0 ? undefined : shown[n - 1]!.at} />
        ))}
      </ol>
      <Note id={a.incident.id} />
    </Panel>
  );
}

function Item({ item, dayBefore }: { item: StoryItem; dayBefore: number | undefined }) {
  const { utc } = useScope();
  const Icon = ICONS[item.kind];
  const newDay = dayBefore === undefined || dateTime(dayBefore, utc).slice(0, 6) !== dateTime(item.at, utc).slice(0, 6);
  return (
    <li className={css.item} data-kind={item.kind} data-tone={item.first || item.failed || item.event === "opened" ? "bad" : undefined}>
      <time className={css.time} dateTime={new Date(item.at).toISOString()} title={bothZones(item.at)}>
        {newDay && <span className={css.day}>{dateTime(item.at, utc).split(" ").slice(0, 2).join(" ")}</span>}
        {clock(item.at, utc)}
      </time>
      <span className={css.icon}>
        <Icon size={13} aria-hidden />
      </span>
      <div className={css.text}>
        <p className={css.title}>
          {item.link ? (
            <a href={/^https?:/.test(item.link) ? item.link : undefined} rel="noreferrer" target="_blank" className="link">
              {item.title}
            </a>
          ) : (
            item.title
          )}
          {item.first && <span className={css.first}>first symptom</span>}
        </p>
        {item.text && <p className={css.more}>{item.text}</p>}
      </div>
    </li>
  );
}

function Note({ id }: { id: string }) {
  const { note, busy } = useIncidentActions(id);
  const [text, setText] = useState("");
  const [failed, setFailed] = useState("");
  const send = async () => {
    if (!text.trim() || busy) return;
    try {
      await note(text.trim());
      setText("");
      setFailed("");
    } catch (e) {
      setFailed(e instanceof ApiError ? (e.detail ?? e.message) : "The note was not kept.");
    }
  };
  return (
    <form
      className={css.note}
      onSubmit={(e: FormEvent) => {
        e.preventDefault();
        void send();
      }}
    >
      <TextArea
        aria-label="Add a note"
        placeholder="Add a note: what was tried, what was found"
        rows={2}
        value={text}
        maxLength={4000}
        onChange={(e) => setText(e.target.value)}
        onKeyDown={(e: KeyboardEvent<HTMLTextAreaElement>) => {
          if (e.key === "Enter" && (e.metaKey || e.ctrlKey)) void send();
          else if (e.key === "Escape") e.currentTarget.blur(); // The page's keys work again.
        }}
      />
      {failed && (
        <p role="alert" className={css.failed}>
          {failed}
        </p>
      )}
      <Button type="submit" size="sm" disabled={!text.trim() || busy}>
        <SendHorizontal size={13} aria-hidden /> Add note
      </Button>
    </form>
  );
}
