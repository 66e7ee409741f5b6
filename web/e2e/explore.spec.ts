import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, test } from "./fixtures";
import { sendMetrics } from "./metricdata";

const field = (page: Page) => page.getByRole("textbox", { name: "PromQL" });
const result = (page: Page) => page.getByRole("region", { name: "Result" });

test.beforeAll(async ({ shop }) => sendMetrics(shop.product.otlp, "worker"));

test("a metric is found, drawn as suggested, asked otherwise, and the link shows the same", async ({ page, shop, browser }) => {
  await page.goto(`${shop.product.url}/explore`);
  await page.getByRole("searchbox", { name: "Search metrics" }).fill("jobs done");
  const entry = page.getByRole("button", { name: /worker_jobs_total/ });
  await expect(entry).toContainText("counter · {job} · 2 series");
  await entry.hover();
  await expect(page.getByTestId("metric-about")).toContainText("Jobs that were done");
  await entry.click();
  await expect(field(page)).toContainText("sum(rate(worker_jobs_total[$__rate_interval]))");
  await expect(result(page).getByRole("img", { name: /latest/ })).toBeVisible();

  await page.goto(`${shop.product.url}/explore?expr=rate(worker_jobs_total[2m])`);
  await expect(result(page).getByRole("img", { name: /billing: latest \d.*mail: latest \d/ })).toBeVisible();
  await page.getByRole("radio", { name: "Table" }).click();
  await expect(result(page).getByRole("row").filter({ hasText: "billing" })).toContainText(/\d/);

  const other = await browser.newContext({ colorScheme: "dark" });
  const copy = await other.newPage();
  await copy.goto(page.url());
  await expect(copy.getByRole("region", { name: "Result" }).getByRole("row").filter({ hasText: "mail" })).toContainText(/\d/);
  await other.close();
});

test("the editor completes names and explains them; what cannot be read is said", async ({ page, shop }) => {
  await page.goto(`${shop.product.url}/explore`);
  await field(page).click();
  await page.keyboard.type("worker_queue_d");
  await page.getByRole("option", { name: /worker_queue_depth/ }).click();
  await expect(field(page)).toContainText("worker_queue_depth");
  await field(page).getByText("worker_queue_depth").hover();
  await expect(page.getByText("Jobs waiting").first()).toBeVisible();
  await page.goto(`${shop.product.url}/explore?expr=sum(worker_queue_depth`);
  await expect(page.getByRole("alert")).toContainText("parse error");
});

test("what cannot be read is underlined where it stands and told; a metric that nobody sends is pointed out", async ({ page, shop }) => {
  const marked = page.locator(".cm-lintRange");
  const said = page.getByRole("status").filter({ hasText: /\S/ });
  await page.goto(`${shop.product.url}/explore`);
  for (const [text, word, message] of [
    ["rate(worker_jobs_total)", "worker_jobs_total", /range vector/], // by the editor's own check
    ["sum(worker_queue_depth) by", "by", /unexpected/], // by the server's parser
  ] as const) {
    await field(page).click();
    await page.keyboard.press("ControlOrMeta+a");
    await page.keyboard.insertText(text);
    await expect(marked.first()).toContainText(word);
    expect(await marked.first().evaluate((e) => getComputedStyle(e).textDecorationStyle)).toBe("wavy");
    await expect(said.filter({ hasText: message })).toBeVisible();
  }
  await marked.first().hover();
  await expect(page.locator(".cm-tooltip-lint")).toContainText("unexpected");
  await field(page).click();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.insertText("worker_queue_dept");
  await expect(said.filter({ hasText: "No metric named worker_queue_dept is known: worker_queue_depth?" })).toBeVisible();
  await page.keyboard.insertText("h");
  await expect(marked).toHaveCount(0);
});

test("links to charts by OpenTelemetry's names go on to the same in PromQL", async ({ page, shop }) => {
  await page.goto(`${shop.product.url}/metrics/explore?charts=worker.queue.depth~max~queue~queue:mail&from=now-1h`);
  await expect(page).toHaveURL(/\/explore\?.*from=now-1h/);
  await expect(field(page)).toContainText('max by (queue) (worker_queue_depth{queue="mail"})');
  await expect(result(page).getByRole("img", { name: /latest/ })).toBeVisible();
  await page.getByRole("searchbox", { name: "Search metrics" }).fill("worker.queue.depth");
  await expect(page.getByRole("button", { name: /worker_queue_depth/ })).toBeVisible();
});

test("the builder writes the PromQL", async ({ page, shop }) => {
  await page.goto(`${shop.product.url}/explore?build=1`);
  await expect(page.getByText(/^\d+ metrics/)).toBeVisible();
  await page.getByRole("combobox", { name: "Metric", exact: true }).fill("worker_wait_seconds_bucket");
  await expect(field(page)).toContainText("histogram_quantile(0.95, sum by (le) (rate(worker_wait_seconds_bucket[$__rate_interval])))");
  await page.getByRole("combobox", { name: "One line for each value of" }).selectOption("queue");
  await page.getByRole("combobox", { name: "Quantile" }).selectOption("0.5");
  await expect(field(page)).toContainText("histogram_quantile(0.5, sum by (le, queue)");
  await expect(result(page).getByRole("img", { name: /mail: latest \d/ })).toBeVisible();
  await page.goto(`${shop.product.url}/explore?expr=sum by (le) (rate(worker_wait_seconds_bucket[2m]))`);
  await page.getByRole("radio", { name: "Heatmap" }).click();
  await expect(result(page).getByTestId("heatmap").getByRole("img", { name: /rows of values/ })).toBeVisible();
});

test("above the services stands what is not as usual, and what was changed lately", async ({ page, shop }) => {
  const posted = await fetch(`${shop.product.url}/api/v1/deployments`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ service: "checkout", version: "9.9.9" }) });
  expect(posted.ok).toBe(true);
  await page.goto(shop.product.url);
  const now = page.getByRole("region", { name: "Now" });
  await expect(now.getByRole("list", { name: /Deployed/ })).toContainText("checkout 9.9.9");
  await now.getByRole("link", { name: /checkout 9\.9\.9/ }).click();
  await expect(page).toHaveURL(/services\/checkout\?.*tab=versions/);
  await page.getByRole("tab", { name: "Metrics" }).click();
  await page.getByRole("link", { name: "All its metrics" }).click();
  await expect(page.getByRole("combobox", { name: "Sent by" })).toHaveValue("checkout");
});

test("no serious accessibility issue, and 390 px are enough", async ({ page, shop }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.goto(`${shop.product.url}/explore?build=1&expr=sum by (queue) (rate(worker_jobs_total[2m]))`);
  await expect(result(page).getByRole("img", { name: /latest/ })).toBeVisible();
  await expect(field(page)).toBeVisible();
  for (const scheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.filter((v) => v.impact === "serious" || v.impact === "critical").map((v) => `${v.id}: ${v.nodes[0]?.target.join(" ")}`)).toEqual([]);
  }
  await page.setViewportSize({ width: 390, height: 844 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  // What is asked comes first; the list is one tap away.
  const choose = page.getByRole("button", { name: /Choose a metric/ });
  expect((await field(page).boundingBox())!.y).toBeLessThan((await choose.boundingBox())!.y);
  await expect(page.getByRole("searchbox", { name: "Search metrics" })).toBeHidden();
  await choose.click();
  await page.getByRole("searchbox", { name: "Search metrics" }).fill("queue depth");
  await expect(page.getByRole("button", { name: /worker_queue_depth/ })).toBeVisible();
});
