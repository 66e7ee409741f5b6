import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, test } from "./fixtures";
import { sendMetrics } from "./metricdata";

test.beforeAll(async ({ shop }) => sendMetrics(shop.product.otlp, "crew"));

const panel = (page: Page, title: string) => page.getByRole("region", { name: title, exact: true });

async function made(url: string, body: Record<string, unknown>): Promise<{ id: string; version: number }> {
  const res = await fetch(`${url}/api/v1/dashboards`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  if (!res.ok) throw new Error(`${res.status} ${await res.text()}`);
  return (await res.json()) as { id: string; version: number };
}

const query = (expr: string, legend = "") => [{ expr, legend }];
const series = (id: string, title: string, x: number, y: number, expr: string, more = {}) => ({ id, type: "timeseries", title, x, y, w: 12, h: 6, queries: query(expr), ...more });

test("a panel goes from Explore to a dashboard, is changed there, saved, undone by restoring, and had as a file", async ({ page, shop }) => {
  await page.goto(`${shop.product.url}/explore?expr=sum by (queue) (crew_queue_depth)`);
  await page.getByRole("button", { name: "Add to dashboard" }).click();
  await page.getByRole("textbox", { name: "Dashboard" }).fill("Queues");
  await page.getByRole("button", { name: /New dashboard “Queues”/ }).click();
  await page.getByRole("button", { name: "Open", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Queues" })).toBeVisible();
  await expect(page.getByTestId("panel").getByRole("img", { name: /billing: latest/ })).toBeVisible();

  await page.keyboard.press("e");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByRole("button", { name: /^Stat/ }).click();
  await page.getByLabel("Title").fill("Waiting");
  await page.getByRole("textbox", { name: "Query A", exact: true }).click();
  await page.keyboard.insertText("sum(crew_queue_depth)");
  await expect(panel(page, "Waiting")).toContainText(/\d\d/);
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByLabel("What was changed").fill("How many wait");
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("button", { name: "Edit", exact: true })).toBeVisible();
  await expect(panel(page, "Waiting")).toBeVisible();

  await page.getByRole("button", { name: "More", exact: true }).click();
  await page.getByRole("button", { name: "Versions" }).click();
  await expect(page.getByRole("dialog")).toContainText("How many wait");
  await page.getByRole("button", { name: "Restore version 1" }).click();
  await expect(panel(page, "Waiting")).toHaveCount(0);
  await page.reload();
  await expect(page.getByTestId("panel")).toHaveCount(1);

  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "More", exact: true }).click();
  await page.getByRole("button", { name: /Export as JSON/ }).click();
  expect((await download).suggestedFilename()).toMatch(/\.json$/);
});

test("panels are moved and resized by pointer and by keyboard, and every step can be undone", async ({ page, shop }) => {
  const { id } = await made(shop.product.url, { title: "Grid", panels: [series("a", "First", 0, 0, "crew_queue_depth"), series("b", "Second", 12, 0, "crew_queue_depth")] });
  await page.goto(`${shop.product.url}/dashboards/${id}?edit=1`);
  await expect(panel(page, "First").getByRole("img", { name: /latest/ })).toBeVisible();
  const left = async (title: string) => Math.round((await panel(page, title).boundingBox())!.x);
  const top = async (title: string) => Math.round((await panel(page, title).boundingBox())!.y);
  const start = { first: await left("First"), second: await left("Second"), top: await top("Second") };

  const head = (await panel(page, "First").getByRole("heading").boundingBox())!;
  await page.mouse.move(head.x + 5, head.y + 5);
  await page.mouse.down();
  await page.mouse.move(head.x + 5 + (start.second - start.first), head.y + 5, { steps: 5 });
  await page.mouse.up();
  await expect.poll(() => left("First")).toBe(start.second);
  await expect.poll(() => top("Second")).toBeGreaterThan(start.top);

  await page.getByRole("button", { name: /^Move First/ }).focus();
  await page.keyboard.press("Shift+ArrowDown");
  await expect(page.getByRole("status").filter({ hasText: "First: column 13, row 1, 12 wide, 7 tall" })).toBeAttached();
  await page.keyboard.press("ArrowLeft");
  await expect(page.getByRole("status").filter({ hasText: "First: column 12" })).toBeAttached();

  await page.keyboard.press("Control+z");
  for (let i = 0; i < 3 && (await left("First")) !== start.first; i++) await page.keyboard.press("Control+z");
  await expect.poll(() => left("First")).toBe(start.first);
  await expect.poll(() => top("Second")).toBe(start.top);
});

test("variables choose, repeat, and are part of the address", async ({ page, shop }) => {
  const { id } = await made(shop.product.url, {
    title: "By queue",
    variables: [{ name: "queue", label: "Queue", kind: "query", query: "label_values(crew_queue_depth, queue)", multi: true, include_all: true, current: ["$__all"] }],
    panels: [{ ...series("a", "Depth of $queue", 0, 0, 'crew_queue_depth{queue=~"$queue"}'), repeat: "queue" }, series("b", "All of them", 0, 6, 'sum(crew_queue_depth{queue=~"$queue"})')],
  });
  await page.goto(`${shop.product.url}/dashboards/${id}`);
  await expect(panel(page, "Depth of mail").getByRole("img", { name: /latest 1\d/ })).toBeVisible();
  await expect(panel(page, "Depth of billing").getByRole("img", { name: /latest 6\d/ })).toBeVisible();
  await page.getByRole("button", { name: "Queue: All" }).click();
  await page.getByRole("checkbox", { name: "mail" }).check();
  await page.keyboard.press("Escape");
  await expect(page).toHaveURL(/var-queue=mail/);
  await expect(panel(page, "Depth of billing")).toHaveCount(0);
  await expect(panel(page, "All of them").getByRole("img", { name: /latest 1\d/ })).toBeVisible();
});

test("a dashboard of Grafana is imported, and what cannot come is said first", async ({ page, shop }) => {
  const grafana = {
    title: "From Grafana", schemaVersion: 39, templating: { list: [{ name: "q", type: "query", query: "label_values(crew_jobs_total, queue)", multi: true, includeAll: true, current: { value: "$__all" } }] },
    panels: [
      { type: "timeseries", title: "Jobs", gridPos: { x: 0, y: 0, w: 12, h: 8 }, targets: [{ expr: 'sum by (queue) (rate(crew_jobs_total{queue=~"$q"}[$__rate_interval]))', legendFormat: "{{queue}}" }], fieldConfig: { defaults: { unit: "ops" }, overrides: [] } },
      { type: "gauge", title: "Depth", gridPos: { x: 12, y: 0, w: 6, h: 8 }, targets: [{ expr: "sum(crew_queue_depth)" }], fieldConfig: { defaults: { max: 200, thresholds: { mode: "absolute", steps: [{ color: "green", value: null }, { color: "red", value: 50 }] } }, overrides: [] } },
      { type: "geomap", title: "World", gridPos: { x: 18, y: 0, w: 6, h: 8 }, targets: [] },
    ],
  };
  await page.goto(`${shop.product.url}/dashboards`);
  await page.getByRole("button", { name: "Import" }).click();
  await page.getByLabel("JSON", { exact: true }).fill(JSON.stringify(grafana));
  await page.getByRole("button", { name: "See what comes over" }).click();
  await expect(page.getByTestId("import-report")).toContainText("World: Panels of type \"geomap\" do not exist here");
  await page.getByRole("dialog").getByRole("button", { name: "Import" }).click();
  await expect(panel(page, "Jobs").getByRole("img", { name: /billing: latest \d/ })).toBeVisible();
  await expect(panel(page, "Depth").getByRole("img", { name: /^.*: [67]\d/ })).toBeVisible();
  await expect(panel(page, "World")).toContainText("geomap");
});

test("twenty panels over six hours are there soon, live over the one websocket, one evaluation each for two viewers", async ({ page, shop, browser }) => {
  const panels = Array.from({ length: 20 }, (_, i) => ({ ...series(`p${i}`, `Panel ${i}`, (i % 5) * 4, Math.floor(i / 5) * 4, `sum by (queue) (rate(crew_jobs_total[${i + 2}m]))`), w: 4, h: 4 }));
  const { id } = await made(shop.product.url, { title: "Twenty", panels });
  const asked: string[] = [];
  page.on("request", (r) => r.url().includes("/api/v1/promql") && asked.push(r.url()));
  const address = `${shop.product.url}/dashboards/${id}?from=now-6h&to=now`;
  const all = (p: Page) => expect.poll(() => p.getByTestId("panel").getByRole("img", { name: /latest/ }).count(), { intervals: [20], timeout: 25_000 }).toBe(20);
  await page.goto(address);
  await all(page);
  const began = Date.now();
  await page.goto(address);
  await all(page);
  const took = Date.now() - began;
  test.info().annotations.push({ type: "twenty panels", description: `${took} ms` });
  console.log(`20 panels over 6 h: ${took} ms from navigation to the last chart`);
  expect(took).toBeLessThan(30_000); // A shared, loaded test machine: the goal on a quiet one is one second, see docs/benchmarks.md.
  expect(asked).toEqual([]);

  const questions = async () => Number(/^tidemark_live_questions (\d+)/m.exec(await (await fetch(`${shop.product.url}/metrics`)).text())![1]);
  await expect.poll(questions).toBeLessThanOrEqual(21); // With the badge of incidents.
  const other = await browser.newPage();
  await other.goto(address);
  await all(other);
  expect(await questions()).toBeLessThanOrEqual(21);
  await other.close();
});

test("every ready-made dashboard opens without a fault", async ({ page, shop }) => {
  const { dashboards } = (await (await fetch(`${shop.product.url}/api/v1/dashboards`)).json()) as { dashboards: { id: string; title: string; ready_made: boolean }[] };
  const ready = dashboards.filter((d) => d.ready_made);
  expect(ready.length).toBeGreaterThanOrEqual(10);
  test.setTimeout(120_000);
  for (const d of ready) {
    await page.goto(`${shop.product.url}/dashboards/${d.id}`);
    await expect(page.getByRole("heading", { level: 1, name: d.title })).toBeVisible();
    await expect(page.getByTestId("panel").first()).toContainText(/\S/);
    await expect(page.getByRole("alert")).toHaveCount(0);
  }
});

const serious = async (page: Page) => {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations.filter((v) => v.impact === "serious" || v.impact === "critical").map((v) => `${v.id}: ${v.nodes[0]?.target.join(" ")}`);
};

test("kiosk, and a panel alone", async ({ page, shop }) => {
  const { id } = await made(shop.product.url, { title: "Wall", panels: [series("a", "One", 0, 0, "crew_queue_depth"), series("b", "Two", 12, 0, "crew_queue_depth")] });
  await page.goto(`${shop.product.url}/dashboards/${id}`);
  await panel(page, "One").hover();
  await page.getByRole("button", { name: "Menu of One" }).click();
  await page.getByRole("button", { name: "View alone" }).click();
  await expect(panel(page, "Two")).toHaveCount(0);
  await page.getByRole("button", { name: "Back to the dashboard" }).click();
  await expect(panel(page, "Two")).toBeVisible();
  await expect(panel(page, "Two").getByRole("img", { name: /latest/ })).toBeVisible();
  for (const [item, name] of [["Download as CSV", "Two.csv"], ["Download as PNG", "Two.png"]] as const) {
    await page.getByRole("button", { name: "Menu of Two" }).click();
    const file = page.waitForEvent("download");
    await page.getByRole("button", { name: item }).click();
    expect((await file).suggestedFilename()).toBe(name);
  }
  await page.keyboard.press("k");
  await expect(page.getByRole("navigation", { name: "Main" })).toBeHidden();
  await page.keyboard.press("k");
  await expect(page.getByRole("navigation", { name: "Main" })).toBeVisible();
});

for (const colorScheme of ["light", "dark"] as const) {
  test(`${colorScheme}: no serious accessibility issue, and 390 px are enough`, async ({ page, shop }) => {
    test.setTimeout(120_000);
    const { id } = await made(shop.product.url, {
      title: "Every kind",
      panels: [
        series("a", "Lines", 0, 0, "crew_queue_depth"), { ...series("b", "Number", 12, 0, "sum(crew_queue_depth)"), type: "stat", sparkline: true },
        { ...series("c", "Dial", 0, 6, "sum(crew_queue_depth)"), type: "gauge", thresholds: [{ from: null, level: "ok" }, { from: 50, level: "bad" }] }, { ...series("d", "Bars", 12, 6, "crew_queue_depth"), type: "bar" },
        { ...series("e", "Rows", 0, 12, "crew_queue_depth"), type: "table" }, { ...series("f", "Spread", 12, 12, "crew_wait_seconds_bucket"), type: "heatmap" },
      ],
    });
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.goto(`${shop.product.url}/dashboards/${id}`);
    await expect(panel(page, "Lines").getByRole("img", { name: /latest/ })).toBeVisible();
    await expect(panel(page, "Rows").getByRole("row").nth(2)).toBeVisible();
    expect(await serious(page)).toEqual([]);
    await page.goto(`${shop.product.url}/dashboards/${id}?edit=1&panel=c`);
    await expect(page.getByRole("textbox", { name: "Query A", exact: true })).toBeVisible();
    expect(await serious(page)).toEqual([]);
    await page.setViewportSize({ width: 390, height: 844 });
    for (const path of [`/dashboards/${id}`, "/dashboards", "/hosts"]) {
      await page.goto(shop.product.url + path);
      await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
      if (path === "/hosts") await expect(page.getByText("No hosts in this range").or(page.getByRole("row").nth(1))).toBeVisible();
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    }
  });
}
