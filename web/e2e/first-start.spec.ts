import { expect, serviceRow, test } from "./fixtures";
import { Product } from "./product";
import { sendShop } from "./telemetry";

test("the first start waits, and the first span turns it into the services", async ({ page }) => {
  const product = await Product.start();
  try {
    await page.goto(product.url);
    await expect(page.getByRole("heading", { name: "Waiting for the first span" })).toBeVisible();
    await expect(page.getByText(product.otlp, { exact: true })).toBeVisible();
    for (const language of ["Node.js", "Python", "Java", ".NET", "Collector", "Go"]) {
      await page.getByRole("tab", { name: language, exact: true }).click();
      await expect(page.getByRole("tabpanel")).toContainText(language === "Collector" ? "otlphttp/tidemark" : `OTEL_EXPORTER_OTLP_ENDPOINT=${product.otlp}`);
    }
    await sendShop(product.otlp, 40, 60_000);
    // By itself: no reload, no click.
    const row = await serviceRow(page, "checkout");
    await expect(row).toContainText(/\/(s|min|h)/);
    await expect(page.getByTestId("welcome")).toHaveCount(0);
    await serviceRow(page, "frontend");
    await serviceRow(page, "payment");
  } finally {
    await product.stop();
  }
});
