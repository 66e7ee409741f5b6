import { expect, it } from "vitest";
import { mask } from "./mask";

it("replaces variables by what PromQL can read, in the same length", () => {
  const text = 'rate($metric{job=~"$job"}[$__rate_interval]) offset $shift # $x';
  const out = mask(text);
  expect(out).toHaveLength(text.length);
  expect(out).toBe('rate(x______{job=~"$job"}[1m              ]) offset 1m     # $x');
  expect(mask("sum(x[5m:${res:raw}])")).toBe("sum(x[5m:1m        ])");
});
