import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect as plainExpect, test as base } from "./fixtures";
import { Product } from "./product";
import { Receiver } from "./receiver";
import { Flow, sendHistory } from "./telemetry";

// An incident's page reads a dozen series: a loaded machine takes its time.
const expect = plainExpect.configure({ timeout: 40_000 });
const PER_SECOND = 2;
const DETECT_MS = 90_000;

interface Outage {
  product: Product;
  receiver: Receiver;
  flow: Flow;
  /** When payment began to fail. */
  began: number;
}

// Two hours of ordinary orders, learned; then payment times out for everybody.
const test = base.extend<object, { outage: Outage }>({
  outage: [
    async ({}, use) => {
      const receiver = await Receiver.start();
      const product = await Product.start(["--self-telemetry=false", "--notify-allow=loopback"]);
      const flow = new Flow(product.otlp, PER_SECOND);
      try {
        await sendHistory(product.otlp, { hours: 2, perSecond: PER_SECOND });
        const channel = { name: "#operations", type: "webhook", enabled: true, fields: { url: `${receiver.url}/hook` } };
        await fetch(`${product.url}/api/v1/channels`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(channel) });
        await product.restart(); // What is known is read from what is stored.
        await new Promise((r) => setTimeout(r, 30_000)); // A little ordinary life after the start, so that nothing seems to begin with it.
        flow.trouble = { error: "Read timed out after 1500 ms", slowMs: 1500 };
        await use({ product, receiver, flow, began: Date.now() });
      } finally {
        await flow.stop();
        await product.stop();
        await receiver.stop();
      }
    },
    { scope: "worker", timeout: 240_000 },
  ],
});

const openList = (page: Page) => page.getByRole("list", { name: "Open incidents" }).getByRole("link");

test.describe.configure({ mode: "serial", timeout: 150_000 });

test("an outage opens one incident by itself: badge, list, story, message", async ({ page, outage: { product, receiver, began } }) => {
  test.setTimeout(300_000);
  await page.goto(`${product.url}/incidents`);
  await expect(page.getByText(/Nothing unusual/).or(openList(page).first())).toBeVisible();
  await expect(page.getByText(/of history/).first()).toBeVisible();
  // No reload: the websocket brings it.
  await expect(openList(page).first()).toBeVisible({ timeout: DETECT_MS });
  await expect(page.getByTestId("incident-badge")).toHaveText(/^1/);
  test.info().annotations.push({ type: "shown after", description: `${((Date.now() - began) / 1000).toFixed(0)} s` });
  await expect(openList(page)).toHaveCount(1);

  await page.keyboard.press("j");
  await expect(openList(page).first()).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/incidents\/.+/);
  await expect(page.getByRole("heading", { level: 1 })).toContainText(/payment|checkout|frontend/);
  await expect(page.getByRole("heading", { name: "Likely origin" })).toBeVisible();
  await expect(page.getByRole("heading", { level: 3 }).filter({ hasText: "payment" }).first()).toBeVisible({ timeout: DETECT_MS });
  await expect(page.getByRole("img", { name: /payment.*Observed: latest/ }).first()).toBeVisible();
  await expect(page.getByRole("list", { name: "Timeline" })).toContainText("first symptom");
  await expect(page.getByRole("list", { name: "Timeline" })).toContainText("Incident opened");

  await expect.poll(() => receiver.received.length, { timeout: 30_000 }).toBeGreaterThan(0);
  await expect(page.getByRole("list", { name: "Messages delivered" })).toContainText("#operations", { timeout: 30_000 });

  const failing = page.getByRole("region", { name: "Failing traces" }).getByRole("link").first();
  await failing.click();
  await expect(page).toHaveURL(/\/traces\//);
  await expect(page.getByRole("treeitem").first()).toBeVisible();
  await page.goBack();
  await expect(page.getByRole("heading", { name: "Likely origin" })).toBeVisible();
});

test("notes and acknowledge", async ({ page, outage: { product } }) => {
  test.setTimeout(240_000);
  await page.goto(`${product.url}/incidents`);
  await openList(page).first().click();
  const timeline = page.getByRole("list", { name: "Timeline" });

  await page.getByLabel("Add a note").fill("The card network is down, their status page says so.");
  await page.getByLabel("Add a note").press("Control+Enter");
  await expect(timeline).toContainText("The card network is down");

  await page.keyboard.press("Escape");
  await page.keyboard.press("a");
  await expect(page.getByText("Acknowledged", { exact: true }).first()).toBeVisible();
  await expect(page.getByRole("button", { name: "Acknowledge" })).toHaveCount(0);
});

test("the service's charts show what was expected and the incident", async ({ page, outage: { product } }) => {
  await page.goto(`${product.url}/services/payment`);
  await expect(page.getByRole("list", { name: "Open incidents here" }).getByRole("link").first()).toBeVisible();
  const answer = await page.evaluate(async () => (await fetch("/api/v1/bands?service=payment&symptom=errors&from=now-15m&to=now")).json());
  expect(answer.ts.length).toBeGreaterThan(0);
  expect(answer.upper.some((v: number | null) => v !== null)).toBe(true);
  expect(answer.incidents.length).toBeGreaterThan(0);
  await page.goto(`${product.url}/services`);
  await expect(page.getByRole("row").filter({ hasText: "payment" }).getByRole("link", { name: /critical|warning/ }).first()).toBeVisible();
});

for (const scheme of ["light", "dark"] as const) {
  test(`list and story, ${scheme}: no serious accessibility issue, and 390 px are enough`, async ({ page, outage: { product } }) => {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
    await page.goto(`${product.url}/incidents`);
    await expect(openList(page).first()).toBeVisible();
    expect(await serious(page)).toEqual([]);
    await openList(page).first().click();
    await expect(page.getByRole("heading", { name: "Likely origin" })).toBeVisible();
    expect(await serious(page)).toEqual([]);
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    await page.goto(`${product.url}/incidents`);
    await expect(openList(page).first()).toBeVisible();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  });
}

test("a backtest says which of its incidents were really opened", async ({ page, outage: { product } }) => {
  test.setTimeout(300_000);
  await page.goto(`${product.url}/alerts?tab=sensitivity`);
  await page.locator("#backtest-days").selectOption("1");
  const found = page.getByRole("list", { name: "Incidents that would have been opened" }).getByRole("listitem");
  await expect(async () => { // It judges whole minutes, of which a young outage has few.
    await page.getByRole("button", { name: "Try it" }).click();
    await expect(found.getByRole("link", { name: "was opened" }).first()).toBeVisible({ timeout: 20_000 });
  }).toPass({ timeout: 240_000 });
  await expect(page.getByRole("note", { name: "Compared with what was opened" })).toContainText(/\d+ of them (was|were) really opened/);
});

test("resolved by hand it goes from the badge to the list of the past", async ({ page, outage: { product, flow } }) => {
  flow.trouble = {};
  await page.goto(`${product.url}/incidents`);
  await openList(page).first().click();
  await expect(page.getByRole("button", { name: "Resolve" })).toBeVisible();
  await page.keyboard.press("r");
  await expect(page.getByText("Resolved", { exact: true }).first()).toBeVisible();
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: /^Incidents/ }).click();
  await expect(page.getByRole("list", { name: "Resolved incidents" }).getByRole("link").first()).toBeVisible({ timeout: 30_000 });
  await expect(page.getByTestId("incident-badge")).toHaveCount(0);
});

test("an incident is called normal or muted, and both are undone", async ({ page, outage: { product } }) => {
  await page.goto(`${product.url}/incidents`);
  await page.locator("#main [data-incidents] a").first().click(); // It may have come back meanwhile.
  await page.getByRole("button", { name: "This is normal" }).click();
  const undo = page.getByRole("article").getByRole("button", { name: "Undo" });
  await expect(undo).toBeVisible();
  // It is listed with everything else that was taught, and taken back there.
  const incident = page.url();
  await page.goto(`${product.url}/alerts?tab=mutes`);
  const learned = page.getByRole("list", { name: "Called normal" }).getByRole("listitem");
  await expect(learned).toHaveCount(1);
  await expect(learned).toContainText(/up to|down to/);
  await learned.getByRole("button", { name: "Take back" }).click();
  await expect(learned).toHaveCount(0);
  await page.goto(incident);
  await expect(page.getByRole("button", { name: "This is normal" })).toBeVisible();
  await expect(undo).toHaveCount(0);

  await page.getByRole("button", { name: "Mute", exact: true }).click();
  const form = page.getByRole("dialog", { name: "Mute" });
  await form.getByLabel("Why").fill("Known");
  expect(await serious(page)).toEqual([]);
  await form.getByRole("button", { name: "Mute" }).click();
  await expect.poll(async () => ((await (await fetch(`${product.url}/api/v1/mutes`)).json()) as { mutes: unknown[] }).mutes.length).toBe(1);
  const muted = page.getByRole("article").getByRole("link", { name: "Mutes" });
  await expect(muted).toBeVisible();
  await page.getByRole("button", { name: "Undo" }).last().click();
  await expect.poll(async () => ((await (await fetch(`${product.url}/api/v1/mutes`)).json()) as { mutes: unknown[] }).mutes.length).toBe(0);
  await expect(muted).toHaveCount(0);
});

test("an unknown incident says so", async ({ page, outage: { product } }) => {
  await page.goto(`${product.url}/incidents/nothing-like-it`);
  await expect(page.getByRole("heading", { name: "No such incident" })).toBeVisible();
});

async function serious(page: Page) {
  const { violations } = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]).analyze();
  return violations.filter((v) => v.impact === "serious" || v.impact === "critical").map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.target.join(" ")).join(" | ")}`);
}
