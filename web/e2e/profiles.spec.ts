// From "checkout got slower" to the line of code, with real pprof profiles of two versions.
import { gunzipSync } from "node:zlib";
import { serious } from "./a11y";
import { cpuStacks, pushRelease } from "./checkout";
import { expect, test as base } from "./fixtures";
import { pprof, pushProfile } from "./pprof";
import { Product } from "./product";
import { type SentSpan, sendOrders } from "./telemetry";

const MINUTE = 60_000;

interface Released {
  product: Product;
  /** An order that 1.5.0 answered, and about when. */
  order: SentSpan;
  orderMs: number;
}

const test = base.extend<object, { released: Released }>({
  released: [
    async ({}, use) => {
      const product = await Product.start();
      const now = Math.floor(Date.now() / MINUTE) * MINUTE;
      await pushRelease(product.otlp, { version: "1.4.2", instance: "checkout-a", fromMs: now - 30 * MINUTE, minutes: 14 });
      await sendOrders(product.otlp, { version: "1.4.2", instance: "checkout-a", fromMs: now - 30 * MINUTE, minutes: 14, perMinute: 20 });
      await pushRelease(product.otlp, { version: "1.5.0", instance: "checkout-b", fromMs: now - 15 * MINUTE, minutes: 14 });
      const order = await sendOrders(product.otlp, { version: "1.5.0", instance: "checkout-b", fromMs: now - 15 * MINUTE, minutes: 14, perMinute: 20 });
      await use({ product, order, orderMs: now - MINUTE });
      await product.stop();
    },
    { scope: "worker", timeout: 120_000 },
  ],
});

test("which function made checkout slower since the release", async ({ page, released }) => {
  await page.goto(`${released.product.url}/services/checkout?from=now-1h&to=now`);
  await page.getByRole("tab", { name: "Profiles" }).click();
  await expect(page.getByRole("heading", { name: /CPU by function/ })).toBeVisible();
  await expect(page.getByRole("application", { name: "Flame graph" })).toBeVisible();
  await page.getByRole("link", { name: "What changed in 1.5.0" }).click();
  const sentence = page.getByText(/^\d+ % more than before/);
  await expect(sentence).toContainText("a request");
  await expect(sentence).toContainText("shop/tax.compileRule, which was not there before, takes");
  const movers = page.getByRole("table", { name: "Functions that changed most" });
  const first = movers.getByRole("row").nth(1);
  await expect(first).toContainText("shop/tax.compileRule");
  await expect(first).toContainText("new");
  // Work that only went from one function to another is no news.
  for (const moved of ["shop/card.luhn", "shop/card.checksum"]) await expect(movers.getByRole("row").filter({ hasText: moved })).toContainText("moved");
  await first.getByRole("button", { name: "shop/tax.compileRule" }).click();
  await expect(page.getByRole("heading", { name: "shop/tax.compileRule" })).toBeVisible();
  await expect(page.getByText("tax/rule.go:18").first()).toBeVisible();
  await expect(page.getByText("not there before", { exact: true })).toBeVisible();
  await expect(page.getByRole("application", { name: "Callers of shop/tax.compileRule" })).toBeVisible();
  await expect(page.getByRole("region", { name: "Operations that spend time here" }).getByRole("link", { name: "POST /checkout" })).toBeVisible();
  expect(await serious(page)).toEqual([]);
});

test("two versions are compared, in every term and both ways", async ({ page, released, browser }) => {
  await page.goto(`${released.product.url}/profiles?service=checkout&from=now-1h&to=now`);
  await expect(page.getByText("Time that functions ran on a CPU; waiting is not in it.")).toBeVisible();
  expect(await serious(page)).toEqual([]);
  await page.getByRole("combobox", { name: "Compare with" }).selectOption({ label: "with version 1.4.2" });
  await expect(page).toHaveURL(/version=1\.5\.0/);
  await expect(page).toHaveURL(/vs=version:1\.4\.2/);
  await expect(page.getByText(/^\d+ % more than before/)).toBeVisible();
  const graph = page.getByRole("application", { name: "Flame graph" });
  const whole = page.getByTestId("flame-share");
  await expect(whole).toHaveText(/ms, before \d+\sms \(\+\d/);
  await page.getByRole("radio", { name: "Share" }).click();
  await expect(whole).toHaveText(/^100 %, before 100 %/);
  await page.getByRole("radio", { name: "Absolute" }).click();
  await expect(whole).toHaveText(/(s|min), before/);
  expect(await serious(page)).toEqual([]);

  // Another browser sees the same.
  const other = await (await browser.newContext()).newPage();
  await other.goto(page.url());
  await expect(other.getByTestId("flame-share")).toHaveText((await whole.textContent())!);
  await other.context().close();

  await page.getByRole("button", { name: "Swap both sides" }).click();
  await expect(page).toHaveURL(/version=1\.4\.2.*vs=version:1\.5\.0|vs=version:1\.5\.0.*version=1\.4\.2/);
  await expect(page.getByText(/^\d+ % less than before/)).toBeVisible();
  await page.getByRole("button", { name: "Stop comparing" }).click();
  await expect(page.getByText(/^\d+ % (more|less) than before/)).toHaveCount(0);

  await page.getByRole("button", { name: /^Label/ }).click();
  await page.getByRole("button", { name: "GET /cart" }).click();
  await expect(page).toHaveURL(/label=endpoint:GET/);
  await expect(page.getByRole("table", { name: "Functions" })).not.toContainText("compileRule");
  await expect(graph).toBeVisible();
});

test("the flame graph is used from the keyboard, and its search takes expressions", async ({ page, released }) => {
  await page.goto(`${released.product.url}/profiles?service=checkout&version=1.5.0&from=now-1h&to=now&live=0`);
  const graph = page.getByRole("application", { name: "Flame graph" });
  await graph.focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  const spoken = page.getByTestId("flame-spoken");
  await expect(spoken).toHaveText(/^net\/http\.\(\*conn\)\.serve: .*by itself 0/);
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("flame-share")).toContainText("net/http.(*conn).serve");
  await page.keyboard.press("Escape");
  await expect(page.getByTestId("flame-share")).not.toContainText("serve");
  await page.keyboard.press("Space");
  await expect(page.getByRole("heading", { name: "net/http.(*conn).serve" })).toBeVisible();
  await page.goBack();
  await page.getByRole("searchbox", { name: "Find functions" }).fill("^shop/(tax|card)");
  await expect(page.getByRole("status").filter({ hasText: "in matches" })).toHaveText(/^3\d\.\d % in matches$/);
  const table = page.getByRole("table", { name: "Functions" });
  await expect(table).toContainText("shop/tax.compileRule");
  await expect(table).not.toContainText("encoding/json");
  await page.getByRole("button", { name: "By package" }).click();
  await expect(table.getByRole("button", { name: "shop/tax", exact: true })).toBeVisible();
});

test("the graph shows who calls whom, and pprof reads the selection", async ({ page, released }) => {
  await page.goto(`${released.product.url}/profiles?service=checkout&version=1.5.0&from=now-1h&to=now&live=0&view=graph`);
  const graph = page.getByTestId("profile-graph");
  await expect(graph.getByText("tax.compileRule", { exact: true })).toBeVisible();
  expect(await serious(page)).toEqual([]);
  await page.getByRole("button", { name: "pprof" }).click();
  const commands = page.getByLabel("Commands for go tool pprof", { exact: true });
  await expect(commands).toContainText(`go tool pprof '${released.product.url}/api/v1/profiles/pprof?service=checkout`);
  expect(await serious(page)).toEqual([]);
  const href = (await page.getByRole("link", { name: "Download the merged profile" }).getAttribute("href"))!;
  const res = await fetch(released.product.url + href);
  expect(res.headers.get("content-disposition")).toContain("checkout-cpu-");
  const merged = gunzipSync(Buffer.from(await res.arrayBuffer())).toString("latin1");
  expect(merged).toContain("shop/tax.compileRule");
  expect(merged).not.toContain("shop/card.luhn"); // of the other version
});

test("a span leads to what its process did, and says how exactly that is known", async ({ page, released }) => {
  const { product, order, orderMs } = released;
  await page.goto(`${product.url}/traces/${order.traceId}`);
  await page.getByRole("treeitem", { name: /^checkout, POST \/checkout/ }).click();
  const detail = page.getByTestId("span-detail");
  await detail.getByRole("tab", { name: "Profile" }).click();
  // Samples say their endpoint, not their span.
  await expect(detail.getByText(/No sample carries this span's id: this is what all requests to POST \/checkout took/)).toBeVisible();
  await expect(detail.getByRole("application", { name: "Flame graph of the span" })).toBeVisible();
  expect(await serious(page)).toEqual([]);

  const spanId = new URL(page.url()).searchParams.get("span")!;
  const stacks = { "net/http.(*conn).serve;shop/checkout.(*Server).order;shop/own.Work@own/work.go:9": 30e6 };
  await pushProfile(product.otlp, "checkout", "cpu", { "service.version": "1.5.0", "service.instance.id": "checkout-b" }, pprof(stacks, { timeMs: orderMs - MINUTE / 2, labels: { span_id: spanId, trace_id: order.traceId, endpoint: "POST /checkout" } }));
  await expect(async () => {
    await page.reload(); // acknowledged is not asked for yet: it is stored within a second or two
    await expect(detail.getByRole("link", { name: "shop/own.Work" })).toBeVisible({ timeout: 4000 });
  }).toPass();
  await expect(detail.getByText(/No sample carries/)).toHaveCount(0);
  await detail.getByRole("link", { name: "shop/own.Work" }).click();
  await expect(page.getByRole("heading", { name: "shop/own.Work" })).toBeVisible();
  await expect(page.getByText("own/work.go:9").first()).toBeVisible();
  await expect(page.getByRole("region", { name: "Operations that spend time here" })).toContainText("POST /checkout");
});

test("a new profile is on the chart while one looks", async ({ page, released }) => {
  await page.goto(`${released.product.url}/services/checkout?tab=profiles&from=now-1h&to=now`);
  const chart = page.getByTestId("time-chart").filter({ hasText: "CPU by function" });
  await expect(chart.getByRole("button", { name: "tax.compileRule" })).toBeVisible();
  await expect(chart.getByRole("button", { name: "hot.Loop" })).toHaveCount(0);
  const timeMs = Math.floor(Date.now() / MINUTE) * MINUTE - MINUTE;
  await pushProfile(released.product.otlp, "checkout", "cpu", { "service.version": "1.5.0", "service.instance.id": "checkout-b" }, pprof({ ...cpuStacks("1.5.0", 1), "shop/hot.Loop@hot/loop.go:3": 60e9 }, { timeMs }));
  await expect(chart.getByRole("button", { name: "hot.Loop" })).toBeVisible({ timeout: 20_000 });
});
