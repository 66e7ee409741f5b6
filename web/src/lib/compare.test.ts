import { expect, test } from "vitest";
import type { Alarm, Incident } from "@/api/types";
import { compare } from "./compare";

const at = (minute: number) => new Date(Date.UTC(2026, 10, 21, 10, minute)).toISOString();
const incident = (id: string, from: number, to: number | null, services: string[], rule?: string): Incident => ({
  id, status: to === null ? "open" : "resolved", severity: "warning", title: id, started_at: at(from), detected_at: at(from), resolved_at: to === null ? null : at(to), updated_at: at(from), services, root_causes: [],
  alarms: [{ subject: { service: services[0]!, rule } } as Alarm],
});

test("by id, else by service and time; each real one once", () => {
  const would = [incident("a", 0, 10, ["cart"]), incident("x", 31, 40, ["cart", "web"]), incident("y", 33, 40, ["cart"]), incident("z", 0, 10, ["mail"])];
  const were = [incident("a", 0, 10, ["cart"]), incident("b", 30, null, ["cart"]), incident("c", 50, 55, ["cart"])];
  const c = compare(would, were, Date.parse(at(59)));
  expect([...c.same].map(([id, i]) => [id, i.id])).toEqual([["a", "a"], ["x", "b"]]);
  expect(c.missing.map((i) => i.id)).toEqual(["c"]);
});

test("what rules opened is not compared", () => {
  expect(compare([], [incident("r", 0, 1, ["cart"], "r1")], Date.parse(at(59))).missing).toEqual([]);
});

test("what is too young for whole minutes is not missing", () => {
  const were = [incident("old", 10, 20, ["cart"]), incident("young", 57, null, ["cart"])];
  expect(compare([], were, Date.parse(at(59))).missing.map((i) => i.id)).toEqual(["old"]);
});
