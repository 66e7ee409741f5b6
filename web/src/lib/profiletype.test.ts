import { describe, expect, it } from "vitest";
import { meaning, typeLabel, unitOf, words } from "./profiletype";

describe("what profiles measure", () => {
  it("is a sentence for every type that runtimes write", () => {
    const types = ["cpu cpu/nanoseconds", "cpu samples/count", "heap inuse_space/bytes", "heap alloc_objects/count", "goroutine goroutine/count", "mutex delay/nanoseconds", "block contentions/count", "threadcreate threadcreate/count",
      "wall wall/microseconds", "wall sample/count", "heap space/bytes", "heap objects/count"]; // the last four are Node's
    for (const t of types) {
      const [type, sample] = t.split(" ") as [string, string];
      expect(meaning(type, sample), t).toMatch(/^[A-Z].{20,}\.$/);
      expect(meaning(type, sample), t).not.toContain("program reports");
    }
  });
  it("says of an unknown type what its unit tells", () => {
    expect(meaning("gpu", "kernel_time/microseconds")).toBe("Time that the program reports as “kernel time”, by the function it was spent in; added up over the range.");
    expect(meaning("gpu", "launches/count")).toBe("How many “launches” the program reports, by function; added up over the range.");
    expect(meaning("gpu", "energy/joules")).toBe("“energy” in joules, as the program reports it, by function; added up over the range.");
    expect(meaning("net", "sent/bytes")).toContain("Bytes that the program reports as “sent”");
  });
  it("has Node's microseconds as time", () => {
    expect(unitOf("microseconds")).toBe("us");
    expect(words(2_500_000, "microseconds")).toBe("2.5\u202fs");
    expect(typeLabel("wall")).toBe("Wall time");
  });
});
