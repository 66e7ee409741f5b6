// Where the server's parser says that an expression cannot be read, and which known name is closest to one it does not know.

export interface Place {
  from: number;
  to: number;
  message: string;
}

const POSITION = /(?:^|\s)(\d+):(\d+):\s*(?:parse error:\s*)?([\s\S]+)$/;

/** The fault that a message names as LINE:COLUMN, on the word that stands there; without a position all of it. */
export function placeOf(message: string, text: string): Place {
  const found = POSITION.exec(message);
  const whole = { from: text.length - text.trimStart().length, to: Math.max(1, text.trimEnd().length) };
  if (!found) return { ...whole, message };
  const lines = text.split("\n");
  const line = Number(found[1]);
  const before = lines.slice(0, line - 1).reduce((n, l) => n + l.length + 1, 0);
  // What is missing at the end is marked at what stands last.
  const at = Math.min(before + Number(found[2]) - 1, whole.to - 1);
  const from = at - /[\w:.$]*$/.exec(text.slice(0, at))![0].length;
  const word = /^[\w:.$]+/.exec(text.slice(from));
  return { from, to: Math.max(from + 1, from + (word?.[0].length ?? 1)), message: found[3]!.trim() };
}

/** The known name that differs least from one that is not known, where they differ in few letters. */
export function closest(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.min(4, Math.max(1, Math.floor(name.length / 5))) + 1;
  for (const k of known) {
    if (k.startsWith(name) && best === undefined) best = k; // not all of it was written
    if (Math.abs(k.length - name.length) >= least) continue;
    const d = distance(name, k, least);
    if (d < least) (least = d), (best = k);
  }
  return best;
}

/** Insertions, deletions and changes of letters between two words; at least `limit` once it reaches that. */
function distance(a: string, b: string, limit: number): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    if (Math.min(...next) >= limit) return limit;
    row = next;
  }
  return row[b.length]!;
}
