import { expect, it } from "vitest";
import { closest, placeOf } from "./place";

const marked = (message: string, text: string) => {
  const p = placeOf(message, text);
  return [text.slice(p.from, p.to), p.message];
};

it("puts the parser's message on the word it means", () => {
  expect(marked('invalid parameter "query": 1:5: parse error: unexpected identifier "bar"', "foo bar")).toEqual(["bar", 'unexpected identifier "bar"']);
  expect(marked("1:10: parse error: unclosed left parenthesis", "sum(foo_ab")).toEqual(["foo_ab", "unclosed left parenthesis"]);
  expect(marked("2:5: parse error: unexpected }", "sum(\n  x })")).toEqual(["}", "unexpected }"]);
  expect(marked("1:99: parse error: unexpected end of input", "a + ")).toEqual(["+", "unexpected end of input"]);
  expect(marked("it is too long", " a + b ")).toEqual(["a + b", "it is too long"]);
});

it("names the known metric that is meant", () => {
  const known = ["worker_jobs_total", "worker_queue_depth", "up"];
  expect(closest("worker_job_total", known)).toBe("worker_jobs_total");
  expect(closest("worker_queue", known)).toBe("worker_queue_depth");
  expect(closest("http_requests_total", known)).toBeUndefined();
});
