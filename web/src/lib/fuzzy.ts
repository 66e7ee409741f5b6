/**
 * How well `query` matches `text`: 0 is not at all. Letters must appear in order;
 * runs, word starts and early places count more. Case does not matter.
 */
export function fuzzy(query: string, text: string): number {
  const q = query.trim().toLowerCase();
  if (!q) return 1;
  const t = text.toLowerCase();
  const at = t.indexOf(q);
  if (at >= 0) return 100 + (at === 0 ? 50 : isWordStart(t, at) ? 25 : 0) - Math.min(20, t.length / 8);
  let score = 0;
  let from = 0;
  let run = 0;
  for (const c of q) {
    if (c === " ") continue;
    const i = t.indexOf(c, from);
    if (i < 0) return 0;
    run = i === from ? run + 1 : 0;
    score += 1 + run * 2 + (isWordStart(t, i) ? 4 : 0) - Math.min(1, (i - from) / 20);
    from = i + 1;
  }
  return Math.max(0.1, score);
}

const isWordStart = (t: string, i: number) => i === 0 || /[\s\-_./:]/.test(t[i - 1]!);
