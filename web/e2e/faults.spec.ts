// The demo's faults, one after the other: each leads to one incident with the right origin, and ends with the message
// at a local chat. A shop needs a past to be known by: ten minutes of real traffic are stored again for every ten
// minutes of the hours before. It takes its time, and is run when asked for: E2E_FAULTS=first (half an hour),
// E2E_FAULTS=all (an hour and a quarter: each fault must be over before the next, or they would be one incident), or names of
// faults with commas between. A fault that fails does not keep the others from being tried.
import { expect, test } from "@playwright/test";
import { Demo, type FaultName } from "./demo";
import { Product } from "./product";
import { Receiver } from "./receiver";

interface Expected {
  fault: FaultName;
  origin: RegExp;
  kind: "latency" | "errors";
}

const ALL: readonly Expected[] = [
  { fault: "dependency-errors", origin: /^(payment|api\.card-network)/, kind: "errors" },
  { fault: "slow-query", origin: /^catalog/, kind: "latency" },
  { fault: "n-plus-one", origin: /^cart/, kind: "latency" },
  { fault: "slow-release", origin: /^recommendation/, kind: "latency" },
];
const asked = process.env.E2E_FAULTS ?? "";
const faults = asked === "all" ? ALL : asked === "first" ? ALL.slice(0, 1) : ALL.filter((e) => asked.split(",").includes(e.fault));

const RATE = 6;
const PAST_MINUTES = 10;
const COPIES = 15; // Two and a half hours.
const SPAN_COPIES = 7;
const DETECT_MS = 150_000;
const APART_MS = 2 * 60_000; // What begins within five minutes of the last sign of another belongs to it.
const OVER_MS = 18 * 60_000; // What the last ten minutes show may count, and then five more must be quiet.

/** Slack's incoming webhook, as far as it matters here. */
interface SlackMessage {
  text?: string;
  attachments?: { title?: string; fallback?: string; text?: string; title_link?: string; blocks?: unknown }[];
  blocks?: unknown;
}

interface Listed {
  id: string;
  status: string;
  title: string;
  started_at: string;
  root_causes: { service: string; kind: string }[];
}

test("the demo's faults lead to one incident each, with the right origin, and a message in the chat", async ({ page }) => {
  test.skip(faults.length === 0, "set E2E_FAULTS=first, all, or names with commas between");
  test.setTimeout((13 + faults.length * 22) * 60_000);
  const chat = await Receiver.start();
  const product = await Product.start(["--self-telemetry=false", "--notify-allow=loopback"]);
  const demo = await Demo.start(product.otlpGRPC, RATE);
  try {
    await page.waitForTimeout((PAST_MINUTES * 60 + 40) * 1000); // Real traffic, stored and settled.
    await repeatIntoThePast(product);
    await product.restart();
    await page.waitForTimeout(60_000); // The demo connects again; life goes on.

    // The channel, as a person sets it up.
    await page.goto(`${product.url}/alerts?tab=channels&edit=new`);
    await page.getByRole("radio", { name: /^Slack/ }).click();
    await page.getByLabel("Name", { exact: true }).fill("#shop");
    await page.getByLabel("Webhook URL").fill(`${chat.url}/services/T000/B000/shop`);
    await page.getByRole("button", { name: "Add channel" }).click();
    await expect(page.getByRole("list", { name: "Channels" })).toContainText("#shop");
    expect(await incidents(product, "open")).toEqual([]);

    const failed: string[] = [];
    for (const [n, e] of faults.entries()) {
      if (n > 0) await page.waitForTimeout(APART_MS);
      const told = chat.received.length;
      const began = Date.now();
      const journey = async () => {
        await page.goto(`${product.url}/incidents`);
        await demo.fault(e.fault, true);
        const open = page.getByRole("list", { name: "Open incidents" }).getByRole("link");
        await expect(open.first()).toBeVisible({ timeout: DETECT_MS });
        await open.first().click();
        const origin = page.getByRole("heading", { level: 3 }).first();
        await expect(origin).toHaveText(e.origin, { timeout: DETECT_MS });

        await expect.poll(() => chat.received.length, { timeout: 60_000 }).toBeGreaterThan(told);
        const message = JSON.stringify(chat.received[told]!.body as SlackMessage);
        expect(message).toContain("/incidents/");
        expect(message).toMatch(/payment|card|catalog|cart|recommendation|frontend|checkout/);
        test.info().annotations.push({ type: e.fault, description: `message after ${((chat.received[told]!.at - began) / 1000).toFixed(0)} s` });
        await expect(page.getByRole("list", { name: "Messages delivered" })).toContainText("#shop", { timeout: 30_000 });

        await demo.fault(e.fault, false);
        await expect.poll(async () => (await incidents(product, "open")).length, { timeout: OVER_MS, intervals: [5_000] }).toBe(0);
        const mine = (await incidents(product, "resolved")).filter((i) => Date.parse(i.started_at) > began - 60_000);
        expect(mine.map((i) => i.title)).toHaveLength(1);
        expect(mine[0]!.root_causes[0]!.service).toMatch(e.origin);
        expect(mine[0]!.root_causes[0]!.kind).toBe(e.kind);
        // Told once that it began and once that it is over.
        await expect.poll(() => chat.received.length, { timeout: 60_000 }).toBeGreaterThan(told + 1);
      };
      try {
        await test.step(e.fault, journey);
      } catch (fault) {
        failed.push(`${e.fault}: ${String(fault)}`);
        await test.info().attach(`${e.fault}.json`, { body: await since(product, began), contentType: "application/json" });
        await demo.fault(e.fault, false);
        await expect.poll(async () => (await incidents(product, "open")).length, { timeout: OVER_MS, intervals: [5_000] }).toBe(0);
      }
    }
    expect(failed).toEqual([]);
  } finally {
    await demo.stop();
    await product.stop();
    await chat.stop();
  }
});

async function incidents(product: Product, status: string): Promise<Listed[]> {
  const res = await fetch(`${product.url}/api/v1/incidents?status=${status}&from=now-1d&limit=100`);
  return ((await res.json()) as { incidents: Listed[] }).incidents;
}

/** Every incident since then with all that its page shows, for whoever has to find out why. */
async function since(product: Product, began: number): Promise<string> {
  const all = [...(await incidents(product, "open")), ...(await incidents(product, "resolved"))].filter((i) => Date.parse(i.started_at) > began - 60_000);
  const details = await Promise.all(all.map(async (i) => (await fetch(`${product.url}/api/v1/incidents/${i.id}`)).json()));
  return JSON.stringify(details, null, 1);
}

/**
 * Stores the last ten full minutes again: their rollups for each ten minutes of the hours before, of which normal is
 * learned, and their spans for the last hour of them, with which the requests that suffer are compared.
 */
async function repeatIntoThePast(product: Product): Promise<void> {
  const seconds = PAST_MINUTES * 60;
  const last = `ts >= now() - ${seconds} - 30 AND ts < now() - 30`;
  const copies = (n: number) => `(SELECT number + 1 AS number FROM numbers(${n})) AS n`;
  await product.sql(`
    INSERT INTO red_10s
    SELECT level, ts - toIntervalSecond(${seconds} * n.number) AS ts, service, name, kind, env, version, instance, calls, errors, duration_sum, duration_max, duration_hist
    FROM (SELECT * FROM red_10s WHERE ${last}) AS r
    CROSS JOIN ${copies(COPIES)}`);
  await product.sql(`
    INSERT INTO spans
    SELECT r.* REPLACE (r.ts - toIntervalSecond(${seconds} * n.number) AS ts, reinterpretAsFixedString(bitXor(reinterpretAsUInt128(r.trace_id), toUInt128(n.number))) AS trace_id)
    FROM (SELECT * FROM spans WHERE ${last}) AS r
    CROSS JOIN ${copies(SPAN_COPIES)}`);
}
