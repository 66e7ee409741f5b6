import { describe, expect, it } from "vitest";
import { changeWords, scalesOf, type Sides } from "./profilescale";

const sides: Sides = { unit: "nanoseconds", mover_unit: "nanoseconds/request", momentary: false, per_request: true, this: { requests: 100, covered_s: 60 }, base: { requests: 200, covered_s: 120 } };

describe("scales of a comparison", () => {
  it("counts by request where requests are known", () => {
    const [each, total, share] = scalesOf(sides);
    expect(each).toMatchObject({ id: "each", label: "Per request", weights: [0.01, 0.005], per: "a request" });
    expect(each!.say(2.5e6)).toBe("2.5\u202fms");
    expect(total!.weights).toEqual([1, 1]);
    expect(share!.weights).toBeNull();
    expect(share!.say(0.123)).toBe("12 %");
  });
  it("else by second of profile, CPU in cores", () => {
    const [each] = scalesOf({ ...sides, per_request: false });
    expect(each!.weights).toEqual([1 / 60, 1 / 120]);
    expect(each!.say(0.02e9)).toBe("20 mcores");
    expect(each!.say(1.5e9)).toBe("1.5 cores");
  });
  it("adds up nothing over time that is a moment's", () => {
    expect(scalesOf({ ...sides, unit: "bytes", momentary: true }).map((s) => s.id)).toEqual(["total", "share"]);
  });
  it("says changes", () => {
    const say = (v: number) => `${v} ms`;
    expect(changeWords(150, 100, say)).toBe("+50 ms, +50 %");
    expect(changeWords(95, 100, say)).toBe("−5 ms, −5.0 %");
    expect(changeWords(0.1 + 0.2, 0.3, say)).toBe("as before");
    expect(changeWords(3, 0, say)).toBe("new");
    expect(changeWords(0, 3, say)).toBe("gone");
  });
});
