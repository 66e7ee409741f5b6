// Figures of docs/benchmarks.md: how smooth a flame graph of 100,000 frames is, and how soon one is seen.
//   cd web && BENCH_PROFILES=1 npx playwright test flame-bench
//   go run ./bench/profiles -only query -browser
import { type Browser, type Page } from "@playwright/test";
import { type Stacks, pprof, pushProfile } from "./pprof";
import { expect, test } from "./fixtures";
import { Product } from "./product";

test.skip(!process.env.BENCH_PROFILES, "measures; takes minutes");
test.setTimeout(600_000);
test.use({ trace: "off", screenshot: "off" }); // they cost what is measured

const MINUTE = 60_000;

/** A repeatable number from 0 to 1. */
function random(seed: number): () => number {
  let s = seed;
  return () => ((s = (Math.imul(s, 1664525) + 1013904223) >>> 0) / 2 ** 32);
}

/** Stacks whose tree has about `calls` calls, as deep and uneven as those of servers. */
function tree(calls: number, seed: number): Stacks {
  const next = random(seed);
  const parents = [-1];
  const depths = [1];
  const names = ["http.serve"];
  const leaf = [true];
  for (let n = 1; n < calls; n++) {
    let parent = Math.floor(n * Math.sqrt(next()));
    if (depths[parent]! > 60) parent = 0;
    parents.push(parent);
    depths.push(depths[parent]! + 1);
    names.push(`pkg${Math.floor(next() * 40)}.(*T${n % 97}).Do${Math.floor(next() * 4000)}`);
    leaf.push(true);
    leaf[parent] = false;
  }
  const out: Stacks = {};
  for (let n = 0; n < calls; n++) {
    if (!leaf[n]) continue;
    const path: string[] = [];
    for (let at = n; at >= 0; at = parents[at]!) path.push(names[at]!);
    out[path.reverse().join(";")] = 1e6 * (1 + 50 * next() ** 6);
  }
  return out;
}

/** Milliseconds from frame to frame while `act` goes on, in the page. */
async function frames(page: Page, act: () => Promise<void>): Promise<number[]> {
  await page.evaluate(() => {
    const w = window as unknown as { beats: number[]; stop: boolean };
    w.beats = [];
    w.stop = false;
    let last = performance.now();
    const beat = (t: number) => {
      w.beats.push(t - last);
      last = t;
      if (!w.stop) requestAnimationFrame(beat);
    };
    requestAnimationFrame(beat);
  });
  await act();
  return page.evaluate(() => {
    const w = window as unknown as { beats: number[]; stop: boolean };
    w.stop = true;
    return w.beats.slice(1);
  });
}

/** What tasks of the main thread took of the processor, in milliseconds: other programs' load is not in it. */
function tasks(trace: Buffer): number[] {
  const events = (JSON.parse(trace.toString()) as { traceEvents: { name: string; tdur?: number; pid: number; tid: number; args?: { name?: string } }[] }).traceEvents;
  const main = new Set(events.filter((e) => e.name === "thread_name" && e.args?.name === "CrRendererMain").map((e) => `${e.pid} ${e.tid}`));
  return events.filter((e) => e.name === "RunTask" && main.has(`${e.pid} ${e.tid}`)).map((e) => (e.tdur ?? 0) / 1000);
}

const quantile = (list: readonly number[], q: number) => [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(q * list.length))] ?? 0;
const say = (what: string, list: readonly number[]) => console.log(`${what}: ${list.length} · median ${quantile(list, 0.5).toFixed(1)} ms · p95 ${quantile(list, 0.95).toFixed(1)} ms · most ${Math.max(0, ...list).toFixed(1)} ms`);

async function traced(browser: Browser, page: Page, what: string, act: () => Promise<void>): Promise<number[]> {
  await browser.startTracing(page, { categories: ["__metadata", "toplevel", "disabled-by-default-devtools.timeline"] });
  const beats = await frames(page, act);
  const list = tasks(await browser.stopTracing()).filter((ms) => ms > 1);
  say(`${what}: frames`, beats);
  say(`${what}: tasks over 1 ms`, list);
  return list;
}

test("a flame graph of 100,000 frames is smooth", async ({ browser, page }) => {
  const product = await Product.start();
  try {
    const stacks = tree(100_000, 7);
    await pushProfile(product.otlp, "large", "cpu", {}, pprof(stacks, { timeMs: Date.now() - 2 * MINUTE }));
    await expect.poll(async () => ((await (await fetch(`${product.url}/api/v1/profiles`)).json()) as { profiles: unknown[] }).profiles.length).toBe(1);
    await page.goto(`${product.url}/profiles?service=large&live=0`);
    const graph = page.getByRole("application", { name: "Flame graph" });
    await expect(graph).toBeVisible();
    await expect(page.getByRole("status").filter({ hasText: "matches" })).toHaveCount(0);
    const answer = (await (await fetch(`${product.url}/api/v1/profiles/flamegraph?service=large&nodes=100000`)).json()) as { nodes: { frame: number[] } };
    console.log(`${answer.nodes.frame.length} calls in the answer`);
    expect(answer.nodes.frame.length).toBeGreaterThan(95_000);
    const box = (await graph.boundingBox())!;
    const hover = async (steps: number) => {
      for (let i = 0; i < steps; i++) await page.mouse.move(box.x + 20 + ((i * 37) % (box.width - 40)), box.y + 20 + ((i * 53) % (box.height - 40)));
    };
    const hovered = await traced(browser, page, "hover", () => hover(120));
    const scrolled = await traced(browser, page, "scroll", async () => {
      await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
      for (let i = 0; i < 60; i++) await page.mouse.wheel(0, i % 20 < 10 ? 60 : -60);
    });
    const zoomed = await traced(browser, page, "zoom", async () => {
      for (let i = 0; i < 12; i++) {
        await page.mouse.click(box.x + 40 + i * 30, box.y + 60 + (i % 4) * 20);
        await page.keyboard.press("Escape");
      }
    });
    expect(quantile(hovered, 0.95)).toBeLessThan(16);
    expect(quantile(scrolled, 0.95)).toBeLessThan(16);
    expect(quantile(zoomed, 0.95)).toBeLessThan(50);
    const search = page.getByRole("searchbox", { name: "Find functions" });
    await traced(browser, page, "search", async () => {
      await search.pressSequentially("pkg1.*Do12", { delay: 60 });
      await expect(page.getByRole("status").filter({ hasText: "matches" })).toBeVisible();
    });
    for (const name of ["Collapse recursion", "By package"]) await traced(browser, page, name, () => page.getByRole("button", { name }).click());
  } finally {
    await product.stop();
  }
});

/** Waits until a flame graph of so many calls has been painted. */
async function painted(page: Page, calls: number): Promise<void> {
  const drawn = () => page.evaluate(() => Number((performance.getEntriesByName("flame painted").at(-1) as PerformanceMark | undefined)?.detail ?? 0));
  await expect.poll(drawn, { timeout: 60_000, intervals: [50] }).toBeGreaterThanOrEqual(calls);
}

/** Milliseconds from a step until the frame that shows its flame graph has been given to the screen, by the page's own clock. */
async function untilPainted(page: Page, act: (page: Page) => Promise<unknown>): Promise<number> {
  await page.evaluate(() => performance.clearMarks("flame painted"));
  const began = await page.evaluate(() => performance.timeOrigin + performance.now());
  await act(page);
  await painted(page, 1);
  return (await page.evaluate(() => performance.timeOrigin + performance.getEntriesByName("flame painted")[0]!.startTime)) - began;
}

/** Goes to an address within the application, as a link does; the clock starts in the page. */
async function within(page: Page, to: string): Promise<number> {
  return page.evaluate(
    (address) =>
      new Promise<number>((painted) => {
        performance.clearMarks("flame painted");
        new PerformanceObserver((list, self) => {
          const mark = list.getEntriesByName("flame painted")[0];
          if (!mark) return;
          self.disconnect();
          painted(mark.startTime - began);
        }).observe({ type: "mark" });
        const began = performance.now();
        history.pushState({}, "", address);
      }),
    to,
  );
}

/** Until the calls of the second, larger answer are drawn as well. */
const settled = (page: Page) => painted(page, 50_000);

// bench/profiles fills a product and starts this: go run ./bench/profiles -only query -browser
test("1 hour of 20 instances, and 7 days, are seen at once", async ({ page }) => {
  const { BENCH_URL: url, BENCH_LONG: long, BENCH_HOUR: hour, BENCH_END: end } = process.env;
  test.skip(!url, "wants a product that bench/profiles has filled");
  const at = (from: string | number) => `/profiles?service=shop&from=${from}&to=${end}&live=0`;
  await page.goto(`${url}${at(Number(end) - 1_800_000)}`, { waitUntil: "commit" });
  await settled(page);
  for (const [what, from] of [["1 hour", hour!], ["7 days", long!]] as const) {
    const ranges: number[] = [];
    for (let i = 0; i < 7; i++) {
      await within(page, at(Number(end) - 1_801_000 - (what === "1 hour" ? 0 : 10_000) - 1000 * i));
      await settled(page);
      ranges.push(await within(page, at(Number(from) + 1000 * i))); // never asked for before
      await settled(page);
    }
    say(`${what}, chosen in the page`, ranges);
    const pages: number[] = [];
    for (let i = 0; i < 7; i++) {
      await page.goto(`${url}/services?live=0`, { waitUntil: "commit" });
      await page.getByRole("heading", { name: "Services" }).waitFor();
      pages.push(await within(page, at(Number(from) + 10_000 + 1000 * i)));
      await settled(page);
    }
    say(`${what}, from another page`, pages);
    const anew: number[] = [];
    for (let i = 0; i < 5; i++) anew.push(await untilPainted(page, (p) => p.goto(`${url}${at(Number(from) + 20_000 + 1000 * i)}`, { waitUntil: "commit" })));
    say(`${what}, page loaded anew`, anew);
  }
});
