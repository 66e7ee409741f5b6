import { expect, serviceRow, test } from "./fixtures";

test("from the services to a service and back without a pointer", async ({ page, shop }) => {
  await page.goto(shop.product.url);
  await serviceRow(page, "checkout");

  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to content" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.locator("#main")).toBeFocused();

  await page.keyboard.press("/");
  await expect(page.getByRole("searchbox", { name: "Filter services" })).toBeFocused();
  await page.keyboard.type("payment");
  await expect(page).toHaveURL(/q=payment/);
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");

  await page.keyboard.press("g");
  await page.keyboard.press("m");
  await expect(page).toHaveURL(/\/map/);

  await page.keyboard.press("Control+k");
  const search = page.getByRole("combobox", { name: /Search pages/ });
  await expect(search).toBeFocused();
  await page.keyboard.type("payment");
  await expect(page.getByRole("option", { name: "payment" })).toHaveAttribute("aria-selected", "true");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: "payment" })).toBeVisible();

  await page.getByRole("tab", { name: "Operations" }).focus();
  await page.keyboard.press("ArrowRight");
  await expect(page.getByRole("tab", { name: "Dependencies" })).toBeFocused();
  await expect(page).toHaveURL(/tab=dependencies/);
  await expect(page.getByRole("link", { name: "checkout" })).toBeVisible();

  await page.keyboard.press("t");
  await page.keyboard.type("3h");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/from=now-3h/);

  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keyboard shortcuts" })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
});
