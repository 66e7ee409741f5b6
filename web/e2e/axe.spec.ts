import { serious } from "./a11y";
import { expect, test } from "./fixtures";
import { Product } from "./product";

const pages: { name: string; path: string; ready: string }[] = [
  { name: "services", path: "/services", ready: "link:checkout" },
  { name: "service", path: "/services/checkout", ready: "heading:checkout" },
  { name: "dependencies", path: "/services/checkout?tab=dependencies", ready: "heading:Called by" },
  { name: "errors", path: "/services/payment?tab=errors", ready: "link:Traces with" },
  { name: "versions", path: "/services/payment?tab=versions", ready: "link:1.4.2" },
  { name: "map", path: "/map", ready: "button:Focus" },
  { name: "traces", path: "/traces", ready: "navigation:Main" },
  { name: "logs", path: "/logs", ready: "navigation:Main" },
  { name: "watched metrics", path: "/services/checkout?tab=metrics", ready: "tab:Metrics" },
  { name: "ingest", path: "/ingest", ready: "heading:What was not stored as sent" },
  { name: "settings", path: "/settings", ready: "heading:Retention" },
  { name: "not found", path: "/nowhere", ready: "link:Go to the services" },
];

for (const scheme of ["light", "dark"] as const) {
  for (const p of pages) {
    test(`${p.name}, ${scheme}: no serious accessibility issue`, async ({ page, shop }) => {
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
      await page.goto(shop.product.url + p.path);
      const [role, name] = p.ready.split(":") as ["link", string];
      await expect(page.getByRole(role, { name }).first()).toBeVisible();
      expect(await serious(page)).toEqual([]);
    });
  }
}

test("onboarding and the dialogs: no serious accessibility issue", async ({ page }) => {
  const product = await Product.start();
  try {
    await page.emulateMedia({ reducedMotion: "reduce" });
    await page.goto(product.url);
    await expect(page.getByTestId("welcome")).toBeVisible();
    expect(await serious(page)).toEqual([]);
    await page.keyboard.press("Control+k");
    await expect(page.getByRole("listbox")).toBeVisible();
    expect(await serious(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await expect(page.getByRole("dialog")).toHaveCount(0); // The browser closes it a task later; until then keys are the input's.
    await page.keyboard.press("t");
    await expect(page.getByLabel("Type a range")).toBeVisible();
    expect(await serious(page)).toEqual([]);
  } finally {
    await product.stop();
  }
});
