import { useState } from "react";
import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { BellOff, Check, CheckCheck, CircleCheckBig, Link2, ThumbsUp } from "lucide-react";
import { plain } from "@/api/queries";
import type { Incident, MutesAnswer } from "@/api/types";
import { useKeys } from "@/app/keys";
import { toast } from "@/app/toast";
import { useNow } from "@/app/useNow";
import { isMuted, type Standing } from "@/lib/incident";
import { Button } from "@/ui/Button";
import { SeverityMark } from "@/ui/Severity";
import { Tip } from "@/ui/Tip";
import { useIncidentActions } from "./actions";
import { MuteDialog } from "./MuteDialog";
import css from "./Header.module.css";

const MUTES_POLL_MS = 15_000;

/** Title, state and what can be done. */
export function Header({ incident: i, standing: s }: { incident: Incident; standing: Standing }) {
  const actions = useIncidentActions(i.id);
  const [muting, setMuting] = useState(false);
  const now = useNow();
  const mutes = useQuery(plain<MutesAnswer>("/mutes", {}, MUTES_POLL_MS));
  const muted = isMuted(i, mutes.data?.mutes ?? [], now);
  // A person's own rule is changed, not taught.
  const teachable = (i.alarms ?? []).some((a) => !a.subject.rule);
  const open = i.status === "open";
  useKeys({
    a: () => open && !s.acknowledged && actions.acknowledge(),
    r: () => open && actions.resolve(),
    m: () => setMuting(true),
  });
  return (
    <header className={css.head}>
      <div className={css.line}>
        <SeverityMark severity={i.severity} over={!open} size={24} />
        <div className={css.text}>
          <h1 className={css.title}>{i.title}</h1>
          <p className={css.state}>
            <span className={css.pill} data-open={open || undefined} data-severity={i.severity}>
              {open ? `Open, ${i.severity}` : "Resolved"}
            </span>
            {s.acknowledged && open && (
              <span className={css.said}>
                <Check size={13} aria-hidden /> Acknowledged
              </span>
            )}
            {s.normal && (
              <span className={css.said}>
                <ThumbsUp size={13} aria-hidden /> Marked as normal
                <button type="button" className={css.undo} onClick={actions.notNormal}>
                  Undo
                </button>
              </span>
            )}
            {muted && (
              <span className={css.said}>
                <BellOff size={13} aria-hidden /> Muted
                <Link to="/alerts" search={{ tab: "mutes" }} className={css.undo}>
                  Mutes
                </Link>
              </span>
            )}
            {!!i.flaps && <span className={css.said}>Came back {i.flaps}×</span>}
            {i.env && <span className={css.said}>{i.env}</span>}
          </p>
          {i.summary && i.summary !== i.title && <p className={css.summary}>{i.summary}</p>}
        </div>
      </div>
      <div className={css.actions}>
        {open && !s.acknowledged && (
          <Tip text="I am on it: channels are not told again" keys="a">
            <Button tone="primary" disabled={actions.busy} onClick={actions.acknowledge}>
              <Check size={14} aria-hidden /> Acknowledge
            </Button>
          </Tip>
        )}
        {open && (
          <Tip text="Close it now, without waiting for the series to be normal again" keys="r">
            <Button disabled={actions.busy} onClick={actions.resolve}>
              <CheckCheck size={14} aria-hidden /> Resolve
            </Button>
          </Tip>
        )}
        <Tip text="No alarms from these series for a while" keys="m">
          <Button onClick={() => setMuting(true)}>
            <BellOff size={14} aria-hidden /> Mute
          </Button>
        </Tip>
        {!s.normal && teachable && (
          <Tip text="Teach detection that this may happen. Can be undone.">
            <Button disabled={actions.busy} onClick={actions.normal}>
              <CircleCheckBig size={14} aria-hidden /> This is normal
            </Button>
          </Tip>
        )}
        <Button onClick={() => void share(i.title)}>
          <Link2 size={14} aria-hidden /> Copy link
        </Button>
      </div>
      <MuteDialog open={muting} onClose={() => setMuting(false)} incident={i} onMute={actions.mute} />
    </header>
  );
}

async function share(title: string) {
  const url = location.origin + location.pathname;
  try {
    await navigator.clipboard.writeText(url);
    toast(`Link to “${title}” copied`);
  } catch {
    toast(`The browser refused to copy. The link is ${url}`);
  }
}
