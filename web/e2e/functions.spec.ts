// A release makes a function dearer, and nobody is slower for it: from the incident to the flame graph of the difference.
import { serious } from "./a11y";
import { pushRelease } from "./checkout";
import { expect as plainExpect, test } from "./fixtures";
import { Product } from "./product";
import { sendOrders } from "./telemetry";

const expect = plainExpect.configure({ timeout: 120_000 });
const MINUTE = 60_000;

test("a function that costs more since a release opens an incident, which leads to the difference", async ({ page }) => {
  test.setTimeout(420_000);
  const product = await Product.start();
  try {
    const now = Math.floor(Date.now() / MINUTE) * MINUTE;
    const releases = [
      { version: "1.4.2", instance: "checkout-a", fromMs: now - 100 * MINUTE, minutes: 72 },
      { version: "1.5.0", instance: "checkout-b", fromMs: now - 28 * MINUTE, minutes: 26 },
    ];
    for (const r of releases) {
      await sendOrders(product.otlp, { ...r, perMinute: 30 });
      await pushRelease(product.otlp, r);
    }
    await product.restart(); // What came in bulk is learned at a start.

    await page.goto(`${product.url}/incidents`);
    await page.getByRole("list", { name: "Open incidents" }).getByRole("link").filter({ hasText: "tax.compileRule" }).first().click({ timeout: 150_000 });
    await expect(page.getByRole("heading", { level: 1 })).toContainText("tax.compileRule");
    await expect(page.getByRole("heading", { level: 1 })).toContainText("1.5.0");
    const series = page.getByRole("figure").filter({ hasText: "tax.compileRule" }).first();
    await expect(series).toContainText("tax/rule.go:18");
    await expect(page.getByText(/of CPU time a request in 1\.5\.0, not there before/)).toBeVisible();
    expect(await serious(page)).toEqual([]);

    await page.getByRole("link", { name: "Flame graph of the difference" }).first().click();
    await expect(page).toHaveURL(/\/profiles\?.*version=1\.5\.0/);
    await expect(page).toHaveURL(/vs=version(:|%3A)1\.4\.2/);
    await expect(page.getByRole("table", { name: "Functions that changed most" }).getByRole("row").nth(1)).toContainText("shop/tax.compileRule");
    await expect(page.getByRole("application", { name: "Flame graph" })).toBeVisible();
  } finally {
    await product.stop();
  }
});
