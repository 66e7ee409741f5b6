// `shop` is a product with a few minutes of a small shop's telemetry, shared by
// the journeys of a file; a journey that needs an empty one starts its own.
import { test as base, expect, type Page } from "@playwright/test";
import { Product } from "./product";
import { type SentSpan, sendShop } from "./telemetry";

export interface Shop {
  product: Product;
  /** A trace of about two seconds among many of fifty milliseconds. */
  slow: SentSpan;
}

export const test = base.extend<{ problems: string[] }, { shop: Shop }>({
  shop: [
    async ({}, use) => {
      const product = await Product.start();
      const slow = await sendShop(product.otlp, 400, 8 * 60_000);
      await use({ product, slow });
      await product.stop();
    },
    { scope: "worker", timeout: 120_000 },
  ],
  // Nothing may throw, and nothing may break the content security policy, on any page.
  problems: [
    async ({ page }, use) => {
      const problems: string[] = [];
      page.on("pageerror", (e) => problems.push(`threw: ${e.message}`));
      page.on("console", (m) => {
        if (/Content Security Policy/i.test(m.text())) problems.push(`policy: ${m.text()}`);
      });
      await use(problems);
      expect(problems).toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

/** Waits until the page shows a service's row. */
export async function serviceRow(page: Page, name: string) {
  const row = page.getByRole("row").filter({ has: page.getByRole("link", { name }) });
  await expect(row).toBeVisible();
  return row;
}
