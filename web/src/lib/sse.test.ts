import { expect, test } from "vitest";
import { EventParser, eventsOf } from "./sse";

test("events come whole, however the bytes are cut", () => {
  const text = 'event: progress\ndata: {"done":0.4}\n\n: keep alive\n\nevent:result\r\ndata: {"incidents":\r\ndata: []}\r\n\r\n';
  for (const size of [1, 3, 1000]) {
    const p = new EventParser();
    const got = [];
    for (let i = 0; i < text.length; i += size) got.push(...p.push(text.slice(i, i + size)));
    expect(got).toEqual([{ event: "progress", data: '{"done":0.4}' }, { event: "result", data: '{"incidents":\n[]}' }]);
  }
});

test("a stream that ends without an empty line gives its last event too", async () => {
  const body = new Response("event: result\ndata: 1").body!;
  const got = [];
  for await (const e of eventsOf(body)) got.push(e);
  expect(got).toEqual([{ event: "result", data: "1" }]);
});
