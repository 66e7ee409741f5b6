import AxeBuilder from "@axe-core/playwright";
import { expect, test } from "./fixtures";

/** Ten minutes of a gauge of two queues, over OTLP. */
async function sendQueues(otlp: string): Promise<void> {
  const now = Date.now();
  const point = (queue: string, atMs: number, asDouble: number) => ({ timeUnixNano: `${Math.round(atMs)}000000`, asDouble, attributes: [{ key: "queue", value: { stringValue: queue } }] });
  const dataPoints = Array.from({ length: 60 }, (_, i) => now - i * 10_000).flatMap((t, i) => [point("mail", t, 5 + (i % 3)), point("billing", t, 50 + (i % 7))]);
  const res = await fetch(`${otlp}/v1/metrics`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      resourceMetrics: [{
        resource: { attributes: [{ key: "service.name", value: { stringValue: "worker" } }] },
        scopeMetrics: [{ scope: { name: "e2e" }, metrics: [{ name: "queue.length", unit: "{message}", description: "Messages waiting", gauge: { dataPoints } }] }],
      }],
    }),
  });
  if (!res.ok) throw new Error(`OTLP: ${res.status} ${await res.text()}`);
}

test("a metric is found, split and narrowed, and the link shows the same chart", async ({ page, shop, browser }) => {
  await sendQueues(shop.product.otlp);
  await page.goto(`${shop.product.url}/metrics/explore`);
  await page.getByRole("searchbox", { name: "Search metrics" }).fill("queue");
  const entry = page.getByRole("button", { name: /queue\.length/ });
  await expect(entry).toContainText("2 series");
  await entry.click();
  const card = page.getByTestId("metric-chart");
  await expect(card.getByRole("img", { name: /latest/ })).toBeVisible();

  await card.getByRole("combobox", { name: "Split by a label" }).selectOption("queue");
  await expect(card.getByRole("button", { name: "billing", exact: true })).toBeVisible();
  await expect(card.getByRole("button", { name: "mail", exact: true })).toBeVisible();
  await card.getByLabel("Show").selectOption("max");
  await card.getByRole("combobox", { name: "Add a filter" }).fill("queue:mail");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/charts=queue\.length(~|%7E)max\1queue\1queue:mail/);
  await expect(card.getByRole("img", { name: /mail: latest/ })).toBeVisible();

  const other = await browser.newContext({ colorScheme: "dark" });
  const copy = await other.newPage();
  await copy.goto(page.url());
  await expect(copy.getByTestId("metric-chart").getByRole("img", { name: /mail: latest/ })).toBeVisible();
  await expect(copy.getByTestId("metric-chart").getByLabel("Show")).toHaveValue("max");
  await other.close();

  await page.goBack();
  await expect(page).not.toHaveURL(/queue:mail/);
  await card.getByRole("button", { name: "Remove the chart" }).click();
  await expect(page.getByText("Choose a metric", { exact: true })).toBeVisible();
});

test("no serious accessibility issue with a chart, and 390 px are enough", async ({ page, shop }) => {
  await sendQueues(shop.product.otlp);
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.goto(`${shop.product.url}/metrics/explore?charts=queue.length~avg~queue`);
  await expect(page.getByTestId("metric-chart").getByRole("img", { name: /latest/ })).toBeVisible();
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.filter((v) => v.impact === "serious" || v.impact === "critical").map((v) => `${v.id}: ${v.nodes[0]?.target.join(" ")}`)).toEqual([]);
  await page.setViewportSize({ width: 390, height: 844 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
});
