import { useEffect, useRef } from "react";
import { Pause, Play } from "lucide-react";
import { liveClient, useLiveStatus } from "@/api/live";
import { ago } from "@/lib/format";
import { onBeat } from "@/lib/clock";
import { followsNow } from "@/lib/time";
import { Tip } from "@/ui/Tip";
import { useScope, useScopeActions } from "./range";
import css from "./LiveSwitch.module.css";

/** Pause or resume, with a dot and how old the newest data on the page is. */
export function LiveSwitch() {
  const scope = useScope();
  const actions = useScopeActions();
  const status = useLiveStatus();
  const text = useRef<HTMLSpanElement>(null);
  const dot = useRef<HTMLSpanElement>(null);
  const following = followsNow(scope.range);

  useEffect(() => liveClient().setPaused(!scope.live), [scope.live]);

  useEffect(() => {
    const paint = (now: number) => {
      const age = status.freshAt ? now - status.freshAt : Infinity;
      const label = !following ? "Fixed range" : scope.paused ? "Paused" : status.state === "offline" ? "Reconnecting" : age === Infinity ? "Live" : ago(age) + (status.skipped > 0 ? " · slow" : "");
      if (text.current && text.current.textContent !== label) text.current.textContent = label;
      const tone = !scope.live ? "idle" : status.state === "offline" ? "bad" : status.skipped > 0 || (age > 30_000 && age !== Infinity) ? "warn" : "on";
      if (dot.current && dot.current.dataset.tone !== tone) dot.current.dataset.tone = tone;
    };
    paint(Date.now());
    return onBeat(paint);
  }, [following, scope.paused, scope.live, status]);

  const label = scope.live ? "Pause live" : following ? "Resume live" : "Back to live";
  return (
    <Tip text={status.skipped > 0 ? `${label} · ${status.skipped} frames skipped: this browser was slow` : label} keys="l">
      <button type="button" className={css.switch} aria-pressed={scope.live} aria-label={label} onClick={() => actions.setLive(!scope.live)} data-testid="live-switch">
        <span ref={dot} className={css.dot} aria-hidden />
        <span ref={text} className={css.text} data-testid="freshness" />
        {scope.live ? <Pause size={13} aria-hidden /> : <Play size={13} aria-hidden />}
      </button>
    </Tip>
  );
}
