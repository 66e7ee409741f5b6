import { randomBytes } from "node:crypto";
import AxeBuilder from "@axe-core/playwright";
import { expect, test } from "./fixtures";
import { sendShop } from "./telemetry";

const attribute = (key: string, stringValue: string) => ({ key, value: { stringValue } });

interface Record {
  body: string;
  severity: number;
  atMs: number;
  trace?: { traceId: string; spanId: string };
  attributes?: { [key: string]: string };
}

/** Sends log records of the service "checkout" over OTLP. */
async function sendLogs(otlp: string, records: Record[]): Promise<void> {
  const words: { [n: number]: string } = { 9: "INFO", 13: "WARN", 17: "ERROR" };
  const res = await fetch(`${otlp}/v1/logs`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      resourceLogs: [{
        resource: { attributes: [attribute("service.name", "checkout"), attribute("deployment.environment.name", "e2e")] },
        scopeLogs: [{
          scope: { name: "e2e" },
          logRecords: records.map((r) => ({
            timeUnixNano: `${Math.round(r.atMs)}000000`,
            severityNumber: r.severity,
            severityText: words[r.severity],
            body: { stringValue: r.body },
            traceId: r.trace?.traceId,
            spanId: r.trace?.spanId,
            attributes: Object.entries(r.attributes ?? {}).map(([k, v]) => attribute(k, v)),
          })),
        }],
      }],
    }),
  });
  if (!res.ok) throw new Error(`OTLP: ${res.status} ${await res.text()}`);
}

test("from a warning to its trace, and the tail goes on by itself", async ({ page, shop }) => {
  const now = Date.now();
  const mark = randomBytes(4).toString("hex");
  const order = await sendShop(shop.product.otlp, 1, 40_000); // its record lies within its time
  await sendLogs(shop.product.otlp, [
    ...Array.from({ length: 40 }, (_, i) => ({ body: `order ${i} placed`, severity: 9, atMs: now - 60_000 - i * 500 })),
    { body: `card ${mark} timed out`, severity: 13, atMs: now - 19_000, trace: order, attributes: { "payment.provider": "acme" } },
  ]);
  await page.goto(`${shop.product.url}/logs`);
  const records = page.getByRole("list", { name: "Records" }).getByRole("listitem");
  await expect(records.filter({ hasText: mark })).toBeVisible();

  const line = page.getByRole("combobox", { name: "Search logs" });
  await line.fill(`severity>=warn "timed out"`);
  await line.press("Enter");
  await expect(page).toHaveURL(/severity(>|%3E)/);
  await expect(records.filter({ hasText: "placed" })).toHaveCount(0);
  const warning = records.filter({ hasText: mark });
  await warning.getByRole("button").first().click();
  await expect(warning).toContainText("payment.provider");
  await expect(page).toHaveURL(/open=/);

  await sendLogs(shop.product.otlp, [{ body: `again ${mark} timed out`, severity: 17, atMs: Date.now() }]);
  await expect(records.filter({ hasText: `again ${mark}` })).toBeVisible();

  await warning.filter({ hasText: "card" }).getByRole("link", { name: "Open its trace" }).click();
  await expect(page.getByTestId("span-detail")).toContainText(`card ${mark} timed out`);
});

test("a reader who scrolled down is not disturbed, and is told what came", async ({ page, shop }) => {
  const now = Date.now();
  await sendLogs(shop.product.otlp, Array.from({ length: 150 }, (_, i) => ({ body: `line ${i}`, severity: 9, atMs: now - 1000 - i * 20 })));
  await page.goto(`${shop.product.url}/logs`);
  await expect(page.getByRole("list", { name: "Records" }).getByText("line 0", { exact: true })).toBeVisible();
  await page.mouse.move(800, 700);
  await page.mouse.wheel(0, 1500);
  await expect.poll(() => page.evaluate(() => scrollY)).toBeGreaterThan(800);
  await sendLogs(shop.product.otlp, [{ body: "something new", severity: 9, atMs: Date.now() }]);
  await expect(page.getByTestId("new-logs")).toContainText(/\d+ new/);
  await page.getByTestId("new-logs").click();
  await expect(page.getByText("something new", { exact: true })).toBeVisible();
  await expect(page.getByTestId("new-logs")).toHaveCount(0);
});

test("columns, wrapping and order are in the link", async ({ page, shop, browser }) => {
  await sendLogs(shop.product.otlp, [{ body: "with a region", severity: 9, atMs: Date.now() - 2000, attributes: { region: "eu-west" } }]);
  await page.goto(`${shop.product.url}/logs?q=${encodeURIComponent('"with a region"')}`);
  const record = page.getByRole("list", { name: "Records" }).getByRole("listitem").first();
  await record.getByRole("button").first().click();
  await record.getByRole("button", { name: "region as a column" }).click({ force: true });
  await page.getByRole("button", { name: "Wrap" }).click();
  await page.getByRole("radio", { name: "Oldest" }).click();
  await expect(page).toHaveURL(/order=oldest/);
  const other = await browser.newContext();
  const copy = await other.newPage();
  await copy.goto(page.url());
  await expect(copy.getByRole("button", { name: "Remove the column region" })).toBeVisible();
  await expect(copy.getByRole("button", { name: "Wrap" })).toHaveAttribute("aria-pressed", "true");
  await expect(copy.getByText("eu-west").first()).toBeVisible();
  await other.close();
});

test("no serious accessibility issue with an open record, and 390 px are enough", async ({ page, shop }) => {
  await sendLogs(shop.product.otlp, [{ body: "an error", severity: 17, atMs: Date.now() - 2000 }]);
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.goto(`${shop.product.url}/logs?live=0`);
  await page.getByRole("list", { name: "Records" }).getByRole("button").first().click();
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.filter((v) => v.impact === "serious" || v.impact === "critical").map((v) => `${v.id}: ${v.nodes[0]?.target.join(" ")}`)).toEqual([]);
  await page.setViewportSize({ width: 390, height: 844 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
});
