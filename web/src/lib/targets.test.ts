import { describe, expect, it } from "vitest";
import type { ProfileTarget } from "@/api/types";
import { faultsOf, formOf, labelsOf, NEW_TARGET, sameWish, stateOf, wishOf } from "./targets";

const target: ProfileTarget = {
  id: "t1", source: "api", service: "cart", url: "http://10.0.0.8:6060", types: ["cpu"], labels: { "service.version": "2" }, interval_s: 30, timeout_s: 10, cpu_s: 5, paused: false,
  auth: { kind: "basic", username: "me", has_secret: true }, tls: { ca: "", cert: "", has_key: false, server_name: "", insecure: false },
  problem: "", by: "", last_ms: 1000, next_ms: 31_000, took_ms: 12, profiles: 4, bytes: 1000, last_bytes: 250, failures: 0, last_error: "",
};

describe("profile targets", () => {
  it("an edited target goes back as it came, without its secret", () => {
    const w = wishOf(formOf(target), false);
    expect(w).toMatchObject({ service: "cart", url: "http://10.0.0.8:6060", types: ["cpu"], labels: { "service.version": "2" }, interval_s: 30, timeout_s: 10, cpu_s: 5, paused: false, auth: { kind: "basic", username: "me" } });
    expect(JSON.parse(JSON.stringify(w)).auth).not.toHaveProperty("password");
    expect(sameWish(target, true).paused).toBe(true);
  });
  it("says what is wrong before asking", () => {
    expect(faultsOf({ ...NEW_TARGET, service: "a", url: "http://h:1" })).toEqual({});
    expect(Object.keys(faultsOf({ ...NEW_TARGET, url: "10.0.0.7:6060", types: [], labels: "x", interval: "often" })).sort()).toEqual(["interval", "labels", "service", "types", "url"]);
  });
  it("reads labels by the line", () => {
    expect(labelsOf("a=1\n\n b = x=y ")).toEqual({ a: "1", b: "x=y" });
    expect(labelsOf("=1")).toBeNull();
  });
  it("tells a target's state", () => {
    expect(stateOf(target, 2000).tone).toBe("ok");
    expect(stateOf({ ...target, last_error: "heap: answered 404" }, 2000)).toEqual({ tone: "bad", words: "heap: answered 404" });
    expect(stateOf({ ...target, paused: true, last_error: "x" }, 2000).words).toBe("Paused");
    expect(stateOf({ ...target, last_ms: 0, next_ms: 0, by: "other-1" }, 2000).words).toBe("Fetched by another process");
    expect(stateOf({ ...target, last_ms: 0, next_ms: 5000 }, 2000).words).toMatch(/^First fetch in 3/);
  });
});
