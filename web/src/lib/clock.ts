// One timer for everything that says "0.8 s ago" or slides: subscribers are
// called once a beat, none of them re-renders React by being called.

type Beat = (now: number) => void;

const BEAT_MS = 250;
const beats = new Set<Beat>();
let timer: ReturnType<typeof setInterval> | undefined;

/** Calls `beat` about four times a second until the returned function is called; not while the tab is hidden. */
export function onBeat(beat: Beat): () => void {
  beats.add(beat);
  timer ??= setInterval(run, BEAT_MS);
  return () => {
    beats.delete(beat);
    if (beats.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

function run() {
  if (typeof document !== "undefined" && document.hidden) return;
  const now = Date.now();
  for (const beat of beats) beat(now);
}
