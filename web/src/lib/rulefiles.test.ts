import { describe, expect, it } from "vitest";
import type { PromAlertingRule, PromRecordingRule, RuleFile } from "@/api/rulefiles";
import { countWords, labelWords, nameFault, offsets, stateWords, waitWords } from "./rulefiles";

const at = "2026-11-21T12:00:00Z";
const common = { name: "A", query: "up == 0", labels: {}, health: "ok" as const, evaluationTime: 0.01, lastEvaluation: at };
const alerting = (states: ("firing" | "pending")[]): PromAlertingRule => ({
  ...common, type: "alerting", state: states[0] ?? "inactive", duration: 600, keepFiringFor: 0, annotations: {},
  alerts: states.map((state) => ({ labels: {}, annotations: {}, state, value: "1" })),
});

describe("rule files", () => {
  it("says how a rule stands", () => {
    expect(stateWords(alerting(["firing", "pending", "firing"]))).toEqual({ text: "2 firing", tone: "bad" });
    expect(stateWords(alerting(["pending"]))).toEqual({ text: "1 pending", tone: "off" });
    expect(stateWords(alerting([])).text).toBe("");
    expect(stateWords({ ...common, type: "recording", health: "err", lastError: "many-to-many" } as PromRecordingRule).text).toBe("cannot be evaluated");
    expect(stateWords({ ...alerting([]), health: "unknown", alerts: null }).text).toBe("not evaluated yet");
  });

  it("counts and names", () => {
    expect(countWords({ groups: 1, recording: 1, alerting: 3 })).toBe("1 group: 1 recording rule, 3 alerting rules.");
    expect(countWords({ groups: 1, recording: 0, alerting: 0 })).toBe("No rule yet.");
    expect(labelWords({ alertname: "A", job: 'a"b' })).toBe('{job="a\\"b"}');
    expect(waitWords(alerting([]))).toMatch(/^for 10/);
    const files: RuleFile[] = [{ name: "a.yml", source: "api", content: "", error: "" }];
    expect(nameFault("a.yml", files)).toMatch(/There is/);
    expect(nameFault("../a", files)).toMatch(/Letters/);
    expect(nameFault("b.yml", files)).toBeNull();
  });

  it("finds the place of a problem in the text", () => {
    const text = "groups:\n- name: g\n  rules:\n  - {record: r, expr: 'sum('}\n";
    const mark = (line: number, column: number) => {
      const { from, to } = offsets(text, { line, column, level: "error", text: "" });
      return text.slice(from, to);
    };
    expect(mark(4, 0)).toBe("- {record: r, expr: 'sum('}");
    expect(mark(4, 24)).toBe("sum('}");
    expect(mark(4, 99)).toBe("}");
    expect(mark(0, 0)).toBe("groups:");
    expect(mark(99, 0)).toBe(""); // an empty last line
  });
});
