// Metrics for the journeys through Explore and dashboards: a counter, a gauge and a histogram of two queues.
export const QUEUES = ["mail", "billing"] as const;

/** Twenty minutes up to now, a point every 10 s, over OTLP. Each file of journeys has names of its own. */
export async function sendMetrics(otlp: string, name: string): Promise<void> {
  const start = Date.now() - 20 * 60_000;
  const attributes = (queue: string) => [{ key: "queue", value: { stringValue: queue } }];
  const times = Array.from({ length: 121 }, (_, i) => start + i * 10_000);
  const nano = (ms: number) => `${Math.round(ms)}000000`;
  const each = <T>(f: (queue: string, k: number, t: number, i: number) => T) => QUEUES.flatMap((queue, k) => times.map((t, i) => f(queue, k, t, i)));
  const at = (t: number) => ({ startTimeUnixNano: nano(start), timeUnixNano: nano(t) });
  const jobs = each((queue, k, t, i) => ({ ...at(t), asInt: String(i * (k + 1) * 20), attributes: attributes(queue) }));
  const depth = each((queue, k, t, i) => ({ ...at(t), asDouble: 10 + k * 50 + (i % 7), attributes: attributes(queue) }));
  const waits = each((queue, _, t, i) => ({ ...at(t), count: String(i * 10), sum: i * 2, bucketCounts: [i * 5, i * 3, i * 2, 0].map(String), explicitBounds: [0.1, 0.5, 1], attributes: attributes(queue) }));
  const res = await fetch(`${otlp}/v1/metrics`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      resourceMetrics: [{
        resource: { attributes: [{ key: "service.name", value: { stringValue: name } }, { key: "service.instance.id", value: { stringValue: `${name}-1` } }] },
        scopeMetrics: [{
          scope: { name: "e2e" },
          metrics: [
            { name: `${name}.jobs`, unit: "{job}", description: "Jobs that were done", sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints: jobs } },
            { name: `${name}.queue.depth`, unit: "{job}", description: "Jobs waiting", gauge: { dataPoints: depth } },
            { name: `${name}.wait`, unit: "s", description: "Time a job waits", histogram: { aggregationTemporality: 2, dataPoints: waits } },
          ],
        }],
      }],
    }),
  });
  if (!res.ok) throw new Error(`OTLP: ${res.status} ${await res.text()}`);
}
