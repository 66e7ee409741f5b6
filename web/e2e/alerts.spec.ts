import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, test as base } from "./fixtures";
import { Product } from "./product";
import { Receiver } from "./receiver";
import { sendShop } from "./telemetry";

const SECRET = "/hooks/T0P5ECRET-a1b2c3d4e5f6";

// A product that may tell a receiver on this machine, with a few minutes of the shop.
const test = base.extend<object, { alerting: { product: Product; receiver: Receiver } }>({
  alerting: [
    async ({}, use) => {
      const receiver = await Receiver.start();
      const product = await Product.start(["--self-telemetry=false", "--notify-allow=public,loopback"]);
      await sendShop(product.otlp, 400, 8 * 60_000);
      await use({ product, receiver });
      await product.stop();
      await receiver.stop();
    },
    { scope: "worker", timeout: 120_000 },
  ],
});

// A loaded machine takes its time.
test.describe.configure({ timeout: 150_000 });

const dialog = (page: Page, name: string) => page.getByRole("dialog", { name });

test("a channel: set up, tested with the receiver's answer, and its secret is never shown again", async ({ page, alerting: { product, receiver } }) => {
  await page.goto(`${product.url}/alerts?tab=channels`);
  await page.getByRole("button", { name: "Set up the first channel" }).click();
  await expect(page).toHaveURL(/edit=new/);
  await page.getByRole("radio", { name: /^Webhook/ }).click();
  await page.getByLabel("Name", { exact: true }).fill("#operations");
  await page.getByLabel("Webhook URL").fill(receiver.url + SECRET);
  await page.getByRole("button", { name: "Add channel" }).click();

  const row = page.getByRole("list", { name: "Channels" }).getByRole("listitem").filter({ hasText: "#operations" });
  await expect(row).toBeVisible();
  receiver.answer = "thank you, received";
  await row.getByRole("button", { name: "Test" }).click();
  await expect(row.getByRole("status")).toContainText("Delivered");
  await expect(row.getByRole("status")).toContainText("thank you, received");
  expect(receiver.received.map((r) => r.path)).toContain(SECRET);

  receiver.status = 403;
  receiver.answer = "invalid_token";
  await row.getByRole("button", { name: "Test" }).click();
  await expect(row.getByRole("status")).toContainText("Not delivered");
  await expect(row.getByRole("status")).toContainText("invalid_token");
  receiver.status = 200;

  // Kept when left empty, and nowhere on the page or in an answer.
  await row.getByRole("button", { name: "Edit" }).click();
  await expect(page.getByLabel("Webhook URL")).toHaveValue("");
  await page.getByLabel("Name", { exact: true }).fill("#on-call");
  await page.getByRole("button", { name: "Save" }).click();
  const renamed = page.getByRole("list", { name: "Channels" }).getByRole("listitem").filter({ hasText: "#on-call" });
  await renamed.getByRole("button", { name: "Test" }).click();
  await expect(renamed.getByRole("status")).toContainText("Delivered");
  expect(await page.content()).not.toContain("T0P5ECRET");
  expect(await (await fetch(`${product.url}/api/v1/channels`)).text()).not.toContain("T0P5ECRET");

  await page.getByRole("tab", { name: "Delivery log" }).click();
  await expect(page.getByRole("table", { name: "Deliveries" })).toContainText("#on-call");
  await expect(page.getByRole("table", { name: "Deliveries" })).toContainText("invalid_token");
});

test("an address that is not allowed is refused with the reason", async ({ page, alerting: { product } }) => {
  await page.goto(`${product.url}/alerts?tab=channels&edit=new`);
  await page.getByRole("radio", { name: /^Webhook/ }).click();
  await page.getByLabel("Name", { exact: true }).fill("metadata");
  await page.getByLabel("Webhook URL").fill("http://169.254.169.254/latest/meta-data");
  await page.getByRole("button", { name: "Add channel" }).click();
  const row = page.getByRole("list", { name: "Channels" }).getByRole("listitem").filter({ hasText: "metadata" });
  const refused = page.getByRole("alert");
  await expect(row.or(refused).first()).toBeVisible();
  if (await row.isVisible()) {
    await row.getByRole("button", { name: "Test" }).click();
    await expect(row.getByRole("status")).toContainText("Not delivered");
    await row.getByRole("button", { name: "Remove metadata" }).click();
    await dialog(page, "Remove metadata").getByRole("button", { name: "Remove", exact: true }).click();
    await expect(row).toHaveCount(0);
  }
});

test("a route: made, moved, undone", async ({ page, alerting: { product } }) => {
  await page.goto(`${product.url}/alerts?tab=routing`);
  const routes = page.getByRole("list", { name: "Routes" }).getByRole("listitem");
  await expect(routes.first()).toContainText(/every channel/);
  const before = await routes.count();
  await page.getByRole("button", { name: "New route" }).click();
  const form = dialog(page, "Route");
  await form.getByLabel("Name (optional)").fill("Payments at night");
  await form.getByLabel("Services").fill("payment, check*");
  await form.getByRole("checkbox", { name: "Critical" }).check();
  await form.getByRole("switch", { name: "Only at certain times" }).check();
  await form.getByLabel("From").fill("18:00");
  await form.getByLabel("To", { exact: true }).fill("09:00");
  await form.getByLabel("Time zone").fill("Europe/Berlin");
  expect(await serious(page)).toEqual([]);
  await form.getByRole("button", { name: "Save" }).click();
  await expect(routes).toHaveCount(before + 1);
  await expect(routes.last()).toContainText("Critical incidents of payment or check*");
  await expect(routes.last()).toContainText("Monday to Friday, 18:00 to 09:00 (Europe/Berlin)");
  await routes.last().getByRole("button", { name: "Earlier" }).click();
  await expect(routes.first()).toContainText("Payments at night");
  await routes.first().getByRole("button", { name: "Remove route 1" }).click();
  await expect(routes).toHaveCount(before);
  await page.getByRole("button", { name: "Undo" }).last().click();
  await expect(routes.first()).toContainText("Payments at night");
});

test("a silence and a maintenance window", async ({ page, alerting: { product } }) => {
  await page.goto(`${product.url}/alerts?tab=silences`);
  await expect(page.getByText("No silence")).toBeVisible();
  await page.getByRole("button", { name: "New silence" }).click();
  const form = dialog(page, "Silence");
  await form.getByLabel("Why").fill("Database migration");
  await form.getByLabel("Services").fill("checkout");
  await form.getByRole("button", { name: "Save" }).click();
  const list = page.getByRole("list", { name: "Silences" }).getByRole("listitem");
  await expect(list).toHaveCount(1);
  await expect(list.first()).toContainText("Database migration now");
  await page.getByRole("button", { name: "New silence" }).click();
  await form.getByLabel("Why").fill("Nightly restart");
  await form.getByRole("switch", { name: /every week/ }).check();
  await form.getByRole("button", { name: "Save" }).click();
  await expect(list).toHaveCount(2);
  await list.filter({ hasText: "Database migration" }).getByRole("button", { name: "End" }).click();
  await expect(list).toHaveCount(1);
});

test("sensitivity: what would have alerted, cancelled, tried again, saved and undone", async ({ page, alerting: { product } }) => {
  await page.goto(`${product.url}/alerts?tab=sensitivity`);
  const slider = page.getByRole("slider", { name: "Expected false alarms a day" });
  await expect(slider).toHaveAttribute("aria-valuetext", "1 false alarm in 10 days");
  await slider.focus();
  await page.keyboard.press("ArrowRight");
  await expect(page.getByText("1 false alarm in 3 days")).toBeVisible();
  await expect(page.getByText("With the setting above, not saved yet, over")).toBeVisible();

  // Held back until the cancel has been pressed: the history here is too short to be caught at work.
  let aborted = false;
  await page.route("**/api/v1/backtest", async (route) => {
    await new Promise((r) => setTimeout(r, 1_000));
    await route.continue().catch(() => (aborted = true));
  });
  await page.getByRole("button", { name: "Try it" }).click();
  await expect(page.getByRole("progressbar", { name: "Backtest" })).toBeVisible();
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(page.getByText("Cancelled.")).toBeVisible();
  await page.unrouteAll({ behavior: "wait" });
  expect(typeof aborted).toBe("boolean");

  await page.getByRole("button", { name: "Try it" }).click();
  await expect(page.getByText(/would have alerted in 7 days|would have been opened in 7 days/)).toBeVisible({ timeout: 45_000 });

  await page.getByRole("button", { name: "Save" }).click();
  await expect.poll(async () => ((await (await fetch(`${product.url}/api/v1/sensitivity`)).json()) as { default: number }).default).toBe(0.3);
  await page.getByRole("button", { name: "Undo" }).last().click();
  await expect.poll(async () => ((await (await fetch(`${product.url}/api/v1/sensitivity`)).json()) as { default: number }).default).toBe(0.1);
});

test("sensitivity of one operation: suggested, tried, saved, taken away", async ({ page, alerting: { product } }) => {
  const stored = async () => ((await (await fetch(`${product.url}/api/v1/sensitivity`)).json()) as { overrides: unknown[] }).overrides;
  await page.goto(`${product.url}/alerts?tab=sensitivity`);
  await page.getByRole("button", { name: "Exception for a service or operation" }).click();
  await expect(page.getByRole("button", { name: "Save" })).toBeDisabled(); // Of which service?
  await page.getByLabel("Service", { exact: true }).fill("payment");
  await expect(page.locator("datalist option[value='POST /charge']")).toBeAttached();
  await page.getByLabel("Operation", { exact: true }).fill("POST /charge");
  await page.getByLabel("Expected false alarms", { exact: true }).selectOption("0.003");
  // The draft is what is tried.
  const tried = page.waitForRequest("**/api/v1/backtest");
  await page.getByRole("button", { name: "Try it" }).click();
  expect(((await tried).postDataJSON() as { sensitivity: { overrides: unknown[] } }).sensitivity.overrides).toEqual([{ service: "payment", operation: "POST /charge", budget: 0.003 }]);
  await page.getByRole("button", { name: "Save" }).click();
  await expect.poll(stored).toEqual([{ service: "payment", operation: "POST /charge", budget: 0.003 }]);
  await page.reload();
  await expect(page.getByLabel("Operation", { exact: true })).toHaveValue("POST /charge");
  await page.getByRole("button", { name: "Remove the exception for payment" }).click();
  await page.getByRole("button", { name: "Save" }).click();
  await expect.poll(stored).toEqual([]);
});

test("a mute is set and lifted", async ({ page, alerting: { product } }) => {
  await page.goto(`${product.url}/alerts?tab=mutes`);
  await expect(page.getByText("Nothing is muted")).toBeVisible();
  await page.getByLabel("Service", { exact: true }).fill("payment");
  await page.getByLabel("What").selectOption("latency");
  await page.getByLabel("Why").fill("Load test");
  await page.getByRole("button", { name: "Mute", exact: true }).click();
  const item = page.getByRole("list", { name: "Mutes" }).getByRole("listitem");
  await expect(item).toContainText("Load test");
  await item.getByRole("button", { name: "Lift" }).click();
  await expect(page.getByText("Nothing is muted")).toBeVisible();
});

test("a rule shows what it would have done, is kept, and fires", async ({ page, alerting: { product } }) => {
  await page.goto(`${product.url}/alerts`);
  await page.getByRole("button", { name: "New rule" }).click();
  await page.getByLabel("Service", { exact: true }).fill("payment");
  await page.getByLabel("Threshold").fill("1");
  await page.getByLabel("Alert after").selectOption("0");
  await page.getByLabel("Name", { exact: true }).fill("Payment errors");
  const preview = page.getByTestId("rule-preview");
  await expect(preview).toContainText("It would have alerted");
  await expect(preview.getByRole("img", { name: /^Preview/ })).toBeVisible();
  expect(await serious(page)).toEqual([]);
  await page.getByRole("button", { name: "Create rule" }).click();
  const row = page.getByRole("list", { name: "Rules" }).getByRole("listitem");
  await expect(row).toContainText("Payment errors");
  await expect(row).toContainText("errors of payment > 1");
});

test("an objective shows its budget before it is kept", async ({ page, alerting: { product } }) => {
  await page.goto(`${product.url}/alerts`);
  await page.getByRole("button", { name: "New SLO" }).click();
  await page.getByLabel("Service", { exact: true }).fill("checkout");
  await page.getByLabel("Target").fill("99");
  await page.getByLabel("Name", { exact: true }).fill("Checkout works");
  await expect(page.getByTestId("slo-preview")).toContainText(/error budget/i);
  await page.getByRole("button", { name: "Create SLO" }).click();
  const row = page.getByRole("list", { name: "Objectives" }).getByRole("listitem");
  await expect(row).toContainText("99\u202f% of requests to checkout succeed");
  await expect(row).toContainText(/error budget/i);
});

const TABS = ["", "?tab=channels", "?tab=channels&edit=new", "?tab=routing", "?tab=silences", "?tab=log", "?tab=sensitivity", "?tab=mutes", "?edit=new", "?edit=new&of=slo"];
for (const scheme of ["light", "dark"] as const) {
  test(`every tab, ${scheme}: no serious accessibility issue, and 390 px are enough`, async ({ page, alerting: { product } }) => {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
    for (const tab of TABS) {
      await page.setViewportSize({ width: 1440, height: 900 });
      await page.goto(`${product.url}/alerts${tab}`);
      await expect(page.getByRole("tabpanel")).toBeVisible();
      await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
      expect(await serious(page), tab).toEqual([]);
      await page.setViewportSize({ width: 390, height: 844 });
      expect(await page.evaluate(() => document.documentElement.scrollWidth), tab).toBeLessThanOrEqual(390);
    }
  });
}

async function serious(page: Page) {
  const { violations } = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]).analyze();
  return violations.filter((v) => v.impact === "serious" || v.impact === "critical").map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.target.join(" ")).join(" | ")}`);
}
