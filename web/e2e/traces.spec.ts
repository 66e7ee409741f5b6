import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, serviceRow, test } from "./fixtures";

const line = (page: Page) => page.getByRole("combobox", { name: "Search traces" });

test("find a slow trace: from the services to the span that took the time, and the link shows it again", async ({ page, shop, browser }) => {
  await page.goto(shop.product.url);
  await serviceRow(page, "frontend");
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Traces" }).click();
  await expect(page.getByRole("list", { name: "Traces" }).getByRole("link").first()).toBeVisible();

  await page.keyboard.press("/");
  await expect(line(page)).toBeFocused();
  await page.keyboard.type("service:front");
  await expect(page.getByRole("option", { name: /frontend/ })).toBeVisible();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/q=service:frontend/);
  await line(page).press("End");
  await page.keyboard.type("duration>1s");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/duration(>|%3E)1s/);

  const slow = page.getByRole("list", { name: "Traces" }).getByRole("link");
  await expect.poll(() => slow.count()).toBeLessThan(3); // of 400; the journey through the logs may have sent one
  const found = slow.and(page.locator(`[href*="${shop.slow.traceId}"]`));
  await expect(found).toContainText("POST /order");
  await found.click();
  await expect(page).toHaveURL(new RegExp(`/traces/${shop.slow.traceId}`));
  await expect(page.getByRole("treeitem")).toHaveCount(6);

  await page.getByRole("treeitem", { name: /^payment, POST \/charge, 1\.9/ }).click();
  const detail = page.getByTestId("span-detail");
  await expect(detail.getByRole("heading", { name: "POST /charge" })).toBeVisible();
  await detail.getByRole("tab", { name: "Resource" }).click();
  await expect(detail).toContainText("payment-0");
  await expect(page).toHaveURL(/tab=resource/);

  // The database call, by search and keyboard.
  await page.keyboard.press("/");
  await page.getByRole("searchbox", { name: "Search in this trace" }).fill("postgresql");
  await page.keyboard.press("Enter");
  await detail.getByRole("tab", { name: "Attributes" }).click();
  await expect(detail).toContainText("SELECT * FROM orders WHERE id = $1");

  const other = await browser.newContext({ colorScheme: "dark" });
  const copy = await other.newPage();
  await copy.goto(page.url());
  await expect(copy.getByTestId("span-detail")).toContainText("SELECT * FROM orders WHERE id = $1");
  await expect(copy.getByRole("treeitem", { selected: true })).toHaveAccessibleName(/SELECT orders/);
  await expect(copy.getByRole("searchbox", { name: "Search in this trace" })).toHaveValue("postgresql");
  await other.close();
});

test("the waterfall by keyboard alone", async ({ page, shop }) => {
  await page.goto(`${shop.product.url}/traces/${shop.slow.traceId}`);
  const rows = page.getByRole("treeitem");
  await expect(rows).toHaveCount(6);
  await page.keyboard.press("End");
  await expect(page.getByRole("treeitem", { selected: true })).toHaveAccessibleName(/^payment, POST \/charge/);
  await page.keyboard.press("Home");
  await expect(page.getByRole("treeitem", { selected: true })).toHaveAccessibleName(/^frontend, POST \/order/);
  await page.keyboard.press("h");
  await expect(rows).toHaveCount(1);
  await expect(page).toHaveURL(/fold=/);
  await page.keyboard.press("l");
  await expect(rows).toHaveCount(6);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await expect(page.getByRole("treeitem", { selected: true })).toHaveAccessibleName(/^checkout, POST \/checkout/);
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("span-detail")).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(page.getByTestId("span-detail")).toHaveCount(0);
  // Nothing of this paused the page: l belongs to the waterfall here.
  await expect(page).not.toHaveURL(/live=0/);
});

test("a rectangle on the heatmap is compared with the rest, and a difference narrows the search", async ({ page, shop }) => {
  await page.goto(`${shop.product.url}/traces`);
  const canvas = page.getByTestId("heatmap").locator("canvas");
  await expect(canvas).toBeVisible();
  const box = (await canvas.boundingBox())!;
  await page.mouse.move(box.x + 70, box.y + 8);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width - 12, box.y + box.height * 0.45, { steps: 6 });
  await page.mouse.up();
  await expect(page).toHaveURL(/sel=\d+_\d+_\d+_\d+/);
  const why = page.getByTestId("compare");
  await expect(why.getByRole("heading", { name: "Why these?" })).toBeVisible();
  const row = why.getByRole("listitem").getByRole("button").first();
  await expect(row).toContainText(/of selected vs/);
  await row.click();
  await expect(page).toHaveURL(/q=/);
  await page.goBack();
  await page.goBack();
  await expect(page).not.toHaveURL(/sel=/);
});

test("facets narrow and leave out; a broken search says where", async ({ page, shop }) => {
  await page.goto(`${shop.product.url}/traces`);
  const filters = page.getByRole("complementary", { name: "Filters" });
  await filters.getByRole("button", { name: /^checkout/ }).click();
  await expect(line(page)).toHaveValue("service:checkout");
  await filters.getByRole("button", { name: "Leave out status error" }).click();
  await expect(line(page)).toHaveValue("service:checkout -status:error");
  await line(page).fill("service:");
  await line(page).press("Enter");
  await expect(page.getByRole("alert").first()).toContainText("a value is missing");
  await expect(line(page)).toHaveAttribute("aria-invalid", "true");
});

test("an unknown trace says so", async ({ page, shop }) => {
  await page.goto(`${shop.product.url}/traces/${"0".repeat(31)}1`);
  await expect(page.getByRole("heading", { name: "No such trace" })).toBeVisible();
});

for (const scheme of ["light", "dark"] as const) {
  test(`an open span, ${scheme}: no serious accessibility issue, and 390 px are enough`, async ({ page, shop }) => {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
    await page.goto(`${shop.product.url}/traces/${shop.slow.traceId}?span=${shop.slow.spanId}`);
    await expect(page.getByTestId("span-detail")).toBeVisible();
    expect(await serious(page)).toEqual([]);
    await page.goto(`${shop.product.url}/traces?q=service:checkout`);
    await expect(page.getByRole("list", { name: "Traces" }).getByRole("link").first()).toBeVisible();
    expect(await serious(page)).toEqual([]);
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  });
}

async function serious(page: Page) {
  const { violations } = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]).analyze();
  return violations.filter((v) => v.impact === "serious" || v.impact === "critical").map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.target.join(" ")).join(" | ")}`);
}
