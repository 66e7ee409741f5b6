// The page Ingest: what arrives, what was not stored as sent and why, and caps changed in place.
import { expect, test } from "./fixtures";
import { Product } from "./product";

const nanos = (ms: number) => (BigInt(Math.round(ms)) * 1_000_000n).toString();
let next = 1;

interface Sent {
  service?: string;
  names: string[];
  startMs?: number;
  instance?: string;
}

/** One request of spans of one service. */
function spans(o: Sent): string {
  const start = o.startMs ?? Date.now() - 200;
  const attributes = Object.entries({ "service.name": o.service ?? "shop", "service.instance.id": o.instance ?? "a" }).map(([key, v]) => ({ key, value: { stringValue: v } }));
  const list = o.names.map((name) => {
    const id = (next++).toString(16).padStart(16, "0");
    return { traceId: id + id, spanId: id, name, kind: 2, startTimeUnixNano: nanos(start), endTimeUnixNano: nanos(start + 50) };
  });
  return JSON.stringify({ resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans: list }] }] });
}

const post = (p: Product, path: string, body: string, type = "application/json") => fetch(p.otlp + path, { method: "POST", headers: { "Content-Type": type }, body });
const names = (n: number, prefix = "GET /items/") => Array.from({ length: n }, (_, i) => `${prefix}${i}`);

test.describe("ingest", () => {
  let product: Product;
  test.beforeAll(async () => {
    product = await Product.start(["--self-telemetry=false", "--limit-operations=50", "--flush-interval=100ms"]);
  });
  test.afterAll(async () => {
    await product.stop();
  });

  test("nothing has arrived, then it has: rates, answers, senders", async ({ page }) => {
    await page.goto(`${product.url}/ingest`);
    await expect(page.getByText("Nothing has arrived yet")).toBeVisible();
    await expect(page.getByText("Everything that was sent since the start is stored as it came.")).toBeVisible();
    await expect(page.getByText("Nobody so far")).toBeVisible();

    expect((await post(product, "/v1/traces", spans({ names: names(20, "GET /n/") }))).status).toBe(200);
    const traces = page.getByRole("region", { name: "traces" });
    await expect(traces).toContainText(/Accepted20 in 1 requests/);
    await expect(traces).toContainText(/\d+(\.\d+)?\s*ms/);
    await expect(page.getByText("Everything that arrives is stored")).toBeVisible();
    const row = page.getByRole("table", { name: "Senders", exact: true }).getByRole("row").filter({ hasText: "shop" });
    await expect(row).toContainText("traces");
    await expect(row).toContainText("20");
    await expect(page.getByRole("img", { name: /^Accepted\. spans|^Accepted\. traces/ })).toBeVisible();
  });

  test("each reason has a count, an example and what to do", async ({ page }) => {
    const old = Date.now() - 30 * 86_400_000;
    await post(product, "/v1/traces", spans({ names: ["GET /ancient"], startMs: old }));
    await post(product, "/v1/traces", spans({ names: ["GET /tomorrow", "GET /tomorrow"], startMs: Date.now() + 86_400_000, instance: "ahead" }));
    expect((await post(product, "/v1/logs", "{")).status).toBe(400);
    expect((await post(product, "/v1/logs", "hello", "text/plain")).status).toBe(415);
    await page.goto(`${product.url}/ingest`);
    const reasons = page.getByRole("list", { name: "Reasons" });
    const reason = (name: string) => reasons.getByRole("listitem").filter({ has: page.getByRole("heading", { name }) });
    await expect(reason("Too old")).toContainText("GET /ancient");
    await expect(reason("Too old")).toContainText("Older than 360h0m0s.");
    await expect(reason("Too old")).toContainText(/What to do.*limit-oldest/);
    await expect(reason("In the future")).toContainText("GET /tomorrow");
    await expect(reason("Unreadable")).toContainText("logs1");
    await expect(reason("Unsupported type")).toContainText("text/plain");
    await expect(page.getByRole("region", { name: "logs" })).toContainText("Refused2");
    // A sender's mistake is not our state.
    await expect(page.getByText("Requests are being refused")).toBeHidden();
    await expect(page.getByRole("table", { name: "Skewed senders" }).getByRole("row").filter({ hasText: "shop" })).toContainText("ahead");
  });

  test("operations beyond the cap are folded and counted; the cap is raised in place and put back", async ({ page }) => {
    await post(product, "/v1/traces", spans({ service: "gateway", names: names(10_000) }));
    await page.goto(`${product.url}/ingest`);
    const table = page.getByRole("table", { name: "Operations by service" });
    const gateway = table.getByRole("row").filter({ hasText: "gateway" });
    await expect(gateway).toContainText(/50\s*of\s*50/);
    await expect(gateway).toContainText(/9\.9\d?\s*k|10(\.\d)?\s*k/);
    await expect(page.getByRole("listitem").filter({ hasText: "Operation folded" })).toContainText("gateway");

    await gateway.getByRole("button", { name: "Change the cap of gateway" }).click();
    const dialog = page.getByRole("dialog", { name: "Cap of gateway" });
    const field = dialog.getByLabel("Operations");
    await field.fill("0");
    await dialog.getByRole("button", { name: "Save" }).click();
    await expect(dialog.getByRole("alert")).toContainText("1 to 100,000");
    await dialog.getByRole("button", { name: /^Room for what came/ }).click();
    await expect(field).toHaveValue("20000");
    await dialog.getByRole("button", { name: "Save" }).click();
    await expect(dialog).toBeHidden();
    await expect(gateway).toContainText(/of\s*20\s*k/);

    await post(product, "/v1/traces", spans({ service: "gateway", names: names(5_000, "GET /more/") }));
    await expect(gateway).toContainText(/5\.05\s*k\s*of/);

    await page.getByRole("button", { name: "Undo" }).click();
    await expect(gateway).toContainText(/of\s*50/);
    const caps = (await (await fetch(`${product.url}/api/v1/settings/caps`)).json()) as { caps: { operations_of: object } };
    expect(caps.caps.operations_of).toEqual({});
  });

  test("the cap of all is changed from the keyboard", async ({ page }) => {
    await page.goto(`${product.url}/ingest`);
    await expect(page.getByTestId("cap")).toHaveText("50");
    await page.getByRole("tab", { name: /Operations/ }).focus();
    await page.keyboard.press("ArrowRight");
    await expect(page.getByTestId("cap")).toHaveText("20,000");
    await page.getByRole("button", { name: "Change", exact: true }).focus();
    await page.keyboard.press("Enter");
    await expect(page.getByRole("dialog").getByLabel("Series")).toBeFocused();
    await page.keyboard.press("ControlOrMeta+a");
    await page.keyboard.type("30000");
    await page.keyboard.press("Enter");
    await expect(page.getByTestId("cap")).toHaveText("30,000");
  });

  test("narrow screens have no sideways scrolling", async ({ page }) => {
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto(`${product.url}/ingest`);
    await expect(page.getByRole("table", { name: "Senders", exact: true })).toBeVisible();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  });

  test("when the answer fails the page says so and tries again", async ({ page }) => {
    await page.route("**/api/v1/ingest", (r) => r.fulfill({ status: 500, contentType: "application/problem+json", body: JSON.stringify({ title: "The state could not be had", status: 500, request_id: "abc" }) }));
    await page.goto(`${product.url}/ingest`);
    await expect(page.getByRole("alert")).toContainText("The state could not be had");
    await page.unroute("**/api/v1/ingest");
    await page.getByRole("button", { name: "Try again" }).click();
    await expect(page.getByRole("region", { name: "traces" })).toBeVisible();
  });

  test("a process that does not receive says where to look", async ({ page }) => {
    await page.route("**/api/v1/ingest", (r) => r.fulfill({ status: 404, contentType: "application/problem+json", body: JSON.stringify({ title: "Not found", status: 404 }) }));
    await page.goto(`${product.url}/ingest`);
    await expect(page.getByText("This process does not receive telemetry")).toBeVisible();
  });
});
