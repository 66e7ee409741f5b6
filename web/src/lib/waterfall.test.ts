import { describe, expect, it } from "vitest";
import type { Span } from "@/api/types";
import { ancestors, buildWaterfall, childrenOf, findSpans, longGaps, minimap, rulerTicks, visibleRows, type Waterfall } from "./waterfall";

const BASE = 1_790_000_000_000_000_000n;

function span(id: string, parent: string, from: number, to: number, more: Partial<Span> = {}): Span {
  return {
    span_id: id, parent_span_id: parent, ts_ns: String(BASE + BigInt(from)), duration_ns: to - from, service: "shop", name: id, kind: "internal", status: "unset",
    status_message: "", scope: "", resource: "r1", attributes: [], events: [], links: [], dropped: { attributes: 0, events: 0, links: 0 }, ...more,
  };
}

const build = (...spans: Span[]) => buildWaterfall({ spans });
const names = (w: Waterfall, positions: Iterable<number>) => [...positions].map((p) => w.spans[p]!.name);
const MS = 1_000_000;

/** A small generator with a seed, so that a failure can be repeated. */
function random(seed: number) {
  return () => ((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32);
}

function randomTrace(seed: number, n: number): Span[] {
  const r = random(seed);
  const spans = [span("s0", "", 0, 1e9)];
  for (let i = 1; i < n; i++) {
    const up = spans[Math.floor(r() * spans.length)]!;
    const upFrom = Number(BigInt(up.ts_ns) - BASE);
    const from = upFrom + Math.floor(r() * up.duration_ns);
    const to = Math.min(upFrom + up.duration_ns, from + Math.floor(r() * up.duration_ns));
    spans.push(span(`s${i}`, up.span_id, from, to));
  }
  for (let i = n - 1; i > 0; i--) {
    const k = Math.floor(r() * (i + 1));
    [spans[i], spans[k]] = [spans[k]!, spans[i]!];
  }
  return spans;
}

describe("the tree", () => {
  it("is in preorder with siblings by start, whatever order spans arrive in", () => {
    const w = build(span("c2", "a", 50, 90), span("c1", "a", 10, 40), span("d", "c1", 12, 20), span("a", "", 0, 100));
    expect(names(w, w.spans.keys())).toEqual(["a", "c1", "d", "c2"]);
    expect([...w.depth]).toEqual([0, 1, 2, 1]);
    expect([...w.parent]).toEqual([-1, 0, 1, 0]);
    expect([...w.subtreeEnd]).toEqual([4, 3, 3, 4]);
    expect(w.duration).toBe(100);
  });

  it("keeps orphans as marked roots after the real one, and prefers the real root", () => {
    const w = build(span("late", "gone", 0, 500), span("a", "", 10, 20));
    expect(names(w, w.spans.keys())).toEqual(["a", "late"]);
    expect(names(w, w.orphans)).toEqual(["late"]);
    expect(w.main).toBe(0);
  });

  it("cuts circles and survives a span that is its own parent or comes twice", () => {
    const w = build(span("x", "y", 5, 6), span("y", "x", 1, 9), span("me", "me", 0, 1), span("me", "", 0, 1));
    expect(w.spans).toHaveLength(4);
    expect(new Set(w.spans.map((s) => s.name))).toEqual(new Set(["x", "y", "me"]));
    expect(names(w, w.orphans).sort()).toEqual(["me", "y"]);
  });

  it("is empty for no spans", () => {
    const w = build();
    expect(w.spans).toHaveLength(0);
    expect(w.critical).toEqual([]);
    expect(longGaps(w)).toEqual([]);
  });
});

describe("self time", () => {
  it("takes off overlapping children once, and only inside the span", () => {
    const w = build(span("a", "", 0, 100), span("b", "a", 10, 50), span("c", "a", 30, 60), span("d", "a", 90, 300));
    expect(w.self[0]).toBe(10 + 30);
  });
});

describe("the critical path", () => {
  it("goes back through the child that finished last", () => {
    const w = build(span("a", "", 0, 100), span("fast", "a", 5, 30), span("slow", "a", 10, 80), span("inner", "slow", 20, 70));
    expect(w.critical.map((s) => [w.spans[s.position]!.name, s.from, s.to])).toEqual([
      ["a", 0, 10], ["slow", 10, 20], ["inner", 20, 70], ["slow", 70, 80], ["a", 80, 100],
    ]);
  });

  it("leaves out what outlives the span that started it", () => {
    const w = build(span("a", "", 0, 50 * MS), span("mail", "a", 10 * MS, 500 * MS));
    expect(names(w, w.critical.map((s) => s.position))).toEqual(["a"]);
  });

  it("is as long as the root and never overlaps, for any well nested trace", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const w = build(...randomTrace(seed, 40));
      let cursor = 0;
      for (const s of w.critical) {
        expect(s.from).toBe(cursor);
        expect(s.to).toBeGreaterThan(s.from);
        cursor = s.to;
      }
      expect(cursor).toBe(1e9);
    }
  });
});

describe("any tree", () => {
  it("has every span once, children inside their parents' subtrees, self time between nothing and all", () => {
    for (let seed = 1; seed <= 40; seed++) {
      const given = randomTrace(seed, 60);
      const w = build(...given);
      expect(new Set(w.spans.map((s) => s.span_id)).size).toBe(given.length);
      for (let p = 0; p < w.spans.length; p++) {
        expect(w.self[p]).toBeGreaterThanOrEqual(0);
        expect(w.self[p]).toBeLessThanOrEqual(w.spans[p]!.duration_ns);
        if (w.parent[p]! >= 0) {
          expect(w.spans[w.parent[p]!]!.span_id).toBe(w.spans[p]!.parent_span_id);
          expect(w.subtreeEnd[w.parent[p]!]).toBeGreaterThanOrEqual(w.subtreeEnd[p]!);
        }
        expect(childrenOf(w, p).every((c) => w.parent[c] === p)).toBe(true);
      }
    }
  });

  it("takes 20,000 spans, a chain of 20,000 too, in well under a second", () => {
    const chain = Array.from({ length: 20_000 }, (_, i) => span(`s${i}`, i ? `s${i - 1}` : "", i, 40_000 - i));
    for (const spans of [randomTrace(7, 20_000), chain]) {
      const before = performance.now();
      const w = buildWaterfall({ spans });
      visibleRows(w, new Set());
      longGaps(w);
      expect(minimap(w, 60, 800).length).toBeGreaterThan(0);
      expect(performance.now() - before).toBeLessThan(2_000);
    }
  });
});

describe("oddities", () => {
  it("finds clocks that disagree, between processes only", () => {
    const w = build(
      span("a", "", 5 * MS, 100 * MS, { kind: "client" }),
      span("early", "a", 2 * MS, 50 * MS, { resource: "r2", kind: "server" }),
      span("late", "a", 60 * MS, 103 * MS, { resource: "r2", kind: "server" }),
      span("same", "a", 1 * MS, 90 * MS),
      span("async", "a", 60 * MS, 900 * MS, { resource: "r3", kind: "consumer" }),
    );
    const by = Object.fromEntries([...w.skews].map(([p, ns]) => [w.spans[p]!.name, ns]));
    expect(by).toEqual({ early: -3 * MS, late: 3 * MS });
  });

  it("labels waits inside a span and between roots, not the work of a leaf", () => {
    const w = build(span("a", "", 0, 100 * MS), span("b", "a", 0, 20 * MS), span("c", "a", 70 * MS, 100 * MS), span("z", "", 300 * MS, 310 * MS));
    const gaps = longGaps(w).map((g) => [g.position < 0 ? "" : w.spans[g.position]!.name, g.from / MS, g.to / MS]);
    expect(gaps).toEqual([["", 100, 300], ["a", 20, 70]]);
  });

  it("counts failures below", () => {
    const w = build(span("a", "", 0, 9), span("b", "a", 1, 8), span("c", "b", 2, 3, { status: "error" }), span("d", "b", 4, 5, { status: "error" }));
    expect([...w.errorsBelow]).toEqual([2, 2, 0, 0]);
  });
});

describe("what is shown", () => {
  const w = build(span("a", "", 0, 100), span("b", "a", 10, 50), span("c", "b", 20, 30), span("d", "a", 60, 90, { attributes: [{ key: "db.system.name", value: "PostgreSQL", type: "string" }] }));

  it("leaves out collapsed subtrees and what is too deep", () => {
    expect(names(w, visibleRows(w, new Set()))).toEqual(["a", "b", "c", "d"]);
    expect(names(w, visibleRows(w, new Set(["b"])))).toEqual(["a", "b", "d"]);
    expect(names(w, visibleRows(w, new Set(), 1))).toEqual(["a", "b", "d"]);
    expect(names(w, visibleRows(w, new Set(["a"])))).toEqual(["a"]);
  });

  it("is found by every word, in attributes too", () => {
    expect(names(w, findSpans(w, "postgres"))).toEqual(["d"]);
    expect(names(w, findSpans(w, "d postgres"))).toEqual(["d"]);
    expect(findSpans(w, "postgres nowhere")).toEqual([]);
    expect(findSpans(w, " ")).toEqual([]);
  });

  it("knows what to open for a span to be seen", () => {
    expect(ancestors(w, 2)).toEqual(["b", "a"]);
  });

  it("gives the minimap rectangles inside the trace", () => {
    for (const r of minimap(w, 3, 100)) {
      expect(r.line).toBeLessThan(3);
      expect(r.from).toBeGreaterThanOrEqual(0);
      expect(r.to).toBeLessThanOrEqual(100);
    }
  });

  it("puts round moments on the ruler", () => {
    expect(rulerTicks(0, 100, 5)).toEqual([0, 20, 40, 60, 80, 100]);
    expect(rulerTicks(13, 47, 4)).toEqual([20, 30, 40]);
    expect(rulerTicks(5, 5, 4)).toEqual([]);
  });
});
