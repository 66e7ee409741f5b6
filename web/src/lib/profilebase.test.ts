import { describe, expect, it } from "vitest";
import { baseParams, baseRange, baseWords, formatBase, parseBase, swapped } from "./profilebase";

const hour = { from: "now-1h", to: "now" };
const now = 1_795_268_580_000;

describe("what profiles are compared with", () => {
  it("reads and writes the address", () => {
    for (const vs of ["before", "ago:1d", "version:1.4.2", "from:1,2;version:1;instance:a:b;label:endpoint:GET /x"]) expect(formatBase(parseBase(vs)!)).toBe(vs);
    expect(parseBase(undefined)).toBeUndefined();
    expect(parseBase("nonsense;ago:3y;version:")).toBeUndefined();
    expect(parseBase("label:endpoint:GET /x")!.label).toBe("endpoint:GET /x");
  });
  it("moves a range that follows the present so that it keeps following", () => {
    expect(baseRange({ time: "before" }, hour, now)).toEqual({ from: "now-7200s", to: "now-3600s" });
    expect(baseRange({ time: "ago:1d" }, hour, now)).toEqual({ from: "now-90000s", to: "now-86400s" });
    expect(baseRange({ time: "ago:1h" }, { from: "1795207200000", to: "1795207260000" }, now)).toEqual({ from: "1795203600000", to: "1795203660000" });
    expect(baseRange({ time: "from:5,9" }, hour, now)).toEqual({ from: "5", to: "9" });
    expect(baseRange({ version: "1" }, hour, now)).toEqual(hour);
  });
  it("takes from this side what the base does not name", () => {
    const choice = { version: "2", instance: "a", label: ["endpoint:x"] };
    expect(baseParams({ version: "1" }, choice, hour, now)).toEqual({ base_from: "now-1h", base_to: "now", base_version: "1", base_instance: "a", base_label: ["endpoint:x"] });
    expect(baseParams({ version: "*", label: "*" }, choice, hour, now)).toMatchObject({ base_version: undefined, base_instance: "a", base_label: undefined });
  });
  it("says it", () => {
    expect(baseWords({ version: "1.4.2", time: "ago:7d" })).toBe("version 1.4.2, a week earlier");
    expect(baseWords({ instance: "*" })).toBe("all instances");
  });
  it("swaps sides, and twice is as before", () => {
    const once = swapped({ version: "1", label: "*" }, { version: "2", instance: "a", label: ["k:v"] });
    expect(once).toEqual({ base: { version: "2", instance: undefined, label: "k:v" }, version: "1", instance: "a", label: undefined });
    expect(swapped(once.base, { ...once, label: undefined })).toMatchObject({ base: { version: "1", label: "*" }, version: "2", label: "k:v" });
  });
});
