import { serious } from "./a11y";
import { expect, test } from "./fixtures";
import { Product } from "./product";

test("a key is made, shown once, used, revoked and brought back", async ({ page, context }) => {
  const product = await Product.start(["--self-telemetry=false", "--ingest-keys=required"]);
  try {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.goto(product.url);
    await expect(page.getByText("Senders need an ingest key.")).toBeVisible();
    await expect(page.getByRole("tabpanel")).toContainText("OTEL_EXPORTER_OTLP_HEADERS=x-api-key=YOUR_INGEST_KEY");
    await page.goto(`${product.url}/settings`);
    await expect(page.getByText("No ingest key yet")).toBeVisible();
    await page.getByRole("button", { name: "New key" }).click();
    const dialog = page.getByRole("dialog", { name: "New ingest key" });
    await expect(dialog.getByRole("button", { name: "Create key" })).toBeDisabled();
    await dialog.getByLabel("Name").fill("team checkout");
    await dialog.getByLabel("Profiles").uncheck();
    await dialog.getByLabel("Items a second").fill("a lot");
    await expect(dialog.getByRole("alert")).toContainText("positive number");
    await dialog.getByLabel("Items a second").fill("5000");
    expect(await serious(page)).toEqual([]);
    await shots(page, "key-form");
    await dialog.getByRole("button", { name: "Create key" }).click();
    await dialog.getByRole("button", { name: "Copy: Ingest key" }).click();
    const key = await page.evaluate(() => navigator.clipboard.readText());
    expect(key).toMatch(/^tmk_[a-z2-7]{13}_[a-z2-7]{52}$/);
    expect(await serious(page)).toEqual([]);
    await shots(page, "key-made");
    await dialog.getByRole("button", { name: "Done" }).click();
    await expect(page.getByText(key)).toHaveCount(0);
    const row = page.getByRole("list", { name: "Ingest keys" }).getByRole("listitem").filter({ hasText: "team checkout" });
    await expect(row).toContainText(/traces, metrics, logs · 5\sk items\/s/);
    await expect(row).toContainText("Never used");

    const send = async (headers: Record<string, string>) =>
      (await fetch(`${product.otlp}/v1/logs`, { method: "POST", headers: { "Content-Type": "application/json", ...headers }, body: "{}" })).status;
    expect(await send({})).toBe(401);
    expect(await send({ Authorization: `Bearer ${key}` })).toBe(200);
    await expect(row).toContainText(/Used .* ago/, { timeout: 20_000 });
    await shots(page, "keys");

    await row.getByRole("button", { name: "Revoke team checkout" }).click();
    await expect(row).toContainText("revoked");
    expect(await send({ "X-Api-Key": key })).toBe(401);
    await page.getByRole("button", { name: "Undo" }).click();
    await expect(row.getByRole("button", { name: "Revoke team checkout" })).toBeVisible();
    expect(await send({ "X-Api-Key": key })).toBe(200);
  } finally {
    await product.stop();
  }
});

/** Pictures to look at, where TIDEMARK_SHOTS names a directory. */
async function shots(page: import("@playwright/test").Page, name: string) {
  const dir = process.env.TIDEMARK_SHOTS;
  if (!dir) return;
  const size = page.viewportSize()!;
  for (const width of [1440, 390]) {
    for (const colorScheme of ["light", "dark"] as const) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: `${dir}/${name}-${width}-${colorScheme}.png` });
    }
  }
  await page.emulateMedia({ colorScheme: null });
  await page.setViewportSize(size);
}
