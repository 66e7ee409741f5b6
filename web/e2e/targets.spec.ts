// Targets that profiles are fetched from: added, failing, put right, paused, removed.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { serious } from "./a11y";
import { expect, test } from "./fixtures";
import { pprof } from "./pprof";
import { Product } from "./product";

/** A process with net/http/pprof that wants a password. */
function profiled(password: string): Promise<Server> {
  const server = createServer((req, res) => {
    const wanted = `Basic ${Buffer.from(`me:${password}`).toString("base64")}`;
    if (req.headers.authorization !== wanted) return void res.writeHead(401).end("who are you?");
    if (!req.url?.startsWith("/debug/pprof/heap")) return void res.writeHead(404).end();
    res.end(pprof({ "main.main;cart.Keep": [5e6, 2e6] }, { timeMs: Date.now(), durationMs: 0, sampleTypes: ["alloc_space/bytes", "inuse_space/bytes"] }));
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

test("a target is added, says why it fails, is put right, paused and removed", async ({ page }) => {
  const product = await Product.start();
  const process = await profiled("secret");
  try {
    await page.goto(`${product.url}/profiles`);
    await page.getByRole("link", { name: "Targets" }).click();
    await page.getByRole("button", { name: "Add the first target" }).click();
    const form = page.getByRole("form", { name: "New target" });
    await form.getByRole("button", { name: "Add target" }).click();
    await expect(form.getByText("Profiles need the name of their service.")).toBeVisible();
    expect(await serious(page)).toEqual([]);
    await form.getByLabel("Service").fill("cart");
    await form.getByLabel("Address").fill(`http://127.0.0.1:${(process.address() as AddressInfo).port}`);
    for (const type of ["CPU", "Goroutines", "Lock contention", "Blocking"]) await form.getByLabel(type, { exact: true }).uncheck();
    await form.getByLabel("Every").fill("5");
    await form.getByLabel("Authentication").selectOption("basic");
    await form.getByLabel("Name", { exact: true }).fill("me");
    await form.getByLabel("Password").fill("wrong");
    await form.getByRole("button", { name: "Add target" }).click();
    const row = page.getByRole("list", { name: "Targets" }).getByRole("listitem").filter({ hasText: "cart" });
    await expect(row).toContainText(/Failed.*heap.*401/, { timeout: 30_000 });
    expect(await serious(page)).toEqual([]);

    await row.getByRole("button", { name: "Edit cart" }).click();
    const edit = page.getByRole("form", { name: "Edit cart" });
    await expect(edit.getByLabel("Password")).toHaveValue(""); // secrets are never shown
    await edit.getByLabel("Password").fill("secret");
    await edit.getByRole("button", { name: "Save" }).click();
    await expect(row).toContainText("Fetched", { timeout: 30_000 });
    await expect(row).toContainText(/[1-9]\d* profiles? so far/);

    await row.getByRole("button", { name: "Pause cart" }).click();
    await expect(row).toContainText("Paused");
    await row.getByRole("button", { name: "Remove cart" }).click();
    const ask = page.getByRole("dialog", { name: "Remove cart" });
    await expect(ask).toBeVisible();
    expect(await serious(page)).toEqual([]);
    await ask.getByRole("button", { name: "Remove" }).click();
    await expect(page.getByText("Nothing is fetched yet")).toBeVisible();
    await page.goto(`${product.url}/profiles?service=cart&type=heap`);
    await expect(page.getByRole("table", { name: "Functions" })).toContainText("cart.Keep");
  } finally {
    process.close();
    await product.stop();
  }
});
