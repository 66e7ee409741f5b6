import { expect, test } from "vitest";
import { groupBy, sortBy } from "./sort";

test("missing values come last both ways, equal ones keep their order", () => {
  const rows = [{ n: 2, id: "a" }, { n: null, id: "b" }, { n: 1, id: "c" }, { n: 2, id: "d" }];
  const ids = (dir: "asc" | "desc") => sortBy(rows, (r) => r.n, dir).map((r) => r.id).join("");
  expect(ids("asc")).toBe("cadb");
  expect(ids("desc")).toBe("adcb");
});

test("text sorts as people count", () => expect(sortBy(["v10", "v9", "v1"], (s) => s, "asc")).toEqual(["v1", "v9", "v10"]));

test("groups in order of appearance", () => expect(groupBy([1, 2, 3, 4], (n) => (n % 2 ? "odd" : "even"))).toEqual([{ key: "odd", rows: [1, 3] }, { key: "even", rows: [2, 4] }]));
