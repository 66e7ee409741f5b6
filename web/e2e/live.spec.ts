import { expect, test } from "./fixtures";
import { keepSending } from "./telemetry";

/** What the chart says of itself to those who do not see it: "…latest 12 /s, from …". */
const latest = /latest ([\d.]+)/;

test("a live chart moves by itself, pauses and resumes", async ({ page, shop }) => {
  await page.goto(`${shop.product.url}/services/payment?from=now-5m&to=now`);
  const chart = page.getByRole("img", { name: /^Requests\./ });
  await expect(chart).toBeVisible();
  const before = await chart.getAttribute("aria-label");
  const stop = keepSending(shop.product.otlp);
  try {
    await expect.poll(async () => await chart.getAttribute("aria-label"), { timeout: 20_000 }).not.toBe(before);
    await expect.poll(async () => Number(latest.exec((await chart.getAttribute("aria-label")) ?? "")?.[1] ?? 0), { timeout: 20_000 }).toBeGreaterThan(1);
    await expect(page.getByTestId("freshness")).toHaveText(/\ds ago|\d.s ago/);

    await page.keyboard.press("l");
    await expect(page).toHaveURL(/live=0/);
    await expect(page.getByTestId("freshness")).toHaveText("Paused");
    const paused = await chart.getAttribute("aria-label");
    await page.waitForTimeout(3_000); // Longer than several ticks: a paused chart must not change.
    expect(await chart.getAttribute("aria-label")).toBe(paused);

    await page.keyboard.press("l");
    await expect.poll(async () => await chart.getAttribute("aria-label"), { timeout: 20_000 }).not.toBe(paused);
  } finally {
    await stop();
  }
});
