import { expect, serviceRow, test } from "./fixtures";

test("a link shows the same view in another browser", async ({ page, shop, browser }) => {
  await page.goto(shop.product.url);
  await serviceRow(page, "checkout");
  await page.getByRole("searchbox", { name: "Filter services" }).fill("pay");
  await expect(page.getByRole("link", { name: "checkout" })).toHaveCount(0);
  await page.getByRole("button", { name: "p95" }).click();
  await page.getByTestId("time-range").click();
  await page.getByRole("button", { name: "30 minutes", exact: true }).click();
  await expect(page).toHaveURL(/from=now-30m/);

  const other = await browser.newContext({ colorScheme: "dark" });
  const copy = await other.newPage();
  await copy.goto(page.url());
  await serviceRow(copy, "payment");
  await expect(copy.getByRole("searchbox", { name: "Filter services" })).toHaveValue("pay");
  await expect(copy.getByTestId("time-range")).toHaveText(/Last 30 minutes/);
  await expect(copy.getByRole("columnheader", { name: "p95" })).toHaveAttribute("aria-sort", "descending");
  await expect(copy.getByRole("link", { name: "checkout" })).toHaveCount(0);
  await other.close();
});

test("a drag on a chart zooms the page, back undoes it", async ({ page, shop }) => {
  await page.goto(`${shop.product.url}/services/checkout`);
  const plot = page.getByTestId("time-chart").first().locator(".u-over");
  await expect(plot).toBeVisible();
  await expect(async () => {
    const box = (await plot.boundingBox())!; // none while the chart is drawn anew with what was expected
    await page.mouse.move(box.x + box.width * 0.3, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.6, box.y + 40, { steps: 5 });
    await page.mouse.up();
    await expect(page).toHaveURL(/from=\d+&to=\d+/, { timeout: 2_000 });
  }).toPass();
  await expect(page.getByTestId("freshness")).toHaveText("Fixed range");
  const url = new URL(page.url());
  const width = Number(url.searchParams.get("to")) - Number(url.searchParams.get("from"));
  expect(width).toBeGreaterThan(3.5 * 60_000);
  expect(width).toBeLessThan(5.5 * 60_000);
  await page.goBack();
  await expect(page).not.toHaveURL(/from=\d/);
  await expect(page.getByTestId("time-range")).toHaveText(/Last 15 minutes/);
});

test("the range and environment follow from page to page", async ({ page, shop }) => {
  await page.goto(`${shop.product.url}/services?from=now-1h&to=now&env=e2e&tz=utc`);
  await (await serviceRow(page, "checkout")).getByRole("link").first().click();
  await expect(page).toHaveURL(/\/services\/checkout\?.*from=now-1h/);
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Map" }).click();
  await expect(page).toHaveURL(/\/map\?.*env=e2e/);
  await expect(page).toHaveURL(/tz=utc/);
});
