import AxeBuilder from "@axe-core/playwright";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test as base } from "./fixtures";
import { Product } from "./product";

const ON_DISK = `groups:
  - name: platform
    interval: 10s
    rules:
      - record: always:one
        expr: vector(1)
      - alert: AlwaysThere
        expr: vector(3) > 2
        labels: {severity: info}
        annotations: {summary: 'it is {{ $value }}'}
`;

const test = base.extend<object, { ruled: Product }>({
  ruled: [
    async ({}, use) => {
      const dir = mkdtempSync(join(tmpdir(), "tidemark-rules-"));
      writeFileSync(join(dir, "platform.yml"), ON_DISK);
      const product = await Product.start(["--self-telemetry=false", `--prom-rule-files=${join(dir, "*.yml")}`]);
      await use(product);
      await product.stop();
      rmSync(dir, { recursive: true, force: true });
    },
    { scope: "worker", timeout: 120_000 },
  ],
});

test("rule files: how they stand, one written with its fault shown at its line, removed and brought back", async ({ page, ruled: product }) => {
  test.slow();
  await page.goto(`${product.url}/alerts?tab=files`);
  const disk = page.getByRole("region", { name: /platform\.yml$/ });
  await expect(disk.getByText("vector(1)")).toBeVisible();
  await expect(disk.getByRole("button", { name: /^Remove/ })).toHaveCount(0);
  await disk.getByRole("button", { name: "View" }).click();
  await expect(page.getByText("It is read from disk")).toBeVisible();
  await expect(page.getByRole("button", { name: "Save" })).toHaveCount(0);
  await page.getByRole("button", { name: "Back" }).click();

  await page.getByRole("button", { name: "New rule file" }).click();
  await page.getByLabel("Name", { exact: true }).fill("shop.yml");
  const editor = page.getByRole("textbox", { name: "Rules in the new file" });
  await expect(page.getByRole("status", { name: "What the check says" })).toContainText("1 group: 1 recording rule, 1 alerting rule.");
  await editor.click();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.insertText("groups:\n- name: shop\n  interval: 10s\n  rules:\n  - record: shop:two\n    expr: vector(\n");
  const problem = page.getByRole("list", { name: "Problems" }).getByRole("button");
  await expect(problem).toContainText("Line 6");
  await expect(page.getByRole("button", { name: "Add file" })).toBeDisabled();
  await problem.click(); // leads to the line
  await page.keyboard.press("End");
  await page.keyboard.insertText("2)");
  await expect(page.getByRole("list", { name: "Problems" })).toHaveCount(0);
  const checked = await new AxeBuilder({ page }).analyze();
  expect(checked.violations.filter((v) => v.impact === "serious" || v.impact === "critical").map((v) => v.id)).toEqual([]);
  await page.getByRole("button", { name: "Add file" }).click();

  const stored = page.getByRole("region", { name: "shop.yml" });
  await expect(stored.getByRole("list", { name: "Rules of shop" })).toContainText("shop:two");
  await stored.getByRole("button", { name: "Edit" }).click();
  await expect(page.getByRole("textbox", { name: "Rules in shop.yml" })).toContainText("vector(2)");
  await page.getByRole("button", { name: "Cancel" }).click();
  await stored.getByRole("button", { name: "Remove shop.yml" }).click();
  await expect(stored).toHaveCount(0);
  // The file's saving can be undone as well: its message is still there.
  await page.getByText("shop.yml removed").locator("..").getByRole("button", { name: "Undo" }).click();
  await expect(stored).toBeVisible();

  await expect(disk.getByText("1 firing")).toBeVisible({ timeout: 60_000 });
  await expect(disk.getByRole("list", { name: "Alerts of AlwaysThere" })).toContainText('{severity="info"}');

  await page.setViewportSize({ width: 390, height: 844 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
});
